"""Pictures that could take much time or memory.

Their renditions are made at little cost, or refused at once.
"""

from __future__ import annotations

import time

import pytest
from PIL import Image

from imaging.pictures import difference, encoded, opened, photo, rendered, shown
from renditions.imaging.render import render
from renditions.model.pipeline import Accept, Limits
from renditions.model.recipe import Region, Rendition

PNG = Rendition(format="png")


def with_scans(jpeg: bytes, count: int) -> bytes:
    """Return the JPEG with its last scan repeated ``count`` times."""
    start = jpeg.rindex(b"\xff\xda")
    table = jpeg.rindex(b"\xff\xc4", 0, start)
    return jpeg[:-2] + jpeg[table:-2] * count + jpeg[-2:]


@pytest.mark.parametrize("progressive", [True, False])
def test_a_jpeg_of_thousands_of_scans_is_rejected_within_two_seconds(progressive: bool) -> None:
    source = with_scans(
        encoded(Image.new("L", (800, 600)), "jpeg", quality=60, progressive=progressive), 5000
    )
    began = time.process_time()
    rejected = render(source, Accept(), {"it": PNG}).rejected
    assert time.process_time() - began < 2
    assert rejected
    assert rejected.text.startswith("the JPEG has 5,0")
    assert "scans, more than the 100 that are allowed" in rejected.text
    assert rejected.code == "source-not-accepted"


def test_only_the_scans_of_the_picture_itself_count_toward_the_limit() -> None:
    source = encoded(photo(), "jpeg", quality=90, progressive=True)
    comment = b"\xff\xfe" + (30_002).to_bytes(2, "big") + b"\xff\xda" * 15_000
    made = shown(source[:2] + comment + source[2:] + source * 20, PNG)
    assert difference(made, opened(source)) < 0.5


def test_a_narrow_strip_is_enlarged_within_three_seconds_and_attention_finds_its_detail() -> None:
    """If the whole strip were enlarged, it would have 640 million pixels."""
    strip = Image.new("RGB", (8000, 2), "#808080")
    strip.paste("red", (5700, 0, 6300, 2))
    for side in ((8000, 2), (2, 8000)):
        source = encoded(strip if side[0] > 2 else strip.transpose(Image.Transpose.ROTATE_270), "png")
        for gravity in ("attention", "entropy"):
            began = time.process_time()
            cover = Rendition(width=400, height=400, fit="cover", enlarge=True, gravity=gravity, format="png")
            made = shown(source, cover)
            assert time.process_time() - began < 3
            assert made.size == (400, 400)
            if gravity == "attention":
                red, green, _ = made.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))  # type: ignore[misc]
                assert red > green + 40


def test_a_rotated_narrow_strip_is_cropped_to_its_detail() -> None:
    strip = Image.new("RGB", (8000, 2), "#808080")
    strip.paste("red", (5700, 0, 6300, 2))
    cover = Rendition(
        width=400, height=400, fit="cover", enlarge=True, gravity="attention", rotate=90, flip="vertical",
        format="png",
    )  # fmt: skip
    red, green, _ = shown(encoded(strip, "png"), cover).resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
    assert red > green + 40


def test_a_rendition_that_needs_too_much_memory_does_not_prevent_the_other_renditions() -> None:
    source = encoded(photo(2000, 1500), "png")
    recipes = {"whole": PNG, "thumb": Rendition(width=40, format="png")}
    rendering = render(source, Accept(), recipes, limits=Limits(memory=5_000_000))
    assert rendering.rejected is None
    assert set(rendering.made) == {"thumb"}
    assert "bytes of memory" in rendering.errors["whole"].text


@pytest.mark.parametrize(
    "recipe",
    [
        Rendition(width=60_000, height=60_000, fit="fill", enlarge=True),
        Rendition(width=60_000, height=60_000, fit="contain", format="png"),
        Rendition(padding=10_000, pixel_ratio=3.0, width=10, format="tiff"),
        Rendition(width=11_000, height=11_000, fit="cover", enlarge=True, format="avif"),
    ],
)
def test_a_rendition_far_larger_than_its_picture_is_refused_before_it_is_made(recipe: Rendition) -> None:
    began = time.process_time()
    rendering = render(encoded(photo(20, 20), "png"), Accept(), {"huge": recipe, "thumb": PNG})
    assert time.process_time() - began < 5
    assert set(rendering.made) == {"thumb"}
    size = {"avif": "11000 by 11000", "tiff": "60020 by 60020"}.get(recipe.format, "60000 by 60000")
    assert rendering.errors["huge"].text.startswith(f"a rendition of {size} pixels needs ")
    assert rendering.errors["huge"].text.endswith("that [limits] memory allows. Declare a smaller rendition")


def test_an_enlarged_rendition_within_the_limit_is_made() -> None:
    recipe = Rendition(width=3000, height=2000, fit="fill", enlarge=True)
    source = encoded(photo(20, 20), "png")
    assert rendered(source, recipe).width == 3000
    limited = render(source, Accept(), {"it": recipe}, limits=Limits(memory=17_999_999))
    assert "needs 18,000,000 bytes of memory in jpeg" in limited.errors["it"].text


CORNER = Region(left=40, top=50, width=1, height=1)


def test_only_the_cropped_part_of_a_drawing_is_drawn() -> None:
    """The whole drawing at this scale would have 60,000 by 30,000 pixels."""
    accept = Accept(formats=("svg",), max_pixels=1_000_000)
    source = drawing('<rect x="16.2" y="10.05" width="50%" height="50%" fill="red"/>')
    made = shown_from(source, Rendition(crop=CORNER, width=600, format="jpeg"), accept)
    assert made.size == (600, 300)
    assert made.getpixel((280, 280)) == (255, 255, 255)
    assert made.getpixel((590, 60)) == (255, 255, 255)
    assert difference(made.crop((320, 90, 600, 300)), Image.new("RGB", (280, 210), "red")) < 2


def test_a_drawing_with_a_filter_is_drawn_whole_before_it_is_cropped() -> None:
    """A blur of a part alone would end at the part's edges."""
    blurred = drawing('<rect width="50%" height="50%" style="filter:blur(1px)"/>')
    accept = Accept(formats=("svg",), max_pixels=1_000_000)
    errors = render(blurred, accept, {"it": Rendition(crop=CORNER, width=600)}).errors
    assert errors["it"].text.startswith(
        "rendering needs 1,800,000,000 pixels (60000 by 30000), more than the "
    )


def drawing(inside: str) -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20">{inside}</svg>'.encode()


ROOTS = [
    'width="100" height="60"',
    'viewBox="0 0 100 60"',
    'width="200" height="60" viewBox="0 0 100 60"',
    'width="100" height="90" viewBox="0 0 100 60" preserveAspectRatio="xMinYMin slice"',
    'viewBox="0 0 100 60" style="width:150px" x="40" y="10"',
    'width="25.4mm" viewBox="10 5 80 40"',
    "",
]


@pytest.mark.parametrize("sheet", ["", "<style>svg{width:90px;height:70px;x:9px}</style>"])
@pytest.mark.parametrize("root", ROOTS)
def test_a_part_of_a_drawing_looks_like_the_same_part_of_the_whole_drawing(root: str, sheet: str) -> None:
    inside = (
        '<linearGradient id="g"><stop stop-color="lime"/><stop offset="1"/></linearGradient>'
        '<rect width="100%" height="100%" fill="#fed"/><circle cx="30" cy="40" r="20" fill="url(#g)"/>'
        '<clipPath id="c"><circle cx="70" cy="20" r="9"/></clipPath><text x="10" y="55">Text</text>'
        '<rect x="60%" width="30%" height="60%" clip-path="url(#c)"/>'
    )
    source = f'<svg xmlns="http://www.w3.org/2000/svg" {root}>{sheet}{inside}</svg>'.encode()
    accept = Accept(formats=("svg",))
    whole = shown_from(source, Rendition(format="png", width=1000), accept)
    part = Rendition(format="png", width=500, crop=Region(left=25, top=20, width=50, height=40))
    made = shown_from(source, part, accept)
    left, top = round(whole.width * 0.25), round(whole.height * 0.2)
    assert difference(made, whole.crop((left, top, left + 500, top + made.height))) < 0.5


def test_a_rendition_of_a_drawing_over_the_pixel_limit_does_not_prevent_the_other_renditions() -> None:
    accept = Accept(formats=("pdf", "svg"), max_pixels=1_000_000)
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="200" height="100"><rect width="9"/></svg>'
    for source in (svg, pdf_of("[0 0 200 100]")):
        recipes = {"poster": Rendition(width=4000, format="png"), "thumb": Rendition(width=40, format="png")}
        rendering = render(source, accept, recipes)
        assert rendering.rejected is None
        assert set(rendering.made) == {"thumb"}
        assert "more than the 1,000,000 that [accept] max_pixels allows" in rendering.errors["poster"].text


def pdf_of(*boxes: str) -> bytes:
    """Return a PDF with a page for each box.

    Each page has a red square at its lower left corner.
    """
    kids = " ".join(f"{number} 0 R" for number in range(4, 4 + len(boxes)))
    parts = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {len(boxes)}>>",
        "<</Length 26>>stream\n1 0 0 rg 0 0 10 10 re f   \nendstream",
        *(f"<</Type/Page/Parent 2 0 R/MediaBox{box}/Contents 3 0 R>>" for box in boxes),
    ]
    objects = "".join(f"{number} 0 obj{part} endobj\n" for number, part in enumerate(parts, 1))
    return f"%PDF-1.4\n{objects}trailer<</Root 1 0 R/Size {len(parts) + 1}>>\n%%EOF\n".encode()


DOCUMENTS = Accept(formats=("pdf",))


@pytest.mark.parametrize("box", ["[600 800 1000 1000]", "[-9 -9 0 0]", "[600 0 900 800]"])
def test_a_page_without_area_is_rejected_with_a_reason(box: str) -> None:
    """The page's CropBox lies outside its MediaBox."""
    box = f"[0 0 600 800]/CropBox{box}"
    rejected = render(pdf_of(box), DOCUMENTS, {"it": PNG}).rejected
    assert rejected
    assert rejected.text.startswith("the page has no area: its size is ")
    recipes = {"cover": PNG, "all": Rendition(format="pdf", pages="all")}
    rendering = render(pdf_of("[0 0 200 100]", box), DOCUMENTS, recipes)
    assert set(rendering.made) == {"cover"}
    assert rendering.errors["all"].text.startswith("page 2: the page has no area")


def test_only_the_cropped_part_of_a_page_is_drawn() -> None:
    """The whole page at this scale would have 16 million pixels."""
    corner = Rendition(crop=Region(left=0, top=85, width=15, height=15), width=600, format="png")
    accept = Accept(formats=("pdf",), max_pixels=1_000_000)
    made = shown_from(pdf_of("[0 0 200 200]"), corner, accept)
    assert made.size == (600, 600)
    whole = shown_from(pdf_of("[0 0 200 200]"), Rendition(width=1000, format="png"), accept)
    part = whole.crop((0, 850, 150, 1000)).resize((600, 600), Image.Resampling.BOX)
    assert difference(made, part) < 2
    assert made.getpixel((100, 500)) == (255, 0, 0)
    assert made.getpixel((500, 100)) == (255, 255, 255)


def shown_from(content: bytes, recipe: Rendition, accept: Accept) -> Image.Image:
    return opened(rendered(content, recipe, accept).content).convert("RGB")

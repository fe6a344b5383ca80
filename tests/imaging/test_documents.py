"""Documents of several pages as input and output, and the limits of their pages."""

from __future__ import annotations

import base64
import io
import itertools
import re
import sys
import time
from dataclasses import replace
from typing import Any

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from imaging.pictures import difference, encoded, opened, photo, rendered, shown, why_not
from renditions.errors import Failed
from renditions.imaging.render import render
from renditions.model.original import Original
from renditions.model.pipeline import Accept, Limits
from renditions.model.reason import Reason
from renditions.model.recipe import Rendition

PAGES = [photo(90, 60).rotate(90 * turn) for turn in range(4)]
"""Pages of one size with different colours."""


def tiff(pages: list[Image.Image], **options: Any) -> bytes:
    return encoded(pages[0], "tiff", save_all=True, append_images=pages[1:], **options)


def frames(content: bytes) -> list[Image.Image]:
    return [frame.copy() for frame in ImageSequence.Iterator(Image.open(io.BytesIO(content)))]


@pytest.mark.parametrize(
    ("pages", "numbers"),
    [
        ("first", [0]), ("1", [0]), ("3", [2]), ("all", [0, 1, 2, 3]), ("2-3", [1, 2]), ("1-2,4", [0, 1, 3]),
        ("4,1", [3, 0]), ("3-1", [2, 1, 0]), ("3-99", [2, 3]), ("99-3", [3, 2]), ("2,2,1-2", [1, 0]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("compression", [None, "tiff_lzw", "jpeg"])
def test_the_chosen_pages_of_a_tiff_become_a_tiff_in_the_chosen_order(
    pages: str, numbers: list[int], compression: str | None
) -> None:
    made = frames(
        rendered(tiff(PAGES, compression=compression), Rendition(format="tiff", pages=pages)).content
    )
    assert len(made) == len(numbers)
    worst = max(difference(one, PAGES[number]) for one, number in zip(made, numbers, strict=True))
    assert worst < (8 if compression == "jpeg" else 0.01)


def test_each_rendition_of_a_document_can_have_its_own_pages_and_format() -> None:
    recipes = {
        "cover": Rendition(format="png"),
        "third": Rendition(format="png", pages="3"),
        "small": Rendition(format="webp", lossless=True, pages="3", width=45),
        "book": Rendition(format="tiff", pages="all", width=45),
    }
    result = render(tiff(PAGES), Accept(), recipes)
    assert (result.rejected, result.errors, result.original.frames) == (None, {}, 4)
    assert list(result.made) == list(recipes)
    assert difference(opened(result.made["cover"].content), PAGES[0]) == 0
    assert difference(opened(result.made["third"].content), PAGES[2]) == 0
    small = PAGES[2].resize((45, 30), Image.Resampling.LANCZOS)
    assert difference(opened(result.made["small"].content), small) < 1
    assert [page.size for page in frames(result.made["book"].content)] == [(45, 30)] * 4


def test_the_pages_of_a_document_become_the_pages_of_a_pdf_that_pdfium_reads() -> None:
    sizes = [(90, 60), (60, 90), (120, 40)]
    source = tiff([photo(*size) for size in sizes])
    made = rendered(source, Rendition(format="pdf", pages="all", quality=95))
    document = pypdfium2.PdfDocument(made.content)
    assert [page.get_size() for page in document] == sizes
    for page, size in zip(document, sizes, strict=True):
        assert difference(page.render(scale=1).to_pil(), photo(*size)) < 4
    assert (made.width, made.height) == sizes[0]


def test_the_time_of_a_document_counts_all_of_its_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(clock)))
    one, four = (rendered(tiff(PAGES[:count]), Rendition(format="pdf", pages="all")) for count in (1, 4))
    # Each page and the encoder read the clock before and after.
    assert (one.seconds, four.seconds) == (2, 5)


def test_a_pdf_of_several_pages_is_compressed_within_max_bytes() -> None:
    source = tiff([photo(300, 200)] * 3)
    whole = rendered(source, Rendition(format="pdf", pages="all"))
    assert len(whole.content) < len(source) / 8
    limit = len(whole.content) * 2 // 3
    assert len(rendered(source, Rendition(format="pdf", pages="all", max_bytes=limit)).content) <= limit


def test_a_tiff_of_mixed_pages_keeps_alpha_on_the_pages_that_have_it() -> None:
    clear = photo(90, 60).convert("RGBA")
    clear.putalpha(128)
    source = tiff([photo(90, 60).convert("L"), photo(90, 60), clear])
    made = frames(rendered(source, Rendition(format="tiff", pages="all")).content)
    assert [page.getpixel((5, 5))[3] for page in made] == [255, 255, 128]  # type: ignore[index]
    assert difference(made[0], photo(90, 60).convert("L")) == 0


def test_a_tiff_rendition_needs_pages_of_one_size_or_a_fit_that_makes_them_equal() -> None:
    source = tiff([photo(90, 60), photo(60, 90)])
    result = render(source, Accept(), {"it": Rendition(format="tiff", pages="all")})
    why = (
        "all pages must have the same size, but pages of 90 by 60 and 60 by 90 were found. "
        'Set width, height and fit = "contain"'
    )
    assert result.errors == {"it": Reason(why, "unrenderable")}
    boxed = Rendition(format="tiff", pages="all", fit="contain", width=50, height=50)
    assert [page.size for page in frames(rendered(source, boxed).content)] == [(50, 50)] * 2


def test_a_rendition_of_a_missing_page_fails_and_the_other_renditions_are_made() -> None:
    recipes = {"fifth": Rendition(pages="5"), "first": Rendition()}
    result = render(tiff(PAGES), Accept(), recipes)
    why = 'pages = "5" selects no page of this picture (it has 4). Declare other pages'
    assert result.errors == {"fifth": Reason(why, "unrenderable")}
    assert list(result.made) == ["first"]


def test_a_picture_or_an_animation_counts_as_one_page() -> None:
    assert difference(shown(encoded(photo(), "png"), Rendition(format="tiff", pages="all")), photo()) == 0
    animated = encoded(PAGES[0], "webp", save_all=True, append_images=PAGES[1:])
    assert len(frames(rendered(animated, Rendition(format="tiff", pages="all")).content)) == 1
    assert render(animated, Accept(), {"it": Rendition(pages="2")}).errors


def test_only_the_chosen_pages_count_toward_the_limit_of_pages() -> None:
    source = tiff([photo(9, 6)] * 51)
    every = {"it": Rendition(format="pdf", pages="all")}
    assert why_not(source, every["it"]) == (
        "the renditions need 51 pages, more than the 50 that [limits] pages allows. "
        "Declare fewer pages, or raise the limit"
    )
    assert render(source, Accept(), every, limits=Limits(pages=51)).made
    assert render(source, Accept(), {"it": Rendition()}, limits=Limits(pages=1)).rejected is None
    apart = {"a": Rendition(), "b": Rendition(pages="2")}
    rendering = render(source, Accept(), apart, limits=Limits(pages=1))
    assert set(rendering.made) == {"a"}, "the first one stays within the limit"
    why = (
        "the renditions need 2 pages, more than the 1 that [limits] pages allows. "
        "Declare fewer pages, or raise the limit"
    )
    assert rendering.errors == {"b": Reason(why, "source-not-accepted")}


def test_the_pixel_limit_counts_all_chosen_pages() -> None:
    source = tiff(PAGES)
    accept = Accept(max_pixels=3 * 90 * 60)
    assert render(source, accept, {"it": Rendition(format="pdf", pages="1-3")}).made
    assert why_not(source, Rendition(format="pdf", pages="all"), accept) == (
        "rendering needs 21,600 pixels (90 by 60 in 4 pages), more than the 16,200 that [accept] max_pixels "
        "allows. Declare fewer pages, or raise the limit"
    )


def test_an_animation_of_too_many_frames_is_rejected_if_its_frames_are_kept() -> None:
    source = encoded(PAGES[0], "webp", save_all=True, append_images=PAGES[1:])
    keep = {"it": Rendition(format="webp", animation="keep")}
    refused = render(source, Accept(), keep, limits=Limits(frames=3)).rejected
    why = (
        "the animation has 4 frames, more than the 3 that [limits] frames allows. "
        "Upload a shorter animation, or raise the limit"
    )
    assert refused == Reason(why, "source-not-accepted")
    assert render(source, Accept(), keep, limits=Limits(frames=4)).rejected is None
    assert render(source, Accept(), {"it": Rendition()}, limits=Limits(frames=1)).rejected is None


def test_a_truncated_page_fails_only_the_renditions_that_show_this_page() -> None:
    source = tiff(PAGES)
    recipes = {"all": Rendition(format="pdf", pages="all"), "cover": Rendition(format="png")}
    rendering = render(source[:-40], Accept(), recipes)
    assert rendering.rejected is None
    assert set(rendering.made) == {"cover"}
    found = rendering.errors["all"].text
    assert found.startswith("page 4: the picture is damaged")
    assert found.endswith('. Upload it again, or set [accept] damaged = "lenient"')


PDF = Accept(formats=("pdf",))


def pdf(*pages: str, kids: str = "", count: int | None = None, more: str = "", trailer: str = "") -> bytes:
    """Return a PDF of these pages, with a red corner on each of them.

    A page is given as entries of its dictionary. The corner has 100 by 50 points at the lower left.
    """
    numbers = range(4, 4 + len(pages))
    kids = kids or " ".join(f"{number} 0 R" for number in numbers)
    drawn = "1 0 0 rg 0 0 100 50 re f"
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {more} >>",
        f"<< /Type /Pages /Count {len(pages) if count is None else count} /Kids [{kids}] >>",
        f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
        *(f"<< /Type /Page /Parent 2 0 R /Contents 3 0 R {page} >>" for page in pages),
    ]
    content, offsets = b"%PDF-1.4\n", []
    for number, text in enumerate(objects, 1):
        offsets.append(len(content))
        content += f"{number} 0 obj\n{text}\nendobj\n".encode()
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    return (
        content
        + (
            f"xref\n0 {size}\n0000000000 65535 f \n{table}"
            f"trailer << /Size {size} /Root 1 0 R {trailer} >>\nstartxref\n{len(content)}\n%%EOF\n"
        ).encode()
    )


def corner(width: int, height: int) -> Image.Image:
    """Return the ``LANDSCAPE`` page at this size, drawn by Pillow."""
    picture = Image.new("RGB", (width, height), "white")
    picture.paste("red", (0, height // 2, width // 2, height))
    return picture


LANDSCAPE = "/MediaBox [0 0 200 100]"


@pytest.mark.parametrize(
    ("recipe", "size"),
    [
        (Rendition(format="png"), (200, 100)),
        (Rendition(format="png", width=1000), (1000, 500)),
        (Rendition(format="png", width=50, height=50), (50, 25)),
        (Rendition(format="png", height=300, pixel_ratio=2.0), (1200, 600)),
        (Rendition(format="png", width=300, height=300, fit="fill"), (300, 300)),
    ],
)
def test_a_pdf_page_is_drawn_in_the_needed_size(recipe: Rendition, size: tuple[int, int]) -> None:
    made = opened(rendered(pdf(LANDSCAPE), recipe, PDF).content)
    assert made.size == size
    assert difference(made, corner(*size)) < 0.5


def test_the_format_auto_makes_a_jpeg_of_a_pdf_and_the_record_has_its_size_in_points() -> None:
    source = pdf(LANDSCAPE, "/MediaBox [0 0 50 50]")
    result = render(
        source, PDF, {"it": Rendition(format="auto", key="{key}"), "raw": Rendition(format="base64")}
    )
    assert result.original == Original(len(source), "pdf", 200, 100, 2)
    assert (result.made["it"].format, result.made["it"].width) == ("jpeg", 200)
    assert base64.b64decode(result.made["raw"].content) == source


@pytest.mark.parametrize(
    ("page", "size"),
    [
        (f"{LANDSCAPE} /Rotate 90", (100, 200)),
        (f"{LANDSCAPE} /Rotate -180", (200, 100)),
        (f"{LANDSCAPE} /CropBox [0 0 50 60]", (50, 60)),
        ("/MediaBox [0 0 595.276 841.89]", (595, 842)),
        ("/MediaBox [0 0 0.5 3]", (1, 3)),
    ],
)
def test_the_recorded_size_is_that_of_the_displayed_page(page: str, size: tuple[int, int]) -> None:
    result = render(pdf(page), PDF, {"it": Rendition(format="png")})
    assert (result.original.width, result.original.height) == size
    assert opened(result.made["it"].content).size == size


@pytest.mark.parametrize(
    ("box", "area"),
    [("[0 0 0 0]", "0 by 0"), ("[]", "0 by 0"), ("[0 0 100 0]", "100 by 0"), ("[9 50 9 0]", "0 by 50")],
)
def test_a_pdf_page_whose_media_box_has_no_area_is_rejected(box: str, area: str) -> None:
    result = render(pdf(f"/MediaBox {box}"), PDF, {"it": Rendition(format="png")})
    assert str(result.rejected).startswith(f"the page has no area: its size is {area} points. ")
    result = render(pdf(LANDSCAPE, f"/MediaBox {box}"), PDF, {"it": Rendition(format="png", pages="2")})
    assert re.search(
        r"page 2: the page has no area: .*\. Upload it again, or open it", str(result.errors["it"])
    )


def test_a_pdf_page_without_a_media_box_is_us_letter() -> None:
    result = render(pdf(""), PDF, {"it": Rendition(format="png")})
    assert (result.original.width, result.original.height) == (612, 792)


def test_the_chosen_pages_of_a_pdf_become_a_document_with_pages_of_the_right_size() -> None:
    source = pdf(LANDSCAPE, "/MediaBox [0 0 300 300]", "/MediaBox [0 0 100 400]")
    recipes = {
        "book": Rendition(format="pdf", pages="all", width=400),
        "last": Rendition(format="png", pages="3", height=40),
        "scan": Rendition(format="tiff", pages="1-2", fit="contain", width=90, height=90),
    }
    result = render(source, PDF, recipes)
    assert (result.rejected, result.errors) == (None, {})
    book = pypdfium2.PdfDocument(result.made["book"].content)
    assert [page.get_size() for page in book] == [(400, 200), (400, 400), (400, 1600)]
    assert opened(result.made["last"].content).size == (10, 40)
    assert [page.size for page in frames(result.made["scan"].content)] == [(90, 90)] * 2


def test_an_annotation_on_a_page_is_drawn_in_its_own_colour() -> None:
    appearance = "<< /Type /Annot /Subtype /Square /Rect [150 50 200 100] /IC [0 0 1] /C [0 0 1] /F 4 >>"
    made = opened(rendered(pdf(f"{LANDSCAPE} /Annots [{appearance}]"), Rendition(format="png"), PDF).content)
    assert made.getpixel((175, 25)) == (0, 0, 255)


def test_the_first_page_of_a_huge_document_is_drawn_but_a_request_for_all_pages_is_refused() -> None:
    source = pdf(LANDSCAPE, kids="4 0 R " * 100_000, count=100_000)
    recipes = {"cover": Rendition(format="png")}
    assert render(source, PDF, recipes).original.frames == 100_000
    assert difference(opened(rendered(source, recipes["cover"], PDF).content), corner(200, 100)) < 0.5
    book = {"book": Rendition(format="pdf", pages="all")}
    assert "need 100,000 pages, more than the 50 that" in why_not(source, book["book"], PDF)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            pdf("/MediaBox [0 0 1000000 1000000]"),
            "the rendition would have 1000000 by 1000000 pixels, but tiff allows sides of at most 65,535 ",
        ),
        (
            pdf("/MediaBox [0 0 60000 60000]"),
            "rendering needs 3,600,000,000 pixels (60000 by 60000), more than the 100,000,000 that [accept] ",
        ),
        (pdf(LANDSCAPE)[:300], "the PDF ends before its %%EOF mark"),
        (b"%PDF-1.7\n" + bytes(2000) + b"%%EOF", "the PDF is damaged (Failed to load document"),
        (pdf(), "the PDF has no pages"),
        (pdf(LANDSCAPE, count=9), "the PDF is damaged (Failed to load page.)"),
        (
            pdf(
                LANDSCAPE,
                trailer=f"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{'41' * 32}> /U <{'42' * 32}> >> "
                "/ID [<00> <00>]",
            ),
            "the PDF needs a password. Remove the password, and upload the file again",
        ),
    ],
)  # fmt: skip
def test_a_hostile_or_damaged_pdf_gives_a_reason_and_no_rendition(content: bytes, reason: str) -> None:
    result = render(content, PDF, {"it": Rendition(format="tiff", pages="all")})
    assert result.made == {}
    assert reason in str(result.rejected or result.errors["it"])


def test_the_reason_for_rejecting_a_pdf_does_not_depend_on_the_pdf_before_it() -> None:
    """PDFium keeps its last error, and sets none for a document without pages."""
    locked = pdf(
        LANDSCAPE,
        trailer=f"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{'41' * 32}> /U <{'42' * 32}> >> "
        "/ID [<00> <00>]",
    )
    assert "needs a password" in why_not(locked, Rendition(), PDF)
    assert why_not(pdf(), Rendition(), PDF) == "the PDF has no pages. Upload one with pages"


def test_a_pdf_with_an_unknown_encryption_is_not_reported_as_damage() -> None:
    locked = pdf(LANDSCAPE, trailer="/Encrypt << /Filter /Other >> /ID [<00> <00>]")
    assert why_not(locked, Rendition(), PDF).startswith("the PDF's encryption isn't supported.")


def test_a_small_rendition_of_a_page_of_a_million_points_is_made() -> None:
    """Only the needed pixels are drawn."""
    made = rendered(pdf("/MediaBox [0 0 1000000 1000000]"), Rendition(width=100), PDF)
    assert (made.width, made.height) == (100, 100)


def test_the_pixel_limit_counts_all_drawn_pages_of_a_pdf() -> None:
    accept = Accept(formats=("pdf",), max_pixels=60_000)
    source = pdf(LANDSCAPE, LANDSCAPE, LANDSCAPE)
    book = Rendition(format="pdf", pages="all")
    assert render(source, accept, {"it": book}).made
    assert why_not(source, replace(book, width=201), accept) == (
        "rendering needs 60,903 pixels (201 by 101 in 3 pages), more than the 60,000 that [accept] "
        "max_pixels allows. Declare fewer pages or smaller renditions, or raise the limit"
    )


def test_a_pdf_fails_without_pdfium_and_the_reason_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    with pytest.raises(Failed, match=r"pip install 'renditions\[pdf\]'"):
        render(pdf(LANDSCAPE), PDF, {"it": Rendition()})


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_rendering_a_damaged_pdf_raises_no_error(data: st.DataObject) -> None:
    content = bytearray(pdf(LANDSCAPE, LANDSCAPE))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(8, len(content) - 1))] = data.draw(st.integers(0, 255))
    accept = Accept(formats=("pdf",), max_pixels=1_000_000)
    result = render(bytes(content), accept, {"it": Rendition(format="pdf", pages="all", width=20)})
    assert result.rejected or set(result.made) | set(result.errors) == {"it"}

"""The pages of a PDF: their size on paper, and how they are encoded."""

from __future__ import annotations

import io

import pypdfium2
import pytest
from PIL import Image

from imaging.pictures import difference, encoded, photo, rendered
from renditions.model.recipe import PageSize, Rendition

BOOK = Rendition(format="pdf", pages="all")


def sizes(pdf: bytes) -> list[tuple[int, int]]:
    """Return the size of each page in points."""
    with pypdfium2.PdfDocument(pdf) as document:
        return [(round(page.get_width()), round(page.get_height())) for page in document]


def drawn(pdf: bytes, scale: float) -> Image.Image:
    with pypdfium2.PdfDocument(pdf) as document:
        picture: Image.Image = document[0].render(scale=scale).to_pil()
        return picture


def scan(width: int = 827, height: int = 1169, dpi: float = 100) -> Image.Image:
    page = Image.new("1", (width, height), 1)
    page.paste(0, (width // 4, height // 4, width // 2, height // 2))
    page.info["dpi"] = (dpi, dpi)
    return page


@pytest.mark.parametrize("file_format", ["tiff", "png", "jpeg"])
@pytest.mark.parametrize("width", [None, 400])
def test_a_pdf_page_has_the_size_on_paper_that_its_source_declares(
    file_format: str, width: int | None
) -> None:
    source = encoded(photo(827, 1169), file_format, dpi=(100, 100))
    recipe = Rendition(format="pdf", width=width)
    ((across, down),) = sizes(rendered(source, recipe).content)
    assert abs(across - 595) <= 1
    assert abs(down - 842) <= 2


def test_each_page_of_a_pdf_has_the_size_that_its_own_resolution_gives() -> None:
    target, second_page = io.BytesIO(), scan()
    second_page.encoderinfo = {"dpi": (200, 200)}
    scan().save(
        target, "TIFF", save_all=True, append_images=[second_page], compression="group4", dpi=(100, 100)
    )
    first, second = sizes(rendered(target.getvalue(), BOOK).content)
    assert (first, second) == ((595, 842), (298, 421))


@pytest.mark.parametrize("dpi", [None, (72, 72)])
@pytest.mark.parametrize("file_format", ["png", "jpeg", "tiff", "gif", "webp", "avif"])
def test_a_pixel_becomes_a_point_if_no_resolution_is_known(
    file_format: str, dpi: tuple[int, int] | None
) -> None:
    """A PNG declares whole pixels per metre, so 72 dpi become 71.98 or 72.01."""
    source = encoded(photo(300, 200), file_format, **({"dpi": dpi} if dpi else {"optimize": False}))
    with pypdfium2.PdfDocument(rendered(source, BOOK).content) as document:
        assert document[0].get_size() == (300, 200)


def test_a_tiny_page_is_made_without_a_message_of_the_library(caplog: pytest.LogCaptureFixture) -> None:
    """The message would reach the terminal without the name of the picture."""
    made = rendered(encoded(Image.new("RGB", (2, 2)), "png"), BOOK).content
    assert sizes(made) == [(2, 2)]
    assert caplog.records == []


def test_a_declared_resolution_overrides_that_of_the_source() -> None:
    source = encoded(photo(300, 200), "png", dpi=(100, 100))
    assert sizes(rendered(source, Rendition(format="pdf", dpi=150)).content) == [(144, 96)]


@pytest.mark.parametrize(
    ("paper", "size"),
    [("a3", (842, 1191)), ("a4", (595, 842)), ("letter", (612, 792)), ("legal", (612, 1008))],
)
def test_a_picture_fills_a_page_of_a_declared_size_in_one_direction(
    paper: PageSize, size: tuple[int, int]
) -> None:
    for picture, expected in ((photo(200, 300), size), (photo(300, 200), size[::-1])):
        made = rendered(encoded(picture, "png"), Rendition(format="pdf", page_size=paper)).content
        assert sizes(made) == [expected]
        page = drawn(made, 1)
        white = page.convert("L").point(lambda value: 255 if value < 250 else 0).getbbox()
        assert white
        assert max((white[2] - white[0]) / expected[0], (white[3] - white[1]) / expected[1]) > 0.98


def test_a_picture_smaller_than_its_page_is_centred_with_a_margin() -> None:
    made = rendered(encoded(photo(300, 200), "png"), Rendition(format="pdf", page_size="a4", dpi=100)).content
    assert sizes(made) == [(842, 595)]
    box = drawn(made, 1).convert("L").point(lambda value: 255 if value < 250 else 0).getbbox()
    assert box
    assert abs((box[2] - box[0]) - 216) <= 2
    assert abs((box[0] + box[2]) / 2 - 421) <= 2


def test_a_page_of_black_and_white_is_stored_as_group_4_without_loss() -> None:
    page = scan()
    made = rendered(encoded(page, "tiff", compression="group4", dpi=(100, 100)), BOOK).content
    assert b"CCITTFaxDecode" in made
    assert len(made) < 5_000
    shown = drawn(made, 100 / 72)
    assert difference(shown.resize(page.size).convert("RGB"), page.convert("RGB")) < 1


def test_a_grey_page_is_stored_as_a_jpeg() -> None:
    assert b"DCTDecode" in rendered(encoded(photo().convert("L"), "png"), BOOK).content

"""Documents of several pages, in and out, and how many of them may be decoded."""

from __future__ import annotations

import io
from typing import Any

import pypdfium2
import pytest
from PIL import Image, ImageSequence

from imaging.pictures import difference, encoded, opened, photo, rendered, shown
from renditions.imaging.render import render
from renditions.pipeline import Accept, Limits
from renditions.recipe import Rendition

PAGES = [photo(90, 60).rotate(90 * turn) for turn in range(4)]
"""Of one size, each told from the others by its colours."""


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
def test_a_tiffs_chosen_pages_become_a_tiff_in_that_order(
    pages: str, numbers: list[int], compression: str | None
) -> None:
    made = frames(
        rendered(tiff(PAGES, compression=compression), Rendition(format="tiff", pages=pages)).content
    )
    assert len(made) == len(numbers)
    worst = max(difference(one, PAGES[number]) for one, number in zip(made, numbers, strict=True))
    assert worst < (8 if compression == "jpeg" else 0.01)


def test_one_chosen_page_becomes_any_format_and_several_renditions_choose_on_their_own() -> None:
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


def test_pages_become_the_pages_of_a_pdf_as_pdfium_reads_it() -> None:
    sizes = [(90, 60), (60, 90), (120, 40)]
    source = tiff([photo(*size) for size in sizes])
    made = rendered(source, Rendition(format="pdf", pages="all", quality=95))
    document = pypdfium2.PdfDocument(made.content)
    assert [page.get_size() for page in document] == sizes
    for page, size in zip(document, sizes, strict=True):
        assert difference(page.render(scale=1).to_pil(), photo(*size)) < 4
    assert (made.width, made.height) == sizes[0]


def test_a_pdf_of_pages_is_compressed_and_keeps_max_bytes() -> None:
    source = tiff([photo(300, 200)] * 3)
    whole = rendered(source, Rendition(format="pdf", pages="all"))
    assert len(whole.content) < len(source) / 8
    limit = len(whole.content) * 2 // 3
    assert len(rendered(source, Rendition(format="pdf", pages="all", max_bytes=limit)).content) <= limit


def test_a_tiff_of_pages_of_several_kinds_keeps_the_alpha_of_those_that_have_it() -> None:
    clear = photo(90, 60).convert("RGBA")
    clear.putalpha(128)
    source = tiff([photo(90, 60).convert("L"), photo(90, 60), clear])
    made = frames(rendered(source, Rendition(format="tiff", pages="all")).content)
    assert [page.getpixel((5, 5))[3] for page in made] == [255, 255, 128]  # type: ignore[index]
    assert difference(made[0], photo(90, 60).convert("L")) == 0


def test_a_tiff_of_pages_of_several_sizes_is_refused_or_made_of_one_size() -> None:
    source = tiff([photo(90, 60), photo(60, 90)])
    result = render(source, Accept(), {"it": Rendition(format="tiff", pages="all")})
    assert result.errors == {
        "it": 'expected pages of one size, as fit = "contain" makes them, found 90 by 60 and 60 by 90'
    }
    boxed = Rendition(format="tiff", pages="all", fit="contain", width=50, height=50)
    assert [page.size for page in frames(rendered(source, boxed).content)] == [(50, 50)] * 2


def test_pages_that_a_document_hasnt_are_refused_and_other_renditions_made() -> None:
    recipes = {"fifth": Rendition(pages="5"), "first": Rendition()}
    result = render(tiff(PAGES), Accept(), recipes)
    assert result.errors == {"fifth": "expected pages 5, found 4 in all"}
    assert list(result.made) == ["first"]


def test_a_still_picture_has_one_page_and_an_animations_frames_are_none() -> None:
    assert difference(shown(encoded(photo(), "png"), Rendition(format="tiff", pages="all")), photo()) == 0
    animated = encoded(PAGES[0], "gif", save_all=True, append_images=PAGES[1:])
    assert len(frames(rendered(animated, Rendition(format="tiff", pages="all")).content)) == 1
    assert render(animated, Accept(), {"it": Rendition(pages="2")}).errors


def test_more_pages_than_allowed_are_rejected_and_only_chosen_ones_count() -> None:
    source = tiff([photo(9, 6)] * 51)
    every = {"it": Rendition(format="pdf", pages="all")}
    assert render(source, Accept(), every).rejected == "expected at most 50 pages, found 51"
    assert render(source, Accept(), every, Limits(pages=51)).rejected is None
    assert render(source, Accept(), {"it": Rendition()}, Limits(pages=1)).rejected is None
    apart = {"a": Rendition(), "b": Rendition(pages="2")}
    assert render(source, Accept(), apart, Limits(pages=1)).rejected == "expected at most 1 pages, found 2"


def test_the_pixels_of_all_chosen_pages_count() -> None:
    source = tiff(PAGES)
    accept = Accept(max_pixels=3 * 90 * 60)
    assert render(source, accept, {"it": Rendition(format="pdf", pages="1-3")}).rejected is None
    assert render(source, accept, {"it": Rendition(format="pdf", pages="all")}).rejected == (
        "expected at most 16,200 pixels, found 21,600 in 4 pages"
    )


def test_more_frames_than_allowed_are_rejected_where_they_are_kept() -> None:
    source = encoded(PAGES[0], "gif", save_all=True, append_images=PAGES[1:])
    keep = {"it": Rendition(format="webp", animation="keep")}
    assert render(source, Accept(), keep, Limits(frames=3)).rejected == "expected at most 3 frames, found 4"
    assert render(source, Accept(), keep, Limits(frames=4)).rejected is None
    assert render(source, Accept(), {"it": Rendition()}, Limits(frames=1)).rejected is None


def test_a_document_that_ends_in_a_later_page_is_rejected() -> None:
    source = tiff(PAGES)
    assert render(source[:-40], Accept(), {"it": Rendition(format="pdf", pages="all")}).rejected

"""PDF input, drawn by PDFium on white paper (ISO 32000), and PDF output.

The pages of the output are JPEGs, or black-and-white pictures in Group 4 coding.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from renditions.errors import Undecodable
from renditions.imaging import machine_fonts
from renditions.imaging.extras import import_extra
from renditions.imaging.formats.jpeg import encode as encode_jpeg
from renditions.imaging.formats.pdf_text import find_missing_fonts
from renditions.imaging.geometry import Rectangle, Size
from renditions.imaging.probe import Header
from renditions.imaging.vips import Image
from renditions.imaging.warn import warn
from renditions.model.recipe import PageSize, Rendition

_EXTRA = "pdf"
_REFUSALS = {
    4: ("the PDF needs a password", "Remove the password, and upload the file again"),
    5: ("the PDF's encryption isn't supported", "Save the PDF without encryption, and upload it again"),
}
"""The reasons and advice for FPDF_ERR_PASSWORD and FPDF_ERR_SECURITY in fpdfview.h."""
_LOCK = threading.Lock()
"""Only the thread that holds this lock may call PDFium, which doesn't support several threads."""
_MOST_NAMED = 3
"""How many fonts a warning names."""
_FINE_SIDE = 10_000
"""A page's proportions are rounded as if its longer side had this many pixels."""
_WHITE = (255, 255, 255, 255)
_END_BYTES = 1024
"""If more bytes than this follow the end mark, objects in them count as an update of the file."""
_POINTS_PER_INCH = 72
_POINTS_PER_MILLIMETRE = _POINTS_PER_INCH / 25.4
_PAPERS: Mapping[PageSize, tuple[float, float]] = {
    "a3": (297 * _POINTS_PER_MILLIMETRE, 420 * _POINTS_PER_MILLIMETRE),
    "a4": (210 * _POINTS_PER_MILLIMETRE, 297 * _POINTS_PER_MILLIMETRE),
    "a5": (148 * _POINTS_PER_MILLIMETRE, 210 * _POINTS_PER_MILLIMETRE),
    "letter": (612, 792),
    "legal": (612, 1008),
}
"""The short and the long side of each paper in points."""


def read_header(content: bytes, page: int) -> Header:
    """Return a header with the number of pages and this page's size.

    The size is as displayed, with one pixel for each point.

    Raises:
        Undecodable: The file is damaged or encrypted, or has no pages, or the page has no area.
        Failed: pypdfium2 isn't installed, or this process has drawn text with other fonts than the declared
            ones.

    """
    with _open(content) as document:
        count = len(document)
        width, height = _size_of(document[page])
    if min(width, height) <= 0:
        raise Undecodable(f"the page has no area: its size is {width:g} by {height:g} points")
    fine = _FINE_SIDE / max(width, height)
    return Header(
        format="pdf",
        stored=_round(width, height),
        orientation=1,
        frames=count,
        page=page,
        drawing=_round(width * fine, height * fine),
        draws_parts=True,
    )


def _size_of(page: Any) -> tuple[float, float]:
    """Return the page's size in points.

    PDFium gives the size of US Letter to a page whose ``MediaBox`` is missing or has no area. Pages without a
    ``MediaBox`` are common. A ``MediaBox`` without an area is damage. This function returns the size of that
    box, with a side of 0, so that the caller can reject the page.
    """
    box = page.get_mediabox(fallback_ok=False)
    if box and (box[0] == box[2] or box[1] == box[3]):
        return abs(box[2] - box[0]), abs(box[3] - box[1])
    width, height = page.get_size()
    return width, height


def check_end(content: bytes) -> None:
    """Raise ``Undecodable`` if the last end mark is missing.

    Servers and mail programs may append data after the mark, and such data is ignored. But objects in data of
    more than ``_END_BYTES`` belong to an update of the file whose own end mark is missing.
    """
    _, mark, rest = content.rpartition(b"%%EOF")
    if not mark or (len(rest) > _END_BYTES and b" obj" in rest):
        raise Undecodable("the PDF ends before its %%EOF mark")


def draw(content: bytes, header: Header, size: Size, part: Rectangle) -> Any:
    """Return a part of the page as a libvips image in sRGB.

    ``size`` is the size of the whole page in pixels, and the image has exactly the size of ``part``. The
    image shows the page's annotations and forms. This function warns of text that PDFium leaves out.

    Raises:
        Undecodable: The page is damaged.
        Failed: pypdfium2 isn't installed, or this process has drawn text with other fonts than the declared
            ones.

    """
    with _open(content) as document:
        raw = import_extra("pypdfium2.raw", _EXTRA)
        document.init_forms()
        page = document[header.page]
        if fonts := find_missing_fonts(page, lambda: document[header.page]):
            names = ", ".join(map(repr, fonts[:_MOST_NAMED]))
            names += " and others" if len(fonts) > _MOST_NAMED else ""
            warn("glyph-missing", f"text is left out, because the PDF doesn't contain its fonts: {names}")
        bitmap = import_extra("pypdfium2", _EXTRA).PdfBitmap.new_native(
            part.width, part.height, raw.FPDFBitmap_BGR, rev_byteorder=True
        )
        bitmap.fill_rect(_WHITE, 0, 0, part.width, part.height)
        flags = raw.FPDF_ANNOT | raw.FPDF_REVERSE_BYTE_ORDER
        place = (-part.left, -part.top, size.width, size.height, 0, flags)
        raw.FPDF_RenderPageBitmap(bitmap, page, *place)
        if document.formenv:
            raw.FPDF_FFLDraw(document.formenv, bitmap, page, *place)
        pixels = bytes(bitmap.buffer)
    return Image.new_from_memory(pixels, part.width, part.height, 3, "uchar").copy(interpretation="srgb")


def encode(image: Any, recipe: Rendition, quality: int | None) -> bytes:
    """Return a grey page of only black and white as a TIFF, and others as a JPEG.

    The TIFF has CCITT's Group 4 coding, without loss.
    """
    if image.bands == 1 and image.hist_find().crop(1, 0, 254, 1).max() == 0:
        options = {"compression": "ccittfax4", "bitdepth": 1, "miniswhite": True, "keep": "none"}
        # img2pdf embeds a TIFF of one strip unchanged.
        return bytes(image.tiffsave_buffer(tile_height=image.height, **options))
    return encode_jpeg(image, recipe, quality)


def bind(files: Sequence[bytes], recipe: Rendition, resolutions: Sequence[float | None]) -> bytes:
    """Return a PDF with one page for each file.

    The PDF contains the files unchanged, not encoded again. The PDF has no date, so the same files always
    give the same bytes.

    Args:
        files: JPEGs, or TIFFs in Group 4 coding.
        recipe: The recipe. This function uses only its ``dpi`` and ``page_size``.
        resolutions: For each file, the pixels per inch that its source gives; None: one pixel is a point.
            The recipe's ``dpi`` or ``page_size`` overrides them.

    Raises:
        Failed: img2pdf isn't installed.

    """
    img2pdf = import_extra("img2pdf", _EXTRA)
    # img2pdf's warning about a tiny page would reach the terminal without the picture's name.
    logging.getLogger("img2pdf").setLevel(logging.ERROR)
    remaining = iter(resolutions)

    def lay(width: int, height: int, _: Any) -> tuple[float, float, float, float]:
        """Return the size of the page and of the picture on it, in points."""
        times = _POINTS_PER_INCH / (recipe.dpi or next(remaining) or _POINTS_PER_INCH)
        across, down = width * times, height * times
        if recipe.page_size is None:
            return across, down, across, down
        short, long = _PAPERS[recipe.page_size]
        paper = (long, short) if across > down else (short, long)
        fill = min(paper[0] / across, paper[1] / down)
        fill = min(fill, 1) if recipe.dpi else fill
        return *paper, across * fill, down * fill

    pdf: bytes = img2pdf.convert(list(files), layout_fun=lay, nodate=True, engine=img2pdf.Engine.internal)
    return pdf


def _round(width: float, height: float) -> Size:
    return Size(max(1, round(width)), max(1, round(height)))


@cache
def _leave_out_machine_fonts() -> Any:
    """Keep PDFium from using the machine's fonts.

    This function gives PDFium a table of functions that find fonts, and leaves the table empty. PDFium then
    draws text in its own fonts if a page doesn't embed the font. PDFium keeps a pointer to the table, so this
    function returns the table, and the cache keeps it alive.
    """
    raw = import_extra("pypdfium2.raw", _EXTRA)
    table = raw.FPDF_SYSFONTINFO(version=1)
    raw.FPDF_SetSystemFontInfo(table)
    return table


def _load(content: bytes) -> Any:
    """Return PDFium's handle of the document, or raise ``Undecodable``.

    PDFium doesn't copy ``content``: the caller must keep it until the document is closed. This function
    doesn't use pypdfium2's own loader. That loader reports a document without pages as unreadable, with a
    reason that can be an error about an earlier file.
    """
    raw = import_extra("pypdfium2.raw", _EXTRA)
    handle = raw.FPDF_LoadMemDocument64(content, len(content), None)
    if not handle:
        code = raw.FPDF_GetLastError()
        raise Undecodable(
            *_REFUSALS.get(code, (f"the PDF is damaged (Failed to load document: PDFium's error {code})",))
        )
    return handle


@contextmanager
def _open(content: bytes) -> Iterator[Any]:
    pdfium = import_extra("pypdfium2", _EXTRA)
    with _LOCK:
        if machine_fonts.settle() == "bundled":
            _leave_out_machine_fonts()
        try:
            with pdfium.PdfDocument(_load(content)) as document:
                if not len(document):
                    raise Undecodable("the PDF has no pages", "Upload one with pages")
                yield document
        except pdfium.PdfiumError as error:
            raise Undecodable(f"the PDF is damaged ({error})") from error

"""PDF input, drawn by PDFium on white paper (ISO 32000), and PDF output of JPEGs."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from renditions.errors import Undecodable
from renditions.imaging.extras import import_extra
from renditions.imaging.geometry import Rectangle, Size
from renditions.imaging.probe import Header
from renditions.imaging.vips import Image

_EXTRA = "pdf"
_LOCK = threading.Lock()
"""PDFium doesn't support several threads."""
_FINE_SIDE = 10_000
"""The longer side, in pixels, of the grid for a page's proportions."""
_WHITE = (255, 255, 255, 255)
_END_BYTES = 1024
"""How many bytes at the end of a file may hold the end mark: some writers append data after it."""
_POINTS_PER_INCH = 72


def read_header(content: bytes, page: int) -> Header:
    """Return a header with the number of pages, and this page's size as displayed: one pixel per point.

    Raises:
        Undecodable: The file is damaged or encrypted.
        Failed: pypdfium2 isn't installed.

    """
    with _open(content) as document:
        count = len(document)
        width, height = document[page].get_size()
    if min(width, height) <= 0:
        raise Undecodable(f"expected a page with an area, found {width:g} by {height:g} points")
    fine = _FINE_SIDE / max(width, height)
    return Header(
        format="pdf",
        stored=_round(width, height),
        orientation=1,
        frames=count,
        page=page,
        drawing=_round(width * fine, height * fine),
    )


def check_end(content: bytes) -> None:
    """Raise ``Undecodable`` if the end mark is missing."""
    if b"%%EOF" not in content[-_END_BYTES:]:
        raise Undecodable("the PDF ends before its %%EOF mark")


def draw(content: bytes, header: Header, size: Size, part: Rectangle) -> Any:
    """Return a part of the page at exactly this size, with annotations and forms, as a libvips image in sRGB.

    Raises:
        Undecodable: The page is damaged.

    """
    with _open(content) as document:
        raw = import_extra("pypdfium2.raw", _EXTRA)
        document.init_forms()
        page = document[header.page]
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


def bind(jpegs: Sequence[bytes]) -> bytes:
    """Return a PDF with one page for each JPEG, of the same size: one point per pixel.

    The JPEGs are embedded unchanged, not encoded again. The PDF has no date, so the same JPEGs always give
    the same bytes.

    Raises:
        Failed: img2pdf isn't installed.

    """
    img2pdf = import_extra("img2pdf", _EXTRA)
    layout = img2pdf.get_fixed_dpi_layout_fun((_POINTS_PER_INCH, _POINTS_PER_INCH))
    pdf: bytes = img2pdf.convert(list(jpegs), layout_fun=layout, nodate=True, engine=img2pdf.Engine.internal)
    return pdf


def _round(width: float, height: float) -> Size:
    return Size(max(1, round(width)), max(1, round(height)))


@contextmanager
def _open(content: bytes) -> Iterator[Any]:
    pdfium = import_extra("pypdfium2", _EXTRA)
    with _LOCK:
        try:
            with pdfium.PdfDocument(content) as document:
                yield document
        except pdfium.PdfiumError as error:
            raise Undecodable(f"the PDF is damaged or needs a password: {error}") from error

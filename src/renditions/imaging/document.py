"""Renditions that aren't pictures: a PDF around one, and the source's own bytes as text."""

from __future__ import annotations

import base64
from importlib import import_module

from renditions.errors import Failed

_POINTS_PER_INCH = 72


def make_pdf(jpeg: bytes) -> bytes:
    """Return a PDF of one page that is exactly the JPEG, one point for each pixel.

    The JPEG is embedded as it is, not encoded again. The same JPEG gives the same bytes: no date is in it.

    Raises:
        Failed: img2pdf isn't installed.

    """
    try:
        # Only when needed: importing it takes longer than making the page.
        img2pdf = import_module("img2pdf")
    except ImportError as error:
        raise Failed("expected img2pdf for PDF (pip install 'renditions[pdf]'), found none") from error
    layout = img2pdf.get_fixed_dpi_layout_fun((_POINTS_PER_INCH, _POINTS_PER_INCH))
    pdf: bytes = img2pdf.convert(jpeg, layout_fun=layout, nodate=True, engine=img2pdf.Engine.internal)
    return pdf


def encode_base64(content: bytes, media_type: str | None = None) -> bytes:
    """Return the bytes as Base64 (RFC 4648, section 4): ASCII, padded, without newlines.

    With a media type it is a ``data:`` URI (RFC 2397).
    """
    start = f"data:{media_type};base64,".encode() if media_type else b""
    return start + base64.b64encode(content)

"""Renditions that aren't pictures: a PDF around one, and the source's own bytes as text."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from renditions.imaging.extras import import_extra

_POINTS_PER_INCH = 72


def make_pdf(jpegs: Sequence[bytes]) -> bytes:
    """Return a PDF of one page for each JPEG, exactly as large: one point for each pixel.

    The JPEGs are embedded as they are, not encoded again. The same ones give the same bytes: it has no date.

    Raises:
        Failed: img2pdf isn't installed.

    """
    img2pdf = import_extra("img2pdf")
    layout = img2pdf.get_fixed_dpi_layout_fun((_POINTS_PER_INCH, _POINTS_PER_INCH))
    pdf: bytes = img2pdf.convert(list(jpegs), layout_fun=layout, nodate=True, engine=img2pdf.Engine.internal)
    return pdf


def encode_base64(content: bytes, media_type: str | None = None) -> bytes:
    """Return the bytes as Base64 (RFC 4648, section 4): ASCII, padded, without newlines.

    With a media type it is a ``data:`` URI (RFC 2397).
    """
    start = f"data:{media_type};base64,".encode() if media_type else b""
    return start + base64.b64encode(content)

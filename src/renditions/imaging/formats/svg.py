"""SVG input, drawn by librsvg at the needed size after a safety check.

:mod:`.svg_document` checks the file and writes the document that librsvg gets. Text is drawn in the bundled
font.
"""

from __future__ import annotations

from typing import Any

from renditions.errors import Undecodable
from renditions.imaging.formats.svg_document import Drawing, read_drawing
from renditions.imaging.geometry import Size
from renditions.imaging.lettering import add_own_fonts
from renditions.imaging.probe import Header
from renditions.imaging.vips import load, translated
from renditions.imaging.warn import warn

_PIXELS_PER_INCH = 96
"""The resolution of CSS pixels, so that a drawing is as large as in a browser."""
_POINTS_PER_INCH = 72
_FINE_SIDE = 10_000
"""The longer side, in pixels, at which a drawing's proportions are measured."""
_MIN_SCALE = 0.001
"""The smallest scale that libvips allows."""


def read_header(content: bytes, _: int) -> Header:
    """Check the drawing, and return a header with its own size in CSS pixels.

    Raises:
        NotAccepted: The drawing has forbidden or too many elements.
        Undecodable: The drawing is damaged.

    """
    drawing = read_drawing(content)
    for warning in drawing.warnings:
        warn(*warning)
    with translated(Undecodable, "the drawing has no valid size"):
        image = _load(drawing, 1)
        stored = Size(image.width, image.height)
        fine = _load(drawing, _fine_scale(stored))
        return Header("svg", stored, orientation=1, frames=1, drawing=Size(fine.width, fine.height))


def draw(content: bytes, header: Header, size: Size) -> Any:
    """Return the drawing as a lazy libvips image in sRGB with alpha.

    Each side may differ from this size by up to a pixel.
    """
    fine = header.drawing or header.stored
    times = max(size.width / fine.width, size.height / fine.height)
    return _load(read_drawing(content), _fine_scale(header.stored) * times)


def _load(drawing: Drawing, scale: float) -> Any:
    """Return the drawing at its size in CSS pixels times ``scale``.

    libvips also multiplies the size by ``dpi`` / 72, so this function divides the scale by ``dpi`` / 72.
    """
    if drawing.has_text:
        add_own_fonts()
    scale = max(_MIN_SCALE, scale * _POINTS_PER_INCH / _PIXELS_PER_INCH)
    # The document was checked, so libxml2's own limit of 10 MB for an embedded picture isn't needed.
    return load("svg", drawing.content, unlimited=True, dpi=_PIXELS_PER_INCH, scale=scale)


def _fine_scale(stored: Size) -> float:
    return _FINE_SIDE / max(stored.width, stored.height)

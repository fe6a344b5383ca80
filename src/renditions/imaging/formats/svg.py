"""SVG input, drawn by librsvg at the needed size after a safety check.

:mod:`.svg_document` checks the file and writes the document that librsvg gets. Text is drawn in the bundled
font, or also in the machine's fonts if the pipeline file allows this.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any
from xml.sax.saxutils import quoteattr

from renditions.errors import Undecodable
from renditions.imaging.formats.svg_document import Drawing, read_drawing
from renditions.imaging.geometry import Rectangle, Size, rescaled
from renditions.imaging.lettering import add_own_fonts
from renditions.imaging.probe import Header
from renditions.imaging.vips import load, translated
from renditions.imaging.warn import warn

_PIXELS_PER_INCH = 96
"""The resolution of CSS pixels, so that a drawing is as large as in a browser."""
_POINTS_PER_INCH = 72
_FINE_SIDE = 10_000
"""The longer side, in pixels, at which a drawing's proportions are measured."""
_OPAQUE = 255
_MIN_SCALE = 0.001
"""The smallest scale that libvips allows."""


def read_header(content: bytes, _: int) -> Header:
    """Check the drawing, and return a header with its own size in CSS pixels.

    This function warns of content that is left out or replaced.

    Raises:
        NotAccepted: The drawing is too large or too complex, or has content that isn't allowed, such as a
            script.
        Undecodable: The drawing is damaged.
        Failed: Memory ran out, a bundled font is damaged, or this process has drawn text with other fonts
            than the declared ones.

    """
    drawing = read_drawing(content)
    for warning in drawing.warnings:
        warn(*warning)
    with translated(Undecodable, "the drawing has no valid size", "Declare its width and height"):
        image = _load(drawing, 1)
        stored = Size(image.width, image.height)
        fine = _load(drawing, _fine_scale(stored))
        return Header(
            format="svg",
            stored=stored,
            orientation=1,
            frames=1,
            drawing=Size(fine.width, fine.height),
            # A filter, such as a blur, also needs the pixels around the part.
            draws_parts=not drawing.has_filter,
        )


def draw(content: bytes, header: Header, size: Size, part: Rectangle) -> Any:
    """Return a part of the drawing as a lazy libvips image in sRGB.

    The image has alpha unless the drawing's background is opaque. Each side of the whole drawing and of the
    part may differ from the given one by up to a pixel. See :func:`read_header` for the errors.
    """
    drawing, fine = read_drawing(content), header.drawing or header.stored
    scale = _fine_scale(header.stored)
    if header.draws_parts and part.size != size:
        own = fine.width / scale, fine.height / scale
        cut = _load(replace(drawing, content=_cut(drawing.content, own, size, part)), 1)
        return _with_background(cut, drawing)
    image = _load(drawing, scale * max(size.width / fine.width, size.height / fine.height))
    box = rescaled(part, size, Size(image.width, image.height))
    return _with_background(image.crop(box.left, box.top, box.width, box.height), drawing)


def _with_background(image: Any, drawing: Drawing) -> Any:
    """Return the image on the background that the drawing's root declares."""
    colour = next(filter(None, map(_read_colour, drawing.backgrounds)), None)
    if colour is None or not colour[-1]:
        return image
    ground = image.new_from_image(list(colour)).copy(interpretation="srgb")
    over = ground.composite2(image, "over").rint().cast("uchar")
    return over[:3] if colour[-1] == _OPAQUE else over


@lru_cache(maxsize=8)
def _read_colour(colour: str) -> tuple[float, ...] | None:
    """Return the colour's red, green, blue and alpha, up to 255.

    Return None if librsvg can't read the colour. librsvg draws one pixel in this colour in a white group and
    in a black group. A pixel whose colour is invalid takes the group's colour.
    """
    pixels = [
        load(
            "svg",
            '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1">'
            f'<g fill="{other}"><rect width="1" height="1" fill={quoteattr(colour)}/></g></svg>'.encode(),
        ).getpoint(0, 0)
        for other in ("#fff", "#000")
    ]
    return tuple(pixels[0]) if pixels[0] == pixels[1] else None


def _cut(content: bytes, own: tuple[float, float], size: Size, part: Rectangle) -> bytes:
    """Return a document that shows a part of another one.

    ``:root > svg`` is the whole drawing. A style rule gives the drawing its own size, and overrides its
    attributes and style sheets.

    Args:
        content: The whole document.
        own: The drawing's own width and height in CSS pixels.
        size: The wanted size of the whole drawing, in pixels.
        part: The part to show, in the same pixels.

    """
    across, down = own[0] / size.width, own[1] / size.height
    box = part.left * across, part.top * down, part.width * across, part.height * down
    return (
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{" ".join(f"{side:.9g}" for side in box)}" '
            'preserveAspectRatio="none"><style>'
            f":root{{width:{part.width}px!important;height:{part.height}px!important}}"
            f":root>svg{{width:{own[0]:.9g}px!important;height:{own[1]:.9g}px!important;"
            "x:0!important;y:0!important}</style>"
        ).encode()
        + content
        + b"</svg>"
    )


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

"""Shared code for the formats that libvips itself reads."""

from __future__ import annotations

from typing import Any

from renditions.errors import Undecodable
from renditions.imaging.geometry import Size
from renditions.imaging.probe import Header
from renditions.imaging.registry import find_code
from renditions.imaging.vips import get_int, load, translated
from renditions.model.formats import SOURCE_FORMATS

_MILLIMETRES_PER_INCH = 25.4
_NO_DPI = 72
"""The value that cameras and editors write if they know no resolution. libvips reports it for a JPEG or PNG
without a resolution."""
_DPI_STEP = 0.05
"""How far a PNG's resolution can be from the intended one, in pixels per inch, since a PNG has whole pixels
per metre."""
_LEAST_DPI, _MOST_DPI = 10, 10_000


def load_header(name: str, content: bytes, page: int = 0) -> Header:
    """Return the header of a file of this format.

    Raises:
        Undecodable: The header is damaged.
        NotAccepted: The way to store the pixels isn't supported.
        Failed: Memory ran out.

    """
    with translated(Undecodable, f"the {name} header is damaged"):
        image = load(name, _arranged(name, content), **page_option(page))
        return Header(
            format=name,
            stored=Size(image.width, image.height),
            orientation=get_int(image, "orientation", 1),
            frames=get_int(image, "n-pages", 1),
            page=page,
            bands=image.bands,
            dpi=_find_dpi(image),
        )


def _find_dpi(image: Any) -> float | None:
    """Return the resolution in pixels per inch; None if it is unknown or impossible.

    libvips gives pixels per millimetre. If the file doesn't declare a resolution, libvips gives 1, or for a
    JPEG or PNG the equivalent of ``_NO_DPI``. Both count as unknown, even if the file declares them.
    """
    finer = max(image.xres, image.yres)
    dpi = round(finer * _MILLIMETRES_PER_INCH, 2)
    is_unknown = finer == 1 or abs(dpi - _NO_DPI) < _DPI_STEP or not _LEAST_DPI <= dpi <= _MOST_DPI
    return None if is_unknown else dpi


def load_pixels(content: bytes, header: Header, **options: Any) -> Any:
    """Return a lazy image of the header's page.

    The decoder stops at errors that mean lost pixels, unless ``options`` has another ``fail_on``.
    """
    # Most decoders' warnings are harmless: they are about unknown tags and the like.
    fail_on = "warning" if SOURCE_FORMATS[header.format].decoder_that_warns else "error"
    content = _arranged(header.format, content)
    return load(header.format, content, **{"fail_on": fail_on} | options | page_option(header.page))


def _arranged(name: str, content: bytes) -> bytes:
    """Return the file in the form that the decoder needs."""
    arrange = SOURCE_FORMATS[name].arrange
    return find_code(arrange)(content) if arrange else content


def page_option(page: int) -> dict[str, int]:
    """Return the loader's option for a page.

    For the first page there is no option, because some loaders don't have this option.
    """
    return {"page": page} if page else {}

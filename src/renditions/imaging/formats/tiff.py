"""TIFF input and output, and a check of the checksums that libtiff ignores.

The tags come from TIFF 6.0 (sections 3 and 15). The numbers of Deflate come from Adobe's Photoshop TIFF
Technical Notes (8) and from libtiff (32946). Deflated data is a zlib stream, which ends in a checksum over
the inflated data (RFC 1950). libtiff stops reading as soon as it has enough pixels, before that checksum.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from renditions.errors import Undecodable
from renditions.imaging import tiff_samples, tiff_tags
from renditions.imaging.alpha import weighted
from renditions.imaging.exif_names import block_of, read_names
from renditions.imaging.formats.loaded import load_header, page_option
from renditions.imaging.geometry import Size
from renditions.imaging.metadata import kept
from renditions.imaging.probe import Header
from renditions.imaging.resample import enlarge
from renditions.imaging.vips import GValue, load, warnings_of_libraries
from renditions.model.recipe import Rendition

_OFFSETS = (273, 324)
"""StripOffsets and TileOffsets."""
_COUNTS = (279, 325)
"""StripByteCounts and TileByteCounts."""
_TILE_SIDES = (322, 323)
"""TileWidth and TileLength."""
_DEFLATE = (8, 32946)
_PIECE_BYTES = 16_384
"""How many deflated bytes this module inflates at once. They inflate to at most 17 MB."""


_MAX_PIXEL_RATIO = 8
"""How many times as wide as high a pixel may be, or as high as wide."""
_ROUNDED = 0.01
_MAX_VALUE_BYTES = 16
"""The most bytes that one value of a pixel can have: a complex number in double precision."""


def read_header(content: bytes, page: int) -> Header:
    """Return the page's header, without decoding pixels.

    See :func:`.load_header` and :func:`.tiff_samples.describe` for the errors.
    """
    patched, samples = tiff_samples.describe(content, page)
    header = load_header("tiff", patched, tiff_tags.index_of(content, page))
    return replace(
        header,
        stored=_square(header.stored, content, page),
        page=page,
        frames=tiff_tags.count_pages(content),
        bands=len(samples.bands) or header.bands // (2 if samples.is_double else 1),
    )


def _square(stored: Size, content: bytes, page: int) -> Size:
    """Return the page's size with square pixels.

    If the stored pixels aren't square, this function enlarges one side of the page, so that no pixel is lost.
    Resolutions that differ by less than 1 % count as equal, because files contain rounded ones.
    Resolutions that differ more than in any scanner or fax count as mistakes.
    """
    fields = tiff_tags.read_page(content, page, (tiff_tags.X_RESOLUTION, tiff_tags.Y_RESOLUTION))
    across, down = (
        field.values[0] / field.values[1] if field and len(field.values) == 2 and field.values[1] else 0
        for field in (fields.get(tiff_tags.X_RESOLUTION), fields.get(tiff_tags.Y_RESOLUTION))
    )
    ratio = across / down if down else 0
    if not 1 / _MAX_PIXEL_RATIO <= ratio <= _MAX_PIXEL_RATIO or abs(ratio - 1) < _ROUNDED:
        return stored
    if ratio > 1:
        return Size(stored.width, round(stored.height * ratio))
    return Size(round(stored.width / ratio), stored.height)


def decode(content: bytes, header: Header, **options: Any) -> Any:
    """Return a lazy image of the page; without ``fail_on``, the decoding is strict.

    The image has the size ``header.stored``: pixels that aren't square are enlarged on one side.

    The decoder stops at libtiff's warnings: they mean damaged pixels. There is one exception: if libtiff
    warns while it reads the page's directory, as for many valid files, the decoder stops only at errors. But
    a directory that can't be read to its end is rejected, because the palette may be lost.

    Raises:
        Undecodable: The page's directory, or the arrangement of its samples, can't be read.
        NotAccepted: libvips would read the page's colours wrongly.

    """
    options |= page_option(tiff_tags.index_of(content, header.page))
    names = read_names(content)
    content, samples = tiff_samples.describe(content, header.page)

    def load_again() -> Any:
        return load("tiff", content, **options | {"access": "sequential", "fail_on": "error"})

    image = _with_names(tiff_samples.to_whole(_load_strictly(content, options), samples, load_again), names)
    across, down = header.stored.width / image.width, header.stored.height / image.height
    if across == down == 1:
        return image
    return weighted(image, lambda image: enlarge(image, across, down, header.stored, "bicubic"))


def _with_names(image: Any, names: Mapping[str, bytes]) -> Any:
    """Return the image with the photographer and the copyright in an EXIF block.

    libvips doesn't read these two tags of a TIFF.
    """
    if not names:
        return image
    image = image.copy()
    image.set_type(GValue.blob_type, "exif-data", block_of(names))
    return image


def _load_strictly(content: bytes, options: dict[str, Any]) -> Any:
    if "fail_on" in options:  # the caller tolerates damage
        return load("tiff", content, **options)
    with warnings_of_libraries() as warnings:
        image = load("tiff", content, **options, fail_on="warning")
    if lost := [warning for warning in warnings if "IO error" in warning]:
        raise Undecodable(f"the picture is damaged ({lost[0]})")
    return load("tiff", content, **options, fail_on="error") if warnings else image


def check_data(content: bytes, header: Header, _: int) -> None:
    """Raise ``Undecodable`` if deflated data of the page is damaged.

    The data must be complete, match its checksums, and inflate to a possible size. This function skips fields
    that it can't read: the decoder will find their damage.
    """
    tags = tiff_tags.COMPRESSION, *_OFFSETS, *_COUNTS, *_TILE_SIDES
    fields = tiff_tags.read_page(content, header.page, tags)
    compression = fields.get(tiff_tags.COMPRESSION)
    if compression is None or compression.first not in _DEFLATE:
        return
    # No strip can inflate to more than the page, and no tile to more than the page rounded up to whole tiles.
    sides = zip((header.stored.width, header.stored.height), _TILE_SIDES, strict=True)
    across, down = (side + (fields[tag].first if tag in fields else 0) for side, tag in sides)
    most_bytes = _MAX_VALUE_BYTES * header.bands * across * down
    for offsets, counts in zip(_OFFSETS, _COUNTS, strict=True):
        if not (offsets in fields and counts in fields):
            continue
        for offset, count in zip(fields[offsets].values, fields[counts].values, strict=False):
            if count:
                _check_stream(content[offset : offset + count], most_bytes)


def encode(image: Any, recipe: Rendition, _: int | None) -> bytes:
    """Encode an image, or the pages in it, as a file."""
    return bytes(image.tiffsave_buffer(compression="deflate", predictor="horizontal", keep=kept(recipe)))


def _check_stream(data: bytes, most_bytes: int) -> None:
    stream = zlib.decompressobj()
    inflated = 0
    try:
        for at in range(0, len(data), _PIECE_BYTES):
            inflated += len(stream.decompress(data[at : at + _PIECE_BYTES]))
            if inflated > most_bytes:
                raise Undecodable(
                    f"the deflated data is damaged (a strip or tile has more than {most_bytes:,} bytes)"
                )
    except zlib.error as error:
        raise Undecodable(f"the deflated data is damaged ({error})") from error
    if not stream.eof:
        raise Undecodable("a deflated strip or tile ends before its checksum")

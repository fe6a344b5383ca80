"""Identify a picture's format and check the rules for accepting it, before decoding any pixel.

Pure Python: the numbers of :class:`Header` come from ``decode.read_header``. Signatures are those of the
formats' own specifications.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from renditions.errors import NotAccepted, Undecodable
from renditions.imaging.geometry import Size
from renditions.imaging.registry import find_code
from renditions.model.formats import AUTO, OUTPUT_FORMATS, SOURCE_FORMATS
from renditions.model.pipeline import Accept, Limits
from renditions.model.recipe import Rendition

_OTHER_SIGNATURES = (
    ("cr2", rb"II\*\0.{4}CR\x02\0"),
    ("mp4", rb".{4}ftyp"),
    ("bmp", rb"BM"),
    ("jxl", rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n"),
    ("jp2", rb"\0\0\0\x0cjP  \r\n\x87\n"),
    ("psd", rb"8BPS"),
    ("ico", rb"\0\0\x01\0"),
    ("exr", rb"v/1\x01"),
    ("hdr", rb"#\?RADIANCE"),
    ("zip", rb"PK\x03\x04"),
    ("gzip", rb"\x1f\x8b"),
    ("matroska", rb"\x1aE\xdf\xa3"),
)
"""Of formats that aren't read, only to say what was found."""
_STARTS = tuple(
    (name, re.compile(signature, re.DOTALL), confirm)
    for name, signature, confirm in (
        *((each.name, each.signature, each.confirm) for each in SOURCE_FORMATS.values()),
        *((name, signature, None) for name, signature in _OTHER_SIGNATURES),
    )
)
_START_BYTES = 1024
"""Where a signature may be."""


@dataclass(frozen=True, slots=True)
class Header:
    """The facts in a picture's header."""

    format: str
    stored: Size
    """In pixels as they are stored, before EXIF orientation."""
    orientation: int
    """EXIF's, 1 to 8."""
    frames: int
    """Frames of an animation, pages of a document, frames of a DICOM."""
    page: int = 0
    """The page of a document that it describes."""
    drawing: Size | None = None
    """The proportions of a drawing, on a finer grid than ``stored``; None for a picture of pixels.

    A drawing has no pixels of its own: it is drawn in the needed size.
    """
    bands: int = 1
    """The least number of values per decoded pixel."""
    is_annotated: bool = False
    """Whether it declares that its pixels identify the patient."""

    @property
    def is_sideways(self) -> bool:
        """Return whether turning the picture upright swaps width and height."""
        return self.orientation >= 5

    @property
    def displayed(self) -> Size:
        """The picture's size in pixels once it is upright."""
        return self.stored.transposed() if self.is_sideways else self.stored

    @property
    def grid(self) -> Size:
        """The grid for regions of the upright picture: its pixels, or a drawing's finer units."""
        return self.drawing or self.displayed


def sniff(content: bytes) -> str | None:
    """Return the format's name by its first bytes, also of unsupported ones; None if unknown."""
    start = content[:_START_BYTES]
    found = [
        (match.end(), name, confirm)
        for name, signature, confirm in _STARTS
        if (match := signature.match(start))
    ]
    # What stands before a signature that is further in may be the beginning of a file of another format.
    for _, name, confirm in sorted(found, key=lambda each: -each[0]):
        if confirm is None or find_code(confirm)(content):
            return name
    return None


def check_file(content: bytes, format_found: str | None, accept: Accept) -> str:
    """Return the format if the file's size and format pass the rules.

    Raises:
        NotAccepted: it is too large or of a format that isn't accepted.
        Undecodable: it is empty, or of an unknown format.

    """
    if not content:
        raise Undecodable("expected a picture, found an empty file")
    if len(content) > accept.max_bytes:
        raise NotAccepted(f"expected at most {accept.max_bytes:,} bytes, found {len(content):,}")
    accepted = ", ".join(accept.formats)
    if format_found is None:
        raise Undecodable(f"expected {accepted}, found bytes of no known format")
    if format_found not in accept.formats:
        raise NotAccepted(f"expected {accepted}, found {format_found}")
    return format_found


def check_header(header: Header, accept: Accept, limits: Limits, recipes: Mapping[str, Rendition]) -> None:
    """Raise ``NotAccepted`` if the picture's size breaks a rule; all frames that are decoded count.

    A drawing's pixels depend on its renditions, and are checked when those are planned.
    """
    if header.is_annotated and not accept.burned_in_annotation:
        raise NotAccepted("expected pixels that don't identify the patient, found BurnedInAnnotation YES")
    width, height = header.displayed.width, header.displayed.height
    for side, length in (("width", width), ("height", height)):
        least, most = getattr(accept, f"min_{side}"), getattr(accept, f"max_{side}")
        if least is not None and length < least:
            raise NotAccepted(f"expected a {side} of at least {least} pixels, found {length}")
        if most is not None and length > most:
            raise NotAccepted(f"expected a {side} of at most {most} pixels, found {length}")
    _check_shape(header.displayed, accept)
    if header.drawing:
        return
    kept = any(keeps_animation(recipe, header) for recipe in recipes.values())
    frames = header.frames if kept else 1
    if frames > limits.frames:
        raise NotAccepted(f"expected at most {limits.frames:,} frames, found {frames:,}")
    pixels = width * height * frames
    if pixels > accept.max_pixels:
        found = f"{width} by {height}" + (f" in {frames} frames" if kept else "")
        raise NotAccepted(f"expected at most {accept.max_pixels:,} pixels, found {pixels:,}: {found}")


def _check_shape(size: Size, accept: Accept) -> None:
    """Raise ``NotAccepted`` if the picture is too narrow or too wide, by more than whole pixels allow."""
    width, height = size.width, size.height
    found = f"found {width / height:.4g}: {width} by {height}"
    low, high = accept.min_aspect_ratio, accept.max_aspect_ratio
    if low is not None and width < math.floor(height * low):
        raise NotAccepted(f"expected an aspect ratio of at least {low:.4g}, {found}")
    if high is not None and height < math.floor(width / high):
        raise NotAccepted(f"expected an aspect ratio of at most {high:.4g}, {found}")


def check_animation(content: bytes, header: Header, accept: Accept) -> None:
    """Raise ``NotAccepted`` if the picture is animated and may not be."""
    if not accept.animation and _is_animated(content, header):
        found = f"{header.frames} frames" if header.frames > 1 else f"an animated {header.format}"
        raise NotAccepted(f"expected a picture without animation, found {found}")


def _is_animated(content: bytes, header: Header) -> bool:
    """Return whether the file holds an animation, even if only its first frame is ever decoded."""
    facts = SOURCE_FORMATS[header.format]
    if facts.find_animation:
        return bool(find_code(facts.find_animation)(content, header))
    return facts.has_animation and header.frames > 1


def output_format(recipe: Rendition, source_format: str) -> str:
    """Return the rendition's actual format."""
    return SOURCE_FORMATS[source_format].auto if recipe.format == AUTO else recipe.format


def keeps_animation(recipe: Rendition, header: Header) -> bool:
    """Return whether the rendition keeps every frame of this picture."""
    return (
        recipe.animation == "keep"
        and header.frames > 1
        and SOURCE_FORMATS[header.format].has_animation
        and OUTPUT_FORMATS[output_format(recipe, header.format)].has_animation
    )


def check_end(content: bytes, format_found: str) -> None:
    """Raise ``Undecodable`` if the file stops before its format's own end mark.

    Only for ends that decoders ignore: they need neither PNG's last chunk nor GIF's trailer for the pixels
    before it.
    """
    if check := SOURCE_FORMATS[format_found].check_end:
        find_code(check)(content)

"""Identify a picture's format and check the rules for accepting it.

The checks come before the picture's pixels are decoded. This module itself imports no imaging library:
``decode.read_header`` provides the numbers of a :class:`Header`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from renditions.errors import NotAccepted, Rejected, Undecodable
from renditions.imaging.geometry import Size
from renditions.imaging.registry import find_code
from renditions.imaging.warn import warn
from renditions.model.counting import count_of
from renditions.model.formats import AUTO, OUTPUT_FORMATS, SOURCE_FORMATS
from renditions.model.pipeline import Accept, Limits
from renditions.model.recipe import Rendition

_OTHER_SIGNATURES = (
    ("camera RAW (CR2)", rb"II\*\0.{4}CR\x02\0"),
    ("camera RAW (CR3)", rb".{4}ftypcrx "),
    ("camera RAW (IIQ)", rb"II\*\0.{4}IIII|MM\0\*.{4}MMMM"),
    ("camera RAW (ORF)", rb"II(?:RO|RS)|MMOR"),
    ("camera RAW (RW2)", rb"IIU\0"),
    ("camera RAW (RAF)", rb"FUJIFILMCCD-RAW"),
    ("camera RAW (X3F)", rb"FOVb"),
    ("camera RAW (MRW)", rb"\0MRM"),
    # A TIFF that the function ``confirm`` of the format "tiff" refuses.
    ("camera RAW", rb"II[*+]\0|MM\0[*+]"),
    ("mp4", rb".{4}ftyp"),
    ("bmp", rb"BM"),
    ("jxl", rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n"),
    ("jp2", rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),
    ("JPEG-LS", rb"\xff\xd8\xff\xf7."),
    ("iPhone PNG (CgBI)", rb"\x89PNG\r\n\x1a\n.{4}CgBI"),
    ("PostScript", rb"%!PS|\xc5\xd0\xd3\xc6"),
    ("psd", rb"8BPS"),
    ("ico", rb"\0\0\x01\0"),
    ("exr", rb"v/1\x01"),
    ("hdr", rb"#\?RADIANCE"),
    ("zip", rb"PK\x03\x04"),
    ("gzip", rb"\x1f\x8b"),
    ("matroska", rb"\x1aE\xdf\xa3"),
)
"""The signatures of formats that aren't supported, so that messages can name them."""
_STARTS = tuple(
    (name, re.compile(signature, re.DOTALL), confirm)
    for name, signature, confirm in (
        *((each.name, each.signature, each.confirm) for each in SOURCE_FORMATS.values()),
        *((name, signature, None) for name, signature in _OTHER_SIGNATURES),
    )
)
_AGAIN = "Upload it again, or open it in another program and save a new copy"
_LENIENT = 'Upload it again, or set [accept] damaged = "lenient"'
_START_BYTES = 1024
"""How many bytes at the start of a file may hold a signature."""


@dataclass(frozen=True, slots=True)
class Header:
    """The facts in a picture's header."""

    format: str
    stored: Size
    """The size in stored pixels, before EXIF orientation."""
    orientation: int
    """The orientation as in EXIF, 1 to 8."""
    frames: int
    """How many frames an animation or a DICOM has; for a document, how many pages."""
    page: int = 0
    """The page of a document that this header describes, starting at 0."""
    drawing: Size | None = None
    """The proportions of a drawing, on a finer grid than ``stored``; None for a picture of pixels.

    A drawing has no pixels of its own: its decoder draws it at the needed size.
    """
    draws_parts: bool = False
    """Whether the decoder can draw a part of this drawing alone. Otherwise it draws all of it."""
    bands: int = 1
    """The least number of values per decoded pixel."""
    dpi: float | None = None
    """The declared resolution in pixels per inch.

    None if it is unknown, impossible or 72, which programs write if they know no resolution.
    """
    is_lenient: bool = False
    """Whether damage is tolerated: renditions then show the readable pixels of the picture."""
    can_shrink: bool = True
    """Whether the decoder can shrink this picture, if it can shrink others of its format."""
    has_code: bool = False
    """Whether CICP (ITU-T H.273) declares colours other than sRGB, which other formats can declare too."""
    is_annotated: bool = False
    """Whether the file declares that its pixels identify the patient."""
    held_bytes_per_pixel: int | None = None
    """How many bytes the decoder holds for each pixel; None for the number in the format's entry.

    A decoder that works row by row holds the whole picture if the file stores it in several passes.
    """

    @property
    def is_sideways(self) -> bool:
        """Return whether turning the picture upright swaps width and height."""
        return self.orientation >= 5

    @property
    def displayed(self) -> Size:
        """The size of the upright picture in pixels."""
        return self.stored.transposed() if self.is_sideways else self.stored

    @property
    def grid(self) -> Size:
        """The grid for regions of the upright picture: pixels, or a drawing's units."""
        return self.drawing or self.displayed


def sniff(content: bytes) -> str | None:
    """Return the name of the file's format; None if it is unknown.

    The format may be one that Renditions doesn't support.
    """
    start = content[:_START_BYTES]
    found = [
        (match.end(), name, confirm)
        for name, signature, confirm in _STARTS
        if (match := signature.match(start))
    ]
    # The longest match comes first: if a signature isn't at the start, the bytes before it can look like the
    # start of another format.
    for _, name, confirm in sorted(found, key=lambda each: -each[0]):
        if confirm is None or find_code(confirm)(content):
            return name
    return _find_late(content)


def _find_late(content: bytes) -> str | None:
    """Return the format whose signature follows other bytes.

    The format's table entry says how many bytes may come before the signature, because readers skip them.
    """
    for each in SOURCE_FORMATS.values():
        start = content[: each.preamble_bytes + _START_BYTES]
        found = re.search(each.signature, start, re.DOTALL) if each.preamble_bytes else None
        if found and found.start() <= each.preamble_bytes:
            return each.name
    return None


def check_file(content: bytes, format_found: str | None, accept: Accept) -> str:
    """Return the format if the file's size and format pass the rules.

    Raises:
        NotAccepted: The file is too large, or its format isn't accepted.
        Undecodable: The file is empty, or its format is unknown.

    """
    if not content:
        raise Undecodable("the file is empty", "Upload it again")
    if len(content) > accept.max_bytes:
        raise NotAccepted(
            f"the file has {len(content):,} bytes, more than the {accept.max_bytes:,} that [accept] "
            "max_bytes allows. Upload a smaller file, or raise the limit"
        )
    accepted = ", ".join(accept.formats)
    if format_found is None:
        raise Undecodable("not a picture in a known format", f"Upload it in one of these formats: {accepted}")
    if format_found not in accept.formats:
        advice = f', or add "{format_found}" to [accept] formats' if format_found in SOURCE_FORMATS else ""
        raise NotAccepted(f"{format_found} isn't accepted. Convert the picture to {accepted}{advice}")
    return format_found


def check_header(header: Header, accept: Accept, limits: Limits, recipes: Mapping[str, Rendition]) -> None:
    """Raise ``NotAccepted`` if the picture's header breaks a rule.

    The pixels of all decoded frames count. The pixels of a drawing depend on its renditions, so the planning
    of renditions checks them.
    """
    if header.is_annotated and not accept.burned_in_annotation:
        raise NotAccepted(
            "the pixels identify the patient: BurnedInAnnotation is YES. Remove the annotation, or set "
            "[accept] burned_in_annotation = true"
        )
    width, height = header.displayed.width, header.displayed.height
    for side, length, extent in (("width", width, "wide"), ("height", height, "high")):
        least, most = getattr(accept, f"min_{side}"), getattr(accept, f"max_{side}")
        if least is not None and length < least:
            raise NotAccepted(
                f"the picture is {length} pixels {extent}, but [accept] min_{side} requires at least "
                f"{least}. Upload a larger picture, or lower the limit"
            )
        if most is not None and length > most:
            raise NotAccepted(
                f"the picture is {length} pixels {extent}, but [accept] max_{side} allows at most {most}. "
                "Upload a smaller picture, or raise the limit"
            )
    _check_shape(header.displayed, accept)
    if header.drawing:
        return
    kept = any(keeps_animation(recipe, header) for recipe in recipes.values())
    frames = header.frames if kept else 1
    if frames > limits.frames:
        raise NotAccepted(
            f"the animation has {count_of(frames, 'frame')}, more than the {limits.frames:,} that [limits] "
            "frames allows. Upload a shorter animation, or raise the limit"
        )
    pixels = width * height * frames
    if pixels > accept.max_pixels:
        found = f"{width} by {height}" + (f" in {frames} frames" if kept else "")
        raise NotAccepted(
            f"the picture has {pixels:,} pixels ({found}), more than the {accept.max_pixels:,} that [accept] "
            "max_pixels allows. Upload a smaller picture, or raise the limit"
        )


def _check_shape(size: Size, accept: Accept) -> None:
    """Raise ``NotAccepted`` if the picture is a pixel or more too narrow or too low."""
    width, height = size.width, size.height
    found = f"the aspect ratio is {width / height:.4g} ({width} by {height})"
    advice = "Crop the picture, or change the limit"
    low, high = accept.min_aspect_ratio, accept.max_aspect_ratio
    if low is not None and width < math.floor(height * low):
        raise NotAccepted(f"{found}, but [accept] min_aspect_ratio requires at least {low:.4g}. {advice}")
    if high is not None and height < math.floor(width / high):
        raise NotAccepted(f"{found}, but [accept] max_aspect_ratio allows at most {high:.4g}. {advice}")


def check_animation(content: bytes, header: Header, accept: Accept) -> None:
    """Raise ``NotAccepted`` if the picture is animated and the rules forbid that."""
    if not accept.animation and _is_animated(content, header):
        found = f" with {header.frames} frames" if header.frames > 1 else ""
        raise NotAccepted(
            f"the picture is an animation{found}. To accept animations, set [accept] animation = true"
        )


def _is_animated(content: bytes, header: Header) -> bool:
    """Return whether the file holds an animation, even if only one frame is decoded."""
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


def check_cost(content: bytes, header: Header) -> None:
    """Raise ``NotAccepted`` if decoding takes very long for the number of pixels."""
    if check := SOURCE_FORMATS[header.format].check_cost:
        find_code(check)(content)


def warn_of_stills(content: bytes, header: Header, recipes: Mapping[str, Rendition]) -> None:
    """Warn if renditions should keep an animation, but can't."""
    stills = [
        name
        for name, recipe in recipes.items()
        if recipe.animation == "keep" and not keeps_animation(recipe, header)
    ]
    if stills and _is_animated(content, header):
        warn("animation-dropped", "only the first frame of the animation is kept", *stills)


def advised(error: Rejected) -> str:
    """Return the error's text.

    If the error is about damage and has no advice, add general advice.
    """
    is_unadvised = isinstance(error, Undecodable) and not error.advice
    return f"{error}. {_AGAIN}" if is_unadvised else str(error)


def as_salvageable(damage: Undecodable) -> Undecodable:
    """Return the error with advice to decode the picture leniently.

    Other advice that it has already stays.
    """
    return Undecodable(damage.why, damage.advice or _LENIENT)


def is_lenient(format_found: str, accept: Accept) -> bool:
    """Return whether damage is tolerated and the decoder can return readable pixels."""
    return accept.damaged == "lenient" and SOURCE_FORMATS[format_found].is_salvageable


def warn_of_damage(damage: Undecodable) -> None:
    """Warn that the renditions show only the pixels that the decoder could read."""
    warn("damaged", f"renditions show only the part that could be decoded: {damage.why}")


def check_end(content: bytes, format_found: str, *, lenient: bool = False) -> None:
    """Raise ``Undecodable`` if the file ends before its format's end mark.

    If ``lenient`` is true, this function only warns. It checks only end marks that decoders ignore. For
    example, a decoder doesn't need PNG's last chunk or GIF's trailer to decode the pixels before it.
    """
    if check := SOURCE_FORMATS[format_found].check_end:
        try:
            find_code(check)(content)
        except Undecodable as damage:
            if not lenient:
                raise
            warn_of_damage(damage)

"""What a picture is and whether it is accepted, told from its content before any pixel is decoded.

Pure Python: the numbers of :class:`Header` come from ``decode.read_header``. Signatures are those of the
formats' own specifications (ITU-T T.81, PNG, RIFF, ISO/IEC 14496-12 ``ftyp``, GIF89a, TIFF 6.0, DICOM
PS3.10, …).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from renditions.errors import NotAccepted, Undecodable
from renditions.imaging.formats.gif import check_blocks
from renditions.imaging.geometry import Size
from renditions.model.pipeline import Accept, Limits
from renditions.model.recipe import AUTO_FORMATS, FORMATS, Rendition

# Longer signatures stand before those that are their beginnings.
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (8, b"WEBP", "webp"),
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (8, b"CR\x02\x00", "cr2"),
    (0, b"II*\x00", "tiff"),
    (0, b"MM\x00*", "tiff"),
    (0, b"II+\x00", "tiff"),
    (0, b"MM\x00+", "tiff"),
    (0, b"%PDF-", "pdf"),
    (0, b"BM", "bmp"),
    (0, b"\xff\x0a", "jxl"),
    (0, b"\x00\x00\x00\x0cJXL \r\n\x87\n", "jxl"),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", "jp2"),
    (0, b"8BPS", "psd"),
    (0, b"\x00\x00\x01\x00", "ico"),
    (0, b"v/1\x01", "exr"),
    (0, b"#?RADIANCE", "hdr"),
    (0, b"PK\x03\x04", "zip"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"\x1aE\xdf\xa3", "matroska"),
)
_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_PDF_END_BYTES = 1024
"""Where readers look for a PDF's end mark: writers append to it."""
_AVIF_SEQUENCE = b"avis"
_AVIF_BRANDS = frozenset({b"avif", _AVIF_SEQUENCE})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
_STRUCTURAL_BRANDS = frozenset({b"mif1", b"mif2", b"msf1", b"miaf"})


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture's header says of it."""

    format: str
    stored: Size
    """In pixels as they are stored, before EXIF orientation."""
    orientation: int
    """EXIF's, 1 to 8."""
    frames: int
    """Frames of an animation, pages of a document, frames of a DICOM."""
    page: int = 0
    """Which page of a document it is about."""
    drawing: Size | None = None
    """The proportions of a drawing, on a finer grid than ``stored``; None for a picture of pixels.

    It has no pixels of its own: it is drawn as large as it is needed.
    """
    bands: int = 1
    """Values of a pixel as they are decoded, at least."""
    is_annotated: bool = False
    """Whether it says that its pixels tell whom they show."""

    @property
    def is_sideways(self) -> bool:
        """Tell whether width and height change places when the picture is turned upright."""
        return self.orientation >= 5

    @property
    def displayed(self) -> Size:
        """The picture's size in pixels once it is upright."""
        return self.stored.transposed() if self.is_sideways else self.stored

    @property
    def grid(self) -> Size:
        """What regions of the upright picture are measured on: its pixels, or a drawing's finer units."""
        return self.drawing or self.displayed


def sniff(content: bytes) -> str | None:
    """Return the format's name by its first bytes, if only to say what was found; None if unknown."""
    # First of all, since its first 128 bytes may be those of a file of another format.
    if content[128:132] == b"DICM":
        return "dicom"
    if content[4:8] == b"ftyp":
        return _sniff_brands(content)
    for offset, signature, name in _SIGNATURES:
        if content.startswith(signature, offset):
            return name
    start = content[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()
    is_svg = start.startswith(b"<svg") or (start.startswith((b"<?xml", b"<!")) and b"<svg" in start)
    return "svg" if is_svg else None


def _sniff_brands(content: bytes) -> str:
    """Return the format of an ISO base media file by the brands in its ``ftyp`` box."""
    size = int.from_bytes(content[:4], "big")
    major, others = content[8:12], content[16 : min(size, 512)]
    brands = {others[at : at + 4] for at in range(0, len(others), 4)}
    if major in _AVIF_BRANDS or (major in _STRUCTURAL_BRANDS and brands & _AVIF_BRANDS):
        return "avif"
    if major in _HEIC_BRANDS or major in _STRUCTURAL_BRANDS:
        return "heic"
    return "mp4"


def check_file(content: bytes, format_found: str | None, accept: Accept) -> str:
    """Return the format if the file as such keeps the rules.

    Raises:
        NotAccepted: it is too large or of a format that isn't accepted.
        Undecodable: it is empty, or no format that is known.

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

    How many pixels a drawing has depends on what is made of it, and is checked when that is planned.
    """
    if header.is_annotated and not accept.burned_in_annotation:
        raise NotAccepted("expected pixels that don't tell whom they show, found BurnedInAnnotation YES")
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
    """Tell whether the file holds an animation, also one of which only the first frame is ever decoded."""
    match header.format:
        case "gif" | "webp":
            return header.frames > 1
        case "avif":
            return header.frames > 1 or content[8:12] == _AVIF_SEQUENCE
        case "png":
            return _is_apng(content)
    return False


def _is_apng(content: bytes) -> bool:
    """Walk the chunks (length, name, data, checksum) up to the pixels for the animation's own, ``acTL``."""
    at = 8
    while (name := content[at + 4 : at + 8]) not in (b"IDAT", b""):
        if name == b"acTL":
            return True
        at += 12 + int.from_bytes(content[at : at + 4], "big")
    return False


def output_format(recipe: Rendition, source_format: str) -> str:
    """Return the format that the rendition is really made in."""
    return AUTO_FORMATS.get(source_format, source_format) if recipe.format == "auto" else recipe.format


def keeps_animation(recipe: Rendition, header: Header) -> bool:
    """Tell whether the rendition holds every frame of this picture."""
    return (
        recipe.animation == "keep"
        and header.frames > 1
        and header.format in FORMATS
        and FORMATS[header.format].animation
        and FORMATS[output_format(recipe, header.format)].animation
    )


def check_end(content: bytes, format_found: str) -> None:
    """Raise ``Undecodable`` if the file stops before its format's own end mark.

    Only for what the decoders don't see: they need neither PNG's last chunk nor GIF's trailer for the
    pixels that came before.
    """
    if format_found == "png" and _PNG_END not in content:
        raise Undecodable("expected a PNG up to its IEND chunk, found a truncated file")
    if format_found == "pdf" and b"%%EOF" not in content[-_PDF_END_BYTES:]:
        raise Undecodable("expected a PDF up to its %%EOF, found a truncated file")
    if format_found == "gif":
        check_blocks(content)

"""PNG input and output (ISO/IEC 15948), and the detection of animated PNGs."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from typing import Any

from renditions.errors import Undecodable
from renditions.imaging.colour_code import ColourCode, is_possible, of_cicp
from renditions.imaging.declared import cicp_of, declare
from renditions.imaging.depth import in_8_bits
from renditions.imaging.formats.loaded import load_header, load_pixels
from renditions.imaging.metadata import kept
from renditions.imaging.probe import Header
from renditions.imaging.vips import GValue
from renditions.model.recipe import Rendition

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
_PROFILE = "icc-profile-data"
_CHROMATICITIES = struct.Struct(">8I")
"""The data of ``cHRM``: x and y of white, red, green and blue."""
_GAMMA_BYTES, _GAMMA_UNIT = 4, 100_000
_USUAL_GAMMA = 2.2
"""A picture with this gamma and without chromaticities counts as sRGB."""
_GAMMA_TOLERANCE = 0.05
"""A gamma that differs from the usual one by a smaller share counts as the usual one (libpng's threshold)."""
_SCREEN_POWER = 2.4
"""The exponent of a television screen's curve (BT.1886). Chromium uses it for a ``cICP`` with television's
curves."""
_AFTER_HEADER = len(_SIGNATURE) + 25
"""The offset after the chunk ``IHDR``."""
_DEPTH_AT, _INTERLACE_AT = 24, 28
"""The offsets of two fields of the chunk ``IHDR``."""
_XMP_TEXT = b"XML:com.adobe.xmp\0"
"""How the data of XMP's ``iTXt`` begins."""
_PALETTE_DEPTHS = (1, 2, 4, 8)
"""The numbers of bits that an index into a palette can have."""


def read_header(content: bytes, page: int) -> Header:
    """Return the header, without decoding pixels.

    See :func:`.load_header` for the errors.
    """
    header = load_header("png", content, page)
    declared = _count_frames(content)
    code = _read_cicp(_leading_chunks(content))
    return replace(
        header,
        # Each frame has a chunk fcTL. The pixels' data can contain its name, so this is only an upper limit.
        frames=max(min(declared, content.count(b"fcTL")), 1),
        has_code=code is not None and code.can_be_kept,
        held_bytes_per_pixel=_interlaced_bytes(content, header.bands),
    )


def _interlaced_bytes(content: bytes, bands: int) -> int | None:
    """Return how many bytes a pixel of an interlaced file takes.

    Return None if the file isn't interlaced. The decoder of an interlaced file holds the whole picture.
    """
    depth, interlace = content[_DEPTH_AT], content[_INTERLACE_AT]
    return bands * (2 if depth > 8 else 1) if interlace else None


def check_end(content: bytes) -> None:
    """Raise ``Undecodable`` if the last chunk, which no decoder needs, is missing."""
    if _END not in content:
        raise Undecodable("the PNG ends before its IEND chunk")


def decode(content: bytes, header: Header, **options: Any) -> Any:
    """Return a lazy image with its profile and its colour code.

    ``cICP`` for RGB in full range takes precedence over a profile: the image then has no profile.
    """
    image = load_pixels(content, header, **options)
    chunks = _leading_chunks(content)
    # Without this chunk, _read_code reads the others. They apply if the profile turns out to be unusable.
    profile = chunks.pop(b"iCCP", None)
    if _read_cicp(chunks):
        if image.get_typeof(_PROFILE):
            image = image.copy()
            image.remove(_PROFILE)
    elif profile is not None and not image.get_typeof(_PROFILE):
        # libpng drops a broken profile. The conversion of colours must see that there is one.
        image = image.copy()
        image.set_type(GValue.blob_type, _PROFILE, profile or b"\0")
    return declare(image, _read_code(chunks), lambda: load_pixels(content, header, access="sequential"))


def _read_code(chunks: dict[bytes, bytes]) -> ColourCode | None:
    """Return the colour code, by the precedence of the specification.

    Return None if the chunks declare no code, or if a profile or the chunk ``sRGB`` takes precedence. The
    source is PNG's third edition, 4.3. This function follows Chromium: ``gAMA`` without ``cHRM`` applies
    to the primaries of sRGB, and if its value is the usual one, the colours are sRGB. With ``cHRM``, every
    ``gAMA`` is a pure power, even the usual value with the primaries of sRGB. If ``gAMA`` is missing or 0, or
    if ``cHRM`` is impossible, both chunks are ignored.
    """
    if code := _read_cicp(chunks):
        return code
    if b"iCCP" in chunks or b"sRGB" in chunks or len(chunks.get(b"gAMA", b"")) != _GAMMA_BYTES:
        return None
    gamma = int.from_bytes(chunks[b"gAMA"], "big")
    if not gamma:
        return None
    exponent = _GAMMA_UNIT / gamma
    if len(chunks.get(b"cHRM", b"")) == _CHROMATICITIES.size:
        found: Any = tuple(value / _GAMMA_UNIT for value in _CHROMATICITIES.unpack(chunks[b"cHRM"]))
        return ColourCode(found, "power", exponent) if is_possible(found) else None
    is_usual = abs(exponent / _USUAL_GAMMA - 1) < _GAMMA_TOLERANCE
    return None if is_usual else ColourCode(curve="power", power=exponent)


def _read_cicp(chunks: dict[bytes, bytes]) -> ColourCode | None:
    """Return the code of ``cICP``.

    Return None if the chunk is missing, or isn't for RGB in full range.
    """
    primaries, transfer, *others = chunks.get(b"cICP", b"").ljust(2, b"\0")
    return of_cicp(primaries, transfer, television_power=_SCREEN_POWER) if others == [0, 1] else None


def _leading_chunks(content: bytes) -> dict[bytes, bytes]:
    """Return the data of the chunks before the pixels, by name.

    If several chunks have the same name, the first one counts. A chunk has a length, a name, data and a
    checksum.
    """
    chunks: dict[bytes, bytes] = {}
    at = len(_SIGNATURE)
    while (name := content[at + 4 : at + 8]) not in (b"IDAT", b""):
        size = int.from_bytes(content[at : at + 4], "big")
        chunks.setdefault(name, content[at + 8 : at + 8 + size])
        at += 12 + size
    return chunks


def is_animated(content: bytes, _: Header) -> bool:
    """Return whether ``acTL`` before the pixels declares several frames."""
    return _count_frames(content) > 1


def _count_frames(content: bytes) -> int:
    """Return how many frames ``acTL`` declares; 0 without ``acTL``."""
    return int.from_bytes(_leading_chunks(content).get(b"acTL", b"")[:4], "big")


def arranged(content: bytes) -> bytes:
    """Return the file with EXIF and XMP before the pixels.

    The decoder reads no metadata after the pixels, but ``eXIf`` and ``iTXt`` may stand there.
    """
    parts: list[bytes] = []
    late: list[bytes] = []
    first_pixels, at = None, len(_SIGNATURE)
    while at + 12 <= len(content):
        size, name = struct.unpack_from(">I4s", content, at)
        chunk = content[at : at + 12 + size]
        if name == b"IDAT" and first_pixels is None:
            first_pixels = len(parts)
        is_metadata = name == b"eXIf" or chunk[8 : 8 + len(_XMP_TEXT)] == _XMP_TEXT
        (late if first_pixels is not None and is_metadata else parts).append(chunk)
        at += len(chunk)
    if not late:
        return content
    return b"".join([_SIGNATURE, *parts[:first_pixels], *late, *parts[first_pixels:], content[at:]])


def encode(image: Any, recipe: Rendition, _: int | None) -> bytes:
    """Encode an image as a file."""
    options: dict[str, Any] = {"interlace": True} if recipe.progressive else {}
    if recipe.palette:
        bits = max(depth for depth in _PALETTE_DEPTHS if 2**depth <= recipe.palette)
        options |= {"palette": True, "bitdepth": bits}
        image = in_8_bits(image)
    if recipe.profile == "keep":
        image = _with_whole_profile(image)
    made = bytes(image.pngsave_buffer(keep=kept(recipe), **options))
    cicp = cicp_of(image)
    return _with_cicp(made, cicp) if cicp else made


def _with_whole_profile(image: Any) -> Any:
    """Return the image with an ICC profile as long as its header says.

    libpng writes no other profile. The length of a profile of version 4 or later must also be a multiple of
    four (ICC.1, 7.2.2). Some programs pad a profile, or drop its end.
    """
    if not image.get_typeof(_PROFILE):
        return image
    profile: bytes = image.get(_PROFILE)
    whole = profile[: int.from_bytes(profile[:4], "big")]
    whole += bytes(-len(whole) % 4) if profile[8] >= 4 else b""
    whole = len(whole).to_bytes(4, "big") + whole[4:]
    if whole == profile:
        return image
    image = image.copy()
    image.set_type(GValue.blob_type, _PROFILE, whole)
    return image


def _with_cicp(content: bytes, cicp: tuple[int, int]) -> bytes:
    """Return the PNG with a chunk ``cICP`` after its header.

    The chunk declares RGB in full range (third edition, 11.3.2.6).
    """
    chunk = b"cICP" + bytes([*cicp, 0, 1])
    whole = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return content[:_AFTER_HEADER] + whole + content[_AFTER_HEADER:]


def _is_whole(chunk: bytes) -> bool:
    return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")


def copy_without_metadata(content: bytes, *, keeps_metadata: bool, keeps_profile: bool) -> bytes | None:
    """Return the PNG's first picture, with only the metadata to keep.

    ``keeps_profile`` keeps the profile, and ``keeps_metadata`` all other metadata with a valid checksum.
    Return None if the PNG has a profile and ``keeps_profile`` is false, if its chunks declare other colours
    than sRGB, or if the last chunk is missing.
    """
    code = _read_code(_leading_chunks(content))
    if code and not code.is_srgb:
        return None
    parts, at = [_SIGNATURE], len(_SIGNATURE)
    while at + 12 <= len(content):
        size, name = struct.unpack_from(">I4s", content, at)
        chunk = content[at : at + 12 + size]
        if name == b"iCCP" and not keeps_profile:
            return None
        is_critical = not name[0] & 0x20
        # Decoders ignore metadata with a wrong checksum, or reject the picture.
        is_wanted = keeps_metadata and name not in _ANIMATION and _is_whole(chunk)
        if is_critical or name in (b"tRNS", b"iCCP") or is_wanted:
            parts.append(chunk)
        if name == b"IEND":
            return b"".join(parts)
        at += len(chunk)
    return None

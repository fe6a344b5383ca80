"""JPEG input and output (ITU-T T.81), also from cameras that don't quite follow the standard.

Strict decoding stops at any of libjpeg's warnings, because most of them mean damaged pixels. Two warnings
before the first scan don't: stray bytes between two segments, and spectral parameters that a sequential scan
doesn't use. :func:`tidied` removes their causes, and the file is then decoded strictly again. Damage in the
pixels' own data is never tolerated.
"""

from __future__ import annotations

import re
from typing import Any

from renditions.imaging.formats.loaded import load_header
from renditions.imaging.metadata import kept
from renditions.imaging.probe import Header
from renditions.model.recipe import Rendition

_EOI, _SOS, _COM = 0xD9, 0xDA, 0xFE
_APPLICATION = range(0xE0, 0xF0)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""The first marker that isn't part of a scan's own data."""
_SEQUENTIAL_FRAMES = (0xC0, 0xC1)
_SEQUENTIAL_PARAMETERS = b"\x00\x3f\x00"
"""The first and last coefficient and the bit position: T.81, B.2.3 allows only these values."""
_SMALL_JPEG = {"interlace": True, "optimize_scans": True, "trellis_quant": True, "quant_table": 2}
"""The options of the encoder (mozjpeg) that make the smallest JPEG for the same SSIMULACRA2 score.

The quantisation table is tuned to MS-SSIM. An encoder without these options ignores them.
"""


def read_header(content: bytes, page: int) -> Header:
    """Return the header, without decoding pixels."""
    return load_header("jpeg", content, page)


def tidied(content: bytes) -> bytes:
    """Return the file with a header that follows the standard; unchanged if its header can't be parsed."""
    segments = [content[:2]]
    is_sequential = False
    at = 2
    while (at := content.find(b"\xff", at)) >= 0:
        marker = content[at + 1 : at + 2]
        if marker in (b"", b"\x00", b"\xff"):
            at += 1
            continue
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        if marker[0] == _SOS:
            scan = content[at:end]
            if is_sequential:
                scan = scan[:-3] + _SEQUENTIAL_PARAMETERS
            return b"".join([*segments, scan, content[end:]])
        is_sequential = is_sequential or marker[0] in _SEQUENTIAL_FRAMES
        segments.append(content[at:end])
        at = end
    return content


def encode(image: Any, recipe: Rendition, quality: int | None) -> bytes:
    """Encode an image, or the frames or pages in it, as a file."""
    options: dict[str, Any] = {"interlace": True} if recipe.progressive else {}
    if recipe.quality == "auto":
        options = _SMALL_JPEG
    chroma = "off" if recipe.chroma == "444" else "on"
    return bytes(image.jpegsave_buffer(Q=quality, subsample_mode=chroma, keep=kept(recipe), **options))


def copy_without_metadata(content: bytes, *, keeps_metadata: bool, keeps_profile: bool) -> bytes | None:
    """Return the JPEG up to its end mark, without metadata unless a flag keeps it.

    Returns None if it is CMYK, has an unwanted profile, or is damaged.
    """
    parts, at = [content[:2]], 2
    while len(segment := content[at : at + 10]) >= 2 and segment[0] == 0xFF:
        marker = segment[1]
        if marker == _EOI:
            return b"".join([*parts, content[at : at + 2]])
        end = at + 2 + int.from_bytes(segment[2:4], "big")
        if marker in _FRAMES and segment[9:] == b"\x04":
            return None
        is_profile = marker == 0xE2 and content.startswith(b"ICC_PROFILE\0", at + 4)
        if is_profile and not keeps_profile:
            return None
        if marker == _SOS:
            following = _AFTER_SCAN.search(content, end)
            end = following.start() if following else len(content)
        if is_profile or keeps_metadata or not _is_metadata(content[at:end]):
            parts.append(content[at:end])
        at = end
    return None


def _is_metadata(segment: bytes) -> bool:
    """Return whether a segment is metadata: an application or comment segment, except JFIF's and Adobe's."""
    is_plain_jfif = segment[1] == 0xE0 and segment[4:9] == b"JFIF\0" and len(segment) == 18
    is_adobe = segment[1] == 0xEE and segment[4:9] == b"Adobe"
    return segment[1] == _COM or (segment[1] in _APPLICATION and not is_plain_jfif and not is_adobe)

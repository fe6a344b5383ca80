"""The source's own file in place of a larger rendition, where nothing declared would be missing.

Its pixels' data is copied byte for byte. What the file says besides is left out, unless it is kept by the
recipe: segments of JPEG (ITU-T T.81, annex B), chunks of PNG. WebP of the simple form has no place for any.
"""

from __future__ import annotations

import re
import struct
from dataclasses import replace

from renditions.imaging.probe import Header
from renditions.imaging.tasks import Task
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendered

_HELD_BY_A_COPY = (
    "key", "format", "width", "height", "fit", "gravity", "background", "enlarge", "pixel_ratio", "quality",
    "target", "effort", "animation", "metadata", "profile", "max_bytes", "skip_if_larger",
)  # fmt: skip
"""The fields that a copy of the same size has as declared; every other changes what one sees or gets."""
_EOI, _SOS, _COM = 0xD9, 0xDA, 0xFE
_APPLICATION = range(0xE0, 0xF0)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""The first marker that isn't part of a scan's own data."""
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_FRAMES = (b"acTL", b"fcTL", b"fdAT")


def smaller(made: Rendered, content: bytes, header: Header, task: Task) -> Rendered:
    """Return the source's file if it can stand for the rendition and is smaller, or else the rendition."""
    if not task.recipe.skip_if_larger or len(made.content) <= len(content) or not _can_stand(header, task):
        return made
    copy = _COPIES[task.format](
        content, task.recipe.metadata == "all", keeps_profile=task.recipe.profile == "keep"
    )
    return replace(made, content=copy) if copy and len(copy) < len(made.content) else made


def _can_stand(header: Header, task: Task) -> bool:
    default, plan = Rendition(), task.plan
    return (
        task.format == header.format
        and task.format in _COPIES
        and task.recipe.metadata != "copyright"
        and (header.orientation, header.frames) == (1, 1)
        and plan.output == plan.resized == header.displayed
        and all(
            getattr(task.recipe, field) == getattr(default, field)
            for field in Rendition.__dataclass_fields__
            if field not in _HELD_BY_A_COPY
        )
    )


def _copy_jpeg(content: bytes, keeps_metadata: bool, *, keeps_profile: bool) -> bytes | None:
    """Return the JPEG up to its end mark; None if it is CMYK, profiled and not to be, or faulty."""
    kept, at = [content[:2]], 2
    while len(segment := content[at : at + 10]) >= 2 and segment[0] == 0xFF:
        marker = segment[1]
        if marker == _EOI:
            return b"".join([*kept, content[at : at + 2]])
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
            kept.append(content[at:end])
        at = end
    return None


def _is_metadata(segment: bytes) -> bool:
    """Tell whether a JPEG decodes to the same pixels without it: all but JFIF's and Adobe's own segments."""
    is_plain_jfif = segment[1] == 0xE0 and segment[4:9] == b"JFIF\0" and len(segment) == 18
    is_adobe = segment[1] == 0xEE and segment[4:9] == b"Adobe"
    return segment[1] == _COM or (segment[1] in _APPLICATION and not is_plain_jfif and not is_adobe)


def _copy_png(content: bytes, keeps_metadata: bool, *, keeps_profile: bool) -> bytes | None:
    """Return the PNG without the frames of an animation; None if it is profiled and not to be."""
    kept, at = [_PNG_SIGNATURE], len(_PNG_SIGNATURE)
    while at + 12 <= len(content):
        size, name = struct.unpack_from(">I4s", content, at)
        chunk = content[at : at + 12 + size]
        if name == b"iCCP" and not keeps_profile:
            return None
        is_critical = not name[0] & 0x20
        is_wanted = keeps_metadata and name not in _PNG_FRAMES
        if is_critical or name in (b"tRNS", b"iCCP") or is_wanted:
            kept.append(chunk)
        if name == b"IEND":
            return b"".join(kept)
        at += len(chunk)
    return None


def _copy_webp(content: bytes, keeps_metadata: bool, *, keeps_profile: bool) -> bytes | None:  # noqa: ARG001
    """Return the WebP if it is of the simple form, which has pixels alone (RFC 9649, 2.5 and 2.6)."""
    size = 8 + int.from_bytes(content[4:8], "little")
    return content if content[12:16] in (b"VP8 ", b"VP8L") and size == len(content) else None


_COPIES = {"jpeg": _copy_jpeg, "png": _copy_png, "webp": _copy_webp}

"""The camera's data: some tags of EXIF 2.32 (CIPA DC-008).

EXIF has the structure of TIFF 6.0. This module trusts no value: it leaves out values that are missing,
impossible or of the wrong type.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from renditions.model.original import Exif, Position

MAX_CHARACTERS = 100
"""The most characters of a text. The rest is cut off, so that records stay small."""
_MAX_ENTRIES = 256
"""How many entries of a directory this module reads. Cameras write about 60."""
_MAX_BYTES = 512
"""How many bytes of a value this module reads."""
_ORDERS: Mapping[bytes, Literal["little", "big"]] = {b"II": "little", b"MM": "big"}
_ASCII, _SHORT, _LONG, _RATIONAL = 2, 3, 4, 5
_SIZES = {1: 1, _ASCII: 1, _SHORT: 2, _LONG: 4, _RATIONAL: 8}
_EXIF_DIRECTORY, _GPS_DIRECTORY = 0x8769, 0x8825


@dataclass(frozen=True, slots=True)
class _Value:
    """One entry of a directory."""

    kind: int
    raw: bytes
    order: Literal["little", "big"]

    def text(self) -> str | None:
        """Return the text without unprintable characters.

        Return None if nothing is left or if the value isn't a text.
        """
        if self.kind != _ASCII:
            return None
        raw = self.raw.partition(b"\0")[0]
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        shown = "".join(" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in text)
        return " ".join(shown.split())[:MAX_CHARACTERS].strip() or None

    def numbers(self) -> list[float]:
        """Return the numbers.

        The result is empty if the type isn't SHORT, LONG or RATIONAL, or if a denominator is 0.
        """
        if self.kind not in (_SHORT, _LONG, _RATIONAL):
            return []
        size = _SIZES[self.kind] // (2 if self.kind == _RATIONAL else 1)
        parts = [int.from_bytes(self.raw[at : at + size], self.order) for at in range(0, len(self.raw), size)]
        if self.kind != _RATIONAL:
            return [float(part) for part in parts]
        pairs = list(zip(parts[::2], parts[1::2], strict=True))
        return [above / below for above, below in pairs] if all(below for _, below in pairs) else []


_Directory = Mapping[int, _Value]


@dataclass(frozen=True, slots=True)
class Tags:
    """The directories of an EXIF block that this module reads."""

    main: _Directory
    exif: _Directory
    gps: _Directory


def read_tags(block: bytes) -> Tags:
    """Return the entries of an EXIF block or of a TIFF file.

    Both have the same structure. Without this structure, the result has no entries.
    """
    block = block.removeprefix(b"Exif\0\0")
    order = _ORDERS.get(block[:2])
    if order is None or block[2:4] not in (b"*\0", b"\0*"):
        return Tags({}, {}, {})
    main = _read_directory(block, order, int.from_bytes(block[4:8], order))
    return Tags(
        main, *(_read_below(block, order, main.get(tag)) for tag in (_EXIF_DIRECTORY, _GPS_DIRECTORY))
    )


def _read_below(block: bytes, order: Literal["little", "big"], pointer: _Value | None) -> _Directory:
    numbers = pointer.numbers() if pointer else []
    return _read_directory(block, order, int(numbers[0])) if numbers else {}


def _read_directory(block: bytes, order: Literal["little", "big"], at: int) -> _Directory:
    """Return the entries of the directory at this offset, by tag.

    The directory begins with the number of its entries. Each entry has a tag, a type, a count, and four bytes
    with the value or its offset.
    """
    found: dict[int, _Value] = {}
    entries = min(int.from_bytes(block[at : at + 2], order), _MAX_ENTRIES)
    for start in range(at + 2, at + 2 + 12 * entries, 12):
        entry = block[start : start + 12]
        if len(entry) < 12:
            break
        tag, kind = int.from_bytes(entry[:2], order), int.from_bytes(entry[2:4], order)
        size = int.from_bytes(entry[4:8], order) * _SIZES.get(kind, 0)
        offset = start + 8 if size <= 4 else int.from_bytes(entry[8:], order)
        raw = block[offset : offset + min(size, _MAX_BYTES)]
        if raw and len(raw) == min(size, _MAX_BYTES):
            found.setdefault(tag, _Value(kind, raw, order))
    return found


def find_exif(tags: Tags) -> Exif | None:
    """Return the camera's data, or None if there is none."""
    iso = _number(tags.exif, 0x8827)
    found = Exif(
        make=_text(tags.main, 0x010F),
        model=_text(tags.main, 0x0110),
        lens=_text(tags.exif, 0xA434),
        taken=_time(_text(tags.exif, 0x9003), _text(tags.exif, 0x9011)),
        exposure_seconds=_number(tags.exif, 0x829A),
        f_number=_number(tags.exif, 0x829D),
        iso=int(iso) if iso else None,
        focal_length_mm=_number(tags.exif, 0x920A),
    )
    return found if found != Exif() else None


def find_position(tags: Tags) -> Position | None:
    """Return where the camera took the picture, or None if the tags don't say where."""
    latitude = _degrees(tags.gps, 0x0001, "NS", 90)
    longitude = _degrees(tags.gps, 0x0003, "EW", 180)
    if latitude is None or longitude is None:
        return None
    altitude = tags.gps[0x0006].numbers() if 0x0006 in tags.gps else []
    is_below = 0x0005 in tags.gps and tags.gps[0x0005].raw[:1] == b"\1"
    return Position(
        latitude, longitude, round(-altitude[0] if is_below else altitude[0], 1) if altitude else None
    )


def _text(directory: _Directory, tag: int) -> str | None:
    return directory[tag].text() if tag in directory else None


def _number(directory: _Directory, tag: int) -> float | None:
    """Return the tag's first number, to six digits; None if missing or not positive."""
    numbers = directory[tag].numbers() if tag in directory else []
    return float(f"{numbers[0]:.6g}") if numbers and numbers[0] > 0 else None


def _time(moment: str | None, offset: str | None) -> str | None:
    """Convert EXIF's ``YYYY:MM:DD HH:MM:SS`` and ``±HH:MM`` to ISO 8601.

    Return None if the time is missing or invalid. Ignore an invalid offset.
    """
    try:
        taken = datetime.strptime(moment or "", "%Y:%m:%d %H:%M:%S").isoformat()  # noqa: DTZ007 (the offset is separate)
    except ValueError:
        return None
    is_offset = offset and re.fullmatch(r"[+-](0\d|1[0-4]):[0-5]\d", offset)
    return f"{taken}{offset}" if is_offset else taken


def _degrees(gps: _Directory, reference: int, signs: str, most: int) -> float | None:
    """Return degrees, minutes and seconds as one number of degrees.

    The tag ``reference`` has a letter of ``signs``, such as N or S. The number is negative for the second
    letter. Return None if the tags are missing or impossible.
    """
    sign = _text(gps, reference)
    parts = gps[reference + 1].numbers() if reference + 1 in gps else []
    if sign is None or sign not in signs or not 1 <= len(parts) <= 3:
        return None
    degrees = math.fsum(part / 60**place for place, part in enumerate(parts))
    if degrees > most:
        return None
    return round(-degrees if sign == signs[1] else degrees, 6) + 0.0

"""Find the codec of an ISO base media file (ISO/IEC 14496-12) by the brands in its ``ftyp`` box."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from renditions.imaging.colour_code import ColourCode, of_cicp

_AVIF = frozenset({b"avif", b"avis"})
_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
_NCLX_BYTES = 11
_STRUCTURAL = frozenset({b"mif1", b"mif2", b"msf1", b"miaf"})


def is_avif(content: bytes) -> bool:
    """Return whether the file contains a picture in AV1."""
    major, others = _read_brands(content)
    return major in _AVIF or (major in _STRUCTURAL and not others.isdisjoint(_AVIF))


def is_heic(content: bytes) -> bool:
    """Return whether the file contains a picture in HEVC.

    If its brands name no codec, it counts as HEIC.
    """
    major, _ = _read_brands(content)
    return major in _HEIC or (major in _STRUCTURAL and not is_avif(content))


def read_code(content: bytes) -> ColourCode | None:
    """Return the colour code of the primary picture.

    Return None if the container declares none. The code is in a ``colr`` box of the type ``nclx`` among the
    picture's properties (ISO/IEC 23008-12, 9.3). If the boxes can't be parsed, the decoder will find the
    damage.
    """
    try:
        return _find_code(content)
    except (IndexError, struct.error):
        return None


def _find_code(content: bytes) -> ColourCode | None:
    meta = dict(_boxes(content, 0, len(content))).get(b"meta")
    if meta is None:
        return None
    boxes = dict(_boxes(content, meta[0] + 4, meta[1]))
    shared = dict(_boxes(content, *boxes.get(b"iprp", (0, 0))))
    properties = list(_boxes(content, *shared.get(b"ipco", (0, 0))))
    primary, links = boxes.get(b"pitm"), shared.get(b"ipma")
    if primary is None or links is None:
        return None
    size = 4 if content[primary[0]] else 2
    item = int.from_bytes(content[primary[0] + 4 : primary[0] + 4 + size], "big")
    for index in _properties_of(content, item, *links):
        name, (start, end) = properties[index - 1] if 0 < index <= len(properties) else (b"", (0, 0))
        if name == b"colr" and content[start : start + 4] == b"nclx" and end - start >= _NCLX_BYTES:
            return of_cicp(*struct.unpack_from(">HH", content, start + 4))
    return None


def count_frames(content: bytes) -> int:
    """Return how many frames the track of pictures has.

    Return 1 if there is none (14496-12, 8.7.3).
    """
    try:
        for track in _within(content, [(0, len(content))], b"moov", b"trak"):
            handler = next(_within(content, [track], b"mdia", b"hdlr"), None)
            sizes = next(_within(content, [track], b"mdia", b"minf", b"stbl", b"stsz"), None)
            if handler and sizes and content[handler[0] + 8 : handler[0] + 12] == b"pict":
                return max(int(struct.unpack_from(">I", content, sizes[0] + 8)[0]), 1)
    except (IndexError, struct.error):
        return 1
    return 1


def _within(content: bytes, spans: Iterable[tuple[int, int]], *names: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the content of each box on this path begins and ends."""
    name, *others = names
    for start, end in spans:
        found = [span for each, span in _boxes(content, start, end) if each == name]
        yield from _within(content, found, *others) if others else found


def _properties_of(content: bytes, item: int, start: int, end: int) -> list[int]:
    """Return the numbers of the properties of an item, starting at 1, from the box ``ipma`` (9.3)."""
    data = content[start:end]
    id_bytes = 4 if data[0] else 2
    index_bytes = 2 if data[3] & 1 else 1
    at, found = 8, []
    for _ in range(int.from_bytes(data[4:8], "big")):
        number, count = int.from_bytes(data[at : at + id_bytes], "big"), data[at + id_bytes]
        at += id_bytes + 1
        if number == item:
            # The highest bit says that readers must know the property.
            steps = range(at, at + count * index_bytes, index_bytes)
            mask = (1 << (8 * index_bytes - 1)) - 1
            found += [int.from_bytes(data[step : step + index_bytes], "big") & mask for step in steps]
        at += count * index_bytes
    return found


def _boxes(content: bytes, at: int, end: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Yield each box between two offsets: its name, and where its content begins and ends (14496-12, 4.2)."""
    while at + 8 <= end:
        size, start = int.from_bytes(content[at : at + 4], "big"), at + 8
        if size == 1:
            size, start = int.from_bytes(content[start : start + 8], "big"), start + 8
        size = size or end - at
        if size < start - at or at + size > end:
            return
        yield content[at + 4 : at + 8], (start, at + size)
        at += size


def _read_brands(content: bytes) -> tuple[bytes, frozenset[bytes]]:
    """Return the major brand and the compatible brands."""
    size = int.from_bytes(content[:4], "big")
    others = content[16 : min(size, 512)]
    return content[8:12], frozenset(others[at : at + 4] for at in range(0, len(others), 4))

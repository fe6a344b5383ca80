"""Select the datasets of an IPTC-IIM block (version 4.2).

The block may be inside Photoshop's image resources.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

_SIGNATURE = b"8BIM"
_START = b"Photoshop 3.0\0"
_RESOURCE = 0x0404
"""The resource that holds the datasets. Other resources hold previews and other facts."""
_EXTENDED = 0x8000
"""If a size has this bit, its other bits are the length of a longer size that follows. No text needs one."""
CHARACTER_SET = (1, 90)
_RIGHTS = (80, 110, 116)
"""The datasets of record 2 for by-line, credit and copyright notice."""
_UNTRUE = (130, 131, 135, 200, 201, 202)
"""The datasets of record 2 for the image's type, orientation and language, and for a preview."""


def rights_of(block: bytes) -> bytes:
    """Return the block with only the datasets on rights; empty if there are none.

    The character set of the texts is kept, too.
    """
    return _select(block, lambda record, number: record == 2 and number in _RIGHTS)


def true_part_of(block: bytes) -> bytes:
    """Return the block without previews and without facts that may be wrong.

    A fact about the original may be wrong for a rendition. Only datasets of record 2 are kept, with the
    character set. The result is empty if none of them is left.
    """
    return _select(block, lambda record, number: record == 2 and number not in _UNTRUE)


def _select(block: bytes, wanted: Callable[[int, int], bool]) -> bytes:
    found, character_set = [], b""
    for record, number, dataset in datasets(block):
        if (record, number) == CHARACTER_SET:
            character_set = dataset
        elif wanted(record, number):
            found.append(dataset)
    if not found:
        return b""
    data = character_set + b"".join(found)
    start = _START + _SIGNATURE + _RESOURCE.to_bytes(2, "big") + b"\0\0"
    return start + len(data).to_bytes(4, "big") + data + b"\0" * (len(data) % 2)


def datasets(block: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield the record, the number and all bytes of each dataset.

    A dataset consists of 0x1C, a record number, its own number, a length of two bytes and data. A dataset
    that is cut off or has an extended size ends the datasets of its resource.
    """
    for data in _resources(block):
        at = 0
        while data[at : at + 1] == b"\x1c" and at + 5 <= len(data):
            size = int.from_bytes(data[at + 3 : at + 5], "big")
            end = at + 5 + size
            if size & _EXTENDED or end > len(data):
                break
            yield data[at + 1], data[at + 2], data[at:end]
            at = end


def _resources(block: bytes) -> Iterator[bytes]:
    """Yield the data of each resource that holds datasets.

    A block without resources, as in TIFF, is itself the data. A resource consists of "8BIM", its number, a
    padded Pascal string, a length of four bytes and padded data.
    """
    if block.startswith(b"\x1c"):
        yield block
        return
    at = block.find(_SIGNATURE)
    while at >= 0 and block[at : at + 4] == _SIGNATURE and at + 12 <= len(block):
        number = int.from_bytes(block[at + 4 : at + 6], "big")
        at += 6 + (block[at + 6] + 2) // 2 * 2
        size = int.from_bytes(block[at : at + 4], "big")
        if number == _RESOURCE:
            yield block[at + 4 : at + 4 + size]
        at += 4 + (size + 1) // 2 * 2

"""Read an ISO base media file with a picture: its codec, colours and frame count.

Source: ISO/IEC 14496-12.
"""

from __future__ import annotations

import struct

from renditions.errors import Unrenderable
from renditions.imaging.colour_code import ColourCode, of_cicp
from renditions.imaging.formats.av1 import Cicp, read_colours
from renditions.imaging.formats.iso_boxes import Items, boxes, within

_AVIF = frozenset({b"avif", b"avis"})
_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
_NCLX_BYTES = 11
_SEARCHED_BYTES = 4096
"""How many bytes of a bitstream are searched for its header, which comes first."""
_BT_601, _FULL_RANGE = 6, 0x80
_MOST_SMALL_NUMBER = 127
"""The largest number of a property that needs only one byte."""
_STRUCTURAL = frozenset({b"mif1", b"mif2", b"msf1", b"miaf"})


def is_avif(content: bytes) -> bool:
    """Return whether the file's brands declare a picture in AV1."""
    major, others = _read_brands(content)
    return major in _AVIF or (major in _STRUCTURAL and not others.isdisjoint(_AVIF))


def is_heic(content: bytes) -> bool:
    """Return whether the file's brands declare a picture in HEVC.

    A file also counts as HEIC if its major brand names no codec, such as ``mif1``, and no other brand means
    AVIF.
    """
    major, _ = _read_brands(content)
    return major in _HEIC or (major in _STRUCTURAL and not is_avif(content))


def read_code(content: bytes) -> ColourCode | None:
    """Return the colour code of the primary picture.

    Return None if the file declares none, or if its boxes can't be parsed: the decoder then finds the damage.
    The code is in a ``colr`` box of the type ``nclx`` among the picture's properties (ISO/IEC 23008-12, 9.3).
    Without such a box, this function takes the code of the AV1 bitstream, as Chromium does. By MIAF
    (23000-22, 7.3.6.4), such a file would be in sRGB.
    """
    try:
        return _find_code(content)
    except (IndexError, struct.error):
        return None


def _find_code(content: bytes) -> ColourCode | None:
    items = Items(content)
    if items.primary is None:
        return None
    if at := _find_nclx(content, items, items.primary):
        return of_cicp(*struct.unpack_from(">HH", content, at))
    bitstream = _read_bitstream(items, items.primary)
    return of_cicp(bitstream.primaries, bitstream.transfer) if bitstream else None


def _find_nclx(content: bytes, items: Items, item: int) -> int | None:
    """Return the offset of the item's numbers of H.273; None without ``nclx``."""
    for name, (start, end) in items.properties(item):
        if name == b"colr" and content[start : start + 4] == b"nclx" and end - start >= _NCLX_BYTES:
            return start + 4
    return None


def _read_bitstream(items: Items, item: int) -> Cicp | None:
    part = items.first_part(item) if items.kind(item) == b"grid" else item
    return read_colours(items.data(part, _SEARCHED_BYTES)) if items.kind(part) == b"av01" else None


def is_weighted(content: bytes) -> bool:
    """Return whether the primary picture's colours are weighted by its alpha.

    A reference of the type ``prem`` says so (23008-12, 6.10.1).
    """
    try:
        items = Items(content)
        return items.primary is not None and items.referred(b"prem", items.primary) is not None
    except IndexError:
        return False


def with_code(content: bytes, cicp: tuple[int, int]) -> bytes:
    """Declare primaries and a curve in an AVIF that libheif wrote; return the file.

    ``cicp`` has the numbers of the primaries and the curve (ITU-T H.273). The pixels' data stays unchanged.

    Raises:
        Unrenderable: The boxes have a form that this module can't change.

    """
    try:
        made, data = _declare(content, cicp), _read_data(content)
        is_readable = bool(data) and all(data.values())
        is_sound = is_readable and _read_data(made) == data and _read_numbers(made) == cicp
    except (IndexError, OverflowError, ValueError, struct.error):
        is_sound = False
    if not is_sound:
        raise Unrenderable(
            "the AVIF can't declare the picture's colours, because this version of libheif writes boxes that "
            'Renditions can\'t change. Declare profile = "srgb" or another format for this rendition'
        )
    return made


def _read_numbers(content: bytes) -> tuple[int, ...] | None:
    """Return the primary picture's declared primaries and curve; None without them."""
    items = Items(content)
    at = None if items.primary is None else _find_nclx(content, items, items.primary)
    return struct.unpack_from(">HH", content, at) if at else None


def _read_data(content: bytes) -> dict[int, bytes]:
    """Return the data of each item, by the item's number."""
    items = Items(content)
    return {item: items.data(item, len(content)) for item, _ in items.extents()}


def _declare(content: bytes, cicp: tuple[int, int]) -> bytes:
    """Return the file with the declaration.

    Raise ``ValueError`` if the file has no place for a declaration.
    """
    items = Items(content)
    item = items.primary
    if item is None:
        raise ValueError("the file has no primary item")
    if at := _find_nclx(content, items, item):
        return content[:at] + struct.pack(">HH", *cicp) + content[at + 4 :]
    bitstream = _read_bitstream(items, item)
    matrix = bitstream.matrix if bitstream else _BT_601
    return _with_property(
        content, items, item, b"colr", b"nclx" + struct.pack(">HHHB", *cicp, matrix, _FULL_RANGE)
    )


def _with_property(content: bytes, items: Items, item: int, name: bytes, data: bytes) -> bytes:
    """Return the file with one more property, which belongs to this item.

    The new property becomes the last one in the file and the last one of the item. Raise ``ValueError`` if
    the item has no properties, or if a property's number needs or has two bytes.
    """
    end = items.container[1]
    number = 1 + sum(1 for _ in boxes(content, *items.container))
    entry, count = next(
        ((at, len(found)) for each, at, found in items.associations() if each == item), (0, 0)
    )
    if not entry:
        raise ValueError("the primary item has no properties")
    if number > _MOST_SMALL_NUMBER or content[items.links[0] + 3] & 1:
        raise ValueError(
            f"can't declare a colour: there are {number - 1} properties, of at most "
            f"{_MOST_SMALL_NUMBER - 1}, or their numbers have two bytes"
        )
    box = struct.pack(">I", 8 + len(data)) + name + data
    changed = bytearray(content)
    changed[entry] += 1
    for span, growth in (
        (items.container, len(box)),
        (items.links, 1),
        (items.shared, len(box) + 1),
        (items.meta, len(box) + 1),
    ):
        struct.pack_into(">I", changed, span[0] - 8, span[1] - span[0] + 8 + growth)
    for _, extent in items.extents():
        if extent.is_in_file and extent.start >= items.meta[1]:
            moved = (
                int.from_bytes(content[extent.field : extent.field + extent.field_bytes], "big")
                + len(box)
                + 1
            )
            changed[extent.field : extent.field + extent.field_bytes] = moved.to_bytes(
                extent.field_bytes, "big"
            )
    # Insert at the later place first, so that the earlier place stays valid.
    for at, inserted in sorted([(end, box), (entry + 1 + count, bytes([number]))], reverse=True):
        changed[at:at] = inserted
    return bytes(changed)


def count_frames(content: bytes) -> int:
    """Return how many frames the track of pictures has.

    Return 1 if there is no such track (14496-12, 8.7.3), or if the boxes can't be parsed.
    """
    try:
        for track in within(content, [(0, len(content))], b"moov", b"trak"):
            handler = next(within(content, [track], b"mdia", b"hdlr"), None)
            sizes = next(within(content, [track], b"mdia", b"minf", b"stbl", b"stsz"), None)
            if handler and sizes and content[handler[0] + 8 : handler[0] + 12] == b"pict":
                return max(int(struct.unpack_from(">I", content, sizes[0] + 8)[0]), 1)
    except (IndexError, struct.error):
        return 1
    return 1


def _read_brands(content: bytes) -> tuple[bytes, frozenset[bytes]]:
    """Return the major brand and the compatible brands."""
    size = int.from_bytes(content[:4], "big")
    others = content[16 : min(size, 512)]
    return content[8:12], frozenset(others[at : at + 4] for at in range(0, len(others), 4))

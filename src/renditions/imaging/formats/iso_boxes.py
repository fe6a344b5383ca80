"""The boxes of an ISO base media file, and the items of pictures in them.

The sources are ISO/IEC 14496-12 for boxes and 23008-12 for items. The methods of :class:`Items` may raise
``IndexError`` if a box is damaged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Span = tuple[int, int]
"""The offsets where the content of a box begins and ends."""
_Place = Literal["file", "idat", "elsewhere"]
_PLACES: Mapping[int, _Place] = {0: "file", 1: "idat"}
"""The places of an item's data, by the construction method (14496-12, 8.11.3)."""
_HEADER_BYTES = 8


@dataclass(frozen=True, slots=True)
class Extent:
    """A part of an item's data."""

    field: int
    """The place in the file of the number that locates the data: the extent's own offset, or the item's base
    offset if extents have none."""
    field_bytes: int
    """The length of this number."""
    start: int
    size: int
    """The length; 0 means up to the end of the file or of the box ``idat``."""
    place: _Place
    """What ``start`` is an offset in: this file, its box ``idat``, or another item or file."""

    @property
    def is_in_file(self) -> bool:
        """Return whether ``start`` is an offset in this file."""
        return self.place == "file"


def boxes(content: bytes, at: int, end: int) -> Iterator[tuple[bytes, Span]]:
    """Yield the name and span of each box between two offsets (14496-12, 4.2).

    Stop at a box that ends after ``end``, or that is smaller than its own header.
    """
    while at + _HEADER_BYTES <= end:
        size, start = int.from_bytes(content[at : at + 4], "big"), at + _HEADER_BYTES
        if size == 1:
            size, start = int.from_bytes(content[start : start + 8], "big"), start + 8
        size = size or end - at
        if size < start - at or at + size > end:
            return
        yield content[at + 4 : at + 8], (start, at + size)
        at += size


def within(content: bytes, spans: Iterable[Span], *names: bytes) -> Iterator[Span]:
    """Yield the span of each box at this path of names."""
    name, *others = names
    for start, end in spans:
        found = [span for each, span in boxes(content, start, end) if each == name]
        yield from within(content, found, *others) if others else found


class Items:
    """The items of the file's box ``meta``.

    The span of a missing box is ``(0, 0)``.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        whole = dict(boxes(content, 0, len(content))).get(b"meta")
        self.meta = whole or (0, 0)
        self._boxes = dict(boxes(content, whole[0] + 4, whole[1])) if whole else {}
        self._shared = dict(boxes(content, *self._boxes.get(b"iprp", (0, 0))))
        self.container = self._shared.get(b"ipco", (0, 0))
        """The span of the box that holds the properties of all items."""
        self.links = self._shared.get(b"ipma", (0, 0))
        """The span of the box that says which items have which properties."""
        self.shared = self._boxes.get(b"iprp", (0, 0))

    @property
    def primary(self) -> int | None:
        """Return the number of the primary item, or None without one."""
        span = self._boxes.get(b"pitm")
        if span is None:
            return None
        at, size = span[0] + 4, 4 if self._content[span[0]] else 2
        return int.from_bytes(self._content[at : at + size], "big")

    def kind(self, item: int) -> bytes:
        """Return the item's type, such as ``av01`` (14496-12, 8.11.6).

        The result is empty if no such item is declared.
        """
        start, end = self._boxes.get(b"iinf", (0, 0))
        first = start + (8 if self._content[start] else 6)
        for name, (at, _) in boxes(self._content, first, end):
            size = 4 if self._content[at] == 3 else 2
            if name == b"infe" and int.from_bytes(self._content[at + 4 : at + 4 + size], "big") == item:
                return self._content[at + 6 + size : at + 10 + size]
        return b""

    def properties(self, item: int) -> list[tuple[bytes, Span]]:
        """Return the names and spans of the item's properties."""
        known = list(boxes(self._content, *self.container))
        numbers = [number for each, _, found in self.associations() if each == item for number in found]
        return [known[number - 1] for number in numbers if 0 < number <= len(known)]

    def associations(self) -> Iterator[tuple[int, int, list[int]]]:
        """Yield each entry of ``ipma``.

        An entry is yielded as the item's number, the offset after this number, and the numbers of the item's
        properties. The first property has the number 1 (23008-12, 9.3.3).
        """
        start, end = self.links
        if start == end:
            return
        data = self._content
        id_bytes, index_bytes = 4 if data[start] else 2, 2 if data[start + 3] & 1 else 1
        # The highest bit says that readers must know the property.
        mask = (1 << (8 * index_bytes - 1)) - 1
        at = start + 8
        for _ in range(int.from_bytes(data[start + 4 : start + 8], "big")):
            item, at = int.from_bytes(data[at : at + id_bytes], "big"), at + id_bytes
            steps = range(at + 1, at + 1 + data[at] * index_bytes, index_bytes)
            if steps.stop > end:
                return
            yield item, at, [int.from_bytes(data[step : step + index_bytes], "big") & mask for step in steps]
            at = steps.stop

    def first_part(self, item: int) -> int:
        """Return the number of the first item that this one is derived from.

        For a grid, this is its first tile. An item that isn't derived is its own first part.
        """
        return self.referred(b"dimg", item) or item

    def referred(self, kind: bytes, item: int) -> int | None:
        """Return the number of the first item to which a reference of this kind leads.

        The reference begins at this item. Return None if there is none. The box is ``iref`` (14496-12).
        """
        start, end = self._boxes.get(b"iref", (0, 0))
        size = 4 if start < end and self._content[start] else 2
        for name, (at, _) in boxes(self._content, start + 4, end):
            if name == kind and int.from_bytes(self._content[at : at + size], "big") == item:
                return int.from_bytes(self._content[at + size + 2 : at + 2 * size + 2], "big")
        return None

    def extents(self) -> Iterator[tuple[int, Extent]]:
        """Yield each part of each item's data, with the item's number before it.

        The source is the box ``iloc`` (14496-12, 8.11.3).
        """
        start, end = self._boxes.get(b"iloc", (0, 0))
        if start == end:
            return
        content = self._content
        version, sizes = content[start], content[start + 4 : start + 6]
        offset_bytes, length_bytes = sizes[0] >> 4, sizes[0] & 15
        base_bytes, index_bytes = sizes[1] >> 4, sizes[1] & 15 if version else 0
        number_bytes = 4 if version == 2 else 2
        at = start + 6

        def number(size: int) -> int:
            nonlocal at
            at += size
            return int.from_bytes(content[at - size : at], "big")

        for _ in range(number(number_bytes)):
            item, method = number(number_bytes), number(2) & 15 if version else 0
            is_here = number(2) == 0
            place = _PLACES.get(method, "elsewhere") if is_here else "elsewhere"
            base_at, base = at, number(base_bytes)
            count = number(2)
            if at > end:
                return
            # If extents have no fields, all of them are the same, so one is enough.
            for _ in range(count if index_bytes or offset_bytes or length_bytes else min(count, 1)):
                number(index_bytes)
                offset_at, offset = at, number(offset_bytes)
                size = number(length_bytes)
                if at > end:
                    return
                field = (offset_at, offset_bytes) if offset_bytes else (base_at, base_bytes)
                yield item, Extent(*field, base + offset, size, place)

    def data(self, item: int, most: int) -> bytes:
        """Return up to the first ``most`` bytes of the item's data.

        The data is in the file itself or in the box ``idat``. The result is empty if any part of the
        item's data is elsewhere.
        """
        spans = {"file": (0, len(self._content)), "idat": self._boxes.get(b"idat", (0, 0))}
        data = b""
        for _, extent in filter(lambda each: each[0] == item, self.extents()):
            if extent.place not in spans:
                return b""
            first, end = spans[extent.place]
            begin, left = first + extent.start, most - len(data)
            data += self._content[begin : min(begin + min(extent.size or left, left), end)]
        return data

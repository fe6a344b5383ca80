"""The colours that an AV1 bitstream declares in its sequence header.

Source: AV1 Bitstream Specification, 5.5.
"""

from __future__ import annotations

from typing import NamedTuple

_SEQUENCE_HEADER = 1
_MOST_PROFILE = 2


class Cicp(NamedTuple):
    """The numbers of ITU-T H.273 for a picture's colours."""

    primaries: int
    transfer: int
    matrix: int


class _Bits:
    """A sequence of bits, from which numbers are read, the highest bit first."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        """Return the next number of this many bits, or raise ``IndexError``."""
        self._left -= count
        if self._left < 0:
            raise IndexError("the header ends early")
        return self._value >> self._left & (1 << count) - 1


def read_colours(data: bytes) -> Cicp | None:
    """Return the colours of a bitstream's first sequence header.

    Return None if it declares none, or if there is no such header.

    Raises:
        IndexError: The data ends early or is damaged.

    """
    at = 0
    while at < len(data):
        kind, has_more, has_size = data[at] >> 3 & 15, data[at] & 4, data[at] & 2
        at += 2 if has_more else 1
        size = len(data) - at
        if has_size:
            size, at = _read_size(data, at)
        if kind == _SEQUENCE_HEADER:
            return _read_header(_Bits(data[at : at + min(size, 256)]))
        at += size
    return None


def _read_size(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at this offset, and the offset after it.

    The number is stored in groups of seven bits, the lowest group first (4.10.5).
    """
    size = 0
    for step in range(8):
        size |= (data[at + step] & 127) << 7 * step
        if not data[at + step] & 128:
            return size, at + step + 1
    raise IndexError("the size is longer than 8 bytes")


def _read_header(bits: _Bits) -> Cicp | None:
    profile, _, is_reduced = bits.take(3), bits.take(1), bits.take(1)
    if is_reduced:
        bits.take(5)
    else:
        _skip_operating_points(bits)
    widths = bits.take(4) + 1, bits.take(4) + 1
    for width in widths:
        bits.take(width)
    if not is_reduced and bits.take(1):
        bits.take(7)  # the lengths of frame numbers
    bits.take(3)  # large blocks and two filters
    if not is_reduced:
        _skip_tools(bits)
    bits.take(3)  # superresolution and two filters
    is_deep = bits.take(1)
    if profile == _MOST_PROFILE and is_deep:
        bits.take(1)
    if profile != 1:
        bits.take(1)  # only luminance
    if not bits.take(1):
        return None
    return Cicp(bits.take(8), bits.take(8), bits.take(8))


def _skip_operating_points(bits: _Bits) -> None:
    delay_bits = 0
    if bits.take(1):
        bits.take(64)
        if bits.take(1):
            _skip_number(bits)
        if bits.take(1):
            delay_bits = bits.take(5) + 1
            bits.take(32 + 5 + 5)
    has_delays = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if delay_bits and bits.take(1):
            bits.take(2 * delay_bits + 1)
        if has_delays and bits.take(1):
            bits.take(4)


def _skip_number(bits: _Bits) -> None:
    """Skip a number of variable length (4.10.3).

    The number begins with zeros and a one. After the one, there are as many bits as there were zeros.
    """
    zeros = 0
    while not bits.take(1):
        zeros += 1
    bits.take(zeros if zeros < 32 else 0)


def _skip_tools(bits: _Bits) -> None:
    bits.take(4)
    has_order = bits.take(1)
    if has_order:
        bits.take(2)
    uses_screen_tools = 1 if bits.take(1) else bits.take(1)
    if uses_screen_tools and not bits.take(1):
        bits.take(1)
    if has_order:
        bits.take(3)

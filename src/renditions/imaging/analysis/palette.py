"""Find the dominant colours of a picture.

The picture's colours are points in a space of red, green and blue. This module takes the part of the space
whose points spread most along one axis, and cuts it in two, across this axis at the mean. It stops when there
are as many parts as wanted colours, or when each part has a single colour. The mean of each part is a
dominant colour. This is Heckbert's median cut (1982) by variance, as described by Wan, Wong and Prusinkiewicz
(1988).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import mul

from renditions.model.original import DominantColour

_Pixel = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the space: its colours, and how often each colour occurs."""

    colours: Sequence[_Pixel]
    times: Sequence[int]
    count: int
    sums: tuple[int, ...]
    """Sums of the values of each band."""
    spreads: tuple[int, ...]
    """For each band, the sum of squared distances from the mean times the count: an exact whole number."""

    @property
    def widest(self) -> float:
        """The spread of the band whose values differ most."""
        return max(self.spreads) / self.count

    @property
    def mean(self) -> bytes:
        """The mean colour, in whole numbers."""
        return bytes((2 * total + self.count) // (2 * self.count) for total in self.sums)


def find_colours(pixels: Iterable[_Pixel], most: int) -> tuple[DominantColour, ...]:
    """Return at most ``most`` colours, the largest share first.

    There are none if there is no pixel.
    """
    counted = Counter(pixels)
    if not counted:
        return ()
    parts = [_measure(counted.items())]
    while len(parts) < most:
        widest = max(parts, key=lambda part: part.widest)
        if not widest.widest:
            break
        parts.remove(widest)
        parts += _cut(widest)
    parts.sort(key=lambda part: (-part.count, part.mean))
    return tuple(
        DominantColour(f"#{part.mean.hex()}", round(part.count / counted.total(), 3)) for part in parts
    )


def _measure(counted: Iterable[tuple[_Pixel, int]]) -> _Part:
    colours, times = zip(*counted, strict=True)
    count = sum(times)
    weighted = [list(map(mul, band, times)) for band in zip(*colours, strict=True)]
    sums = tuple(map(sum, weighted))
    squares = [
        sum(map(mul, band, values)) for band, values in zip(zip(*colours, strict=True), weighted, strict=True)
    ]
    spreads = tuple(count * square - total * total for square, total in zip(squares, sums, strict=True))
    return _Part(colours, times, count, sums, spreads)


def _cut(part: _Part) -> tuple[_Part, _Part]:
    """Cut a part at the mean of its widest band, and return both halves.

    Neither half is empty, because the part has several colours.
    """
    band = part.spreads.index(max(part.spreads))
    counted = list(zip(part.colours, part.times, strict=True))
    below = [each for each in counted if each[0][band] * part.count <= part.sums[band]]
    above = [each for each in counted if each[0][band] * part.count > part.sums[band]]
    return _measure(below), _measure(above)

"""The few colours that a picture can be told in.

The cloud of its colours is cut in two where it spreads most, across its longest axis at the mean, until
there are as many parts as colours are wanted: Heckbert's median cut (1982) by variance, as Wan, Wong and
Prusinkiewicz have it (1988). Each part's mean is a colour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from renditions.record import DominantColour

_Pixel = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Part:
    """Some of the colours, and how often each of them is there."""

    colours: Sequence[tuple[_Pixel, int]]
    count: int
    mean: tuple[float, float, float]
    spread: tuple[float, float, float]
    """In each band the sum of squared distances from the mean."""


def find_colours(pixels: Iterable[_Pixel], most: int) -> tuple[DominantColour, ...]:
    """Return at most so many colours, the largest share first; none where there is no pixel."""
    counted = sorted(Counter(pixels).items())
    if not counted:
        return ()
    parts = [_measure(counted)]
    while len(parts) < most:
        widest = max(parts, key=lambda part: max(part.spread))
        if not max(widest.spread):
            break
        parts.remove(widest)
        parts += _cut(widest)
    total = sum(part.count for part in parts)
    parts.sort(key=lambda part: (-part.count, part.mean))
    return tuple(
        DominantColour(f"#{bytes(map(round, part.mean)).hex()}", round(part.count / total, 3))
        for part in parts
    )


def _measure(colours: Sequence[tuple[_Pixel, int]]) -> _Part:
    count = sum(times for _, times in colours)
    means, spreads = [], []
    for band in range(3):
        mean = sum(colour[band] * times for colour, times in colours) / count
        means.append(mean)
        spreads.append(sum((colour[band] - mean) ** 2 * times for colour, times in colours))
    return _Part(colours, count, (means[0], means[1], means[2]), (spreads[0], spreads[1], spreads[2]))


def _cut(part: _Part) -> tuple[_Part, _Part]:
    """Return both halves, of which neither is empty, since the part spreads."""
    band = part.spread.index(max(part.spread))
    below = [(colour, times) for colour, times in part.colours if colour[band] <= part.mean[band]]
    above = [(colour, times) for colour, times in part.colours if colour[band] > part.mean[band]]
    return _measure(below), _measure(above)

"""A picture's lowest frequencies, in plain Python: enough for pictures of some 64 pixels on a side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul


def sum_cosines(values: Sequence[float], width: int, count: int, *, phase: float = 0.5) -> list[list[float]]:
    """Return the ``count`` lowest frequencies of the values, in both directions.

    ``result[v][u]`` is the sum over all x and y of
    ``value(x, y) · cos(π u (x + phase) / width) · cos(π v (y + phase) / height)``: with a phase of one half
    the discrete cosine transform of type II, but for its factor.

    Args:
        values: One for each pixel, row by row.
        width: How many there are in a row.
        count: How many frequencies in each direction, 0 among them.
        phase: Where in a pixel its value is.

    """
    height = len(values) // width
    across = [[math.cos(math.pi * u * (x + phase) / width) for x in range(width)] for u in range(count)]
    down = [[math.cos(math.pi * v * (y + phase) / height) for y in range(height)] for v in range(count)]
    rows = [values[at : at + width] for at in range(0, len(values), width)]
    columns = [[sum(map(mul, row, wave)) for row in rows] for wave in across]
    return [[sum(map(mul, column, wave)) for column in columns] for wave in down]

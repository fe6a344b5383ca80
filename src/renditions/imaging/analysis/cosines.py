"""The lowest frequencies of a picture, in plain Python.

Plain Python is fast enough for pictures of about 64 pixels on a side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul


def sum_cosines(values: Sequence[float], width: int, count: int, *, phase: float = 0.5) -> list[list[float]]:
    """Return the ``count`` lowest frequencies of the values, in both directions.

    ``result[v][u]`` is the sum over all x and y of
    ``value(x, y) · cos(π u (x + phase) / width) · cos(π v (y + phase) / height)``. With a phase of one half,
    this is the discrete cosine transform of type II, except for a constant factor.

    Args:
        values: One value for each pixel, row by row.
        width: The number of pixels in a row.
        count: The number of frequencies in each direction, including frequency 0.
        phase: The position of a value within its pixel, from 0 to 1.

    """
    height = len(values) // width
    across = [[math.cos(math.pi * u * (x + phase) / width) for x in range(width)] for u in range(count)]
    down = [[math.cos(math.pi * v * (y + phase) / height) for y in range(height)] for v in range(count)]
    rows = [values[at : at + width] for at in range(0, len(values), width)]
    columns = [[sum(map(mul, row, wave)) for row in rows] for wave in across]
    return [[sum(map(mul, column, wave)) for column in columns] for wave in down]

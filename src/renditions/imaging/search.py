"""Search for the lowest quality that keeps a file similar enough to the original."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from renditions.imaging.analysis.likeness import Likeness

_HIGHEST = 100
_USUAL_SLOPE = 0.04
"""The assumed relative decrease of the loss for one step of quality, until two trials are known."""
_LEAST_SLOPE = 0.01
_LEAST_LOSS = 0.01
"""The smallest loss. It is above zero, so that it has a logarithm."""
_MAX_TRIALS = 4
"""After this many trials, the search returns the best one, if one was similar enough."""
_WASTED_STEPS = 1
"""A quality that is too high by at most this many steps isn't worth another trial."""


def encode_within(
    image: Any,
    target: float,
    encode: Callable[[int], bytes],
    decode: Callable[[bytes], Any],
    usual_quality: int,
) -> tuple[bytes, int]:
    """Return a file that scores at least ``target``, if one does, and its quality.

    The file is hardly larger than necessary. The search begins at ``usual_quality``. The function uses the
    secant method on the logarithm of the loss (100 minus the score). This logarithm falls almost linearly
    with the quality, so two or three trials are usually enough. If no quality reaches the target, the file
    has the highest quality.
    """
    likeness, allowed = Likeness(image), 100 - target
    best: tuple[bytes, int] | None = None
    last: tuple[int, float] | None = None
    below, slope, quality = 0, _USUAL_SLOPE, usual_quality
    trials = 0
    while True:
        content = encode(quality)
        loss = max(100 - likeness.score(decode(content)), _LEAST_LOSS)
        trials += 1
        if loss <= allowed or quality == _HIGHEST:
            best = content, quality
        else:
            below = quality
        if last:
            slope = max(math.log(last[1] / loss) / (quality - last[0]), _LEAST_SLOPE)
        last = quality, loss
        wanted = max(quality + math.ceil(math.log(loss / allowed) / slope), below + 1)
        if best is None:
            # The steps grow, so that the search ends.
            quality = min(max(wanted, below + 2 ** (trials - 1)), _HIGHEST)
        elif trials >= _MAX_TRIALS or wanted >= best[1] - _WASTED_STEPS:
            return best
        else:
            quality = wanted

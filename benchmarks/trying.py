"""Compare a trial with a plain rendering: ``python -m benchmarks.trying``.

Both render a picture of 12 megapixels in a worker process each, in turn and in shuffled order, so that other
programs slow both down. Each ratio compares two runs of one round.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from io import BytesIO

import numpy as np
from PIL import Image

from renditions.local.workers.pool import RenderPool
from renditions.model.pipeline import NO_ANALYSIS, Accept, Limits
from renditions.model.recipe import Rendition
from renditions.runtime.trial import open_trial

_ROUNDS = 15
_MOST = 2.0
"""The largest allowed time of a trial, as a multiple of the rendering's."""
_RECIPES = {
    "small": Rendition(width=400),
    "large": Rendition(width=1600, format="webp"),
    "avif": Rendition(width=1200, format="avif"),
}


def main() -> int:
    """Measure and print the ratio; return 1 if a trial costs too much."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trying", description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    rounds = parser.parse_args().rounds
    content, limits = _draw(), Limits()
    seconds: dict[str, list[float]] = {"rendering": [], "trial": []}
    with RenderPool(1, limits.seconds, limits=limits) as plain, open_trial(limits) as trial:
        ways = [("rendering", plain), ("trial", trial)]
        for number in range(rounds + 1):
            random.shuffle(ways)
            for name, render in ways:
                started = time.perf_counter()
                render(content, Accept(), _RECIPES, NO_ANALYSIS)
                if number:  # the first round loads the engine
                    seconds[name].append(time.perf_counter() - started)
    ratios = [tried / made for tried, made in zip(seconds["trial"], seconds["rendering"], strict=True)]
    for name, measured in seconds.items():
        print(f"{name:>9}: {1000 * statistics.median(measured):,.0f} ms")
    ratio = statistics.median(ratios)
    print(f"a trial takes {ratio:.2f} times the rendering ({min(ratios):.2f} to {max(ratios):.2f})")
    return int(ratio > _MOST)


def _draw() -> bytes:
    grain = np.random.default_rng(1).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(grain).resize((4000, 3000), Image.Resampling.BICUBIC).save(file, "jpeg", quality=90)
    return file.getvalue()


if __name__ == "__main__":
    raise SystemExit(main())

"""Compare the engines of two versions: ``python -m benchmarks.versions OLD``.

``OLD`` is a checkout of the older version with its ``.venv``. Both engines make the renditions of the cases
of :mod:`benchmarks.imaging`, in turns and in one run. The table has the CPU time and the bytes of this
version as a share of the older one's, and the difference of the scores.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from benchmarks.cases import CASES, SCORED_BOXES
from benchmarks.environments import Way
from benchmarks.inputs import PHOTOGRAPHS, fetch
from benchmarks.measure import measure_case, measure_quality
from benchmarks.report import Table, to_text

_ENGINE = ("-m", "benchmarks.ways.engine")


def main() -> int:
    """Measure each case, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.versions", description=__doc__)
    parser.add_argument("old", type=Path, help="the folder of the older version")
    parser.add_argument("--rounds", type=int, default=9, help="per picture")
    arguments = parser.parse_args()
    old = arguments.old.resolve()
    script = old.joinpath("benchmarks", "ways", "engine.py")
    ways = [
        Way("new", "this version", (sys.executable, *_ENGINE), ()),
        Way("old", "older", ("env", f"PYTHONPATH={old}", str(old / ".venv/bin/python"), str(script)), ()),
    ]
    fetch()
    table: Table = [["this version as a share of the older one", "CPU", "bytes", "ΔQ"]]
    for case in CASES:
        photographs = PHOTOGRAPHS[: case.photographs]
        result = measure_case(case, ways, photographs=photographs, rounds=arguments.rounds)
        measure_quality(result, photographs=photographs, boxes=SCORED_BOXES, processes=os.cpu_count() or 1)
        shares = [result.ratio("new", "old", measure) for measure in ("cpu_seconds", "output_bytes")]
        score = result.score_difference("new", "old")
        table.append(
            [
                case.label,
                *("–" if share is None else f"{share:.3f}" for share in shares),  # noqa: RUF001
                "–" if score is None else f"{score:+.1f}",  # noqa: RUF001
            ]
        )
        print(to_text([table[-1]]), flush=True)
    print("\n" + to_text(table))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Send many damaged files through the worker processes: ``python -m fuzz``.

The program prints a table of results. A file depends only on its number, so ``--first NUMBER --files 1``
makes and sends it again. The program keeps files in a folder if they broke a promise, took too long or
killed a worker. It exits with 1 on a broken promise.
"""

from __future__ import annotations

import argparse
import faulthandler
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

from fuzz.seeds import seeds
from fuzz.trial import LIMITS, MARGIN_SECONDS, SECONDS, Verdict, peak_memory_bytes, try_file
from renditions.local.workers.pool import RenderPool

KINDS = ("made", "partly made", "rejected", "too slow", "worker died", "failed")
_KEPT_KINDS = ("too slow", "worker died", "failed")
_REPORT_EVERY = 5_000


def main() -> int:
    """Run the fuzzer; return 1 if a promise was broken, else 0."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--files", type=int, default=10_000, help="how many files")
    parser.add_argument("--first", type=int, default=0, help="the first file's number")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="where the findings go")
    arguments = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    seconds: dict[str, float] = defaultdict(float)
    promises_broken = peak_bytes = 0
    began = time.monotonic()
    with RenderPool(1, SECONDS, limits=LIMITS) as pool:
        for done, number in enumerate(range(arguments.first, arguments.first + arguments.files), 1):
            # If the pool itself hangs, no code in this process can end it reliably.
            faulthandler.dump_traceback_later(2 * (SECONDS + MARGIN_SECONDS), exit=True)
            verdict = try_file(pool, number)
            family = verdict.seed.split()[0]
            counts[family, verdict.kind] += 1
            seconds[family] += verdict.seconds
            peak_bytes = max(peak_bytes, peak_memory_bytes())
            promises_broken += bool(verdict.broken_promise)
            if verdict.broken_promise or verdict.kind in _KEPT_KINDS:
                _keep(verdict, number, arguments.keep)
            if done % _REPORT_EVERY == 0:
                print(f"{done:,} files after {time.monotonic() - began:,.0f} s", file=sys.stderr, flush=True)
    faulthandler.cancel_dump_traceback_later()
    print(_table(counts, seconds))
    print(f"{promises_broken} promises broken; the largest worker had {peak_bytes / 1e6:,.0f} MB")
    return 1 if promises_broken else 0


def _keep(verdict: Verdict, number: int, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{number}.{verdict.seed.split()[0]}").write_bytes(verdict.content)
    said = verdict.broken_promise or verdict.message
    print(f"{number} ({verdict.seed}): {verdict.kind}: {said}", file=sys.stderr, flush=True)


def _table(counts: Counter[tuple[str, str]], seconds: Mapping[str, float]) -> str:
    """Return the counts of each format and their sums, as a Markdown table."""
    families = sorted({seed.split()[0] for seed in seeds()})
    lines = [f"| seed | files | {' | '.join(KINDS)} | seconds |", "| --- |" + " ---: |" * (len(KINDS) + 2)]
    for name, members in [*((family, [family]) for family in families), ("all", families)]:
        cells = [sum(counts[family, kind] for family in members) for kind in KINDS]
        took = sum(seconds.get(family, 0) for family in members)
        lines.append(
            f"| {name} | {sum(cells):,} | {' | '.join(f'{cell:,}' for cell in cells)} | {took:,.0f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

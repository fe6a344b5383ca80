"""Compare ways to make renditions: ``python -m benchmarks.imaging [--quick]``.

The benchmark compares Renditions with the libraries that people use.

The whole run takes about a quarter of an hour and writes the results into ``docs/performance.md`` and
``docs/performance.svg``. A run with ``--quick`` takes a few minutes and leaves these files unchanged.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Mapping, Sequence

from benchmarks.cases import CASES, MAIN, MEMORY_KINDS, SCORED_BOXES, Case
from benchmarks.environments import CACHE, ROOT, UnavailableError, Way, prepare
from benchmarks.inputs import PHOTOGRAPHS, fetch
from benchmarks.measure import CaseResult, measure_case, measure_memory, measure_quality, read_versions
from benchmarks.picture import draw
from benchmarks.report import (
    DOCUMENT,
    case_table,
    describe_machine,
    memory_table,
    overview_table,
    replace_section,
    to_markdown,
    to_text,
    today,
)

_QUICK_BOXES = (600, 300)


def main() -> int:
    """Run the benchmark; return 1 if it could measure nothing, else 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imaging", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one picture, few rounds, no document written")
    parser.add_argument("--case", choices=[case.kind for case in CASES], help="only this one; prints only")
    arguments = parser.parse_args()
    cases = [case for case in CASES if arguments.case == case.kind or not arguments.case]
    if arguments.quick and not arguments.case:
        cases = [case for case in cases if not case.is_slow]
    try:
        fetch()
        ways, left_out = prepare()
    except UnavailableError as reason:
        print(f"can't measure anything: {reason}", file=sys.stderr)
        return 1
    for name, why in left_out.items():
        print(f"!! LEFT OUT: {name}: {why}", flush=True)
    results = [_measure(case, ways, is_quick=arguments.quick) for case in cases]
    if arguments.case:
        return 0
    print("\n" + to_text(overview_table(results, ways)), flush=True)
    peaks = measure_memory(
        MEMORY_KINDS,
        ways,
        photograph=PHOTOGRAPHS[0],
        repeats=1 if arguments.quick else 3,
        job_of=MAIN.job,
    )
    print("\n" + to_text(memory_table(peaks, MEMORY_KINDS, ways)))
    _keep_raw(results, peaks)
    if not arguments.quick:
        _write(results, peaks, ways, left_out)
    return 0


def _measure(case: Case, ways: Sequence[Way], *, is_quick: bool) -> CaseResult:
    photographs = PHOTOGRAPHS[: 1 if is_quick else case.photographs]
    rounds = max(1, case.rounds // 5) if is_quick else case.rounds
    result = measure_case(case, ways, photographs=photographs, rounds=rounds)
    measure_quality(
        result,
        photographs=photographs,
        boxes=_QUICK_BOXES if is_quick else SCORED_BOXES,
        processes=os.cpu_count() or 1,
    )
    print(
        f"\n{case.label}: {len(photographs)} pictures, {rounds} rounds\n{to_text(case_table(result, ways))}"
    )
    sys.stdout.flush()
    return result


def _keep_raw(results: Sequence[CaseResult], peaks: Mapping[str, Mapping[str, float]]) -> None:
    raw = {"cases": [dataclasses.asdict(result) for result in results], "peak_megabytes": peaks}
    (CACHE / "results.json").write_text(json.dumps(raw, indent=1))
    print(f"\nevery number is in {(CACHE / 'results.json').relative_to(ROOT)}")


def _write(
    results: Sequence[CaseResult],
    peaks: Mapping[str, Mapping[str, float]],
    ways: Sequence[Way],
    left_out: Mapping[str, str],
) -> None:
    """Write the results into the document, and draw the main results as a picture."""
    machine = describe_machine()
    picture = DOCUMENT.with_name("performance.svg")
    picture.write_text(draw(results[0], ways, machine))
    lines = [
        f"`make bench`, {today()}, on {machine}.",
        "",
        *(f"- {label}: {versions}" for label, versions in read_versions(ways).items()),
        *(f"- Left out: {name}: {reason}" for name, reason in left_out.items()),
        "",
        f"![The table below as bars]({picture.name})",
        "",
    ]
    for result in results[:1]:
        lines += [f"### {result.case.label}", "", to_markdown(case_table(result, ways)), ""]
    lines += ["### Every kind of picture", "", to_markdown(overview_table(results, ways)), ""]
    lines += ["### Peak memory", "", to_markdown(memory_table(peaks, MEMORY_KINDS, ways)), ""]
    lines += ["### Each case", ""]
    for result in results[1:]:
        lines += [f"**{result.case.label}**", "", to_markdown(case_table(result, ways)), ""]
    replace_section("results", "\n".join(lines))
    print(f"written: {DOCUMENT.relative_to(ROOT)} and {picture.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())

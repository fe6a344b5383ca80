"""Measure quality = "auto": ``python -m benchmarks.auto [--quick]``.

The benchmark compares "auto" with one quality for every picture.

It makes renditions of each photo at the format's usual quality, with "auto" at the default target, and with
"auto" at the target that gives nearly the same mean SSIMULACRA2. The full run takes about five minutes and
writes its table into ``docs/performance.md``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from benchmarks.cases import MAIN, SCORED_BOXES
from benchmarks.environments import CACHE, UnavailableError, scorer
from benchmarks.inputs import PHOTOGRAPHS, derive, fetch
from benchmarks.measure import Worker
from benchmarks.report import Table, describe_machine, replace_section, to_markdown, to_text, today
from renditions.imaging.analysis.likeness import Likeness
from renditions.imaging.render import render
from renditions.imaging.vips import load
from renditions.model.formats import OUTPUT_FORMATS
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition

_FORMATS: tuple[Literal["jpeg", "webp", "avif"], ...] = ("jpeg", "webp", "avif")
_ROUNDS = 3
"""How often each recipe is timed. The recipes take turns."""
_CORRECTIONS = 3
"""How often the benchmark moves the target by the remaining difference of the mean scores."""


@dataclass(slots=True)
class Outcome:
    """The results of one recipe for all photos."""

    label: str
    recipe: Rendition
    output_bytes: int = 0
    cpu_seconds: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    """SSIMULACRA2 of each rendition."""
    own_scores: list[float] = field(default_factory=list)
    """The score of ``Likeness`` for each rendition."""


def main() -> int:
    """Run the benchmark; return 1 if it could measure nothing, else 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.auto", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two small sizes, no document written")
    is_quick = parser.parse_args().quick
    boxes = SCORED_BOXES[1:] if is_quick else SCORED_BOXES
    try:
        fetch()
        command = scorer()
    except UnavailableError as reason:
        print(f"can't measure anything: {reason}", file=sys.stderr)
        return 1
    table = [["", "bytes", "mean Q", "worst Q", "own score, worst", "CPU ms", "CPU of fixed"]]
    with ExitStack() as stack:
        scorers = [stack.enter_context(Worker(command)) for _ in range(2)]
        for output_format in _FORMATS:
            rows = _compare(Rendition(format=output_format), boxes, scorers)
            print(to_text([table[0], *rows]), flush=True)
            table += rows
    if not is_quick:
        text = f"`python -m benchmarks.auto`, {today()}, on {describe_machine()}.\n\n{to_markdown(table)}"
        replace_section("auto", text)
    return 0


def _compare(recipe: Rendition, boxes: Sequence[int], scorers: Sequence[Worker]) -> Table:
    """Return the table's rows about one format."""
    scale = OUTPUT_FORMATS[recipe.format].quality
    fixed = Outcome(f"{recipe.format}, {scale and scale.default}", recipe)
    _make(fixed, boxes)
    _score(fixed, boxes, scorers)
    wanted = statistics.mean(fixed.scores)
    default = Outcome("", Rendition(format=recipe.format, quality="auto"))
    default.label = f'{recipe.format}, "auto", target {default.recipe.target:g}'
    _make(default, boxes)
    _score(default, boxes, scorers)
    tried, target = [default], default.recipe.target
    for _ in range(_CORRECTIONS):
        target += wanted - statistics.mean(tried[-1].scores)
        tried.append(
            Outcome(
                f'{recipe.format}, "auto", target {target:.1f}',
                Rendition(format=recipe.format, quality="auto", target=target),
            )
        )
        _make(tried[-1], boxes)
        _score(tried[-1], boxes, scorers)
    equal = min(tried[1:], key=lambda outcome: abs(statistics.mean(outcome.scores) - wanted))
    outcomes = (fixed, default, equal)
    for outcome in outcomes:
        outcome.cpu_seconds.clear()
    for _ in range(_ROUNDS):
        for outcome in outcomes:
            _make(outcome, boxes)
    return [_row(outcome, fixed) for outcome in outcomes]


def _row(outcome: Outcome, fixed: Outcome) -> list[str]:
    pairs = zip(outcome.cpu_seconds, fixed.cpu_seconds, strict=True)
    return [
        outcome.label,
        f"{outcome.output_bytes / fixed.output_bytes:.3f}",
        f"{statistics.mean(outcome.scores):.2f}",
        f"{min(outcome.scores):.1f}",
        f"{min(outcome.own_scores):.1f}",
        f"{1000 * statistics.median(outcome.cpu_seconds) / len(PHOTOGRAPHS):.0f}",
        f"{statistics.median(ours / theirs for ours, theirs in pairs):.1f}",
    ]


def _make(outcome: Outcome, boxes: Sequence[int]) -> None:
    """Make and write every rendition of all photos; note their bytes and CPU time."""
    recipes = {str(box): _sized(outcome.recipe, box) for box in boxes}
    cpu_seconds, outcome.output_bytes = 0.0, 0
    for photograph in PHOTOGRAPHS:
        content = derive(MAIN.kind, photograph).read_bytes()
        started = time.process_time()
        rendering = render(content, Accept(), recipes)
        cpu_seconds += time.process_time() - started
        for box in boxes:
            made = rendering.made[str(box)].content
            outcome.output_bytes += len(made)
            _path(outcome.recipe, photograph, box).write_bytes(made)
    outcome.cpu_seconds.append(cpu_seconds)


def _score(outcome: Outcome, boxes: Sequence[int], scorers: Sequence[Worker]) -> None:
    """Add the renditions' scores to the outcome.

    The scorers compute SSIMULACRA2 in parallel. That disturbs no measurement, because nothing is timed
    meanwhile.
    """
    questions = []
    for photograph in PHOTOGRAPHS:
        path = derive(MAIN.kind, photograph)
        job = MAIN.job(path)
        lossless = {str(box): _sized(Rendition(format="png"), box) for box in boxes}
        originals = render(path.read_bytes(), Accept(), lossless).made
        for box in boxes:
            rendition = _path(outcome.recipe, photograph, box)
            original = load("png", originals[str(box)].content)
            outcome.own_scores.append(
                Likeness(original).score(load(outcome.recipe.format, rendition.read_bytes()))
            )
            questions.append([str(path), job.sizes[job.boxes.index(box)], str(rendition)])
    for at in range(0, len(questions), len(scorers)):
        group = questions[at : at + len(scorers)]
        for worker, question in zip(scorers, group, strict=False):
            worker.send(question)
        outcome.scores += [worker.receive() for worker, _ in zip(scorers, group, strict=False)]


def _sized(recipe: Rendition, box: int) -> Rendition:
    return Rendition(
        format=recipe.format, width=box, height=box, quality=recipe.quality, target=recipe.target
    )


def _path(recipe: Rendition, photograph: str, box: int) -> Path:
    folder = CACHE / "outputs" / "auto" / f"{recipe.format}-{recipe.quality}-{recipe.target:.3f}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{photograph}-{box}.{recipe.format}"


if __name__ == "__main__":
    sys.exit(main())

"""Measure the ways with long-lived workers.

While something is timed, only one worker works. The calls come in shuffled order, so a disturbance of the
machine affects all ways in the same manner. Each ratio compares two ways on the same picture in the same
round.
"""

from __future__ import annotations

import dataclasses
import json
import random
import statistics
import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.cases import Case
from benchmarks.environments import CACHE, ROOT, Way, scorer
from benchmarks.inputs import derive
from benchmarks.worker import Job


@dataclass(frozen=True, slots=True)
class Sample:
    """The cost of one way for one picture in one round."""

    photograph: str
    round: int
    cpu_seconds: float
    """The user and system time."""
    wall_seconds: float
    output_bytes: int
    """The size of all renditions together."""


@dataclass(slots=True)
class CaseResult:
    """The results of one case."""

    case: Case
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    """The measurements, by way."""
    scores: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    """The scores by way and box, one for each photo."""
    unsupported: dict[str, str] = field(default_factory=dict)
    """The reasons why some ways can't do this case."""

    def median_ms(self, way: str, measure: str = "cpu_seconds") -> float:
        """Return the median of a way's measure, in milliseconds."""
        return 1000.0 * statistics.median(float(getattr(sample, measure)) for sample in self.samples[way])

    def ratio(self, way: str, base: str, measure: str = "cpu_seconds") -> float | None:
        """Return the median of ``way``'s measure divided by ``base``'s.

        Each pair is of the same picture and round. The result is None if one of them has no samples.
        """
        if base not in self.samples or way not in self.samples:
            return None
        pairs = zip(self.samples[way], self.samples[base], strict=True)
        return statistics.median(
            float(getattr(ours, measure) / getattr(theirs, measure)) for ours, theirs in pairs
        )

    def score_difference(self, way: str, base: str) -> float | None:
        """Return by how much the way's mean score is better than that of ``base``.

        The result is None if one of them has no scores.
        """
        if way not in self.scores or base not in self.scores:
            return None
        ours, theirs = self.scores[way], self.scores[base]
        return statistics.mean(
            mine - other for box in ours for mine, other in zip(ours[box], theirs[box], strict=True)
        )


class Worker:
    """A process that answers each line that it gets with a line."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def send(self, message: object) -> None:
        """Send one message to the worker as a line of JSON."""
        assert self._process.stdin  # noqa: S101 - it was opened with pipes
        self._process.stdin.write(json.dumps(message) + "\n")

    def receive(self) -> Any:
        """Return the next answer; raise ``RuntimeError`` if the worker ended instead."""
        assert self._process.stdout  # noqa: S101 - it was opened with pipes
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the worker {self._process.args!r} ended without an answer")
        return json.loads(line)

    def make(self, job: Job, outputs: Path | None = None) -> Any:
        """Send a job, and return its answer.

        The worker writes the renditions into the folder ``outputs``, if it is given.
        """
        self.send({**dataclasses.asdict(job), "outputs": str(outputs) if outputs else None})
        return self.receive()


def measure_case(case: Case, ways: Sequence[Way], *, photographs: Sequence[str], rounds: int) -> CaseResult:
    """Measure one case; return the results.

    The first call of each way for each picture doesn't count.
    """
    result = CaseResult(case)
    order = random.Random(case.kind)  # noqa: S311 - the same order every time
    with ExitStack() as stack:
        workers = {way.name: stack.enter_context(Worker(way.command)) for way in ways}
        for worker in workers.values():
            worker.receive()
        jobs = {photograph: case.job(derive(case.kind, photograph)) for photograph in photographs}
        for photograph, job in jobs.items():
            for name in list(workers):
                answer = workers[name].make(job, outputs_of(case, name, photograph))
                if "unsupported" in answer:
                    result.unsupported[name] = answer["unsupported"]
                    del workers[name]
        for number in range(rounds):
            calls = [(name, photograph) for name in workers for photograph in photographs]
            order.shuffle(calls)
            for name, photograph in calls:
                answer = workers[name].make(jobs[photograph])
                sample = Sample(
                    photograph,
                    number,
                    answer["cpu_seconds"],
                    answer["wall_seconds"],
                    answer["output_bytes"],
                )
                result.samples.setdefault(name, []).append(sample)
    for samples in result.samples.values():
        samples.sort(key=lambda sample: (sample.round, sample.photograph))
    return result


def outputs_of(case: Case, way: str, photograph: str) -> Path:
    """Return the folder for a way's renditions of this picture.

    Create it if it is missing.
    """
    folder = CACHE / "outputs" / case.kind / photograph / way
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def measure_quality(
    result: CaseResult, *, photographs: Sequence[str], boxes: Sequence[int], processes: int
) -> None:
    """Compute ``result.scores``, several at a time.

    Nothing is timed meanwhile.

    Raises:
        UnavailableError: The scorer's environment can't be created.

    """
    questions = []
    for way in result.samples:
        for box in boxes:
            for photograph in photographs:
                job = result.case.job(derive(result.case.kind, photograph))
                size = job.sizes[job.boxes.index(box)]
                rendition = outputs_of(result.case, way, photograph) / f"{box}.{job.format}"
                questions.append((way, box, [job.input, size, str(rendition)]))
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(scorer())) for _ in range(processes)]
        for at in range(0, len(questions), processes):
            group = questions[at : at + processes]
            for worker, (_, _, question) in zip(workers, group, strict=False):
                worker.send(question)
            for worker, (way, box, _) in zip(workers, group, strict=False):
                result.scores.setdefault(way, {}).setdefault(box, []).append(worker.receive())


def measure_memory(
    kinds: Sequence[str],
    ways: Sequence[Way],
    *,
    photograph: str,
    repeats: int,
    job_of: Callable[[Path], Job],
) -> dict[str, dict[str, float]]:
    """Return how many megabytes a process needs for a picture, by way and kind.

    The memory of an idle interpreter isn't counted. The result lacks ways without an idle command, and kinds
    that a way doesn't support.
    """
    peaks: dict[str, dict[str, float]] = {}
    for way in ways:
        if way.idle_command is None:
            continue
        idle = statistics.median(_idle_bytes(way.idle_command) for _ in range(3))
        for kind in kinds:
            answers = []
            for _ in range(repeats):
                with Worker(way.command) as worker:
                    worker.receive()
                    answers.append(worker.make(job_of(derive(kind, photograph))))
            if not any("unsupported" in answer for answer in answers):
                peak = statistics.median(answer["peak_bytes"] for answer in answers)
                peaks.setdefault(way.name, {})[kind] = (peak - idle) / 1e6
    return peaks


def read_versions(ways: Sequence[Way]) -> dict[str, str]:
    """Return the versions that each way reports for its libraries."""
    versions = {}
    for way in ways:
        with Worker(way.command) as worker:
            versions[way.label] = str(worker.receive()["versions"])
    return versions


def _idle_bytes(command: Sequence[str]) -> int:
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    line = next(line for line in printed.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024

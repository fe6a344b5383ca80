"""The worker's side of a measurement.

It reads jobs as lines of JSON, and writes the cost of each, or why the way can't do it. It uses only the
standard library, because it runs in the environments of all ways in Python.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Size = tuple[int, int]


class UnsupportedError(Exception):
    """Raised if a way can't do a job. The message is the reason."""


@dataclass(frozen=True, slots=True)
class Job:
    """One picture, and the renditions to make of it."""

    input: str
    """The file's path."""
    format: str
    """``jpeg`` or ``webp``."""
    quality: int
    boxes: tuple[int, ...]
    """The sides of the squares that the renditions fit into, in pixels, the largest first."""
    sizes: tuple[Size, ...]
    """The resulting sizes in pixels, for ways that can't compute them."""


def cascade(sizes: Sequence[Size]) -> list[int | None]:
    """Return, for each size, the index of the smallest size at least twice as large.

    The sizes must be sorted, the largest first. None means that the rendition is made from the picture
    itself.
    """
    return [
        max(
            (at for at in range(index) if sizes[at][0] >= 2 * size[0] and sizes[at][1] >= 2 * size[1]),
            default=None,
        )
        for index, size in enumerate(sizes)
    ]


def serve(make: Callable[[bytes, Job], list[bytes]], versions: str) -> None:
    """Write the versions, and then answer each request until there are no more.

    A request has the fields of a job, and ``outputs``: a folder for the renditions, or None.
    """
    _answer({"versions": versions})
    for line in sys.stdin:
        request = json.loads(line)
        outputs = request.pop("outputs")
        request["sizes"] = [tuple(size) for size in request["sizes"]]
        job = Job(**request)
        content = Path(job.input).read_bytes()
        started_cpu, started = _cpu_seconds(), time.perf_counter()
        try:
            made = make(content, job)
        except UnsupportedError as reason:
            _answer({"unsupported": str(reason)})
            continue
        cpu_seconds, wall_seconds = _cpu_seconds() - started_cpu, time.perf_counter() - started
        if outputs:
            for box, rendition in zip(job.boxes, made, strict=True):
                Path(outputs, f"{box}.{job.format}").write_bytes(rendition)
        _answer(
            {
                "cpu_seconds": cpu_seconds,
                "wall_seconds": wall_seconds,
                "output_bytes": sum(map(len, made)),
                "peak_bytes": peak_bytes(),
            }
        )


def peak_bytes() -> int:
    """Return the peak of this process's resident memory (``VmHWM``, proc(5)).

    On other systems than Linux, return 0. ``ru_maxrss`` isn't used, because a process inherits its value from
    its parent.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def _cpu_seconds() -> float:
    """Return the user and system time of this process and of its ended children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _answer(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)

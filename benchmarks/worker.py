"""The worker's side of a measurement: jobs come in as JSON lines, and what each cost goes out.

Only the standard library, because it runs in every peer's environment.
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
    """This way can't do this job; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to make all renditions of."""

    input: str
    """The file's path."""
    format: str
    """``jpeg`` or ``webp``."""
    quality: int
    boxes: tuple[int, ...]
    """Each rendition fits into a square of so many pixels; the largest comes first."""
    sizes: tuple[Size, ...]
    """What that makes, in pixels, for those who must be told."""


def cascade(sizes: Sequence[Size]) -> list[int | None]:
    """Return for each size the index of the smallest one that is twice as large; None: the picture itself."""
    return [
        max(
            (at for at in range(index) if sizes[at][0] >= 2 * size[0] and sizes[at][1] >= 2 * size[1]),
            default=None,
        )
        for index, size in enumerate(sizes)
    ]


def serve(make: Callable[[bytes, Job], list[bytes]], versions: str) -> None:
    """Say the versions, then answer each request until there are no more.

    A request is a job and perhaps a folder, ``outputs``, that the renditions are to be written to.
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
    """Return the most memory that this process has had resident (``VmHWM``, proc(5)); 0 off Linux.

    Not ``ru_maxrss``: a process inherits its parent's.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def _cpu_seconds() -> float:
    """Return the user and system time of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _answer(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)

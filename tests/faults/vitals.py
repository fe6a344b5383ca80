"""Measure the resources of a running server, and decide whether they grow.

The measurements come from outside the server, on Linux.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from renditions.core.catalog import Catalog

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Vitals:
    """The resources at one moment."""

    server_mb: float
    """Resident memory of the process that holds the catalog."""
    worker_mb: float
    """Resident memory of the server's largest worker process."""
    processes: int
    threads: int
    """The number of the server's own threads."""
    handles: int
    """The open file descriptors of all its processes."""
    state_files: int
    """The lock files of owners, and the files in the stores' own folders."""
    temporary_files: int
    """The files in the temporary folder that the environment names."""
    leases: int
    """Records under a lease."""


MAY_GROW: Mapping[str, tuple[float, float]] = {
    "server_mb": (0.10, 5.0),
    "worker_mb": (0.15, 20.0),
    "processes": (0.0, 1.0),
    "threads": (0.0, 3.0),
    "handles": (0.0, 5.0),
    "state_files": (0.0, 2.0),
    "temporary_files": (0.0, 2.0),
    "leases": (0.0, 3.0),
}
"""By how much the median of the last quarter may exceed that of the second: a share and an absolute part.
The allowance is needed because workers are killed at random, so their number and age differ, and because
pictures in progress have leases.
"""


def look(server: int, folder: Path, temporary: Path, catalog: Catalog) -> Vitals:
    """Return the resources of the server with this process id.

    The server's pipeline file is in ``folder``.
    """
    workers = find_children(server)
    pids = [server, *workers]
    state = [*folder.glob("*-owners/*"), *folder.glob("*/.renditions/**/*")]
    return Vitals(
        server_mb=read_resident_mb(server),
        worker_mb=max(map(read_resident_mb, workers), default=0.0),
        processes=len(pids),
        threads=_count(f"/proc/{server}/task"),
        handles=sum(_count(f"/proc/{pid}/fd") for pid in pids),
        state_files=sum(path.is_file() for path in state),
        temporary_files=sum(path.is_file() for path in temporary.rglob("*")),
        leases=sum(record.lease is not None for record in catalog.list()),
    )


def find_children(parent: int) -> list[int]:
    """Return the process ids of a process's children."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            # The name may contain any character. After its last parenthesis come state and parent (proc(5)).
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(folder.name))
    return found


def read_resident_mb(pid: int) -> float:
    """Return how much memory a process uses, in MB.

    The result is 0 if the process has ended.
    """
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES / 1e6
    return 0.0


def _count(folder: str) -> int:
    with suppress(OSError):
        return len(os.listdir(folder))  # noqa: PTH208 - of a process that may have ended
    return 0


def compare_quarters(taken: Sequence[Vitals]) -> tuple[str, list[str]]:
    """Return a Markdown table of the measurements, and the resources that grew.

    The first quarter is for warming up. The function compares the medians of the second and the last quarter.
    """
    quarter = len(taken) // 4
    columns = ("min", "median", "max", "second quarter", "last quarter")
    lines = [f"| | {' | '.join(columns)} |", "| --- |" + " ---: |" * len(columns)]
    grown = []
    for name, (share, more) in MAY_GROW.items():
        values = [asdict(each)[name] for each in taken]
        second = statistics.median(values[quarter : 2 * quarter])
        last = statistics.median(values[-quarter:])
        numbers = (min(values), statistics.median(values), max(values), second, last)
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(f'{number:,.1f}' for number in numbers)} |")
        if last > second * (1 + share) + more:
            grown.append(f"{name}: {second:,.1f} in the second quarter, {last:,.1f} in the last")
    return "\n".join(lines), grown

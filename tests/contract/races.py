"""Races: several threads or processes take the same step at the same moment."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path

from renditions.errors import Conflict, KeyTaken

THREADS = 8
PROCESSES = 3

_barrier: Barrier | None = None


def race_threads(step: Callable[[int], object]) -> list[int]:
    """Let eight threads take the step at the same time.

    Return the numbers of those that succeeded.
    """
    barrier = threading.Barrier(THREADS)

    def run(number: int) -> bool:
        barrier.wait()
        return _wins(step, number)

    with ThreadPoolExecutor(THREADS) as executor:
        return [number for number, won in enumerate(executor.map(run, range(THREADS))) if won]


def race_processes(run: Callable[[Path, str, int], list[int]], folder: Path, which: str) -> list[int]:
    """Let three processes run the same rounds at the same time.

    Return the numbers of the rounds in which a process succeeded, for all three processes.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        PROCESSES, context, initializer=_set_barrier, initargs=(context.Barrier(PROCESSES),)
    ) as executor:
        runs = [executor.submit(_run_together, run, folder, which, number) for number in range(PROCESSES)]
        return [won for ended in runs for won in ended.result()]


def take_rounds(rounds: range, step: Callable[[int], object]) -> list[int]:
    """Take the step once in each round; return the rounds in which it succeeded."""
    return [number for number in rounds if _wins(step, number)]


def _wins(step: Callable[[int], object], number: int) -> bool:
    try:
        step(number)
    except (Conflict, KeyTaken):
        return False
    return True


def _set_barrier(barrier: Barrier) -> None:
    global _barrier  # noqa: PLW0603 - how a process pool hands something to its processes
    _barrier = barrier


def _run_together(
    run: Callable[[Path, str, int], list[int]], folder: Path, which: str, number: int
) -> list[int]:
    assert _barrier
    _barrier.wait()
    return run(folder, which, number)

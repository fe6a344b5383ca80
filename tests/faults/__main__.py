"""Run many simulated histories, then mutations of the core: ``python -m faults``.

In between, workers crash at every step. Each mutation runs until a history catches it, for at most 20,000
histories. A history depends only on its number, so ``--first NUMBER --histories 1`` repeats one. The program
exits with 1 if a history breaks the promise, or if a mutation isn't caught.
"""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

from faults.mutations import MUTATIONS, apply

PROCESSES = 2
MOST_HISTORIES_OF_A_MUTATION = 20_000


@dataclass(frozen=True, slots=True)
class Result:
    """The result of some histories."""

    histories: int
    calls: int
    failure: str = ""
    """The number and the error of the first history that failed, or ""."""


def main() -> int:
    """Run the histories and the mutations, and return the exit code.

    It is 1 if a promise was broken or a mutation wasn't caught, else 0. With ``--mutation`` it is always 0.
    """
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--histories", type=int, default=20_000, help="how many histories")
    parser.add_argument("--first", type=int, default=0, help="the first history's number")
    parser.add_argument(
        "--mutation", type=int, help="apply the mutation with this number, and stop when a history fails"
    )
    parser.add_argument("--part", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    if arguments.part or arguments.mutation is not None:
        result = live(arguments.first, arguments.histories, arguments.mutation)
        print(result.histories, result.calls, result.failure)
        return 0
    began = time.monotonic()
    with ThreadPoolExecutor(PROCESSES) as executor:
        parts = share(arguments.first, arguments.histories)
        results = list(executor.map(lambda part: live_apart(part.start, len(part)), parts))
        seconds = time.monotonic() - began
        histories, calls = (
            sum(getattr(result, name) for result in results) for name in ("histories", "calls")
        )
        failures = [result.failure for result in results if result.failure]
        print(
            f"{histories:,} histories, {calls:,} I/O calls, {len(failures)} broken promises; {seconds:,.0f} s"
        )
        print("".join(f"{failure}\n" for failure in failures), end="")
        print(f"{count_crash_points():,} crash points, all recovered from")
        most = MOST_HISTORIES_OF_A_MUTATION
        caught = list(executor.map(lambda number: live_apart(0, most, number), range(len(MUTATIONS))))
    for mutation, result in zip(MUTATIONS, caught, strict=True):
        print(f"{f'after {result.histories:>5,}' if result.failure else '  not caught'}  {mutation.name}")
    missed = sum(not result.failure for result in caught)
    seconds = time.monotonic() - began
    print(f"{len(MUTATIONS) - missed} of {len(MUTATIONS)} mutations caught; {seconds:,.0f} s in all")
    return 1 if failures or missed else 0


def share(first: int, histories: int) -> list[range]:
    """Return the numbers of the histories that each process runs."""
    bounds = [first + histories * process // PROCESSES for process in range(PROCESSES + 1)]
    return [range(*part) for part in pairwise(bounds)]


def count_crash_points() -> int:
    """Let a worker die at each step of each scenario; return how often one died."""
    from faults.test_crash_points import SCENARIOS, crash_everywhere  # noqa: PLC0415 - as below

    return sum(map(crash_everywhere, SCENARIOS))


def live(first: int, histories: int, mutation: int | None) -> Result:
    """Run histories until one fails; return the result.

    ``mutation`` is the number of the mutation that is applied first, if any.
    """
    if mutation is not None:
        apply(MUTATIONS[mutation])
    from faults.history import History  # noqa: PLC0415 - after the core was changed

    calls = 0
    for number in range(first, first + histories):
        history = History(number)
        try:
            history.run()
        except Exception as error:  # noqa: BLE001 - a broken core may break in any way
            return Result(number - first + 1, calls, f"{number}: {type(error).__name__}: {error}"[:1000])
        calls += history.calls
    return Result(histories, calls)


def live_apart(first: int, histories: int, mutation: int | None = None) -> Result:
    """Run histories like :func:`live` in another process; return the result."""
    command = [sys.executable, "-m", "faults", "--part", f"--first={first}", f"--histories={histories}"]
    if mutation is not None:
        command.append(f"--mutation={mutation}")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    done, calls, *failure = ended.stdout.strip().split(" ", 2)
    return Result(int(done), int(calls), "".join(failure))


if __name__ == "__main__":
    sys.exit(main())

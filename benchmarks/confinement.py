"""Measure the cost of confined workers: ``python -m benchmarks.confinement``.

Set ``PYTHONPATH=tests``. Workers with and without confinement take turns in shuffled order. Each ratio
compares two workers in the same round. A function on Lambda renders in its own process. The benchmark also
measures what a separate process for rendering would cost there until the first picture is made. The results
go into ``docs/performance.md``.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import re
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from benchmarks.report import Table, describe_machine, replace_section, to_markdown, to_text, today
from imaging.pictures import encoded, photo
from renditions.local.workers.pool import RenderPool
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition

_ROUNDS = 25
_RECIPES = {"thumb": Rendition(width=320), "large": Rendition(width=800, format="webp")}
_LAYERS: Mapping[str, Collection[str] | None] = {"free": (), "confined": None}
_FIRST_PICTURE = """
import re, sys, time
started = time.perf_counter()
import botocore.session
from renditions.serverless import function
for name in ("s3", "dynamodb", "sns"):
    botocore.session.Session().create_client(name, region_name="eu-west-1")
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition
content = sys.stdin.buffer.read()
def held(pid):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return int(re.search(r"^Pss:\\s+(\\d+)", file.read(), re.M)[1]) / 1000
if sys.argv[1] == "own":
    from renditions.local.workers.pool import RenderPool
    with RenderPool(1, 60) as render:
        render(content, Accept(), {"thumb": Rendition(width=320)})
        ended = time.perf_counter()
        with open("/proc/self/task/%d/children" % __import__("os").getpid()) as file:
            print(ended - started, sum(map(held, ["self", *file.read().split()])))
else:
    from renditions.imaging.render import render
    render(content, Accept(), {"thumb": Rendition(width=320)})
    print(time.perf_counter() - started, held("self"))
"""


def main() -> None:
    """Measure, print the tables and write them into the document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.confinement", description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    rounds = parser.parse_args().rounds
    content = encoded(photo(2000, 1500), "jpeg", quality=88)
    small = encoded(photo(400, 300), "jpeg", quality=88)
    table: Table = [["CPU time of a worker", "free, ms", "confined, ms", "ratio"]]
    table.append(_row("start", _take_turns(_start_seconds, rounds)))
    pools = {way: RenderPool(1, 60, layers=layers) for way, layers in _LAYERS.items()}
    for label, picture, count in (("a photo of 3 MP", content, 10), ("a photo of 0.1 MP", small, 50)):

        def render(way: str, picture: bytes = picture, count: int = count) -> float:
            return _render_seconds(pools[way], picture, count)

        table.append(_row(label, _take_turns(render, rounds)))
    for pool in pools.values():
        pool.close()
    first: Table = [["a function's first picture, on one core", "seconds", "MB"]]
    for way, values in _first_pictures(content, rounds).items():
        seconds, megabytes = (statistics.median(column) for column in zip(*values, strict=True))
        label = "rendered by a worker process" if way == "own" else "rendered in its process"
        first.append([label, f"{seconds:.2f}", f"{megabytes:.0f}"])
    print(to_text(table), to_text(first), sep="\n\n")
    text = (
        f"`PYTHONPATH=tests python -m benchmarks.confinement`, {today()}, {rounds} rounds, Python "
        f"{platform.python_version()}, on {describe_machine()}.\n\n{to_markdown(table)}\n\n"
        f"{to_markdown(first)}"
    )
    replace_section("confinement", text)


def _take_turns(measure: Callable[[str], float], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each way, one per round.

    One more round comes first. It fills caches and isn't counted.
    """
    seconds: dict[str, list[float]] = {way: [] for way in _LAYERS}
    for number in range(rounds + 1):
        for way in random.sample(list(_LAYERS), len(_LAYERS)):
            took = measure(way)
            if number:
                seconds[way].append(took)
    return seconds


def _row(label: str, seconds: Mapping[str, list[float]]) -> list[str]:
    free, confined = seconds["free"], seconds["confined"]
    ratio = statistics.median(ours / base for ours, base in zip(confined, free, strict=True))
    return [label, *(f"{1e3 * statistics.median(each):.1f}" for each in (free, confined)), f"{ratio:.2f}"]


def _start_seconds(way: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with RenderPool(1, 60, layers=_LAYERS[way]) as pool:
        pool.start()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _render_seconds(pool: RenderPool, content: bytes, count: int) -> float:
    pool.start()
    pid = _newest_child()
    before = _cpu_seconds(pid)
    for _ in range(count):
        pool(content, Accept(), _RECIPES)
    return (_cpu_seconds(pid) - before) / count


def _newest_child() -> int:
    return max(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and of all its threads, in seconds.

    ``stat`` counts ticks of the clock (Linux, proc(5)), also those of threads that have ended. ``schedstat``
    counts only the first thread, but libvips renders in others.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _first_pictures(content: bytes, rounds: int) -> dict[str, list[tuple[float, ...]]]:
    """Return the costs of a new process up to its first picture, by way and round.

    They are the time in seconds, and the memory in megabytes that the process and its worker then hold.
    """
    found: dict[str, list[tuple[float, ...]]] = {"same": [], "own": []}
    prefix = ["taskset", "-c", "0", sys.executable, "-c", _FIRST_PICTURE]
    environment = {"PATH": os.environ["PATH"], "AWS_CONFIG_FILE": os.devnull, "PYTHONDONTWRITEBYTECODE": "1"}
    for number in range(rounds + 1):
        for way in random.sample(list(found), len(found)):
            ended = subprocess.run(
                [*prefix, way], input=content, stdout=subprocess.PIPE, check=True, env=environment
            )
            if number:
                found[way].append(tuple(map(float, re.findall(rb"[\d.]+", ended.stdout))))
    return found


if __name__ == "__main__":
    main()

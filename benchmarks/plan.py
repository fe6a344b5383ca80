"""Measure plans of sources with many pictures: ``python -m benchmarks.plan``.

The sources have 1,000, 10,000 and 100,000 pictures. They are empty files, because a plan reads no pixels. For
each source ``planning.plan`` runs in a fresh process: without records, with records, and with records while
it verifies four outputs of each picture. Time may grow with the number of pictures, but memory must not.
Without ``--counts`` the results go into ``docs/performance.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.environments import ROOT
from benchmarks.report import Table, describe_machine, replace_section, to_markdown, to_text, today
from benchmarks.worker import peak_bytes
from renditions.core.ask import Ask, Verify
from renditions.core.comparison import Comparison
from renditions.core.planning import plan
from renditions.core.ports import StoredObject
from renditions.local.folder import FolderStore
from renditions.local.sqlite import SqliteCatalog
from renditions.model.original import Original
from renditions.model.output_place import OutputPlace
from renditions.model.pipeline import Pipeline
from renditions.model.recipe import Rendition
from renditions.model.record import Output, Record
from renditions.model.source import Source

_COUNTS = (1_000, 10_000, 100_000)
_FOLDER_PICTURES = 1_000
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a parent for a private folder
_PIPELINE = Pipeline(
    source=Source(store="source"),
    output=OutputPlace(store="output"),
    renditions={f"w{width}": Rendition(width=width) for width in (1200, 600, 300, 200)},
)


def main() -> None:
    """Measure each size, and print the table.

    Without ``--counts`` write it into the document.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plan", description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=_COUNTS, help="how many pictures")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--verify", choices=("no", "quick"), default="no", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(_measure(asked.measure, asked.verify)))
        return
    table: Table = [
        ["pictures", "records", "verify", "found", "CPU seconds", "µs per picture", "peak memory, MB"]
    ]
    for count in asked.counts:
        # A file system in memory, so that neither building nor planning measures the disk.
        with tempfile.TemporaryDirectory(dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None) as name:
            work = Path(name)
            _make_pictures(work / "source", count)
            for recorded, verify in ((0, "no"), (count, "no"), (count, "quick")):
                if recorded and verify == "no":
                    _make_records(work)
                table.append(_row(work, count, recorded, verify))
                print(to_text([table[0], table[-1]]) if len(table) == 2 else to_text(table[-1:]), flush=True)
    text = f"`python -m benchmarks.plan`, {today()}, on {describe_machine()}.\n\n{to_markdown(table)}"
    if asked.counts == _COUNTS:
        replace_section("plan", text)


def _row(work: Path, count: int, recorded: int, verify: str) -> list[str]:
    command = [sys.executable, "-m", "benchmarks.plan", "--measure", str(work), "--verify", verify]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    answer = json.loads(done.stdout)
    found = ", ".join(f"{number:,} {action}" for action, number in answer["actions"].items())
    seconds = answer["seconds"]
    return [
        f"{count:,}",
        f"{recorded:,}",
        verify,
        found,
        f"{seconds:.2f}",
        f"{1e6 * seconds / count:.0f}",
        f"{answer['peak_bytes'] / 1e6:.0f}",
    ]


def _measure(work: Path, verify: Verify) -> dict[str, object]:
    """Plan once, in this process.

    Return the number of each action, the CPU time in seconds, and the peak of the memory in bytes.
    """
    now = datetime.now(UTC)
    with SqliteCatalog(work / "catalog.db") as catalog:
        output = FolderStore(work / "output", create=True)
        comparison = Comparison(_PIPELINE, catalog, output, ask=Ask(verify=verify))
        # The plan waits for no disk, so its CPU time is the whole time that it needs. Other programs don't
        # change this time.
        started = time.process_time()
        actions = Counter(
            difference.action
            for difference in plan(comparison, FolderStore(work / "source"), clock=lambda: now)
        )
        seconds = time.process_time() - started
    return {"actions": actions, "seconds": seconds, "peak_bytes": peak_bytes()}


def _make_pictures(source: Path, count: int) -> None:
    """Create empty files. They are so old that no program can still be writing them."""
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).timestamp()
    for number in range(count):
        path = source / f"{number // _FOLDER_PICTURES:04}" / f"{number:07}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (an_hour_ago, an_hour_ago))


def _make_records(work: Path) -> None:
    """Write the records, and an empty file for each output."""
    now = datetime.now(UTC)
    output = FolderStore(work / "output", create=True)
    with SqliteCatalog(work / "catalog.db") as catalog:
        for found in FolderStore(work / "source").list():
            made = {}
            for key in _PIPELINE.output_keys(found.key, found.etag).values():
                path = work / "output" / key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
                stored = output.head(key)
                made[key] = stored.etag if stored else ""
            catalog.write(_record(found, made, now))


def _record(found: StoredObject, made: Mapping[str, str], now: datetime) -> Record:
    """Return the record of a finished picture; ``made`` has the ETags of its outputs."""
    keys, fingerprints = _PIPELINE.output_keys(found.key, found.etag), _PIPELINE.fingerprints()
    return Record(
        name=found.key,
        status="done",
        timestamp=now,
        etag=found.etag,
        goal=_PIPELINE.goal_of(found.key, found.etag),
        rules=_PIPELINE.rules,
        original=Original(4_000_000, "jpeg", 4000, 3000, 1),
        outputs=tuple(
            Output(name, key, made[key], found.etag, fingerprints[name], "jpeg", 0, 1200, 900)
            for name, key in keys.items()
        ),
    )


if __name__ == "__main__":
    main()

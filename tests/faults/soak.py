"""Run a server for an hour and check its resources: ``python -m faults.soak``.

The server runs under a realistic mix of events. The program adds, replaces, damages and deletes pictures, and
uploads others through the API. It sends requests of the page, listens to events, and kills worker processes.
It measures the server's resources sixty times. It exits with 1 if a resource keeps growing, if files are left
over, or if the promise doesn't hold. It needs Linux's ``/proc``.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image

from commands import RENDITIONS, run, write_pipeline
from faults.vitals import Vitals, compare_quarters, find_children, look
from renditions.pipeline_file.reading import load
from renditions.runtime.parts import Parts, open_parts
from web.browser import find_port, wait_for
from web.test_load import upload

LOOKS = 60
MOST_PICTURES = 150
PAUSE_SECONDS = 0.15
RENDERED = "".join(f"[renditions.{name}]\nwidth = {width}\n" for name, width in (("a", 200), ("b", 80)))
ANALYSED = '[analyze]\ncolours = 3\nplaceholder = "thumbhash"\n'


@dataclass
class Traffic:
    """Random events for a folder and its server.

    This class also keeps the state that the folder must have after them.
    """

    folder: Path
    port: int
    server: int
    chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - repeatable
    sound: dict[str, bool] = field(default_factory=dict)
    """The existing pictures, and whether each is valid."""
    done: Counter[str] = field(default_factory=Counter)

    def act(self) -> None:
        """Choose an action at random, and do it."""
        acts: dict[Callable[[], None], int] = {
            self.put: 10, self.break_one: 2, self.delete: 5, self.send: 2, self.ask: 4, self.listen: 1,
            self.kill_worker: 1,
        }  # fmt: skip
        (chosen,) = self.chance.choices(list(acts), list(acts.values()))
        chosen()
        self.done[chosen.__name__] += 1

    def put(self) -> None:
        """Write a new picture or replace one.

        The file is written at once, or slowly in place.
        """
        name, content = self._choose_name(), self._draw()
        path = self.folder / "inbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.chance.random() < 0.8:
            whole = self.folder / "whole.jpg"
            whole.write_bytes(content)
            whole.replace(path)
        else:
            with path.open("wb") as file:
                file.write(content[:2000])
                file.flush()
                time.sleep(PAUSE_SECONDS)
                file.write(content[2000:])
        self.sound[name] = True

    def break_one(self) -> None:
        """Write a damaged picture."""
        name = self._choose_name()
        path = self.folder / "inbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self._draw()[:3000])
        self.sound[name] = False

    def delete(self) -> None:
        """Remove a picture."""
        if self.sound:
            name = self.chance.choice(sorted(self.sound))
            (self.folder / "inbox" / name).unlink()
            del self.sound[name]

    def send(self) -> None:
        """Upload a picture through the API."""
        name = self._choose_name()
        upload(self.port, name, self._draw())
        self.sound[name] = True

    def ask(self) -> None:
        """Send some of the requests that the page sends."""
        for path in ("stats", "pictures?limit=50", "plan", *self._some_rendition()):
            self._read(path)

    def listen(self) -> None:
        """Receive events for a moment."""
        self._read("events", 10)

    def kill_worker(self) -> None:
        """Kill a worker process at a random point."""
        if workers := find_children(self.server):
            with suppress(ProcessLookupError):
                os.kill(self.chance.choice(workers), signal.SIGKILL)

    def _read(self, path: str, size_bytes: int | None = None) -> None:
        address = f"http://127.0.0.1:{self.port}/{path}"
        # A rendition may not be made yet, or already be gone.
        with suppress(urllib.error.HTTPError), urllib.request.urlopen(address, timeout=60) as answer:
            answer.read(size_bytes)

    def _choose_name(self) -> str:
        number = self.chance.randrange(MOST_PICTURES)
        return f"{number % 7}/ü {number}.jpg"

    def _some_rendition(self) -> list[str]:
        return [f"renditions/a/{quote(self.chance.choice(sorted(self.sound)))}"] if self.sound else []

    def _draw(self) -> bytes:
        grain = np.random.default_rng(self.chance.randrange(2**32)).integers(
            0, 256, (30, 40, 3), dtype=np.uint8
        )
        content = io.BytesIO()
        Image.fromarray(grain).resize((800, 600), Image.Resampling.BICUBIC).save(content, "jpeg", quality=90)
        return content.getvalue()


def check_promise(parts: Parts, sound: dict[str, bool]) -> list[str]:
    """Return the differences from the expected state after a sync."""
    wrong = []
    outputs = set()
    records = {record.name: record for record in parts.catalog.list()}
    if records.keys() != sound.keys():
        wrong.append(f"records of other pictures: {sorted(records.keys() ^ sound.keys())}")
    for name, record in records.items():
        found = parts.source.head(name)
        status, count = ("done", 2) if sound.get(name) else ("rejected", 0)
        if (record.status, len(record.outputs)) != (status, count) or (found and record.etag != found.etag):
            wrong.append(f"expected {name} {status} with {count} outputs, found {record}")
        if record.lease or record.pending_keys or record.owed:
            wrong.append(f"work is left: {record}")
        for made in record.outputs:
            outputs.add(made.key)
            there = parts.output.head(made.key)
            if there is None or there.etag != made.etag or made.source_etag != record.etag:
                wrong.append(f"{made.key} isn't what the record says")
    left_over = {found.key for found in parts.output.list()} - outputs
    return [*wrong, *(f"{key} is in no record" for key in left_over)]


def soak(folder: Path, seconds: float, looks: int = LOOKS) -> tuple[list[Vitals], list[str], Counter[str]]:
    """Run a server; return its measurements, the mistakes found, and the actions."""
    write_pipeline(folder, RENDERED, ANALYSED)
    temporary = folder / "temporary"
    temporary.mkdir()
    port = find_port()
    command = [str(RENDITIONS), "serve", "--port", str(port), "--workers", "2"]
    with (folder / "said.txt").open("wb") as said:
        server = subprocess.Popen(
            command, cwd=folder, stderr=said, env=os.environ | {"TMPDIR": str(temporary)}
        )
    traffic, taken = Traffic(folder, port, server.pid), []
    try:
        wait_for(f"http://127.0.0.1:{port}")
        loaded = load(folder / "renditions.toml")
        with open_parts(loaded.pipeline, loaded.directory) as parts:
            began = time.monotonic()
            for number in range(1, looks + 1):
                while time.monotonic() < began + number * seconds / looks:
                    traffic.act()
                    time.sleep(PAUSE_SECONDS)
                taken.append(look(server.pid, folder, temporary, parts.catalog))
        if server.poll() is not None:
            return taken, ["the server has ended"], traffic.done
        server.terminate()
        code = server.wait(60)
        wrong = [] if code in (0, 130) else [f"the server ended with {code}"]
    finally:
        server.kill()
        server.wait()
    return taken, wrong + check_after(folder, temporary, traffic.sound), traffic.done


def check_after(folder: Path, temporary: Path, sound: dict[str, bool]) -> list[str]:
    """Retry failed pictures, and sync; return the mistakes that are left."""
    time.sleep(1.1)  # until every file has stopped changing
    run(folder, "retry")  # pictures given up because their worker was killed three times
    run(folder, "sync")
    loaded = load(folder / "renditions.toml")
    with open_parts(loaded.pipeline, loaded.directory, read_only=True) as parts:
        wrong = check_promise(parts, sound)
    left = [*temporary.rglob("*"), *folder.glob("*-owners/*"), *folder.glob("*/.renditions/**/*.part")]
    return wrong + [f"{path} is left over" for path in left if path.is_file()]


def main() -> int:
    """Run a soak and print its results.

    Return 1 if anything is wrong, else 0.
    """
    parser = argparse.ArgumentParser(prog="python -m faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="how long (default: 60)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="renditions-soak-") as folder:
        taken, wrong, done = soak(Path(folder), arguments.minutes * 60)
    table, grown = compare_quarters(taken)
    print(table)
    print(f"{arguments.minutes:g} minutes: {json.dumps(done)}")
    for each in (*grown, *wrong):
        print(each)
    print("nothing grew, nothing is left over, the promise holds" if not grown + wrong else "FAILED")
    return 1 if grown or wrong else 0


if __name__ == "__main__":
    sys.exit(main())

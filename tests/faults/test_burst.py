"""More pictures at once than the workers can process.

The number of hints in memory stays limited, and no picture is lost. ``BURST`` pictures arrive at once; with
``make test-burst`` they are 100,000 by default. The hints, the watcher and the core are the real ones; the
renderer only hashes.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from commands import write_pipeline
from hashing import hash_render
from renditions.core.ask import PLAIN, Ask
from renditions.core.binding import Start
from renditions.core.follow import Following, Hints, follow
from renditions.core.outcome import Outcome
from renditions.core.process import Process, Processor
from renditions.core.reconcile import sync
from renditions.model.recipe import Rendition
from renditions.pipeline_file.reading import load
from renditions.runtime.machine import Workers, watch
from renditions.runtime.parts import open_parts
from renditions.runtime.reload import Session
from world import World, make_pipeline

BURST = int(os.environ.get("BURST", "4000"))
FILES = BURST // 10
"""How many pictures arrive as files. Each gets a record in SQLite."""
MOST = BURST // 20
THREADS = 4


@pytest.fixture(autouse=True)
def _most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("renditions.core.follow.MOST_DUE", MOST)


class Observed(Hints):
    """Hints that record how many names they held at most.

    They also record whether there ever were too many names.
    """

    most = 0
    were_too_many = False

    def add(self, names: frozenset[str] | None) -> None:
        super().add(names)
        self.most = max(self.most, len(self._names or ()))
        self.were_too_many = self.were_too_many or self._names is None


def void(_: object) -> None:
    """Ignore the argument."""


class Pace:
    """A callable that processes names.

    It counts how many names are in progress at the same time.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._lock = threading.Lock()
        self._now = 0
        self.most = 0
        self.names: set[str] = set()

    def __call__(self, name: str, ask: Ask = PLAIN) -> Outcome:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            return self._process(name, ask)
        finally:
            with self._lock:
                self._now -= 1
                self.names.add(name)


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60 + BURST / 50
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_hints_beyond_their_limit_are_replaced_by_a_request_to_check_all_pictures() -> None:
    hints = Hints()
    assert hints.take() == frozenset()
    names = frozenset(map(str, range(MOST)))
    for name in (*names, *names):
        hints.add(frozenset({name}))
    assert hints.take() == names
    hints.add(names | {"one more"})
    hints.add(frozenset({"another"}))
    assert hints.take() is None
    assert hints.take() == frozenset()
    hints.add(None)
    assert hints.take() is None


def test_all_hints_that_several_threads_add_are_kept() -> None:
    hints = Hints()
    taken: set[str] = set()

    def add(first: int) -> None:
        for number in range(first, MOST, 3):
            hints.add(frozenset({str(number)}))

    with ThreadPoolExecutor(3) as executor:
        adding = [executor.submit(add, first) for first in range(3)]
        while not all(each.done() for each in adding):
            taken |= hints.take() or set()
    taken |= hints.take() or set()
    assert taken == set(map(str, range(MOST)))


def test_all_pictures_of_a_burst_are_processed_with_a_limited_number_of_hints() -> None:
    """Three threads upload faster than the workers process.

    Each upload adds a hint.
    """
    world = World(make_pipeline(notify=(), thumb=Rendition(width=200)))
    hints, pace = Observed(), Pace(world.processor().process)

    def upload(first: int) -> None:
        for number in range(first, BURST, 3):
            world.upload(f"{number}.jpg", b"%d" % number)
            hints.add(frozenset({f"{number}.jpg"}))

    def sync_all(_: Callable[[Outcome], None]) -> None:
        sync(world.run(pace, threads=THREADS))

    with ThreadPoolExecutor(3) as executor:
        uploads = [executor.submit(upload, first) for first in range(3)]

        def take() -> Iterator[frozenset[str] | None]:
            deadline = time.monotonic() + 60 + BURST / 50
            while not all(each.done() for each in uploads) or len(pace.names) < BURST:
                assert time.monotonic() < deadline, "some hints are never processed"
                yield hints.take()

        following = Following(pace, sync_all, world.guard, lambda: world.known, THREADS, time.monotonic, void)
        follow(take(), following)
    assert hints.were_too_many
    assert hints.most <= MOST
    assert pace.most <= 2 * THREADS, "a sync starts while pictures are still in progress"
    world.check_promise()
    print(f"{BURST:,} hints, {hints.most:,} held at most, {pace.most} in progress at most")


def test_files_that_arrive_during_a_sync_are_processed_with_a_limited_number_of_hints(tmp_path: Path) -> None:
    """The first sync waits until more files have arrived than hints can hold.

    Then all files are processed.
    """
    write_pipeline(tmp_path, "[renditions.thumb]\nwidth = 200\n")
    (tmp_path / "inbox/first.jpg").write_bytes(b"first")
    begun, go, stop = threading.Event(), threading.Event(), threading.Event()
    hints = Observed()
    loaded = load(tmp_path / "renditions.toml")
    with open_parts(loaded.pipeline, loaded.directory) as parts:
        processor = Processor(
            pipeline=parts.pipeline, source=parts.source, output=parts.output, catalog=parts.catalog,
            render=hash_render, notifiers={}, owner="watch", clock=World().clock,
        )  # fmt: skip

        def process(name: str, ask: Ask = PLAIN) -> Outcome:
            begun.set()
            assert go.wait(600)
            return processor.process(name, ask)

        pace = Pace(process)
        workers = Workers(2, lambda _: pace)
        session = Session(parts, parts.bind(Start(sets_generation=True)), stop)
        with ThreadPoolExecutor(1) as executor:
            watching = executor.submit(watch, session, workers, on_outcome=void, hints=hints)
            try:
                assert begun.wait(60)
                for number in range(FILES):
                    (tmp_path / f"inbox/{number}.jpg").write_bytes(b"%d" % number)
                wait_until(lambda: hints.were_too_many)
                go.set()
                wait_until(lambda: sum(1 for _ in parts.catalog.query("done")) == FILES + 1)
            finally:
                go.set()
                stop.set()
            watching.result()
        assert hints.most <= MOST
        assert pace.most <= 2 * workers.threads
        assert {difference.action for difference in parts.plan()} == {"keep"}

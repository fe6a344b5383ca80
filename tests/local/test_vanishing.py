"""A watch whose pictures disappear, one by one or when a disk is unmounted.

The watch removes no more of these pictures than the limits allow.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from renditions.core.binding import Start
from renditions.local.folder import FolderStore
from renditions.model.source import Source
from renditions.runtime import machine
from renditions.runtime.reload import Session
from world import World, make_pipeline

MANY = 200
MOST_REMOVED = 63
"""30 % of 210 pictures. That is more than the 50 pictures that a watch may always remove."""


@contextmanager
def watching(root: Path) -> Iterator[World]:
    """Watch a folder during the block.

    Yield the world once all of its pictures are done.
    """
    pipeline = replace(make_pipeline(notify=()), source=Source(store=str(root)))
    world = World(pipeline=pipeline, source=FolderStore(root))  # type: ignore[arg-type]
    stop = threading.Event()

    def watch() -> None:
        parts = world.parts()
        workers = machine.Workers(2, lambda _: world.processor().process)
        session = Session(parts, parts.bind(Start(sets_generation=True)), stop)
        machine.watch(session, workers, on_outcome=lambda _: None)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        wait_until(lambda: world.catalog.count()["done"].pictures == MANY + 10)
        yield world
    finally:
        stop.set()
        thread.join()


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def fill(root: Path) -> None:
    for folder, count in (("many", MANY), ("few", 10)):
        (root / folder).mkdir(parents=True)
        for number in range(count):
            (root / folder / f"{number}.jpg").write_bytes(b"%d" % number)


def wait_for_sync(root: Path, world: World) -> None:
    """Wait until a sync of all pictures is over.

    Add two pictures one after the other. The second one is processed after the sync.
    """
    for name in ("first.jpg", "second.jpg"):
        (root / name).write_bytes(name.encode())
        wait_until(lambda name=name: world.catalog.get(name))  # type: ignore[misc]


def test_a_watch_removes_no_more_pictures_of_a_deleted_folder_than_the_limit_allows(
    tmp_path: Path,
) -> None:
    fill(tmp_path / "inbox")
    with watching(tmp_path / "inbox") as world:
        shutil.rmtree(tmp_path / "inbox/many")
        wait_for_sync(tmp_path / "inbox", world)
        assert world.known >= MANY + 10 + 2 - MOST_REMOVED


def test_a_watch_holds_all_removals_when_its_folder_is_unmounted(tmp_path: Path) -> None:
    disk, inbox = tmp_path / "disk", tmp_path / "inbox"
    fill(disk)
    inbox.mkdir()
    mounted = subprocess.run(["mount", "--bind", disk, inbox], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("a source that is unmounted is NOT tested: this user can't mount here")
    try:
        with watching(inbox) as world:
            subprocess.run(["umount", "--lazy", inbox], check=True)  # a file may be open at that moment
            wait_for_sync(inbox, world)
            assert world.known == MANY + 10 + 2
    finally:
        subprocess.run(["umount", inbox], check=False, capture_output=True)

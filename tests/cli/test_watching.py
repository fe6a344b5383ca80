"""What a watch prints and does, also after another program changes its files."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from commands import RENDITIONS, draw, write_pipeline

THUMB = '[renditions.thumb]\nwidth = 40\nkey = "{key}"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pipeline(tmp_path, THUMB)
    draw(tmp_path / "inbox" / "first.jpg")
    return tmp_path


@contextmanager
def watching(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process that watches the folder, once the first picture is done."""
    with (folder / "log").open("wb") as log:
        watch = subprocess.Popen([RENDITIONS, "watch"], cwd=folder, stdout=log, stderr=log)
        try:
            wait_for(lambda: "done first.jpg" in read_log(folder))
            yield watch
        finally:
            watch.terminate()
            watch.wait(30)


def read_log(folder: Path) -> str:
    return (folder / "log").read_text()


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_watch_with_the_option_quiet_prints_only_data(folder: Path) -> None:
    """The pool of worker processes logs how it confines them, but not here."""
    watch = subprocess.Popen(
        [RENDITIONS, "--quiet", "watch", "--json"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watch.stdout
    assert json.loads(watch.stdout.readline())["name"] == "first.jpg"
    watch.terminate()
    assert watch.communicate(timeout=60)[1] == ""


def test_watch_ends_with_one_error_when_its_catalog_was_deleted(folder: Path) -> None:
    with watching(folder) as watch:
        draw(folder / "inbox" / "second.jpg", seed=2)
        wait_for(lambda: "done second.jpg" in read_log(folder))  # the first sync is over by now
        for file in folder.glob("renditions.db*"):
            shutil.rmtree(file) if file.is_dir() else file.unlink()
        draw(folder / "inbox" / "third.jpg", seed=3)
        assert watch.wait(30) == 1
    assert read_log(folder).count("was deleted or replaced while this process used it") == 1
    assert "third.jpg" not in read_log(folder)


def test_watch_says_once_why_a_picture_waits_and_makes_it_when_the_cause_is_gone(folder: Path) -> None:
    output = folder / "processed"
    with watching(folder):
        shutil.rmtree(output)
        output.write_text("a file in the place of the folder")
        draw(folder / "inbox" / "second.jpg", seed=2)
        wait_for(lambda: "waits second.jpg: " in read_log(folder))
        output.unlink()
        wait_for(lambda: "done second.jpg" in read_log(folder))
    assert read_log(folder).count("waits second.jpg: ") == 1
    assert "processed is not a folder" in read_log(folder)


def test_watch_reports_a_deleted_pipeline_file_and_goes_on(folder: Path) -> None:
    with watching(folder):
        (folder / "renditions.toml").unlink()
        wait_for(lambda: "The last valid version stays in use." in read_log(folder))
        draw(folder / "inbox" / "second.jpg", seed=2)
        wait_for(lambda: "done second.jpg" in read_log(folder))
    assert read_log(folder).count("can't read renditions.toml: there is no such file") == 1

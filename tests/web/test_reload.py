"""Changed pipeline files, which ``watch`` and ``serve`` apply.

``watch`` ends when another process applies another file.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from commands import RENDITIONS, draw, run, write_pipeline
from web.browser import read, served

SMALL = "[renditions.thumb]\nwidth = 20\n"
LARGE = "[renditions.thumb]\nwidth = 30\n"
KEPT = "The last valid version stays in use"


@contextmanager
def watching(directory: Path) -> Iterator[subprocess.Popen[str]]:
    command = [str(RENDITIONS), "watch", "--workers", "1", "--json"]
    with (
        (directory / "log").open("wb") as log,
        subprocess.Popen(command, cwd=directory, stderr=log, text=True) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


def wait_until(is_so: Callable[[], bool]) -> None:
    for _ in range(600):
        if is_so():
            return
        time.sleep(0.1)
    raise AssertionError("it never happened")


def width(directory: Path, name: str = "photo.jpg") -> int | None:
    ended = run(directory, "show", name, "--json")
    made = ended.data.get("renditions", {}).get("thumb", {}) if ended.code == 0 else {}
    found: int | None = made.get("width")
    return found


def test_watch_applies_a_changed_pipeline_file_and_keeps_the_last_valid_file(tmp_path: Path) -> None:
    write_pipeline(tmp_path, SMALL)
    draw(tmp_path / "inbox" / "photo.jpg", 40, 30)
    with watching(tmp_path) as process:
        wait_until(lambda: width(tmp_path) == 20)
        write_pipeline(tmp_path, "[renditions.thumb]\nwidth = -1\n")
        wait_until(lambda: KEPT in (tmp_path / "log").read_text())
        assert process.poll() is None
        write_pipeline(tmp_path, LARGE)
        wait_until(lambda: width(tmp_path) == 30)
    assert (tmp_path / "log").read_text().count(KEPT) == 1


def test_watch_ends_when_another_process_applies_another_pipeline_file(tmp_path: Path) -> None:
    write_pipeline(tmp_path, SMALL)
    draw(tmp_path / "inbox" / "photo.jpg", 40, 30)
    with watching(tmp_path) as process:
        wait_until(lambda: width(tmp_path) == 20)
        apply_elsewhere(tmp_path)
        draw(tmp_path / "inbox" / "photo.jpg", 44, 33, seed=2)
        assert process.wait(60) == 2


def apply_elsewhere(directory: Path) -> None:
    """Sync with another file of the same name.

    That file has the same source, output and catalog.
    """
    other = directory / "other"
    other.mkdir()
    write_pipeline(other, LARGE)
    (other / "inbox").rmdir()
    for name in ("inbox", "processed", "renditions.db"):
        (other / name).symlink_to(directory / name)
    assert run(other, "sync").code == 0
    assert width(directory) == 30


def test_serve_applies_a_changed_pipeline_file_and_stays_reachable(tmp_path: Path) -> None:
    write_pipeline(tmp_path, SMALL)
    draw(tmp_path / "inbox" / "photo.jpg", 40, 30)
    with served(tmp_path) as address:
        wait_until(lambda: width(tmp_path) == 20)
        write_pipeline(tmp_path, LARGE)
        wait_until(lambda: read(f"{address}/status")["superseded"] is None and width(tmp_path) == 30)
        assert read(f"{address}/pictures/photo.jpg")["renditions"]["thumb"]["width"] == 30

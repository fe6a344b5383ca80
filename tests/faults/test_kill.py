"""Tests that kill real processes.

After that no file is half-written, left over or missing.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

from PIL import Image

from commands import RENDITIONS, draw, run, write_pipeline

PICTURES = 200
KILLS = int(os.environ.get("KILLS", "20"))
PENDING = 30
"""At least this many pictures lack outputs when a ``sync`` starts, so that the kill interrupts its work."""
WIDTHS = {"a": 60, "b": 30}


def draw_pictures(inbox: Path, numbers: range) -> None:
    """Add pictures, and wait until they are old enough to be read."""
    for number in numbers:
        draw(inbox / f"{number % 7}" / f"{number}.jpg", 160, 90, seed=number)
    time.sleep(1.1)


def count_pictures(root: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(root / "inbox"))


def count_outputs(root: Path) -> int:
    """Return the number of outputs while other processes write and remove files."""
    made = (file for _, _, files in os.walk(root / "processed") for file in files)
    return sum(file in ("a.jpg", "b.jpg") for file in made)


def kill_sync(root: Path, outputs: int, seconds: float) -> bool:
    """Start ``sync``, and kill it together with its workers.

    Kill ``sync`` once it has made this many outputs, or after ``seconds``. Return whether the kill
    interrupted it: ``sync`` was still running, and had more outputs to make.
    """
    before = count_outputs(root)
    command = subprocess.Popen(
        [RENDITIONS, "sync"], cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    until = time.monotonic() + seconds
    while count_outputs(root) < before + outputs and time.monotonic() < until:
        if command.poll() is not None:
            return False
        time.sleep(0.002)
    # If the sync ends by itself just now, its process exists until we wait for it, so we can still kill it.
    os.killpg(command.pid, signal.SIGKILL)
    return command.wait() == -signal.SIGKILL and count_outputs(root) < len(WIDTHS) * count_pictures(root)


def test_a_sync_after_repeated_kills_makes_all_outputs_and_leaves_no_other_files(tmp_path: Path) -> None:
    """SIGKILL ends ``sync`` repeatedly. Then one sync runs to its end."""
    renditions = "".join(f"[renditions.{name}]\nwidth = {width}\n" for name, width in WIDTHS.items())
    write_pipeline(tmp_path, renditions)
    inbox = tmp_path / "inbox"
    drawn = PICTURES
    draw_pictures(inbox, range(drawn))
    chance = random.Random(7)  # noqa: S311 - repeatable, not secret
    interrupted = 0
    for attempt in range(2 * KILLS):
        if drawn - count_outputs(tmp_path) // len(WIDTHS) < PENDING:
            draw_pictures(inbox, range(drawn, drawn + PENDING))
            drawn += PENDING
        # Some kills come during the start, mostly before the first output; the others come between outputs.
        if attempt % 5 == 0:
            interrupted += kill_sync(tmp_path, 1, chance.uniform(0, 1))
        else:
            interrupted += kill_sync(tmp_path, chance.randint(1, 12), 60)
        if attempt == KILLS // 2:
            draw(inbox / "0" / "0.jpg", 160, 90, seed=999)  # one is replaced in between
            (inbox / "1" / "1.jpg").unlink()  # and one deleted
            time.sleep(1.1)
        if interrupted == KILLS:
            break
    assert interrupted == KILLS, "the kills came in the middle of the work"
    ended = run(tmp_path, "sync")
    assert ended.code == 0, ended.err
    records = run(tmp_path, "list", "--json").data
    names = sorted(record["image_name"] for record in records)
    sources = sorted(path.relative_to(inbox).as_posix() for path in inbox.rglob("*.jpg"))
    assert names == sources
    assert len(names) == drawn - 1
    assert {record["status"] for record in records} == {"done"}
    wanted = {f"{name}/{rendition}.jpg" for name in names for rendition in WIDTHS}
    root = tmp_path / "processed"
    there = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert {key for key in there if not key.startswith(".renditions/")} == wanted
    own = {key for key in there if key.startswith(".renditions/") and "/catalogs/" not in key}
    assert own == {".renditions/lock"}
    for key in wanted:
        with Image.open(root / key) as picture:
            picture.load()
            assert picture.width == WIDTHS[Path(key).stem]
    assert run(tmp_path, "sync").out.startswith("Nothing to do")

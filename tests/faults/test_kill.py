"""The real thing killed for real: nothing half-written, no orphan, nothing missing."""

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


def count_made(root: Path) -> int:
    """Count while others write and remove: what is gone when it is looked at counts as nothing."""
    return sum("a.jpg" in files for _, _, files in os.walk(root))


def test_kills_lose_nothing(tmp_path: Path) -> None:
    """``sync`` is ended by SIGKILL at random moments over 200 pictures; then one is let through."""
    renditions = "".join(f"[renditions.{name}]\nwidth = {width}\n" for name, width in (("a", 60), ("b", 30)))
    write_pipeline(tmp_path, renditions)
    for number in range(PICTURES):
        draw(tmp_path / "inbox" / f"{number % 7}" / f"{number}.jpg", 160, 90, seed=number)
    time.sleep(1.1)
    chance = random.Random(7)  # noqa: S311 - repeatable, not secret
    progress = []
    for kill in range(KILLS):
        command = subprocess.Popen(
            [RENDITIONS, "sync"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        # Some before anything began; the others once this one has work in hand, a moment later.
        before = count_made(tmp_path / "processed")
        if kill % 5:
            deadline = time.monotonic() + 20
            while command.poll() is None and time.monotonic() < deadline:
                if count_made(tmp_path / "processed") > before:
                    break
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 0.05))
        else:
            time.sleep(chance.uniform(0, 1.0))
        os.killpg(command.pid, signal.SIGKILL)
        command.wait()
        progress.append(count_made(tmp_path / "processed"))
        if kill == KILLS // 2:
            draw(tmp_path / "inbox" / "0" / "0.jpg", 160, 90, seed=999)  # one is replaced in between
            (tmp_path / "inbox" / "1" / "1.jpg").unlink()  # and one deleted
    assert 0 < progress[len(progress) // 2] < PICTURES, "the kills came in the middle of the work"
    ended = run(tmp_path, "sync")
    assert ended.code == 0, ended.err
    records = run(tmp_path, "list", "--json").data
    names = sorted(record["image_name"] for record in records)
    sources = sorted(
        path.relative_to(tmp_path / "inbox").as_posix() for path in (tmp_path / "inbox").rglob("*.jpg")
    )
    assert names == sources
    assert len(names) == PICTURES - 1
    assert {record["status"] for record in records} == {"done"}
    wanted = {f"{name}/{rendition}.jpg" for name in names for rendition in "ab"}
    root = tmp_path / "processed"
    there = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert {key for key in there if not key.startswith(".renditions/")} == wanted
    assert not [key for key in there if key.startswith(".renditions/") and "lock" not in key]
    for key in wanted:
        with Image.open(root / key) as picture:
            picture.load()
            assert picture.width == (60 if key.endswith("a.jpg") else 30)
    assert run(tmp_path, "sync").out.startswith("Nothing to do")

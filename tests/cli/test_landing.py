"""Files that are copied slowly, seen on the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from commands import RENDITIONS, draw, run, write_pipeline

THUMB = '[renditions.thumb]\nwidth = 40\nkey = "{key}"\n'
NOTIFY = '[[notify]]\non = ["done", "rejected"]\nto = "log:"\n'


def write_source(folder: Path, line: str) -> None:
    """Write a pipeline file with one more line in ``[source]``."""
    write_pipeline(folder, THUMB, NOTIFY)
    file = folder / "renditions.toml"
    settled = 'settle = "0.001 s"\n'
    kept = "" if line.startswith("settle") else settled
    file.write_text(file.read_text().replace(settled, f"{kept}{line}\n"))


@contextmanager
def watching(folder: Path, *, until: str) -> Iterator[None]:
    """Watch a folder during the block, and then until a text appears in the log."""
    with (folder / "log").open("wb") as log:
        watch = subprocess.Popen([RENDITIONS, "watch"], cwd=folder, stdout=log, stderr=log)
        try:
            wait_for(folder, "watching")
            yield
            wait_for(folder, until)
        finally:
            watch.terminate()
            watch.wait(30)


def wait_for(folder: Path, text: str) -> None:
    deadline = time.monotonic() + 60
    while text not in (folder / "log").read_text():
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.05)


def wait_for_status(folder: Path, status: str) -> None:
    """Wait until the only picture has this status."""
    deadline = time.monotonic() + 60
    while [record["status"] for record in run(folder, "list", "--json").data] != [status]:
        assert time.monotonic() < deadline, (folder / "log").read_text()


def test_copying_a_file_with_a_pause_causes_no_notice_of_a_rejection(tmp_path: Path) -> None:
    write_pipeline(tmp_path, THUMB, NOTIFY)
    draw(tmp_path / "whole.jpg", 640, 480)
    content = (tmp_path / "whole.jpg").read_bytes()
    with watching(tmp_path, until="slow.jpg is done"), (tmp_path / "inbox" / "slow.jpg").open("wb") as file:
        file.write(content[: len(content) // 2])
        file.flush()
        wait_for_status(tmp_path, "rejected")  # it was tried in between
        file.write(content[len(content) // 2 :])
    assert "rejected" not in (tmp_path / "log").read_text()


def test_sync_prints_the_notice_of_a_rejection_once(tmp_path: Path) -> None:
    write_pipeline(tmp_path, THUMB, NOTIFY)
    (tmp_path / "inbox" / "text.jpg").write_text("no picture")
    synced = run(tmp_path, "sync")
    assert synced.code == 1
    assert "1 rejected" in synced.out
    assert synced.err.count("text.jpg is rejected: ") == 1
    assert "rejected text.jpg" not in synced.err
    again = run(tmp_path, "sync")
    assert (again.code, again.err) == (0, "")


def test_sync_waits_before_it_sends_the_notice_of_a_rejection_to_a_target_other_than_the_log(
    tmp_path: Path,
) -> None:
    write_pipeline(tmp_path, THUMB, NOTIFY.replace("log:", "events:default"))
    (tmp_path / "inbox" / "text.jpg").write_text("no picture")
    environ = {**os.environ, "AWS_DEFAULT_REGION": "eu-west-1"}
    with (tmp_path / "log").open("wb") as log:
        sync = subprocess.Popen([RENDITIONS, "sync"], cwd=tmp_path, stdout=log, stderr=log, env=environ)
        wait_for(tmp_path, "s before sending the notices of rejected pictures (1)")
        sync.send_signal(signal.SIGINT)
        assert sync.wait(30) == 130
    assert "rejected text.jpg: " in (tmp_path / "log").read_text()


def test_a_plan_includes_a_file_after_it_was_unchanged_for_the_declared_settle_time(tmp_path: Path) -> None:
    write_source(tmp_path, 'settle = "1 h"')
    draw(tmp_path / "inbox" / "a.jpg")
    assert "a.jpg  it is still being written" in run(tmp_path, "plan").out
    write_source(tmp_path, 'settle = "0.001 s"')
    assert "1 to create" in run(tmp_path, "plan").out
    write_source(tmp_path, "settle = 1")
    refused = run(tmp_path, "check")
    assert refused.code == 2
    assert "source.settle: expected a duration" in refused.err


def test_status_names_files_that_are_still_being_written_and_says_why_pictures_were_rejected(
    tmp_path: Path,
) -> None:
    write_source(tmp_path, 'settle = "1 h"')
    draw(tmp_path / "inbox" / "new.jpg")
    (tmp_path / "inbox" / "new.txt").write_text("no picture")
    old = tmp_path / "inbox" / "text.jpg"
    old.write_text("no picture")
    write_source(tmp_path, 'settle = "0.001 s"')
    assert run(tmp_path, "sync", "text.jpg").code == 1
    write_source(tmp_path, 'settle = "1 h"')
    lines = run(tmp_path, "status").err.splitlines()
    assert "waiting: 2 pictures, such as new.jpg: it is still being written" in lines
    assert any(line.startswith("rejected: text.jpg: not a picture") for line in lines)
    reasons = run(tmp_path, "status", "--json").data["reasons"]
    assert {(each["state"], each["example"]) for each in reasons} == {
        ("waiting", "new.jpg"),
        ("rejected", "text.jpg"),
    }


def test_status_says_that_the_source_folder_is_missing(tmp_path: Path) -> None:
    write_source(tmp_path, 'settle = "0.001 s"')
    draw(tmp_path / "inbox" / "a.jpg")
    assert run(tmp_path, "sync").code == 0
    (tmp_path / "inbox").rename(tmp_path / "elsewhere")
    ended = run(tmp_path, "status")
    assert ended.code == 0
    assert "1 done" in ended.out
    assert "unreadable: the source: the folder" in ended.err

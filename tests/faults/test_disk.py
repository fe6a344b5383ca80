"""Full and read-only disks.

They are real file systems in a mount namespace of the test.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from commands import RENDITIONS, draw, write_pipeline

PICTURES = 4


def can_mount() -> bool:
    """Return whether this user may mount in a mount namespace."""
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "x", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(autouse=True)
def _namespaces() -> None:
    if not can_mount():
        pytest.skip("full and read-only disks are NOT tested: this user can't mount here")


def run_in_namespace(folder: Path, script: str) -> list[str]:
    """Run a shell script that mounts; return the lines that it prints."""
    ended = subprocess.run(
        ["unshare", "-rm", "sh", "-euc", script], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def prepare(folder: Path, catalog: str) -> None:
    (folder / "disk").mkdir()
    renditions = '[renditions.a]\nwidth = 640\nformat = "png"\n[renditions.b]\nwidth = 60'
    write_pipeline(folder, renditions, f'[catalog]\nstore = "sqlite:{catalog}"')
    file = folder / "renditions.toml"
    file.write_text(file.read_text().replace("./processed", "./disk/processed"))
    for number in range(PICTURES):
        draw(folder / "inbox" / f"{number}.png", 640, 360, seed=number)


@pytest.mark.parametrize(
    ("catalog", "breaking", "mending"),
    [
        ("renditions.db", "head -c 30m /dev/zero > disk/other 2> /dev/null || true", "rm disk/other"),
        ("disk/renditions.db", "mount -o remount,ro disk", "mount -o remount,rw disk"),
    ],
    ids=["full", "read-only"],
)
def test_a_full_or_read_only_disk_loses_no_picture_and_no_output(
    tmp_path: Path, catalog: str, breaking: str, mending: str
) -> None:
    """Half of the pictures are added and one is deleted while the disk is broken."""
    prepare(tmp_path, catalog)
    script = f"""
        mount -t tmpfs -o size=20m x disk
        mkdir later; mv inbox/[23].png later
        sleep 1.1
        {RENDITIONS} sync > first.txt
        {breaking}
        mv later/* inbox; rm inbox/0.png
        sleep 1.1
        if {RENDITIONS} sync > second.txt 2>&1; then echo "it said that all was well"; fi
        {mending}
        {RENDITIONS} retry > retry.txt 2>&1 || true
        {RENDITIONS} sync > third.txt
        {RENDITIONS} sync
        {RENDITIONS} list --json | grep -c '"status": "done"'
        find disk/processed -type f -not -path '*/.renditions/*' | wc -l
        find disk/processed/.renditions -type f -not -name '*lock*' -not -path '*/catalogs/*' | wc -l
    """
    last, done, outputs, leftovers = run_in_namespace(tmp_path, script)[-4:]
    assert last.startswith("Nothing to do")
    assert (int(done), int(outputs), int(leftovers)) == (PICTURES - 1, 2 * (PICTURES - 1), 0)
    assert "Traceback" not in (tmp_path / "second.txt").read_text()


def test_a_full_disk_uses_up_no_attempts_and_the_next_sync_processes_the_waiting_pictures(
    tmp_path: Path,
) -> None:
    prepare(tmp_path, "renditions.db")
    script = f"""
        mount -t tmpfs -o size=20m x disk
        mkdir later; mv inbox/[123].png later
        sleep 1.1
        {RENDITIONS} sync > first.txt
        head -c 30m /dev/zero > disk/other 2> /dev/null || true
        mv later/* inbox
        sleep 1.1
        {RENDITIONS} sync > full.txt 2>&1 || echo $? >> full.txt
        {RENDITIONS} show 1.png > shown.txt
        {RENDITIONS} sync --json > again.json || true
        rm disk/other
        {RENDITIONS} sync
    """
    (last,) = run_in_namespace(tmp_path, script)
    full = (tmp_path / "full.txt").read_text()
    assert f"{PICTURES - 1} still waiting; the next sync processes them" in full
    assert re.search(
        rf"waiting: {PICTURES - 1} pictures, such as \S+: .*No space left on device. Free some space", full
    )
    assert full.endswith("\n1\n")
    shown = (tmp_path / "shown.txt").read_text()
    assert "No space left on device" in shown
    assert "The next sync tries it again." in shown
    (group,) = json.loads((tmp_path / "again.json").read_text())["reasons"]
    assert (group["state"], group["count"], group["code"]) == ("waiting", PICTURES - 1, "store-full")
    assert last == f"{PICTURES - 1} pictures processed: {PICTURES - 1} done; 1 needed no work (1 done)."

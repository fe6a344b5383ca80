"""A watch whose pipeline file changes while it runs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from commands import RENDITIONS, draw, run, write_pipeline

LARGE = '[renditions.large]\nwidth = 60\nkey = "large/{name}"\n'
PICTURES = 4


def declare(folder: Path, width: int, more: str = "") -> None:
    """Write a pipeline file under which a run may remove at most one picture.

    Only a person can allow more.
    """
    thumb = f'[renditions.thumb]\nwidth = {width}\nkey = "thumb/{{name}}"\n'
    write_pipeline(folder, thumb, more)
    file = folder / "renditions.toml"
    limit = "max_removals = { pictures = 1, percent = 10 }"
    file.write_text(file.read_text().replace("[source]", f"[source]\n{limit}"))


def widths(folder: Path, rendition: str) -> list[int]:
    """Return the widths of the outputs of a rendition."""
    found: list[int] = []
    for path in (folder / "processed" / rendition).glob("*.jpg"):
        with Image.open(path) as output:
            found.append(output.width)
    return found


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def held(folder: Path) -> list[tuple[str, int]]:
    return [(each["what"], each["count"]) for each in run(folder, "status", "--json").data["held"]]


def test_a_reload_keeps_many_outputs_of_undeclared_renditions_until_a_person_syncs(
    tmp_path: Path,
) -> None:
    declare(tmp_path, 40, LARGE)
    for number in range(PICTURES):
        draw(tmp_path / "inbox" / f"{number}.jpg", seed=number)
    assert run(tmp_path, "sync").code == 0
    with (tmp_path / "log").open("wb") as log:
        watch = subprocess.Popen([RENDITIONS, "watch"], cwd=tmp_path, stdout=log, stderr=log)
    try:
        wait_until(lambda: "watching" in (tmp_path / "log").read_text())
        for width in (30, 20):
            declare(tmp_path, width)
            wait_until(lambda width=width: widths(tmp_path, "thumb") == [width] * PICTURES)  # type: ignore[misc]
            wait_until(lambda: held(tmp_path) == [("renditions", PICTURES)])
            assert widths(tmp_path, "large") == [60] * PICTURES
        beside = run(tmp_path, "sync", "--unattended", "--json")
        assert (beside.code, beside.data["held"][0]["what"]) == (3, "renditions")
        assert f"held back: deleting the undeclared outputs of {PICTURES} pictures, because" in beside.err
        assert run(tmp_path, "retry", "0.jpg").code == 0
    finally:
        watch.terminate()
        watch.wait(30)
    assert widths(tmp_path, "large") == [60] * PICTURES
    assert held(tmp_path) == [("renditions", PICTURES)]
    kept = f"The undeclared outputs of {PICTURES} pictures are kept"
    assert kept in " ".join(run(tmp_path, "status").out.split())
    assert run(tmp_path, "sync").code == 0
    assert widths(tmp_path, "large") == []
    assert held(tmp_path) == []

"""The command ``doctor``, which shows the layers of confinement of this system.

``sync`` works with and without the layers.
"""

from __future__ import annotations

from pathlib import Path

from commands import draw, run, write_pipeline
from renditions.local.workers.confine import LAYERS

THUMB = "[renditions.thumb]\nwidth = 80\n"


def test_doctor_lists_every_layer_of_confinement_if_there_is_no_pipeline_file(tmp_path: Path) -> None:
    ended = run(tmp_path, "doctor", "--json")
    assert [layer["name"] for layer in ended.data["layers"]] == [layer.name for layer in LAYERS]
    assert ended.data["confine"] == "best"
    assert ended.code == (1 if ended.data["missing"] else 0)
    assert all(layer.name in run(tmp_path, "doctor").out for layer in LAYERS)


def test_doctor_shows_the_confinement_that_the_pipeline_file_declares(tmp_path: Path) -> None:
    write_pipeline(tmp_path, THUMB, '[limits]\nconfine = "none"')
    ended = run(tmp_path, "doctor", "--json")
    assert (ended.code, ended.data["confine"]) == (0, "none")


def test_sync_renders_with_and_without_confinement(tmp_path: Path) -> None:
    for confine in ("best", "none"):
        write_pipeline(tmp_path, THUMB, f'[limits]\nconfine = "{confine}"')
        draw(tmp_path / "inbox" / f"{confine}.jpg")
        assert run(tmp_path, "sync").code == 0
        assert (tmp_path / "processed" / f"{confine}.jpg" / "thumb.jpg").exists()

"""The command line with many pictures, in scripts, and in shells with completion."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from commands import RENDITIONS, draw, run, write_pipeline

THUMB = "[renditions.thumb]\nwidth = {}\n"
COUNT = 45
"""How many pictures there are: more than the command line lists on a terminal."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a project whose pictures are done."""
    folder = tmp_path_factory.mktemp("project")
    write_pipeline(folder, THUMB.format(40))
    for number in range(COUNT):
        draw(folder / "inbox" / f"a{number:02}.jpg", 64, 36, seed=number)
    assert run(folder, "sync").code == 0
    return folder


def test_a_long_plan_groups_pictures_by_the_needed_work_and_its_reason(project: Path) -> None:
    write_pipeline(project, THUMB.format(50))
    sizes = [file.stat().st_size for file in (project / "processed").rglob("thumb.jpg")]
    out = run(project, "plan").out
    assert f"~ {COUNT} pictures  thumb was made with another recipe: {COUNT} × thumb, about 1 s\n" in out
    assert "such as a" in out
    assert f"about {sum(sizes) / 1000:.1f} kB" in out
    assert out.count(".jpg") == 1


def test_the_option_details_lists_each_picture_of_a_long_plan(project: Path) -> None:
    write_pipeline(project, THUMB.format(50))
    out = run(project, "plan", "--details").out
    assert all(f"~ a{number:02}.jpg " in out for number in range(COUNT))


def test_list_prints_every_picture_into_a_pipe_or_as_many_as_the_option_limit_allows(project: Path) -> None:
    assert len(run(project, "list").out.splitlines()) == 1 + COUNT
    limited = run(project, "list", "--limit", "2")
    assert len(limited.out.splitlines()) == 1 + 2
    assert f"… and {COUNT - 2} more. To print all: --limit {COUNT}" in limited.err
    assert len(run(project, "list", "--limit", "3", "--json").data) == 3


def test_the_option_json_also_prints_an_error_as_json(project: Path, tmp_path: Path) -> None:
    unknown = run(project, "show", "none.jpg", "--json")
    assert unknown.code == 2
    assert unknown.data["error"]["code"] == "invalid-usage"
    assert "'none.jpg'" in unknown.data["error"]["detail"]
    (tmp_path / "renditions.toml").write_text("[renditions.thumb]\nwidht = 40\n")
    invalid = run(tmp_path, "check", "--json")
    assert invalid.code == 2
    assert invalid.data["error"]["code"] == "invalid-pipeline"
    assert "widht" in invalid.data["error"]["detail"]


def test_the_option_quiet_prints_only_data_and_errors(tmp_path: Path) -> None:
    write_pipeline(tmp_path, THUMB.format(40))
    (tmp_path / "inbox" / "notes.txt").write_text("x")
    draw(tmp_path / "inbox" / "a.jpg")
    synced = run(tmp_path, "--quiet", "sync")
    assert (synced.code, synced.err) == (0, "")
    assert synced.out == "1 picture processed: 1 done.\n"
    assert "error: there is no record of 'b.jpg'" in run(tmp_path, "--quiet", "show", "b.jpg").err


def test_the_option_log_format_writes_log_lines_as_json(tmp_path: Path) -> None:
    write_pipeline(tmp_path, THUMB.format(40), '[[notify]]\non = ["done"]\nto = "log:"')
    draw(tmp_path / "inbox" / "a.jpg")
    (item,) = map(json.loads, run(tmp_path, "--log-format", "json", "sync").err.splitlines())
    assert (item["level"], item["logger"]) == ("info", "renditions.notices")
    assert "a.jpg" in item["message"]
    assert datetime.fromisoformat(item["time"]).tzinfo


def test_all_messages_are_json_objects_if_the_log_format_is_json(tmp_path: Path) -> None:
    """A log collector reads stderr, so a line of text would break it."""
    write_pipeline(tmp_path, THUMB.format(40))
    draw(tmp_path / "inbox" / "a.jpg")
    (tmp_path / "inbox" / "notes.txt").write_text("x")
    items = [
        json.loads(line)
        for command in (("sync",), ("show", "b.jpg"), ("manifest",))
        for line in run(tmp_path, "--log-format", "json", *command).err.splitlines()
    ]
    found = {(item["level"], item["message"].partition(":")[0].partition(",")[0]) for item in items}
    assert found == {
        ("info", "Files left out"),
        ("error", "there is no record of 'b.jpg'. To see the names"),
        ("warning", "The URLs are relative to the output store"),
    }


@pytest.mark.parametrize("command", ["plan", "sync"])
def test_plan_and_sync_report_a_source_without_pictures(tmp_path: Path, command: str) -> None:
    write_pipeline(tmp_path, THUMB.format(40))
    assert run(tmp_path, command).out == "Nothing to do: found no pictures.\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("show", "a0"), {f"a0{digit}.jpg" for digit in range(10)}),
        (("sync", "a44"), {"a44.jpg"}),
        (("retry", "--rendition", "th"), {"thumb"}),
        (("list", "--status", "fa"), {"failed"}),
        (("list", "--warning", "dam"), {"damaged"}),
        (("sign", "th"), {"thumb"}),
        (("sign", "thumb", "a44"), {"a44.jpg"}),
        (("init", "--preset", "squ"), {"square"}),
        (("show", "nothing"), set()),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_the_shell_completes_names(project: Path, words: tuple[str, ...], expected: set[str]) -> None:
    assert _complete(project, *words) == expected


def test_the_shell_completes_nothing_without_a_valid_pipeline_file(tmp_path: Path) -> None:
    assert _complete(tmp_path, "show", "a") == set()


def _complete(folder: Path, *words: str) -> set[str]:
    line = " ".join(("renditions", *words))
    variables = {"_RENDITIONS_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words))}
    ended = subprocess.run(
        [RENDITIONS], cwd=folder, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert ended.stderr == ""
    return set(ended.stdout.split())

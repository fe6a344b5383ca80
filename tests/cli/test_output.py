"""What commands print if they can't write their output, or if they refuse."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from commands import RENDITIONS, draw, run, write_pipeline
from renditions.cli.app import app


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two pictures and their renditions."""
    folder = tmp_path_factory.mktemp("site")
    write_pipeline(folder, '[renditions.thumb]\nwidth = 20\nfit = "cover"\nheight = 20\ngravity = "focus"\n')
    for number, name in enumerate(("a.jpg", "b.jpg")):
        draw(folder / "inbox" / name, 40, 30, seed=number)
    assert run(folder, "sync").code == 0
    return folder


def run_in_shell(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    program = shlex.quote(str(RENDITIONS))
    return subprocess.run(
        ["sh", "-c", line.replace("renditions", program, 1)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def find_commands(group: Any) -> Iterator[Any]:
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        yield from find_commands(command) if hasattr(command, "list_commands") else [command]


def test_the_help_of_each_command_names_arguments_in_capitals_and_breaks_no_line_of_a_paragraph() -> None:
    """Rich prints each line break of a docstring."""
    commands = list(find_commands(typer.main.get_command(app)))
    assert len(commands) > 20
    for command in commands:
        assert all("\n" not in paragraph for paragraph in command.help.strip().split("\n\n"))
        for each in command.params:
            if each.param_type_name == "argument" and "|" not in (each.metavar or ""):  # a choice of words
                assert each.metavar.isupper(), each.name


def test_a_url_can_be_signed_for_a_million_hours_at_most(site: Path) -> None:
    assert run(site, "sign", "thumb", "a.jpg", "--hours", "1000000").code == 0
    for command in (("sign", "thumb", "a.jpg"), ("manifest",)):
        refused = run(site, *command, "--hours", "1000001")
        assert refused.code == 2
        assert "'--hours': 1000001 is not in the range 1<=x<=1000000." in refused.err


@pytest.mark.parametrize("command", ["init", "demo"])
def test_a_command_that_can_not_write_its_pipeline_file_leaves_no_part_of_it(
    tmp_path: Path, command: str
) -> None:
    ended = run_in_shell(tmp_path, f"ulimit -f 0; renditions {command}")
    assert ended.returncode == 2
    assert "File too large" in ended.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("command", ["list", "list --json", "manifest", "show a.jpg --json", "--version"])
def test_a_command_that_can_not_write_its_output_prints_an_error_without_a_traceback(
    site: Path, command: str
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("NOT TESTED: this system has no /dev/full")
    ended = run_in_shell(site, f"renditions {command} > /dev/full")
    assert ended.returncode == 1
    assert "error: can't write the output: No space left on device." in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_a_sync_succeeds_although_its_standard_streams_are_closed(site: Path, closed: str) -> None:
    ended = run_in_shell(site, f"renditions sync a.jpg {closed}")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_manifest_command_prints_no_manifest_if_one_of_the_names_is_unknown(site: Path) -> None:
    for form in ("json", "html"):
        ended = run(site, "manifest", "a.jpg", "z.jpg", "--format", form)
        assert (ended.code, ended.out) == (2, "")
        assert "z.jpg" in ended.err


@pytest.mark.parametrize("point", [("nan", "50"), ("50", "nan")])
def test_a_focus_that_is_not_a_number_is_refused_and_not_stored(site: Path, point: tuple[str, str]) -> None:
    ended = run(site, "focus", "a.jpg", *point)
    assert ended.code == 2
    assert "X and Y must be from 0 to 100" in ended.err
    record = run(site, "show", "a.jpg", "--json").out
    assert "focus" not in json.loads(record, parse_constant=pytest.fail)


def test_serve_shows_no_url_if_the_pipeline_file_is_missing(tmp_path: Path) -> None:
    ended = run(tmp_path, "serve", "--host", "0.0.0.0")  # noqa: S104 - it never listens
    assert ended.code == 2
    assert "can't read renditions.toml" in ended.err
    assert "http://" not in ended.err
    assert "token" not in ended.err


def test_init_reports_that_it_cannot_create_the_folder_for_pictures(tmp_path: Path) -> None:
    (tmp_path / "inbox").write_text("a file")
    ended = run(tmp_path, "init", "--preset", "thumbnail")
    assert ended.code == 2
    assert "wrote renditions.toml, but can't create the folder inbox: File exists." in ended.err

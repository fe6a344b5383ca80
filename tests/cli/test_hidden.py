"""Names with hidden characters, which commands print in a harmless form."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from commands import Ended, draw, run, write_pipeline
from renditions.model.hidden import reveal, reveal_in_json

ESCAPE = "a\x1b[2J\x1b]0;title\x07.jpg"
NAMES = (ESCAPE, "b\nfailed: c.jpg", "d\u202egpj.exe.jpg", "e\u2066f\x9b31m.jpg", "g\r\x7f.jpg")
ALLOWED = re.compile(r"[^\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project whose pictures have hidden characters in their names.

    One of the pictures is broken.
    """
    write_pipeline(tmp_path, "[renditions.thumb]\nwidth = 20\n")
    for number, name in enumerate(NAMES):
        draw(tmp_path / "inbox" / name, seed=number)
    (tmp_path / "inbox" / "x\x1b[31m.jpg").write_bytes(b"\xff\xd8 broken")
    return tmp_path


def assert_nothing_hidden(ended: Ended) -> None:
    for text in (ended.out, ended.err):
        assert ALLOWED.fullmatch(text), repr(text)


def test_commands_print_no_hidden_characters_of_names(project: Path) -> None:
    for arguments in (
        ("plan",), ("sync",), ("list",), ("status",), ("show", ESCAPE), ("show", "x\x1b[31m.jpg"),
        ("retry", ESCAPE), ("plan", "--verify"), ("plan", "no\x1b[31m/"), ("strays",),
        ("focus", ESCAPE, "1", "1"), ("show", "y\x1b[31m.jpg"), ("list", "--unmatched"),
        ("forget", "--yes", ESCAPE),
    ):  # fmt: skip
        ended = run(project, *arguments)
        assert_nothing_hidden(ended)
        assert "Traceback" not in ended.err
    assert r"\x1b[31m" in run(project, "list").out


def test_list_prints_a_name_with_a_line_feed_on_one_line(project: Path) -> None:
    run(project, "sync")
    assert not re.search("^failed: c.jpg", run(project, "list").out, re.MULTILINE)


def test_json_escapes_hidden_characters_and_decodes_to_the_same_names(project: Path) -> None:
    assert run(project, "sync").code == 1
    ended = run(project, "list", "--json")
    assert_nothing_hidden(ended)
    assert {item["image_name"] for item in ended.data} == {*NAMES, "x\x1b[31m.jpg"}


def test_the_function_reveal_keeps_visible_characters_and_escapes_hidden_ones() -> None:
    visible = "Ωé 山田.jpg 👩‍👩‍👧 \u00a0 \u200d a\\b"
    assert reveal(visible) == visible
    assert reveal("a\nb\x1b", keep_lines=True) == "a\nb\\x1b"
    assert reveal("a\nb") == r"a\nb"
    written = json.dumps({"a\u202e": "\x7f\n"}, ensure_ascii=False)
    assert json.loads(reveal_in_json(written)) == {"a\u202e": "\x7f\n"}

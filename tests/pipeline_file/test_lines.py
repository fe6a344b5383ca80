"""The lines in messages about a pipeline file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import run
from renditions.errors import PipelineError
from renditions.pipeline_file.lines import find_lines, join_place
from renditions.pipeline_file.reading import parse, preset_names, read_preset

UNUSUAL = r"""
a.b = 1 # c = 2
"q.x" = "[not] = a # table"
'é' = """
UNUSUAL += """'''
[x]
y = 1
'''
d = 1979-05-27 07:32:00.5
e = [1,
  2.5, # a comment, with ] and }
  {a = 1, b.c = "}"},
  [ "]", \"\"\"
\"\" \\" x
\"\"\" ],
]
[t]
w = -inf
[t.u."v w"]
x = 1e3
[[n]]
on = ["a"]
[n.sub]
z = 1
[[n]]
to = "log:"
[[n.k]]
q = 1
[[n.k]]
q = 2
"""


def places(value: Any, place: str = "") -> Iterator[str]:
    """Yield the dotted path of each value."""
    named = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, element in named:
        at = join_place(place, name)
        yield at
        yield from places(element, at)


@pytest.mark.parametrize("text", [UNUSUAL, *map(read_preset, preset_names())], ids=str.__len__)
def test_find_lines_has_a_line_for_each_table_and_each_value_of_a_file(text: str) -> None:
    assert sorted(find_lines(text)) == sorted(set(places(tomllib.loads(text))))


def test_lines_are_counted_through_texts_of_several_lines_and_comments() -> None:
    lines = find_lines(UNUSUAL)
    numbered = UNUSUAL.split("\n")
    for place, start in (("d", "d ="), ("e[2].b.c", "  {a"), ("e[3][0]", "  [ "), ("n[1].to", "to =")):
        assert numbered[lines[place] - 1].startswith(start)
    assert lines["n[1].k[1]"] == lines["n[1].k[1].q"] - 1


WRONG = """[source]
store = "./inbox"
match = ["inbox/*.jpg"]
[output]
store = "./processed"
[renditions.thumb]
widht = 40
quality = 120
fit = "cover"
[renditions.large]
width = "wide"
"""


def test_each_problem_of_a_pipeline_file_names_its_line(tmp_path: Path) -> None:
    """The messages are about an unknown field, wrong values, and missing fields."""
    with pytest.raises(PipelineError) as caught:
        parse(WRONG, "renditions.toml", tmp_path, {})
    assert {(problem.place, problem.line) for problem in caught.value.problems} == {
        ("renditions.thumb.widht", 7),
        ("renditions.thumb.quality", 8),
        ("renditions.large.width", 11),
    }
    assert (
        "renditions.toml: line 7: renditions.thumb.widht: expected a known field (did you mean 'width'?)"
        in str(caught.value)
    )
    corrected = WRONG.replace("widht", "width").replace("120", "80").replace('"wide"', "40")
    with pytest.raises(PipelineError, match=r"line 9: renditions\.thumb\.fit: expected a width and a height"):
        parse(corrected, "renditions.toml", tmp_path, {})
    with pytest.raises(PipelineError, match=r"line 1: source\.store: expected .*found nothing"):
        parse(corrected.replace('store = "./inbox"', ""), "renditions.toml", tmp_path, {})


def test_warnings_and_problems_with_environment_variables_name_their_lines(tmp_path: Path) -> None:
    text = (
        '[source]\nstore = "./inbox"\nmatch = ["inbox/*.jpg"]\n[output]\nstore = "./processed"\n'
        '[renditions.a]\nwidth = 9\n[[notify]]\non = ["done"]\nto = "webhook:https://x.example/"\n'
        'secret = "${NO_SUCH_SECRET}"\n'
    )
    (tmp_path / "renditions.toml").write_text(text)
    assert parse(text, "renditions.toml", tmp_path, {}).warnings[0].startswith("line 3: source.match[0]: ")
    ended = run(tmp_path, "check")
    assert "renditions.toml: line 11: notify[0].secret: expected a value" in " ".join(ended.err.split())


def test_missing_tables_are_named_with_their_required_fields(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        parse("", "renditions.toml", tmp_path, {})
    assert [(each.place, each.expected) for each in caught.value.problems] == [
        ("source", "a table [source] with store"),
        ("output", "a table [output] with store"),
        ("renditions", "a table [renditions.NAME]"),
    ]

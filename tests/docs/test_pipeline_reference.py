"""The fields, the defaults and the examples in docs/pipeline-file.md."""

from __future__ import annotations

import json
import re
from dataclasses import MISSING, asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from renditions.errors import PipelineError
from renditions.model.catalog_place import CatalogPlace
from renditions.model.fields import TEMPLATE_FIELDS, Default, unwrap
from renditions.model.notice_events import NOTICE_EVENTS
from renditions.model.notify import Notify
from renditions.model.output_place import OutputPlace
from renditions.model.pipeline import Accept, Analyze, Limits, Pipeline
from renditions.model.recipe import OPERATIONS, Rendition, Watermark
from renditions.model.source import Source
from renditions.pipeline_file.reading import parse, preset_names

TEXT = (Path(__file__).parents[2] / "docs" / "pipeline-file.md").read_text("utf-8")
TABLES: dict[str, Any] = {
    "[source]": Source,
    "[accept]": Accept,
    "[analyze]": Analyze,
    "[limits]": Limits,
    "[output]": OutputPlace,
    "[catalog]": CatalogPlace,
    "[renditions.NAME]": Rendition,
    "[renditions.NAME.watermark]": Watermark,
    "[[notify]]": Notify,
}
SET_BY_FORMAT = ("quality", "effort")


def rows_of(heading: str) -> dict[str, list[str]]:
    """Return the first table below a heading: the cells of each row, by field."""
    section = TEXT.partition(f"# {heading}")[2].partition("\n## ")[0].partition("\n### ")[0]
    rows = (re.split(r" *(?<!\\)\| *", line)[1:-1] for line in section.splitlines() if line.startswith("| `"))
    return {cells[0].strip("`"): cells[1:] for cells in rows}


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    return [block for name, block in found if name == language]


def test_the_list_of_tables_has_every_table_of_a_pipeline_file() -> None:
    assert len(TABLES) == len(fields(Pipeline)) + 1  # a watermark is in a rendition


@pytest.mark.parametrize("heading", TABLES)
def test_every_field_is_documented_with_its_default(heading: str) -> None:
    specs = {spec.name: spec for spec in fields(TABLES[heading])}
    rows = rows_of(f"`{heading}`")
    assert rows.keys() == specs.keys()
    for name, (_, default, meaning) in rows.items():
        marks = unwrap(get_type_hints(TABLES[heading], include_extras=True)[name])[1]
        unwritten = [mark.value for mark in marks if isinstance(mark, Default)]
        if unwritten:
            assert json.loads(default.strip("`")) == _plain(unwritten[0])
        elif specs[name].default is MISSING:
            assert default == "required"
        elif specs[name].default is not None:
            assert json.loads(default.strip("`")) == _plain(specs[name].default)
        elif name not in SET_BY_FORMAT:
            assert default == "none"
        assert meaning.endswith(".") or "see below" in meaning


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return list(value) if isinstance(value, tuple) else value


def test_every_template_field_and_preset_is_documented() -> None:
    assert set(re.findall(r"^\| `\{(\w+)\}`", TEXT, re.MULTILINE)) == set(TEMPLATE_FIELDS)
    assert all(f"`{name}`" in TEXT.partition("\n## ")[0] for name in preset_names())


@pytest.mark.parametrize("text", [TEXT, Rendition.__doc__ or ""], ids=["the page", "the class"])
def test_the_documented_order_of_operations_is_that_of_the_engine(text: str) -> None:
    (said,) = re.findall(r"order of\s+operations is(?: fixed[^:]*)?:(.*?)\.", text, re.DOTALL)
    without_remarks = re.sub(r"\([^)]*\)|`", "", said)
    assert [name.strip() for name in without_remarks.split(",")] == [each.name for each in OPERATIONS]


def test_the_first_example_is_a_whole_pipeline_file() -> None:
    assert parse(blocks("toml")[0], "renditions.toml", Path("/pictures"), {}).warnings == ()


def test_the_documented_error_equals_the_message_of_the_loader() -> None:
    with pytest.raises(PipelineError) as caught:
        parse(blocks("toml")[-1], "renditions.toml", Path("/pictures"), {})
    assert str(caught.value) == blocks("")[-1].strip()


def test_the_events_of_notices_are_documented() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `([\w ]+)` \| (.*) \|$", TEXT, re.MULTILINE)
    assert {row for row in rows if row[0] in NOTICE_EVENTS} == {
        (name, event.title, event.meaning) for name, event in NOTICE_EVENTS.items()
    }

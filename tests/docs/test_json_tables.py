"""The tables of the JSON forms in docs/record.md and docs/manifest.md."""

from __future__ import annotations

from dataclasses import fields

import pytest
from json_tables import BEGIN, END, FOLDER, SCHEMAS, describe

from renditions.model.record import ATTRIBUTES, Output
from renditions.model.shapes import describe_record


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_page_has_the_table_generated_from_its_schema(name: str) -> None:
    """After you change a schema, run ``python docs/json_tables.py``."""
    table = (FOLDER / name).read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    assert table.strip() == describe(SCHEMAS[name]())


def test_the_schema_has_every_attribute_of_a_record() -> None:
    assert describe_record()["properties"].keys() - {"image_name"} == ATTRIBUTES


def test_the_schema_has_every_field_of_an_output() -> None:
    output = describe_record()["properties"]["renditions"]["additionalProperties"]
    assert output["properties"].keys() == {each.name for each in fields(Output)} - {"rendition", "unknown"}

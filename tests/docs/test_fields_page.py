"""That docs/fields.md shows every field of a rendition by a picture, made from lines that a file may have."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from draw import fields_page, parse_example
from examples import EXAMPLES
from PIL import Image

from renditions.recipe import Rendition

DOCUMENTS = Path(__file__).parents[2] / "docs"
FIELDS = [spec.name for spec in fields(Rendition)]


def test_every_field_has_an_example_and_the_page_is_the_one_that_they_make() -> None:
    """Run ``make pictures`` after a field was added or its sentence changed."""
    assert list(EXAMPLES) == FIELDS
    assert (DOCUMENTS / "fields.md").read_text() == fields_page()


@pytest.mark.parametrize("field", FIELDS)
def test_an_example_is_about_its_field_and_has_a_picture(field: str) -> None:
    renditions = [parse_example(lines).renditions["thumb"] for lines in EXAMPLES[field].lines]
    assert len({getattr(rendition, field) for rendition in renditions}) == len(renditions) > 1
    with Image.open(DOCUMENTS / "images" / "fields" / f"{field}.webp") as picture:
        assert min(picture.size) > 30

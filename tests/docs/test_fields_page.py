"""The examples of every field of a rendition in docs/fields.md.

Each picture there is made from a valid pipeline file.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from draw import draw_example, draw_originals, fields_page, parse_example
from examples import EXAMPLES
from PIL import Image

from renditions.model.recipe import Rendition

DOCUMENTS = Path(__file__).parents[2] / "docs"
FAR = 40
"""Each difference of colours must be smaller than this, out of 255.

WebP's losses in the committed pictures are smaller; the difference after a shift by a pixel or two is larger.
"""
FIELDS = [spec.name for spec in fields(Rendition)]


def test_every_field_has_an_example_and_the_fields_page_is_up_to_date() -> None:
    """After you add a field or change its sentence, run ``make pictures``."""
    assert list(EXAMPLES) == FIELDS
    assert (DOCUMENTS / "fields.md").read_text() == fields_page()


@pytest.mark.parametrize("field", FIELDS)
def test_each_example_uses_its_field_and_has_a_picture(field: str) -> None:
    pipelines = [parse_example(lines) for lines in EXAMPLES[field].lines]
    renditions = [next(iter(pipeline.renditions.values())) for pipeline in pipelines]
    assert len({getattr(rendition, field) for rendition in renditions}) == len(renditions) > 1
    with Image.open(DOCUMENTS / "images" / "fields" / f"{field}.webp") as picture:
        assert min(picture.size) > 30


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    draw_originals(folder)
    return folder


@pytest.mark.parametrize("field", FIELDS)
def test_the_pictures_on_the_fields_page_look_like_those_that_the_engine_draws(
    originals: Path, field: str
) -> None:
    """This test compares the colours of blocks of 4 by 4 pixels, not bytes."""
    drawn = draw_example(originals, EXAMPLES[field])
    with Image.open(DOCUMENTS / "images" / "fields" / f"{field}.webp") as picture:
        assert picture.size == drawn.size
        shown = picture.convert("RGB")
    blocks = [np.asarray(each.reduce(4)).astype(int) for each in (shown, drawn)]
    assert np.abs(blocks[0] - blocks[1]).max() < FAR

"""Renditions with ``on_demand`` that have no file yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from renditions.imaging.geometry import Size, plan, region_of
from renditions.imaging.probe import output_format
from renditions.model.format_entries import SourceFormat
from renditions.model.formats import SOURCE_FORMATS
from renditions.model.original import Original
from renditions.model.pipeline import Pipeline
from renditions.model.recipe import Rendition
from renditions.model.record import Record


@dataclass(frozen=True, slots=True)
class Unmade:
    """A rendition that is made when a client requests it."""

    rendition: str
    format: str
    size: Size | None
    """The size that the rendition will have; None if only rendering shows the size."""


def find_unmade(pipeline: Pipeline, record: Record) -> Iterator[Unmade]:
    """Yield the renditions that a client can request and that have no file yet.

    Yield none if the pipeline file has no ``[output] on_demand_url``, or if the picture isn't done.
    """
    original = record.original
    source = SOURCE_FORMATS.get(original.format or "") if original else None
    if pipeline.output.on_demand_url is None or record.status != "done" or not (original and source):
        return
    failed = dict(record.errors)
    for name, recipe in pipeline.renditions.items():
        if recipe.on_demand and name not in failed and not record.serving_output(name):
            yield Unmade(name, output_format(recipe, source.name), _expect_size(recipe, original, source))


def _expect_size(recipe: Rendition, original: Original, source: SourceFormat) -> Size | None:
    depends_on_pixels = recipe.trim is not None or recipe.pages != "first"
    if depends_on_pixels or not (original.width and original.height and recipe.needs_pixels):
        return None
    part = region_of(Size(original.width, original.height), recipe.crop).size
    return plan(part, replace(recipe, enlarge=recipe.enlarge or source.shrink_on_load == "drawn")).output

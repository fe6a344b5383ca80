"""Read the pictures of watermarks that a pipeline takes from the source.

The runtime reads them once, before processing begins.
"""

from __future__ import annotations

from dataclasses import replace

from renditions.core.ports import Store
from renditions.errors import Rejected, UsageError
from renditions.model.families import family_of
from renditions.model.fields import Attachment
from renditions.model.pipeline import Pipeline
from renditions.model.recipe import Watermark
from renditions.pipeline_file.watermark_checks import find_watermark_problems


def attach(pipeline: Pipeline, source: Store) -> Pipeline:
    """Return the pipeline with the content of every ``source:KEY`` that it names.

    Raises:
        UsageError: The source has no such object, the object is archived or isn't a picture, or the key is
            invalid.
        StoreFailed: The source can't be read.

    """
    attached: dict[Watermark, Watermark] = {}
    renditions = dict(pipeline.renditions)
    for name, rendition in pipeline.renditions.items():
        mark = rendition.watermark
        if mark is None:
            continue
        if mark not in attached:
            place = f"renditions.{family_of(name, rendition)}.watermark"
            attached[mark] = _attach(mark, place, source)
        renditions[name] = replace(rendition, watermark=attached[mark])
    return replace(pipeline, renditions=renditions) if attached else pipeline


def _attach(watermark: Watermark, place: str, source: Store) -> Watermark:
    if watermark.image is None or watermark.image.source_key is None:
        return watermark
    attached = replace(watermark, image=_look_up(watermark.image.source_key, watermark.image, place, source))
    for problem in find_watermark_problems(attached, place):
        raise UsageError(str(problem))
    return attached


def _look_up(key: str, image: Attachment, place: str, source: Store) -> Attachment:
    try:
        found = source.get(key)
    except Rejected as error:  # an invalid key, or an archived object
        raise UsageError(f"{place}.image: {key!r} can't be read from the source: {error}") from error
    if found is None:
        raise UsageError(
            f"{place}.image: expected the key of an object in the source, found {key!r}, which isn't there"
        )
    return replace(image, content=found[1])

"""The presets: each is a valid pipeline for a laptop.

Each makes the renditions that its name promises.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import jsonschema
import pytest

from renditions.errors import UsageError
from renditions.model.pipeline import Analyze, Pipeline
from renditions.pipeline_file.reading import parse, preset_names, read_preset
from renditions.pipeline_file.schema import json_schema

NAMES = ["base64", "gallery", "shop", "square", "thumbnail", "web"]


def read(name: str) -> Pipeline:
    loaded = parse(read_preset(name), name, Path("/pictures"), {})
    # Two folders' photo.jpg have two thumbnails: {dir} and {name} are in its key.
    assert loaded.warnings == ()
    return loaded.pipeline


def test_all_documented_presets_exist() -> None:
    assert list(preset_names()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_loader_and_schema_accept_each_preset(name: str) -> None:
    pipeline = read(name)
    jsonschema.Draft202012Validator(json_schema()).validate(tomllib.loads(read_preset(name)))
    assert (pipeline.source.store, pipeline.output.store) == ("./inbox", "./processed")
    assert pipeline.catalog.store == "sqlite:renditions.db"
    assert {notify.to for notify in pipeline.notify} == {"log:"}


@pytest.mark.parametrize("name", NAMES)
def test_the_aws_values_in_preset_comments_are_valid(name: str) -> None:
    """A comment ``# on AWS: …`` has another value for its field.

    With this value the pipeline is still valid.
    """
    text, count = re.subn(r'= "[^"]*" +# on AWS: ("[^"]*")', r"= \1", read_preset(name))
    pipeline = parse(text, name, Path("/pictures"), {}).pipeline
    assert count == 4
    assert pipeline.source.store.startswith("s3://")
    assert pipeline.output.store.startswith("s3://")
    assert pipeline.catalog.store == "dynamodb:ImageMetadata"
    assert all(notify.to.startswith("sns:arn:") for notify in pipeline.notify)


def test_the_preset_thumbnail_puts_thumb_before_the_name_of_the_picture() -> None:
    assert read("thumbnail").output_keys("a/photo.jpg", "e") == {"thumb": "a/thumb_photo.jpg"}
    thumb = read("thumbnail").renditions["thumb"]
    assert (thumb.width, thumb.height, thumb.fit, thumb.format) == (200, 200, "inside", "auto")


def test_the_preset_square_crops_to_200_by_200() -> None:
    (square,) = read("square").renditions.values()
    assert (square.width, square.height, square.fit) == (200, 200, "cover")


def test_the_preset_base64_needs_no_pixels_and_writes_text_files() -> None:
    pipeline = read("base64")
    assert not any(rendition.needs_pixels for rendition in pipeline.renditions.values())
    assert list(pipeline.output_keys("photo.jpg", "e").values()) == ["photo.jpg.txt"]


def test_the_preset_gallery_makes_three_sizes_and_a_pdf_and_sends_notices() -> None:
    pipeline = read("gallery")
    made = {name: (rendition.width, rendition.format) for name, rendition in pipeline.renditions.items()}
    assert made["small"] == (300, "jpeg")
    assert made["medium"] == (600, "jpeg")
    assert made["large"] == (1200, "jpeg")
    assert [format_ for _, format_ in made.values()].count("pdf") == 1
    assert {event for notify in pipeline.notify for event in notify.on} == {"done", "rejected", "failed"}


def test_the_preset_web_makes_each_width_in_each_format_from_one_table() -> None:
    assert list(tomllib.loads(read_preset("web"))["renditions"]) == ["photo"]
    assert list(read("web").output_keys("a/b.jpg", "e"))[:2] == ["photo-480-avif", "photo-480-webp"]
    made = {(rendition.width, rendition.format) for rendition in read("web").renditions.values()}
    assert read("web").analyze == Analyze(placeholder="thumbhash", colours=1)
    assert made == {(width, format_) for width in (480, 960, 1600) for format_ in ("avif", "webp", "jpeg")}


def test_the_preset_shop_checks_pictures_and_watermarks_all_renditions_except_the_smallest() -> None:
    pipeline = read("shop")
    assert pipeline.accept.min_width
    assert {rendition.format for rendition in pipeline.renditions.values()} == {"jpeg", "webp"}
    assert len({rendition.width for rendition in pipeline.renditions.values()}) >= 3
    marked = {name for name, rendition in pipeline.renditions.items() if rendition.watermark}
    assert marked == pipeline.renditions.keys() - {"list"}


def test_an_unknown_preset_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match=r"there is no preset 'galery' \(did you mean 'gallery'\?\)"):
        read_preset("galery")

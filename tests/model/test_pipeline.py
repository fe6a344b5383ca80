"""The keys that a pipeline matches, its output keys and its fingerprints."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renditions.model.fields import Attachment, parse_template
from renditions.model.notify import Notify
from renditions.model.output_place import OutputPlace
from renditions.model.pipeline import Accept, Analyze, Limits, Pipeline
from renditions.model.places import FolderPlace, S3Place, parse_store
from renditions.model.recipe import NOT_OF_THE_BYTES, Focus, Region, Rendition, Watermark
from renditions.model.source import Source
from renditions.model.wishes import Wishes

OTHER: dict[str, Any] = {
    "format": "webp",
    "width": 10,
    "height": 10,
    "fit": "cover",
    "gravity": "north",
    "focus": Focus(x=10, y=10),
    "background": "black",
    "enlarge": True,
    "quality": 50,
    "target": 70.0,
    "effort": 2,
    "lossless": True,
    "animation": "keep",
    "pixel_ratio": 2.0,
    "crop": Region(width=50, height=50),
    "trim": 0,
    "rotate": 90,
    "flip": "both",
    "grayscale": True,
    "sepia": True,
    "brightness": 2.0,
    "contrast": 2.0,
    "saturation": 2.0,
    "gamma": 2.0,
    "negate": True,
    "pages": "all",
    "tint": "#8090a0",
    "blur": 2.0,
    "sharpen": 2.0,
    "pixelate": 8,
    "corners": "circle",
    "padding": 10,
    "watermark": Watermark(text="© Ann", font=Attachment("font.ttf", b"font")),
    "metadata": "all",
    "profile": "keep",
    "skip_if_larger": True,
    "progressive": True,
    "chroma": "444",
    "palette": 16,
    "data_uri": True,
    "max_bytes": 9,
    "page_size": "A4",
    "dpi": 150,
}


def make(**renditions: Rendition) -> Pipeline:
    return Pipeline(source=Source(store="in"), output=OutputPlace(store="out"), renditions=renditions)


@pytest.mark.parametrize(
    ("key", "matches"),
    [
        ("photo.jpg", True),
        ("a/b/PHOTO.JPG", True),
        ("photo.txt", False),
        (".photo.jpg", False),
        ("a/.photo.jpg", False),
        ("folder.jpg/", False),
    ],
)
def test_a_source_matches_pictures_in_any_folder_and_no_hidden_files(key: str, matches: bool) -> None:
    assert Source(store="in").matches(key) is matches


def test_template_fields_stand_for_values_of_the_picture_and_of_the_rendition() -> None:
    template = "{key}|{dir}|{name}|{stem}|{ext}|{rendition}|{format}|{width}|{etag}"
    pipeline = make(thumb=Rendition(key=template, format="tiff", width=200))
    assert pipeline.output_keys("a/b/photo.final.jpg", "e1") == {
        "thumb": "a/b/photo.final.jpg|a/b/|photo.final.jpg|photo.final|tif|thumb|tiff|200|e1"
    }


def test_the_stem_of_a_name_without_a_suffix_is_the_name() -> None:
    pipeline = make(a=Rendition(key="{dir}{stem}.{ext}"))
    assert pipeline.output_keys("photo", "e") == {"a": "photo.jpg"}


def test_doubled_braces_in_a_template_stand_for_single_braces() -> None:
    assert make(a=Rendition(key="{{dir}}/{name}")).output_keys("photo.jpg", "e") == {"a": "{dir}/photo.jpg"}


@settings(deadline=None, max_examples=100)
@given(st.text(min_size=1, max_size=12), st.text(min_size=1, max_size=12))
def test_two_pictures_have_the_same_default_key_only_if_they_have_the_same_name(one: str, two: str) -> None:
    pipeline = make(a=Rendition())
    assert (pipeline.output_keys(one, "e") == pipeline.output_keys(two, "e")) == (one == two)


def test_every_field_changes_the_fingerprint_except_those_that_do_not_affect_the_content() -> None:
    """If you add a field, add it to ``OTHER``."""
    assert OTHER.keys() == {spec.name for spec in fields(Rendition)} - set(NOT_OF_THE_BYTES)
    prints = [replace(Rendition(), **{name: value}).fingerprint() for name, value in OTHER.items()]
    assert len({*prints, Rendition().fingerprint()}) == len(OTHER) + 1
    others: dict[str, Any] = {"key": "{key}", "on_demand": True, "widths": (9, 8), "formats": ("png",)}
    assert others.keys() == set(NOT_OF_THE_BYTES)
    assert replace(Rendition(), **others).fingerprint() == Rendition().fingerprint()


@settings(deadline=None, max_examples=100)
@given(
    st.builds(Focus, x=st.floats(0, 100), y=st.floats(0, 100)),
    st.sampled_from([0, 90, 180, 270]),
    st.sampled_from(["none", "horizontal", "vertical", "both"]),
    st.none() | st.just(Region(left=20, top=40, width=50, height=50)),
)
def test_the_focus_moves_with_a_picture_that_is_cropped_rotated_and_mirrored(
    point: Focus, rotate: Any, flip: Any, crop: Region | None
) -> None:
    """The expected result comes from a picture with one marked point."""
    recipe = Rendition(gravity="focus", rotate=rotate, flip=flip, crop=crop).focused_on(point)
    marked = np.zeros((100, 100))
    x, y = (min(int(value), 99) for value in (point.x, point.y))
    if crop:
        x, y = min(max(x, 20), 69), min(max(y, 40), 89)
    marked[y, x] = 1
    part = marked[40:90, 20:70] if crop else marked
    turned = np.rot90(part, -rotate // 90)
    turned = np.fliplr(turned) if flip in ("horizontal", "both") else turned
    turned = np.flipud(turned) if flip in ("vertical", "both") else turned
    (down,), (across,) = np.nonzero(turned)
    assert recipe.focus is not None
    assert abs(recipe.focus.x / 100 * len(turned) - across - 0.5) <= 1.01
    assert abs(recipe.focus.y / 100 * len(turned) - down - 0.5) <= 1.01


def test_a_new_focus_affects_only_renditions_that_are_cropped_around_the_focus() -> None:
    pipeline = make(cut=Rendition(gravity="focus"), whole=Rendition(width=9))
    focused = Wishes(Focus(x=1, y=2))
    before, after = pipeline.fingerprints(), pipeline.fingerprints(focused)
    assert before["whole"] == after["whole"]
    assert before["cut"] == Rendition().fingerprint() != after["cut"]
    assert pipeline.goal_of("a.jpg", "1") != pipeline.goal_of("a.jpg", "1", focused)


def test_a_rendition_on_demand_is_wanted_only_for_pictures_for_which_it_was_requested() -> None:
    pipeline = make(thumb=Rendition(), zoom=Rendition(width=9, on_demand=True))
    asked = Wishes(demanded=("zoom", "no longer declared"))
    assert pipeline.output_keys("a.jpg", "1").keys() == pipeline.fingerprints().keys() == {"thumb"}
    assert (
        pipeline.output_keys("a.jpg", "1", asked).keys()
        == pipeline.recipes(asked).keys()
        == {"thumb", "zoom"}
    )
    assert pipeline.goal_of("a.jpg", "1") == make(thumb=Rendition()).goal_of("a.jpg", "1")
    assert pipeline.goal_of("a.jpg", "1") != pipeline.goal_of("a.jpg", "1", asked)


def test_fingerprints_equal_those_of_earlier_versions() -> None:
    """If a fingerprint changes, every user's renditions are made again."""
    assert Rendition().fingerprint() == "ede0de807492408040925c13"
    assert Rendition(width=200, height=200, quality=82).fingerprint() == "061ee9473776eac603b74480"
    assert Accept().fingerprint() == "44136fa355b3678a1146ad16"
    assert make(a=Rendition()).rules == "44136fa355b3678a1146ad16"


def test_the_goal_of_a_picture_changes_with_the_content_the_rules_the_keys_and_the_recipes() -> None:
    pipeline = make(a=Rendition())
    goals = {
        pipeline.goal_of("photo.jpg", "1"),
        pipeline.goal_of("photo.jpg", "2"),
        replace(pipeline, accept=Accept(min_width=5)).goal_of("photo.jpg", "1"),
        replace(pipeline, analyze=Analyze(exif=True)).goal_of("photo.jpg", "1"),
        make(a=Rendition(key="{key}")).goal_of("photo.jpg", "1"),
        make(a=Rendition(quality=5)).goal_of("photo.jpg", "1"),
        make(b=Rendition()).goal_of("photo.jpg", "1"),
    }
    assert len(goals) == 7
    assert replace(pipeline, limits=Limits(memory=5)).goal_of("photo.jpg", "1") not in goals
    assert replace(pipeline, limits=Limits(seconds=5)).goal_of("photo.jpg", "1") in goals
    assert replace(pipeline, limits=Limits(confine="none")).goal_of("photo.jpg", "1") in goals
    assert replace(pipeline, notify=(Notify(on=("done",), to="log:"),)).goal_of("photo.jpg", "1") in goals


@pytest.mark.parametrize("template", ["{dir", "dir}", "{}", "{dir!r}", "{dir:>3}"])
def test_a_malformed_key_template_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(parse_template(template))


def test_a_store_is_parsed_as_a_folder_or_as_a_bucket() -> None:
    directory = Path("/pictures")
    assert parse_store("./in", directory) == FolderPlace(Path("/pictures/in"))
    assert parse_store("/in", directory) == FolderPlace(Path("/in"))
    assert parse_store("s3://bucket", directory) == S3Place("bucket", "")
    assert parse_store("s3://bucket/a/b/", directory) == S3Place("bucket", "a/b/")


def test_the_name_of_a_notice_target_in_records_does_not_contain_its_password() -> None:
    notify = Notify(on=("done",), to="mailto://me:secret@mail.example")
    assert "secret" not in notify.target
    assert notify.target != replace(notify, to="log:").target

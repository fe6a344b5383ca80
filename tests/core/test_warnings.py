"""The warnings in a picture's record, from one rendering to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from hashing import hash_render
from renditions.model.pipeline import Accept, Analyze
from renditions.model.recipe import Rendition
from renditions.model.record import Record
from renditions.model.rendering import Rendering
from renditions.model.warning import PictureWarning
from world import NAME, World

WARNINGS = {name: PictureWarning(f"{name}-code", f"something of {name}") for name in ("thumb", "large")}


@pytest.fixture
def world() -> World:
    world = World()
    world.upload(NAME, b"one")
    return world


def render(content: bytes, accept: Accept, recipes: Mapping[str, Rendition], analyze: Analyze) -> Rendering:
    """Render by hashing, and give one warning for each recipe."""
    rendering = hash_render(content, accept, recipes, analyze)
    return replace(rendering, warnings=tuple(WARNINGS[name] for name in recipes))


def warn_of_each(
    content: bytes, accept: Accept, recipes: Mapping[str, Rendition], analyze: Analyze
) -> Rendering:
    """Render by hashing, and give one warning about all recipes."""
    warning = PictureWarning("animation-dropped", "one frame", tuple(recipes))
    return replace(hash_render(content, accept, recipes, analyze), warnings=(warning,))


def test_the_record_and_the_notice_about_a_picture_have_its_warnings(world: World) -> None:
    world.processor(render=render).process(NAME)
    assert world.record().status == "done"
    assert world.record().warnings == tuple(WARNINGS.values())
    (notice,) = world.notifier.sent
    assert notice.to_item()["warnings"][0] == {"code": "thumb-code", "text": "something of thumb"}


def test_rendering_one_rendition_again_keeps_the_earlier_warnings(world: World) -> None:
    world.processor(render=render).process(NAME)
    changed = {**world.pipeline.renditions, "large": Rendition(width=1000)}
    world.pipeline = replace(world.pipeline, renditions=changed)
    world.processor(render=hash_render).process(NAME)
    assert world.record().warnings == tuple(WARNINGS.values())


def test_rendering_one_rendition_again_replaces_the_warnings_about_it_alone(world: World) -> None:
    world.processor(render=warn_of_each).process(NAME)
    assert [warning.renditions for warning in world.record().warnings] == [("thumb", "large")]
    changed = {**world.pipeline.renditions, "large": Rendition(width=1000)}
    world.pipeline = replace(world.pipeline, renditions=changed)
    world.processor(render=hash_render).process(NAME)
    assert world.record().to_item()["warnings"] == [
        {"code": "animation-dropped", "text": "one frame", "renditions": ["thumb"]}
    ]


def test_a_rendition_that_is_no_longer_declared_has_no_warnings(world: World) -> None:
    world.processor(render=warn_of_each).process(NAME)
    thumb = world.pipeline.renditions["thumb"]
    world.pipeline = replace(world.pipeline, renditions={"thumb": thumb})
    world.processor(render=hash_render).process(NAME)
    assert [warning.renditions for warning in world.record().warnings] == [("thumb",)]


def test_a_replaced_picture_loses_the_warnings_about_its_old_content(world: World) -> None:
    world.processor(render=render).process(NAME)
    world.upload(NAME, b"two")
    world.processor(render=hash_render).process(NAME)
    assert world.record().warnings == ()
    assert "warnings" not in world.record().to_item()


def test_a_touched_picture_keeps_its_warnings(world: World) -> None:
    world.bind()
    world.processor(render=render).process(NAME)
    world.source.touch(NAME)
    world.processor(render=hash_render).process(NAME)
    assert world.record().warnings == tuple(WARNINGS.values())


def test_the_record_of_a_rejected_picture_has_the_warnings_of_its_rendering(world: World) -> None:
    world.upload(NAME, b"bad")
    world.processor(render=render).process(NAME)
    assert world.record().status == "rejected"
    assert world.record().warnings == tuple(WARNINGS.values())


def test_a_record_keeps_warning_codes_of_a_newer_version() -> None:
    item = {
        "image_name": NAME,
        "status": "done",
        "timestamp": "2026-01-01T00:00:00.000000Z",
        "warnings": [{"code": "of-a-newer-version", "text": "something"}],
    }
    assert Record.from_item(item).to_item()["warnings"] == item["warnings"]

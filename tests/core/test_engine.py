"""Outputs that are made again because a revision of the engine was raised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from hashing import hash_render
from renditions.model import revisions
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendering
from renditions.model.revisions import Revision
from world import World, make_pipeline

TIFF = (Revision(2, "source", "tiff", "Multipage files are read in full."),)
PAGE, PHOTO = "page.tif", "photo.jpg"


class Engine:
    """A renderer that takes a picture's format from its content.

    It remembers the renditions of each call.
    """

    def __init__(self) -> None:
        self.made: list[tuple[str, ...]] = []

    def render(
        self, content: bytes, accept: Accept, recipes: Mapping[str, Rendition], *more: Any
    ) -> Rendering:
        self.made.append(tuple(recipes))
        rendering = hash_render(content, accept, recipes, *more)
        found = "tiff" if b"tiff" in content else "jpeg"
        return replace(rendering, original=replace(rendering.original, format=found))


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def world(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(revisions, "REVISIONS", ())
    world = World(pipeline=make_pipeline(thumb=Rendition(format="png")))
    for name, content in ((PAGE, b"tiff"), (PHOTO, b"photo"), ("bad.tif", b"bad tiff")):
        world.upload(name, content)
        world.processor(render=engine.render).process(name)
    assert world.plan() == []
    engine.made.clear()
    return world


def upgrade(world: World, monkeypatch: pytest.MonkeyPatch, raised: tuple[Revision, ...] = TIFF) -> None:
    """Use an engine with these revisions from now on."""
    monkeypatch.setattr(revisions, "REVISIONS", raised)
    world.pipeline = replace(world.pipeline)


def whys(world: World) -> dict[str, str]:
    return {each.name: each.why for each in world.differences() if each.action != "keep"}


def test_a_fix_for_a_source_format_affects_only_pictures_of_this_format(
    world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(world, monkeypatch)
    assert whys(world)[PAGE] == "thumb was made by an older engine (tiff)"
    assert whys(world).keys() == {PAGE, "bad.tif"}
    for name in whys(world):
        world.processor(render=engine.render).process(name)
    assert engine.made == [("thumb",), ("thumb",)]
    assert world.plan() == []


def test_a_fix_for_an_operation_affects_only_the_renditions_that_use_the_operation(
    world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.pipeline = replace(
        world.pipeline, renditions={**world.pipeline.renditions, "sharp": Rendition(sharpen=1.0)}
    )
    for name in (PAGE, PHOTO, "bad.tif"):
        world.processor(render=engine.render).process(name)
    engine.made.clear()
    upgrade(world, monkeypatch, (Revision(2, "operation", "sharpen", "Edges get no haloes."),))
    assert whys(world)[PHOTO] == "sharp was made by an older engine (sharpen)"
    world.processor(render=engine.render).process(PHOTO)
    assert engine.made == [("sharp",)]


def test_a_picture_that_the_newer_engine_processed_is_up_to_date(
    world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(world, monkeypatch)
    world.upload("new.tif", b"new tiff")
    assert world.processor(render=engine.render).process("new.tif").result == "done"
    assert "new.tif" not in whys(world)


def test_outputs_of_an_older_engine_are_made_again_after_the_pipeline_stops_naming_this_engine(
    world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then, the newer engine makes only new outputs. They aren't made again."""
    upgrade(world, monkeypatch)
    free, place = world.pipeline, world.pipeline.output
    world.pipeline = replace(free, output=replace(place, engine=1))
    assert whys(world) == {}
    world.upload("new.tif", b"new tiff")
    world.processor(render=engine.render).process("new.tif")
    engine.made.clear()
    assert whys(world) == {}
    world.pipeline = free
    for name in whys(world):
        world.processor(render=engine.render).process(name)
    assert engine.made == [("thumb",), ("thumb",)]
    assert world.plan() == []


def test_plan_gives_a_changed_recipe_as_the_reason_rather_than_a_raised_revision(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(world, monkeypatch)
    world.pipeline = replace(world.pipeline, renditions={"thumb": Rendition(format="png", width=9)})
    assert whys(world)[PAGE] == "thumb was made with another recipe"

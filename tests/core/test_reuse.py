"""Outputs that are copied and not rendered, with stores and a catalog in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hashing import never_render
from renditions.core.ask import Ask
from renditions.model.recipe import Focus, Rendition
from world import NAME, World, hash_render, make_pipeline

THUMB = Rendition(width=200)


@pytest.fixture
def world() -> World:
    world = World(make_pipeline(thumb=replace(THUMB, key="{name}-small.jpg")))
    world.bind()
    world.upload(NAME, b"one")
    world.processor().process(NAME)
    return world


def declare(world: World, **renditions: Any) -> None:
    world.pipeline = make_pipeline(**renditions)
    world.bind()


def why(world: World) -> str:
    """Return why the plan lists the picture."""
    (difference,) = world.differences()
    return str(difference.why)


def process_without_rendering(world: World) -> None:
    assert world.processor(render=never_render).process(NAME).result == "done"
    world.check_promise()


def test_a_renamed_rendition_with_the_same_key_keeps_its_output(world: World) -> None:
    before = world.record().outputs[0]
    declare(world, small=replace(THUMB, key="{name}-small.jpg"))
    assert why(world) == "small was renamed from thumb"
    process_without_rendering(world)
    assert world.record().outputs == (replace(before, rendition="small"),)
    assert [key for key, _ in world.plan()] == []


def test_a_plan_says_which_renditions_are_renamed_and_which_are_missing(world: World) -> None:
    declare(world, small=replace(THUMB, key="{name}-small.jpg"), large=Rendition(width=900))
    assert why(world) == "large is missing, small was renamed from thumb"
    declare(world, small=Rendition(width=201))
    assert why(world) == "small is missing"


def test_renditions_that_swap_their_names_count_as_made_with_another_recipe(world: World) -> None:
    one, two = Rendition(width=1, key="{name}-1.jpg"), Rendition(width=2, key="{name}-2.jpg")
    declare(world, a=one, b=two)
    world.processor().process(NAME)
    declare(world, b=one, a=two)
    assert why(world) == "b was made with another recipe, a was made with another recipe"
    declare(world, c=one, d=two)
    assert why(world) == "c was renamed from a, d was renamed from b"
    process_without_rendering(world)


def test_a_plan_says_that_a_picture_keeps_its_outputs_if_only_the_order_of_renditions_changed(
    world: World,
) -> None:
    declare(world, thumb=THUMB, large=Rendition(width=900))
    world.processor().process(NAME)
    declare(world, large=Rendition(width=900), thumb=THUMB)
    assert why(world) == "the pipeline file changed, but the outputs are still valid"


def test_the_output_of_a_renamed_rendition_with_another_key_is_copied(world: World) -> None:
    declare(world, small=replace(THUMB, key="{name}/small.jpg"))
    assert why(world) == "small was renamed from thumb"
    process_without_rendering(world)
    assert [found.key for found in world.output.list()] == [f"{NAME}/small.jpg"]


def test_an_output_with_a_changed_key_is_copied_and_the_old_output_is_deleted(world: World) -> None:
    before = world.content(f"{NAME}-small.jpg")
    declare(world, thumb=replace(THUMB, key="new/{name}"))
    process_without_rendering(world)
    assert world.content(f"new/{NAME}") == before
    assert world.output.head(f"{NAME}-small.jpg") is None


def test_an_output_with_a_key_below_the_old_key_is_copied(
    world: World,
) -> None:
    declare(world, thumb=replace(THUMB, key="{name}-small.jpg/thumb.jpg"))
    process_without_rendering(world)


def test_a_new_rendition_with_the_recipe_of_another_rendition_is_not_rendered(world: World) -> None:
    declare(world, thumb=replace(THUMB, key="{name}-small.jpg"), again=replace(THUMB, key="again/{name}"))
    process_without_rendering(world)


def test_the_rendition_with_a_new_recipe_is_rendered_and_the_rendition_with_a_new_key_is_copied(
    world: World,
) -> None:
    rendered: list[str] = []

    def render(content: bytes, accept: Any, recipes: Any, analyze: Any) -> Any:
        rendered.extend(recipes)
        return hash_render(content, accept, recipes, analyze)

    declare(world, thumb=replace(THUMB, key="new/{name}"), large=Rendition(width=900))
    assert world.processor(render=render).process(NAME).result == "done"
    assert rendered == ["large"]
    world.check_promise()


@pytest.mark.parametrize("content", [None, b"rubbish"], ids=["missing", "replaced"])
def test_an_output_that_was_lost_or_replaced_is_rendered_and_not_copied(
    world: World, content: bytes | None
) -> None:
    if content is None:
        world.lose_outputs()
    else:
        world.overwrite(f"{NAME}-small.jpg", content)
    declare(world, thumb=replace(THUMB, key="new/{name}"))
    assert world.processor().process(NAME).result == "done"
    world.check_promise()


def test_outputs_of_the_old_content_are_not_copied_for_new_content(world: World) -> None:
    world.upload(NAME, b"two")
    declare(world, thumb=replace(THUMB, key="new/{name}"))
    assert world.processor().process(NAME).result == "done"
    world.check_promise()


def test_a_forced_run_renders_outputs_that_could_be_copied(world: World) -> None:
    declare(world, thumb=replace(THUMB, key="new/{name}"))
    with pytest.raises(AssertionError, match="could be kept or copied"):
        world.processor(render=never_render).process(NAME, Ask(is_forced=True))


def test_an_output_is_rendered_and_not_copied_if_the_focus_changed_its_recipe(world: World) -> None:
    cover = Rendition(width=20, height=20, fit="cover", gravity="focus")
    declare(world, thumb=replace(cover, key="{name}-small.jpg"))
    world.settle()
    record = world.record()
    world.catalog.write(replace(record, wishes=replace(record.wishes, focus=Focus(x=1, y=2))))
    assert world.processor().process(NAME).result == "done"
    world.check_promise()


def test_an_output_of_older_content_that_a_partial_run_left_is_not_copied(world: World) -> None:
    large = Rendition(width=900)
    declare(world, thumb=THUMB, large=large)
    world.processor().process(NAME)
    world.upload(NAME, b"two")
    world.processor().process(NAME, Ask(renditions=frozenset({"thumb"})))
    declare(world, thumb=THUMB, renamed=large)
    assert world.processor().process(NAME).result == "done"
    world.check_promise()

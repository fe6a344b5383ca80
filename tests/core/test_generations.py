"""A catalog's binding: which pipeline file and which generation are in force."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from doubles import MemoryCatalog
from renditions.core.binding import Claimant, Standing, Start, bind, hold
from renditions.errors import BindingRefused, CatalogTooNew, Conflict, Superseded
from renditions.model.binding import Binding, Held
from renditions.model.recipe import Rendition
from world import APPLIES, World, make_pipeline

NAME = "a/photo.jpg"
FOLLOWS = Start()


def claim(generation: str = "one", start: Start = APPLIES, **changes: Any) -> Claimant:
    stores: dict[str, Any] = {"pipeline_file": "a.toml", "source": "in", "output": "out", **changes}
    return Claimant(**stores, generation=generation, start=start)


def deploy(at: str) -> Start:
    return Start(deployed_at=at)


@pytest.fixture
def catalog() -> MemoryCatalog:
    catalog = MemoryCatalog()
    bind(catalog, claim())
    return catalog


def test_the_first_process_that_binds_a_catalog_sets_its_pipeline_file_its_source_and_its_output() -> None:
    catalog = MemoryCatalog()
    bound = bind(catalog, claim(start=FOLLOWS))
    assert (bound.pipeline_file, bound.source, bound.output) == ("a.toml", "in", "out")
    assert (bound.generation, bound.generation_number) == ("one", 1)
    assert len(bound.catalog_id) == 32
    assert catalog.read_binding() == bound


@pytest.mark.parametrize("changes", [{"pipeline_file": "b.toml"}, {"source": "in2"}])
def test_a_process_with_another_pipeline_file_or_source_is_refused_until_a_person_binds_the_catalog_again(
    catalog: MemoryCatalog, changes: dict[str, Any]
) -> None:
    known = catalog.read_binding()
    with pytest.raises(BindingRefused, match=r"--rebind"):
        bind(catalog, claim(**changes))
    assert catalog.read_binding() == known
    bound = bind(catalog, claim(start=Start(sets_generation=True, rebinds=True), **changes))
    assert {"pipeline_file": bound.pipeline_file, "source": bound.source}.items() >= changes.items()


def test_a_process_without_a_pipeline_file_name_keeps_the_bound_name(catalog: MemoryCatalog) -> None:
    assert bind(catalog, claim(pipeline_file="")).pipeline_file == "a.toml"


@pytest.mark.parametrize("start", [FOLLOWS, APPLIES, deploy("2026-01-01")])
def test_binding_the_same_generation_again_keeps_its_number(catalog: MemoryCatalog, start: Start) -> None:
    assert bind(catalog, claim(start=start)).generation_number == 1


def test_a_person_sets_the_generation_and_an_unattended_process_does_not(catalog: MemoryCatalog) -> None:
    with pytest.raises(Superseded):
        bind(catalog, claim("two", FOLLOWS))
    bound = bind(catalog, claim("two"))
    assert (bound.generation, bound.generation_number) == ("two", 2)
    with pytest.raises(Superseded):
        bind(catalog, claim("one", FOLLOWS))
    assert bind(catalog, claim("one")).generation_number == 3, "an older file is a generation like any other"


def test_a_newer_deployment_sets_the_generation_and_an_older_deployment_does_not(
    catalog: MemoryCatalog,
) -> None:
    bound = bind(catalog, claim("two", deploy("2026-01-02")))
    assert (bound.generation, bound.deployed_at) == ("two", "2026-01-02")
    with pytest.raises(Superseded):
        bind(catalog, claim("old", deploy("2026-01-01")))
    assert bind(catalog, claim("one", deploy("2026-01-03"))).generation == "one", "a rollback is the newest"


def test_a_person_replaces_the_generation_of_a_deployment_with_the_option_take_over(
    catalog: MemoryCatalog,
) -> None:
    bind(catalog, claim("two", deploy("2026-01-02")))
    with pytest.raises(BindingRefused, match=r"--take-over"):
        bind(catalog, claim("three"))
    bind(catalog, claim("three", Start(sets_generation=True, takes_over=True)))
    assert bind(catalog, claim("four")).generation == "four", "a person set the generation in force"


def test_only_a_person_changes_the_output_store_and_the_binding_keeps_the_former_store(
    catalog: MemoryCatalog,
) -> None:
    unattended = claim(start=FOLLOWS, output="out2")
    standing = Standing(catalog, bind(catalog, unattended), unattended)
    was_bound = standing.is_output_bound
    bound = bind(catalog, claim(output="out2"))
    assert (bound.output, bound.former_outputs) == ("out2", ("out",))
    assert standing.refresh() == bound
    assert (was_bound, standing.is_output_bound) == (False, True)
    assert bind(catalog, claim(output="out")).former_outputs == ("out2",)


def test_a_process_whose_catalog_lost_its_binding_stops_and_names_this_cause() -> None:
    catalog = MemoryCatalog()
    standing = Standing(MemoryCatalog(), bind(catalog, claim()), claim())
    with pytest.raises(Superseded, match="emptied or replaced"):
        standing.refresh()


def test_a_binding_that_a_newer_release_wrote_is_refused() -> None:
    catalog = MemoryCatalog()
    catalog.write_binding(Binding("id", "a.toml", "in", "out", "one", schema=2))
    with pytest.raises(CatalogTooNew):
        bind(catalog, claim())


def test_the_second_of_two_processes_that_bind_at_once_supersedes_the_first() -> None:
    """The first write of the second process is refused.

    This process then reads the first process's binding and compares again.
    """
    catalog = MemoryCatalog()

    class Raced:
        def __getattr__(self, name: str) -> Any:
            return getattr(catalog, name)

        def write_binding(self, binding: Binding) -> Binding:
            if catalog.read_binding() is None:
                bind(catalog, claim())
                raise Conflict("another process was faster")
            return catalog.write_binding(binding)

    raced: Any = Raced()
    assert bind(raced, claim("two")).generation_number == 2


def test_a_superseded_process_stops_before_it_writes_and_leaves_no_lease() -> None:
    world = World()
    world.bind()
    world.upload(NAME, b"one")
    world.upload("b.jpg", b"two")
    old = world.processor("old")
    world.pipeline = make_pipeline(thumb=Rendition(width=77))
    world.bind()
    assert world.processor("new").process(NAME).result == "done"
    before = world.catalog.get(NAME)
    with pytest.raises(Superseded):
        old.process(NAME)
    assert world.catalog.get(NAME) == before
    assert old.process("b.jpg").result == "done", "it can't know before it meets the newer generation"
    world.settle()
    assert all(record.lease is None for record in world.catalog.list())
    world.check_promise()


def test_a_process_that_is_superseded_while_it_renders_does_not_overwrite_the_newer_result() -> None:
    world = World()
    world.bind()
    world.upload(NAME, b"one")
    old = world.processor("old")
    render = old.render

    def supersede(*args: Any) -> Any:
        world.gone.add("old")
        world.pipeline = make_pipeline(thumb=Rendition(width=77))
        world.bind()
        world.processor("new").process(NAME)
        return render(*args)

    object.__setattr__(old, "render", supersede)
    with pytest.raises(Superseded):
        old.process(NAME)
    world.settle()
    world.check_promise()


def test_a_process_continues_when_its_generation_is_in_force_again() -> None:
    """A person applies a changed file, and later applies the former file again."""
    world = World()
    world.bind()
    world.upload(NAME, b"one")
    first, pipeline = world.processor("first"), world.pipeline
    world.pipeline = make_pipeline(thumb=Rendition(width=77))
    world.bind()
    world.pipeline = pipeline
    world.bind()
    world.processor("third").process(NAME)
    world.upload(NAME, b"two")
    assert first.process(NAME).result == "done"
    record = world.catalog.get(NAME)
    assert record
    assert record.generation == 3
    world.check_promise()


UNDECLARED = Held("renditions", 60, "they are too many", datetime(2026, 1, 1, tzinfo=UTC))


def drop_rendition(world: World) -> None:
    """Make a picture, and apply a pipeline without ``large``.

    The outputs of ``large`` are held, as after a reload that drops many renditions.
    """
    world.bind()
    world.upload(NAME, b"one")
    world.settle()
    world.pipeline = make_pipeline(thumb=Rendition(width=200))
    world.bind()
    hold(world.catalog, [UNDECLARED])


@pytest.mark.parametrize("start", [FOLLOWS, APPLIES], ids=["a follower", "a watch"])
def test_a_follower_and_a_watch_keep_held_outputs_that_a_sync_by_a_person_deletes(start: Start) -> None:
    world = World()
    drop_rendition(world)
    world.bind(start)
    assert world.processor().process(NAME).result == "done"
    assert len(list(world.output.list())) == 2
    assert [difference.action for difference in world.parts().plan_tick("")] == ["keep"]
    world.bind(replace(APPLIES, deletes_undeclared=True))
    assert world.processor().process(NAME).result == "done"
    assert len(list(world.output.list())) == 1


def test_only_an_attended_run_ends_the_hold_on_undeclared_outputs() -> None:
    world = World()
    drop_rendition(world)
    removals = Held("removals", 9, "they are gone", UNDECLARED.since)
    hold(world.catalog, [removals])
    assert {each.what for each in world.bind().held_renditions} == {"renditions"}
    binding = world.catalog.read_binding()
    assert binding
    assert {each.what for each in binding.held} == {"removals", "renditions"}
    hold(world.catalog, [removals], is_attended=True)
    assert world.bind().held_renditions == ()

"""Families of renditions, and pictures that are too small for some widths."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashing import never_render
from renditions.core.ask import ALLOWED, Ask
from renditions.core.leases import wish
from renditions.model.families import expand
from renditions.model.pipeline import Pipeline
from renditions.model.recipe import Rendition
from renditions.model.wishes import Wishes
from world import NAME, Crash, Steps, World, make_pipeline

FAMILY = Rendition(widths=(480, 960, 1600), formats=("avif", "jpeg"))


class FamilyWorld(World):
    """A world for one picture."""

    @property
    def files(self) -> list[str]:
        """The names of the files of the picture."""
        return sorted(found.key.removeprefix(f"{NAME}/") for found in self.output.list())


def pipeline_of(**tables: Rendition) -> Pipeline:
    members = {name: each for table in tables for name, each in expand(table, tables[table]).items()}
    return make_pipeline((), **members)


@pytest.fixture
def world() -> FamilyWorld:
    world = FamilyWorld(pipeline_of(photo=FAMILY))
    world.upload(NAME, b"800 pixels")
    return world


def test_the_record_of_a_small_picture_names_the_stand_ins(world: FamilyWorld) -> None:
    assert world.processor().process(NAME).result == "done"
    assert world.record().stand_ins == (
        ("photo-1600-avif", "photo-960-avif"),
        ("photo-1600-jpeg", "photo-960-jpeg"),
    )
    assert [made.rendition for made in world.record().outputs] == [
        "photo-480-avif", "photo-480-jpeg", "photo-960-avif", "photo-960-jpeg",
    ]  # fmt: skip
    assert len(world.files) == 4
    assert world.plan() == []
    served = world.record().serving_output("photo-1600-avif")
    assert served == world.record().find_output("photo-960-avif")


def test_a_rendition_with_a_stand_in_costs_no_further_write_and_leaves_no_claim(world: FamilyWorld) -> None:
    steps = Steps()
    world.processor(steps=steps).process(NAME)
    assert steps.names.count("MemoryCatalog.write") == 2
    assert world.catalog.owners.keys() == {made.key for made in world.record().outputs}


def test_only_the_file_of_a_stand_in_is_made_again_after_it_was_deleted(world: FamilyWorld) -> None:
    world.settle()
    before = world.record()
    world.lose_outputs([f"{NAME}/photo-960-avif.avif"])
    asks = replace(ALLOWED, verify="quick")
    assert [each.make for each in world.differences(ask=asks)] == [("photo-960-avif",)]
    world.processor().process(NAME, asks)
    assert world.record().stand_ins == before.stand_ins
    assert len(world.files) == 4
    assert [each.action for each in world.differences(ask=asks)] == ["keep"]


def test_a_touched_picture_keeps_its_stand_ins(world: FamilyWorld) -> None:
    world.settle()
    before = world.record()
    world.source.touch(NAME)
    assert world.plan() == [(NAME, "settle")]
    world.settle()
    assert world.record().stand_ins == before.stand_ins
    assert world.record().etag != before.etag


def test_a_renamed_family_keeps_its_files_and_its_stand_ins(world: FamilyWorld) -> None:
    keyed = replace(FAMILY, key="{name}/{width}.{ext}")
    world.pipeline = pipeline_of(photo=keyed)
    world.settle()
    before = {found.key: found.etag for found in world.output.list()}
    assert len(world.record().stand_ins) == 2
    world.pipeline = pipeline_of(pic=keyed)
    (difference,) = world.differences()
    assert (difference.make, difference.why) == ((), "pic was renamed from photo")
    world.processor(render=never_render).process(NAME)
    assert {found.key: found.etag for found in world.output.list()} == before
    assert dict(world.record().stand_ins)["pic-1600-avif"] == "pic-960-avif"
    assert world.plan() == []
    world.check_promise()


def test_a_rendition_that_leaves_its_family_keeps_its_file_under_its_new_name(world: FamilyWorld) -> None:
    single = Rendition(width=480, format="jpeg", key="{name}/{width}.{ext}")
    world.pipeline = pipeline_of(photo=replace(FAMILY, key="{name}/{width}.{ext}"))
    world.settle()
    world.pipeline = pipeline_of(small=single)
    (difference,) = world.differences()
    assert (difference.make, difference.why) == ((), "small was renamed from photo-480-jpeg")
    world.processor(render=never_render).process(NAME)
    assert world.record().stand_ins == ()
    assert [made.rendition for made in world.record().outputs] == ["small"]
    world.check_promise()


def test_a_larger_picture_gets_a_file_for_each_width_and_a_smaller_picture_gets_fewer(
    world: FamilyWorld,
) -> None:
    world.settle()
    world.upload(NAME, b"2000 pixels")
    world.settle()
    assert len(world.files) == 6
    assert not world.record().stand_ins
    world.upload(NAME, b"300 pixels")
    world.settle()
    assert world.files == ["photo-480-avif.avif", "photo-480-jpeg.jpg"]
    assert dict(world.record().stand_ins)["photo-960-jpeg"] == "photo-480-jpeg"
    assert world.catalog.owners.keys() == {f"{NAME}/{file}" for file in world.files}
    world.upload(NAME, b"bad")
    world.processor().process(NAME)
    assert (world.record().status, world.record().stand_ins, world.files) == ("rejected", (), [])


def test_the_files_of_a_family_are_made_again_after_the_recipe_changed(world: FamilyWorld) -> None:
    world.settle()
    world.pipeline = pipeline_of(photo=replace(FAMILY, quality=50))
    (difference,) = world.differences()
    assert len(difference.make) == 6  # the other recipe may enlarge
    world.settle()
    assert len(world.files) == 4
    assert {made.fingerprint for made in world.record().outputs} == {
        world.pipeline.fingerprints()[made.rendition] for made in world.record().outputs
    }


def test_each_rendition_of_a_family_gets_its_own_file_if_the_recipe_enlarges(world: FamilyWorld) -> None:
    world.settle()
    world.pipeline = pipeline_of(photo=replace(FAMILY, enlarge=True))
    world.settle()
    assert len(world.files) == 6
    assert world.record().stand_ins == ()
    assert world.catalog.owners.keys() == {f"{NAME}/{file}" for file in world.files}
    world.check_promise()


def test_a_width_gets_its_own_file_when_its_stand_in_is_no_longer_declared(world: FamilyWorld) -> None:
    world.settle()
    world.pipeline = pipeline_of(photo=replace(FAMILY, widths=(480, 1600)))
    (difference,) = world.differences()
    assert difference.make == ("photo-1600-avif", "photo-1600-jpeg")
    world.settle()
    assert [made.rendition for made in world.record().outputs][2:] == ["photo-1600-avif", "photo-1600-jpeg"]
    world.pipeline = pipeline_of(photo=replace(FAMILY, widths=(480, 900, 1600)))
    world.settle()
    assert dict(world.record().stand_ins)["photo-1600-avif"] == "photo-900-avif"
    assert len(world.files) == 4


def test_the_key_of_a_rendition_with_a_stand_in_may_hold_a_foreign_file(world: FamilyWorld) -> None:
    """A picture that needs the key is rejected, as with any foreign file."""
    world.overwrite(f"{NAME}/photo-1600-avif.avif", b"foreign")
    assert world.processor().process(NAME).result == "done"
    assert world.record().refused_keys == ()
    assert world.content(f"{NAME}/photo-1600-avif.avif") == b"foreign"
    assert world.plan() == []
    world.upload(NAME, b"2000 pixels")
    assert world.processor().process(NAME).result == "rejected"
    assert world.content(f"{NAME}/photo-1600-avif.avif") == b"foreign"


@pytest.mark.parametrize("more", [{}, {"thumb": Rendition(width=90)}], ids=["alone", "with a copy"])
def test_the_key_of_a_width_that_is_added_later_may_hold_a_foreign_file(
    world: FamilyWorld, more: dict[str, Rendition]
) -> None:
    """In an earlier version, no stand-in was found if nothing had to be rendered.

    The simulator found this.
    """
    world.pipeline = pipeline_of(photo=replace(FAMILY, widths=(480, 960)), small=Rendition(width=90))
    world.settle()
    world.overwrite(f"{NAME}/photo-1600-avif.avif", b"foreign")
    world.pipeline = pipeline_of(photo=FAMILY, **more)
    assert world.processor().process(NAME).result == "done"
    assert dict(world.record().stand_ins)["photo-1600-avif"] == "photo-960-avif"
    assert world.content(f"{NAME}/photo-1600-avif.avif") == b"foreign"
    assert world.plan() == []


def test_a_single_requested_rendition_is_made_without_its_stand_in(world: FamilyWorld) -> None:
    world.processor().process(NAME, Ask(renditions=frozenset({"photo-1600-avif"})))
    assert world.files == ["photo-1600-avif.avif"]
    world.settle()
    assert len(world.files) == 4
    assert dict(world.record().stand_ins)["photo-1600-avif"] == "photo-960-avif"


def test_a_requested_rendition_has_a_stand_in_only_if_the_stand_in_is_also_requested(
    world: FamilyWorld,
) -> None:
    world.pipeline = pipeline_of(photo=replace(FAMILY, formats=("avif",), on_demand=True))
    world.settle()
    assert world.files == []
    wish(world.catalog, world.record(), Wishes(demanded=("photo-1600-avif",)))
    world.settle()
    assert world.files == ["photo-1600-avif.avif"]
    wish(world.catalog, world.record(), Wishes(demanded=("photo-1600-avif", "photo-960-avif")))
    world.settle()
    assert world.files == ["photo-960-avif.avif"]
    assert world.record().stand_ins == (("photo-1600-avif", "photo-960-avif"),)


WIDTHS = st.lists(st.sampled_from([300, 480, 700, 960, 1600]), min_size=1, max_size=4, unique=True)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from([b"200 small", b"500 middle", b"800 large", b"2000 huge"]),
        WIDTHS,
        st.none() | st.integers(0, 3),
        st.sampled_from([{}, {"quality": 50}, {"enlarge": True}]),
    ),
    min_size=2,
    max_size=5,
)


@settings(deadline=None, max_examples=150)
@given(CHANGES)
def test_the_files_of_a_family_depend_only_on_the_picture_and_the_pipeline(
    changes: list[tuple[bytes, list[int], int | None, dict[str, Any]]],
) -> None:
    """Earlier pictures, widths, recipes and requests make no difference."""
    world = FamilyWorld()
    for content, widths, asked, fields in changes:
        family = Rendition(widths=tuple(widths), **fields)
        world.pipeline = pipeline_of(photo=family)
        world.upload(NAME, content)
        if asked is not None:
            names = frozenset({f"photo-{widths[asked % len(widths)]}"})
            world.processor().process(NAME, Ask(renditions=names))
            assert all(world.record().serving_output(name) for name in names)
        world.settle()
    fresh = FamilyWorld(world.pipeline)
    fresh.upload(NAME, content)
    fresh.settle()
    assert world.files == fresh.files
    assert dict(world.record().stand_ins) == dict(fresh.record().stand_ins)
    assert {name: world.content(f"{NAME}/{name}") for name in world.files} == {
        name: fresh.content(f"{NAME}/{name}") for name in fresh.files
    }
    assert world.catalog.owners.keys() == {f"{NAME}/{file}" for file in world.files}
    for name in world.pipeline.renditions:
        assert world.record().serving_output(name)


def test_a_sync_after_a_crash_at_any_step_leaves_only_the_files_of_the_new_picture(
    world: FamilyWorld,
) -> None:
    """A small picture replaces a large one.

    So some files are replaced, and others are deleted.
    """

    def die() -> None:
        raise Crash

    world.upload(NAME, b"2000 pixels")
    for at in range(200):
        world.gone.clear()
        world.settle()
        world.upload(NAME, b"800 pixels")
        steps = Steps(at=at, before=die)
        try:
            world.processor("dies", steps).process(NAME)
        except Crash:
            world.gone.add("dies")
        world.settle()
        assert len(world.files) == 4
        assert len(world.record().stand_ins) == 2
        assert world.catalog.owners.keys() == {f"{NAME}/{file}" for file in world.files}
        if steps.count <= at:
            break
        world.upload(NAME, b"2000 pixels")
    else:
        raise AssertionError("the picture takes more than 200 steps")

"""The removal guard: what a run may remove or make again without a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from renditions.core import reconcile
from renditions.core.ask import Ask
from renditions.core.guard import Guard, RemovalWindow
from renditions.core.leases import permit_removal
from renditions.core.marker import Marker
from renditions.core.reconcile import sync
from renditions.core.summary import Summary
from renditions.model.source import MaxRemovals
from world import World

HOUR_SECONDS = 3600.0
QUICK = Ask(verify="quick")
LIMITS = "(the limits of [source] max_removals)"


@pytest.fixture(autouse=True)
def no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "LONGEST_PAUSE", timedelta())


def make_world(pictures: int, folder: str = "", world: World | None = None) -> World:
    """Return a world with this many pictures and their outputs."""
    world = world or World()
    for number in range(pictures):
        world.upload(f"{folder}{number:03}.jpg", b"%d" % number)
    sync(world.run())
    return world


def remove(world: World, names: Iterator[str] | list[str]) -> None:
    for name in list(names):
        world.remove(name)


def list_names(world: World) -> list[str]:
    return [found.key for found in world.source.list()]


def why_held(summary: Summary) -> list[tuple[str, int, str]]:
    return [(held.what, held.count, held.why) for held in summary.held]


@pytest.mark.parametrize(("missing", "is_held"), [(50, False), (51, True)])
def test_sync_holds_removals_of_more_than_fifty_pictures_and_more_than_30_percent(
    missing: int, is_held: bool
) -> None:
    world = make_world(120)
    remove(world, list_names(world)[:missing])
    summary = sync(world.run())
    assert world.known == (120 if is_held else 120 - missing)
    assert bool(summary.held) == is_held
    assert summary.all_done != is_held


def test_sync_removes_many_pictures_if_they_are_a_small_share_of_the_catalog() -> None:
    world = make_world(200)
    remove(world, list_names(world)[:55])
    assert not sync(world.run()).held
    assert world.known == 145


def test_a_declared_limit_replaces_its_default() -> None:
    world = make_world(10)
    world.pipeline = replace(
        world.pipeline, source=replace(world.pipeline.source, max_removals=MaxRemovals(pictures=1))
    )
    remove(world, list_names(world)[:4])
    assert why_held(sync(world.run())) == [
        ("removals", 4, f"4 of 10 pictures are gone: more than 1, and more than 30 % {LIMITS}")
    ]


def test_sync_removes_none_of_twenty_pictures_if_the_source_is_empty() -> None:
    world = make_world(20)
    remove(world, list_names(world))
    assert why_held(sync(world.run())) == [
        ("removals", 20, "the source has no matching picture, but the catalog has 20 records")
    ]
    assert world.known == 20
    assert len(list(world.output.list())) == 40


def test_sync_removes_the_last_nineteen_pictures_if_the_source_is_empty() -> None:
    world = make_world(19)
    remove(world, list_names(world))
    assert not sync(world.run()).held
    assert world.known == 0


@pytest.mark.parametrize("exists", [True, False])
def test_removals_are_held_if_an_emptied_folder_still_exists(exists: bool) -> None:
    world = make_world(20, "a/b/", make_world(100, "c/"))
    remove(world, [name for name in list_names(world) if name.startswith("a/")])
    if exists:
        world.source.folders.add("a/")
    held = why_held(sync(world.run()))
    assert world.known == (120 if exists else 100)
    assert held == (
        [("removals", 20, "the folder a/ exists, but all of its pictures are gone")] if exists else []
    )


def test_a_run_with_held_removals_processes_new_pictures() -> None:
    world = make_world(20)
    remove(world, list_names(world))
    world.upload("new.jpg", b"new")
    world.pipeline = replace(
        world.pipeline, source=replace(world.pipeline.source, max_removals=MaxRemovals(pictures=0))
    )
    summary = sync(world.run())
    assert (summary.results, len(summary.held)) == ({"done": 1}, 1)
    assert world.known == 21


def test_a_person_can_allow_the_removal_of_missing_pictures() -> None:
    world = make_world(20)
    remove(world, list_names(world))
    assert sync(world.run()).held
    for record in list(world.catalog.list()):
        permit_removal(world.catalog, record, world.now + timedelta(days=1))
    assert not sync(world.run()).held
    assert world.known == 0


def test_a_later_run_uses_a_stored_permission_that_has_not_ended() -> None:
    world = make_world(30)
    remove(world, list_names(world))
    for record in list(world.catalog.list())[:10]:
        world.catalog.write(replace(record, removable_until=world.now + timedelta(days=1)))
    for record in list(world.catalog.list())[10:15]:
        world.catalog.write(replace(record, removable_until=world.now - timedelta(days=1)))
    summary = sync(world.run())
    assert world.known == 20
    assert [held.count for held in summary.held] == [20]


def test_the_permission_to_remove_a_picture_ends_when_the_picture_comes_back() -> None:
    world = make_world(1)
    (record,) = world.catalog.list()
    world.remove(record.name)
    world.catalog.write(replace(record, removable_until=world.now + timedelta(days=1)))
    world.upload(record.name, b"back")
    sync(world.run())
    (record,) = world.catalog.list()
    assert (record.status, record.removable_until) == ("done", None)


@pytest.mark.parametrize("there", [1, 19])
def test_without_the_marker_even_a_few_removals_are_held(there: int) -> None:
    world = make_world(20)
    remove(world, list_names(world)[there:])
    guard = replace(world.guard, is_marker_missing=lambda: True)
    ((what, count, why),) = why_held(sync(world.run(guard=guard)))
    assert (what, count) == ("removals", 20 - there)
    assert "marker" in why


def test_new_pictures_from_another_disk_do_not_lift_the_hold_on_removals() -> None:
    """After the first sync, the other disk's pictures have records.

    So they are half of the known pictures, or more.
    """
    world = make_world(4)
    remove(world, list_names(world))
    for number in range(8):
        world.upload(f"other-{number}.jpg", b"other %d" % number)
    renewed: list[bool] = []
    guard = replace(world.guard, is_marker_missing=lambda: True, renew_marker=lambda: renewed.append(True))
    for _ in range(3):
        assert [(what, count) for what, count, _ in why_held(sync(world.run(guard=guard)))] == [
            ("removals", 4)
        ]
    assert (world.known, renewed) == (12, [])


@pytest.mark.parametrize(
    ("known", "there", "new", "is_renewed"),
    [(0, 0, 0, False), (0, 0, 1, True), (4, 2, 0, True), (4, 1, 9, False), (4, 0, 0, False)],
)
def test_a_full_sync_renews_the_marker_if_half_of_the_known_pictures_exist(
    known: int, there: int, new: int, is_renewed: bool
) -> None:
    world = make_world(known)
    remove(world, list_names(world)[there:])
    for number in range(new):
        world.upload(f"new-{number}.jpg", b"new %d" % number)
    renewed: list[bool] = []
    sync(world.run(guard=replace(world.guard, renew_marker=lambda: renewed.append(True))))
    assert bool(renewed) == is_renewed


def test_a_plan_and_a_run_over_some_pictures_do_not_change_the_marker() -> None:
    world = make_world(4)
    renewed: list[bool] = []
    guard = replace(world.guard, renew_marker=lambda: renewed.append(True))
    list(world.parts().preview())
    assert not world.source.markers
    sync(world.run(guard=replace(guard, catalog_size=lambda: world.known)))
    assert renewed == []


def test_the_marker_counts_as_missing_only_after_the_catalog_wrote_one() -> None:
    world = World()
    marker = Marker(world.source, world.catalog, is_read_only=False)
    assert not marker.is_missing()
    marker.renew()
    assert not world.source.markers, "without a binding there is no id yet"
    catalog_id = world.bind().catalog_id
    assert not marker.is_missing(), "version 0.1 wrote none"
    marker.renew()
    assert world.source.markers == {catalog_id}
    world.source.markers.clear()
    assert marker.is_missing()


def test_a_lost_marker_of_a_read_only_source_no_longer_counts_as_missing_after_a_renewal() -> None:
    world = World()
    world.bind()
    Marker(world.source, world.catalog, is_read_only=False).renew()
    marker = Marker(world.source, world.catalog, is_read_only=True)
    assert not marker.is_missing()
    marker.renew()
    world.source.markers.clear()
    assert marker.is_missing()
    marker.renew()
    assert not marker.is_missing()
    assert not world.source.markers


def test_plan_shows_the_removals_that_sync_would_hold() -> None:
    world = make_world(20)
    assert [difference.action for difference in world.parts().preview()] == ["keep"] * 20
    remove(world, list_names(world)[:3])
    plans = list(world.parts().preview())
    assert [difference.action for difference in plans[-3:]] == ["remove"] * 3
    remove(world, list_names(world))
    plans = list(world.parts().preview())
    assert {(difference.action, difference.why) for difference in plans} == {
        ("hold", "the source has no matching picture, but the catalog has 20 records")
    }


def test_the_file_events_of_one_hour_together_respect_the_removal_limits() -> None:
    known, seconds = 100, 0.0
    guard = Guard(MaxRemovals(pictures=10, percent=0.0), window=RemovalWindow(lambda: seconds))

    def remove_at(moment: float) -> bool:
        nonlocal known, seconds
        seconds = moment
        if is_allowed := guard.allows_one_more(known, 0):
            known -= 1
            guard.window.note()
        return is_allowed

    assert [remove_at(float(second)) for second in range(12)] == [True] * 10 + [False] * 2
    assert known == 90
    assert not remove_at(HOUR_SECONDS - 1)
    assert remove_at(HOUR_SECONDS), "the first is an hour ago"
    assert not remove_at(HOUR_SECONDS), "the others aren't"


@pytest.mark.parametrize("at_once", [1, 4, 40])
def test_file_events_respect_the_removal_limits_while_removals_are_in_progress(at_once: int) -> None:
    """Removals that were allowed and aren't finished count too.

    The catalog still has the records of these pictures.
    """
    guard = Guard(MaxRemovals())
    known, removed, in_progress, is_allowed = 210, 0, 0, True
    while is_allowed or in_progress:
        is_allowed = guard.allows_one_more(known, in_progress)
        in_progress += is_allowed
        if in_progress and (in_progress == at_once or not is_allowed):
            known, removed, in_progress = known - 1, removed + 1, in_progress - 1
            guard.window.note()
    assert removed == 63, "30 % of 210"


def test_removals_of_the_last_hour_count_in_the_next_sync() -> None:
    seconds = 0.0
    world = make_world(200)
    guard = replace(world.guard, window=RemovalWindow(lambda: seconds))
    remove(world, list_names(world)[:60])
    assert not sync(world.run(guard=guard)).held
    remove(world, list_names(world)[:1])
    gone = "61 of 200 pictures are gone, including 60 that were removed within the last hour"
    why = f"{gone}: more than 50, and more than"
    assert why_held(sync(world.run(guard=guard))) == [("removals", 1, f"{why} 30 % {LIMITS}")]
    assert world.known == 140
    seconds = HOUR_SECONDS
    assert not sync(world.run(guard=guard)).held
    assert world.known == 139


def test_file_events_remove_nothing_while_the_marker_is_missing() -> None:
    guard = Guard(MaxRemovals(), is_marker_missing=lambda: True)
    assert not guard.allows_one_more(100, 0)


@pytest.mark.parametrize(("is_attended", "made"), [(True, 40), (False, 0)])
def test_an_empty_output_store_is_filled_again_only_by_an_attended_run(is_attended: bool, made: int) -> None:
    world = make_world(20)
    world.lose_outputs()
    guard = replace(world.guard, is_attended=is_attended)
    summary = sync(world.run(ask=QUICK, guard=guard))
    assert len(list(world.output.list())) == made
    assert [held.what for held in summary.held] == ([] if is_attended else ["output"])


def test_an_unattended_run_restores_lost_outputs_if_other_outputs_still_exist() -> None:
    world = make_world(20)
    keys = [found.key for found in world.output.list()]
    world.lose_outputs(keys[:-1])
    summary = sync(world.run(ask=QUICK, guard=replace(world.guard, is_attended=False)))
    assert not summary.held
    assert len(list(world.output.list())) == 40


def test_an_unattended_run_with_another_output_store_makes_outputs_only_for_new_pictures() -> None:
    world = make_world(3)
    world.move_output("elsewhere")
    world.upload("new.jpg", b"new")
    guard = replace(world.guard, is_attended=False, is_output_bound=False)
    summary = sync(world.run(guard=guard))
    assert [(held.what, held.count) for held in summary.held] == [("output", 3)]
    assert [found.key for found in world.output.list()] == ["new.jpg/large.jpg", "new.jpg/thumb.jpg"]

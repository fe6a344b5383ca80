"""Held work in a catalog's binding, and the notices about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from doubles import MemoryCatalog, MemoryNotifier
from renditions.core.binding import Claimant, bind, hold
from renditions.errors import NotifyFailed
from renditions.model.binding import Binding, Held, HeldNotice
from renditions.model.record import Notice

THEN = datetime(2026, 1, 2, tzinfo=UTC)
REMOVALS = Held("removals", 60, "60 of 100 pictures are gone", THEN)
OUTPUT = Held("output", 7, "none of 7 known outputs is there", THEN)


class BrokenNotifier:
    """A target that is unreachable at first."""

    def __init__(self, failures: int) -> None:
        self._failures = failures
        self.delivered = MemoryNotifier()

    def send(self, notice: Notice | HeldNotice) -> None:
        self._failures -= 1
        if self._failures >= 0:
            raise NotifyFailed("the topic doesn't answer")
        self.delivered.send(notice)


def open_catalog() -> MemoryCatalog:
    catalog = MemoryCatalog()
    bind(catalog, Claimant("renditions.toml", "./inbox", "./processed", "g1"))
    return catalog


def read(catalog: MemoryCatalog) -> Binding:
    binding = catalog.read_binding()
    assert binding
    return binding


def test_every_target_gets_one_notice_about_newly_held_work() -> None:
    catalog, one, other = open_catalog(), MemoryNotifier(), MemoryNotifier()
    for count in (60, 61, 62):
        held = Held("removals", count, f"{count} are gone", THEN + timedelta(hours=count))
        hold(catalog, [held], {"one": one, "other": other})
    for target in (one, other):
        (notice,) = target.held
        assert notice.to_item() == {
            "event": "removals_held",
            "count": 60,
            "why": "60 are gone",
            "since": "2026-01-04T12:00:00.000000Z",
        }
    (stored,) = read(catalog).held
    assert (stored.count, stored.since) == (62, THEN + timedelta(hours=60))
    hold(catalog, [Held("removals", 62, "they are gone", THEN), OUTPUT], {"one": one})
    assert [notice.event for notice in one.held] == ["removals_held", "output_held"]


def test_work_that_is_held_again_after_permission_is_reported_again() -> None:
    catalog, target = open_catalog(), MemoryNotifier()
    for held in ([REMOVALS], [], [REMOVALS]):
        hold(catalog, held, {"one": target})
    assert len(target.held) == 2


def test_an_attended_run_stores_held_work_without_a_notice() -> None:
    catalog, target = open_catalog(), MemoryNotifier()
    hold(catalog, [REMOVALS])
    hold(catalog, [REMOVALS], {"one": target})
    assert read(catalog).held == (REMOVALS,)
    assert target.held == []


def test_a_notice_about_held_work_is_sent_later_if_it_fails() -> None:
    catalog, broken, working = open_catalog(), BrokenNotifier(1), MemoryNotifier()
    for _ in range(3):
        hold(catalog, [REMOVALS], {"one": broken, "other": working})
    assert (len(broken.delivered.held), len(working.held)) == (1, 1)


def test_a_binding_keeps_held_work_when_it_is_stored_as_json() -> None:
    catalog = open_catalog()
    hold(catalog, [REMOVALS, OUTPUT], {"one": BrokenNotifier(9)})
    assert Binding.from_item(read(catalog).to_item()) == read(catalog)

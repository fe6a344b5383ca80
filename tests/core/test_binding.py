"""Held work in a catalog's binding, and the notices about this work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from doubles import MemoryCatalog, MemoryNotifier
from renditions.core.binding import Claimant, bind
from renditions.core.outbox import Outbox
from renditions.errors import NotifyFailed
from renditions.model.binding import Binding, Held
from renditions.model.notices import Notice

THEN = datetime(2026, 1, 2, tzinfo=UTC)
REMOVALS = Held("removals", 60, "60 of 100 pictures are gone", THEN)
OUTPUT = Held("output", 7, "none of 7 known outputs is there", THEN)


class BrokenNotifier:
    """A target that is unreachable for its first notices."""

    def __init__(self, failures: int) -> None:
        self._failures = failures
        self.delivered = MemoryNotifier()

    def send(self, notice: Notice) -> None:
        self._failures -= 1
        if self._failures >= 0:
            raise NotifyFailed("the topic doesn't answer")
        self.delivered.send(notice)


def open_catalog() -> MemoryCatalog:
    catalog = MemoryCatalog()
    bind(catalog, Claimant("renditions.toml", "./inbox", "./processed", "g1"))
    return catalog


def open_outbox(
    catalog: MemoryCatalog, now: datetime = THEN, **notifiers: MemoryNotifier | BrokenNotifier
) -> Outbox:
    return Outbox(catalog, notifiers, lambda: now)


def read(catalog: MemoryCatalog) -> Binding:
    binding = catalog.read_binding()
    assert binding
    return binding


def test_every_target_gets_one_notice_about_newly_held_work() -> None:
    catalog, one, other = open_catalog(), MemoryNotifier(), MemoryNotifier()
    for count in (60, 61, 62):
        held = Held("removals", count, f"{count} are gone", THEN + timedelta(hours=count))
        open_outbox(catalog, one=one, other=other).hold([held], is_attended=False)
    for target in (one, other):
        (notice,) = target.held
        assert notice.to_item() == {
            "event": "removals_held",
            "what": "removals",
            "count": 60,
            "why": "60 are gone",
            "since": "2026-01-04T12:00:00.000000Z",
        }
    (stored,) = read(catalog).held
    assert (stored.count, stored.since) == (62, THEN + timedelta(hours=60))
    both = [Held("removals", 62, "they are gone", THEN), OUTPUT]
    open_outbox(catalog, one=one).hold(both, is_attended=False)
    assert [notice.event for notice in one.held] == ["removals_held", "output_held"]
    assert list(catalog.unsent_notices()) == []


def test_work_that_is_held_again_after_no_work_was_held_causes_another_notice() -> None:
    catalog, target = open_catalog(), MemoryNotifier()
    for held in ([REMOVALS], [], [REMOVALS]):
        open_outbox(catalog, one=target).hold(held, is_attended=False)
    assert len(target.held) == 2


def test_no_notice_is_sent_about_held_work_that_an_attended_run_stored() -> None:
    catalog, target = open_catalog(), MemoryNotifier()
    outbox = open_outbox(catalog, one=target)
    outbox.hold([REMOVALS], is_attended=True)
    outbox.hold([REMOVALS], is_attended=False)
    assert read(catalog).held == (REMOVALS,)
    assert target.held == []


def test_a_notice_about_held_work_that_could_not_be_sent_is_sent_later() -> None:
    catalog, broken, working = open_catalog(), BrokenNotifier(1), MemoryNotifier()
    for minutes in (0, 4, 6, 7):
        outbox = open_outbox(catalog, THEN + timedelta(minutes=minutes), one=broken, other=working)
        outbox.hold([REMOVALS], is_attended=False)
        outbox.send_due()
        assert len(broken.delivered.held) == (minutes >= 5)
    assert len(working.held) == 1


def test_an_unsent_notice_about_held_work_is_dropped_when_no_work_is_held() -> None:
    catalog, broken = open_catalog(), BrokenNotifier(1)
    open_outbox(catalog, one=broken).hold([REMOVALS], is_attended=False)
    later = open_outbox(catalog, THEN + timedelta(hours=1), one=broken)
    later.hold([], is_attended=True)
    later.send_due()
    assert broken.delivered.held == []
    assert list(catalog.unsent_notices()) == []


def test_a_binding_with_held_work_is_read_back_unchanged_from_json() -> None:
    catalog = open_catalog()
    open_outbox(catalog, one=BrokenNotifier(9)).hold([REMOVALS, OUTPUT], is_attended=False)
    assert Binding.from_item(read(catalog).to_item()) == read(catalog)

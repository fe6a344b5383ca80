"""Notices that wait for a digest."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from core.test_outbox import Deaf, unsent
from doubles import MemoryNotifier
from notices.http_receiver import Receiver, receiving
from notices.test_webhook import SECRET
from renditions.core.ask import ALLOWED
from renditions.core.circuits import Circuits
from renditions.core.outbox import Outbox, send_again
from renditions.errors import NotifyFailed
from renditions.local.sqlite import SqliteCatalog
from renditions.model.binding import Held
from renditions.model.digest import MOST_GROUPS, MOST_NAMES, Digest, Reported
from renditions.model.notices import FIRST_PAUSE, Notice, UnsentNotice
from renditions.model.notify import Notify
from renditions.model.record import Record
from renditions.notices.signature import verify
from renditions.notices.webhook import WebhookNotifier
from world import World, make_pipeline

HOURLY = Notify(on=("done", "rejected", "failed", "removed"), to="log:", digest=3600.0)
HOUR = timedelta(hours=1)


@pytest.fixture
def world() -> World:
    world = World(make_pipeline(notify=(HOURLY,)))
    world.bind()
    return world


def send_due(world: World, notifier: Deaf | MemoryNotifier | None = None, *, is_end: bool = False) -> None:
    notifiers = {HOURLY.target: notifier or world.notifier}
    Outbox(world.catalog, notifiers, world.clock, world.pipeline.notify).send_due(is_end=is_end)


def digests(world: World) -> list[Digest]:
    """Return the digests that were sent, and check that no other notices were sent."""
    sent = [*world.notifier.sent, *world.notifier.held]
    assert {notice.event for notice in sent} <= {"digest"}
    return [notice.subject for notice in sent if isinstance(notice.subject, Digest)]


def test_a_digest_is_sent_when_its_oldest_notice_has_the_declared_age(
    world: World,
) -> None:
    for name, content in (("a.jpg", b"one"), ("b.jpg", b"bad"), ("c.jpg", b"bad")):
        world.upload(name, content)
        outcome = world.processor().process(name)
        assert outcome.again_after is None
        world.now += timedelta(minutes=10)
    assert (digests(world), len(unsent(world)), world.plan()) == ([], 3, [])
    world.now += timedelta(minutes=29)
    send_due(world)
    assert digests(world) == []
    world.now += timedelta(minutes=2)
    send_due(world)
    (digest,) = digests(world)
    assert [(group.event, group.count, group.names) for group in digest.groups] == [
        ("rejected", 2, ["b.jpg", "c.jpg"]),
        ("done", 1, ["a.jpg"]),
    ]
    assert digest.count == 3
    assert unsent(world) == []
    world.now += 2 * HOUR
    send_due(world)
    assert len(digests(world)) == 1


def test_a_run_sends_its_digest_when_it_ends_but_at_most_one_digest_in_each_period(world: World) -> None:
    for minutes, sent in ((0, 1), (5, 1), (50, 1), (10, 2)):
        world.now += timedelta(minutes=minutes)
        world.upload(f"{minutes}.jpg", b"bad")
        world.processor().process(f"{minutes}.jpg")
        send_due(world, is_end=True)
        assert len(digests(world)) == sent
    assert [digest.count for digest in digests(world)] == [1, 3]
    assert unsent(world) == []


def test_a_digest_includes_removed_pictures(world: World) -> None:
    world.upload("a.jpg", b"one")
    world.processor().process("a.jpg")
    world.remove("a.jpg")
    assert world.processor().process("a.jpg", ALLOWED).result == "removed"
    send_due(world, is_end=True)
    (digest,) = digests(world)
    assert digest.describe() == "1 picture: 1 removed. 1 removed (a.jpg)."


def test_a_notice_about_held_work_does_not_wait_for_the_digest(world: World) -> None:
    outbox = Outbox(world.catalog, {HOURLY.target: world.notifier}, world.clock, (HOURLY,))
    outbox.hold([Held("removals", 60, "60 of 100 pictures are gone", world.now)], is_attended=False)
    assert [notice.event for notice in world.notifier.held] == ["removals_held"]
    assert unsent(world) == []


def test_a_digest_that_could_not_be_sent_is_sent_after_growing_pauses(world: World) -> None:
    for number in range(3):
        world.upload(f"{number}.jpg", b"bad")
        world.processor().process(f"{number}.jpg")
    deaf = Deaf(NotifyFailed)
    send_due(world, deaf, is_end=True)
    world.upload("3.jpg", b"bad")
    world.processor().process("3.jpg")
    send_due(world, deaf, is_end=True)
    assert deaf.attempts == 1, "the pause isn't over"
    assert {each.reason for each in unsent(world)} == {"no such topic", ""}
    world.now += FIRST_PAUSE
    send_due(world, deaf)
    world.now += FIRST_PAUSE
    send_due(world, deaf)
    assert deaf.attempts == 2
    world.now += 2 * FIRST_PAUSE
    send_due(world)
    assert [digest.count for digest in digests(world)] == [4]
    assert unsent(world) == []


def test_a_digest_that_was_given_up_is_listed_and_sent_again_on_request(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    world.upload("a.jpg", b"bad")
    world.processor().process("a.jpg")
    for _ in range(12):
        send_due(world, Deaf(), is_end=True)
        world.now += timedelta(hours=7)
    (given_up,) = unsent(world)
    assert (given_up.again_at, given_up.attempts) == (None, 10)
    assert caplog.messages[-2].endswith("A later run tries again")
    assert caplog.messages[-1].endswith("so Renditions gave up this notice. Run renditions notices --resend")
    world.upload("b.jpg", b"bad")
    world.processor().process("b.jpg")
    send_due(world, is_end=True)
    send_again(world.catalog, unsent(world), world.now)
    send_due(world)
    assert [digest.pictures[0].name for digest in digests(world)] == ["b.jpg", "a.jpg"]


def test_a_digest_reports_the_present_status_of_each_picture(world: World) -> None:
    """In an earlier version, a digest trusted the times of notices.

    If the clocks of two workers differ, an older notice can have a newer time. The simulator found this.
    """
    for hours, content in ((3, b"bad"), (-2, b"one")):
        world.now += timedelta(hours=hours)
        world.upload("a.jpg", content)
        world.processor().process("a.jpg")
    assert {each.event for each in unsent(world)} == {"rejected", "done"}
    world.now += 5 * HOUR
    send_due(world)
    (digest,) = digests(world)
    assert [(each.name, each.event) for each in digest.pictures] == [("a.jpg", "done")]
    assert unsent(world) == []


def test_a_notice_that_arrives_while_a_digest_is_sent_waits_for_the_next_digest(world: World) -> None:
    class Slow(MemoryNotifier):
        def send(self, notice: Notice) -> None:
            super().send(notice)
            world.upload("a.jpg", b"one")
            world.processor().process("a.jpg")

    world.upload("a.jpg", b"bad")
    world.processor().process("a.jpg")
    slow = Slow()
    world.now += 2 * HOUR
    send_due(world, slow)
    assert [notice.describe() for notice in slow.held] == [
        "1 picture: 1 rejected. 1 rejected: it is bad (a.jpg)."
    ]
    assert [each.event for each in unsent(world)] == ["done"]
    world.now += 2 * HOUR
    send_due(world)
    assert [digest.headline for digest in digests(world)] == ["1 picture: 1 done"]


def test_a_digest_leaves_out_a_picture_in_progress_and_keeps_its_notice(world: World) -> None:
    for name in ("a.jpg", "b.jpg"):
        world.upload(name, b"bad")
        world.processor().process(name)
    record = world.catalog.get("a.jpg")
    assert record
    world.catalog.write(replace(record, status="processing"))
    for _ in range(2):
        world.now += 2 * HOUR
        send_due(world)
    assert [digest.pictures[0].name for digest in digests(world)] == ["b.jpg"]
    assert [each.name for each in unsent(world)] == ["a.jpg"]


def test_collected_notices_are_sent_as_one_message_after_the_digest_is_no_longer_declared(
    world: World,
) -> None:
    for number in range(3):
        world.upload(f"{number}.jpg", b"bad")
        world.processor().process(f"{number}.jpg")
    world.pipeline = make_pipeline(notify=(replace(HOURLY, digest=None),))
    send_due(world, is_end=True)
    assert [digest.count for digest in digests(world)] == [3]


def make_reported(number: int, reason: str, code: str = "") -> Reported:
    return Reported("failed", f"{number}.jpg", World().now + timedelta(seconds=number), reason, code)


def test_a_digest_lists_the_most_frequent_causes_and_adds_up_all_other_causes() -> None:
    rare = [make_reported(number, f"cause {number}") for number in range(100)]
    often = [make_reported(1_000 + number, f"broken {number}", "damaged") for number in range(50)]
    digest = Digest.of([*rare, *often])
    first, *_, last = digest.groups
    assert (first.code, first.reason, first.count) == ("damaged", "broken 0", 50)
    assert first.names == [f"{1_000 + number}.jpg" for number in range(MOST_NAMES)]
    assert len(digest.groups) == MOST_GROUPS + 1
    assert (last.reason, last.count, len(last.names)) == ("", 100 - MOST_GROUPS + 1, MOST_NAMES)
    assert sum(group.count for group in digest.groups) == digest.count == 150
    item = json.loads(json.dumps(Notice("digest", digest).to_item()))
    assert (item["event"], item["count"]) == ("digest", 150)


def test_ten_thousand_notices_while_the_receiver_is_down_become_one_message() -> None:
    """The receiver is a real HTTP server."""
    with receiving() as receiver:
        world, outbox = fail_with_webhook(receiver, 10_000)
        assert receiver.got == []
        receiver.status = 503
        outbox.send_due(is_end=True)
        outbox.send_due(is_end=True)
        assert len(receiver.got) == 1, "the pause isn't over"
        assert {each.attempts for each in unsent(world)} == {1}
        receiver.got.clear()
        receiver.status = 200
        world.now += FIRST_PAUSE
        outbox.send_due(is_end=True)
    ((headers, body),) = receiver.got
    verify(headers, body, SECRET)
    message = json.loads(body)
    assert (message["event"], message["count"]) == ("digest", 10_000)
    groups = [(group["event"], group["code"], group["count"]) for group in message["groups"]]
    assert groups == [("rejected", "source-unreadable", 9_000), ("failed", "worker-died", 1_000)]
    assert all(group["reason"] and len(group["names"]) == MOST_NAMES for group in message["groups"])
    assert len(body) < 10_000
    assert unsent(world) == []


def test_notices_collected_in_the_catalog_file_are_sent_after_the_file_is_opened_again(
    tmp_path: Path,
) -> None:
    with receiving() as receiver:
        with SqliteCatalog(tmp_path / "catalog.db") as catalog:
            _, outbox = fail_with_webhook(receiver, 120, catalog)
            receiver.status = 503
            outbox.send_due(is_end=True)
        receiver.status = 204
        with SqliteCatalog(tmp_path / "catalog.db") as catalog:
            send_again(catalog, list(catalog.unsent_notices()), outbox.clock())
            replace(outbox, catalog=catalog, circuits=Circuits()).send_due()
            assert list(catalog.unsent_notices()) == []
    assert [json.loads(body)["count"] for _, body in receiver.got] == [120, 120]


def fail_with_webhook(
    receiver: Receiver, pictures: int, catalog: SqliteCatalog | None = None
) -> tuple[World, Outbox]:
    """Collect notices about this many pictures, as in a minute of processing.

    Every tenth picture has failed, and the others are rejected. Return the world, and the outbox that will
    send the notices.
    """
    reference = "${HOOK}"
    hook = Notify(on=("failed", "rejected"), to=f"webhook:{receiver.url}", secret=reference, digest=3600.0)
    world = World(make_pipeline(notify=(hook,)))
    notifiers = {hook.target: WebhookNotifier(hook, {"HOOK": SECRET})}
    outbox = Outbox(catalog or world.catalog, notifiers, world.clock, world.pipeline.notify)
    for number in range(pictures):
        when = world.now + timedelta(milliseconds=6) * number
        record = Record(f"{number:05}.jpg", "rejected", when, f"broken at byte {number}", "source-unreadable")
        if number % 10 == 0:
            record = replace(record, status="failed", reason="a process died", code="worker-died")
        outbox.catalog.write(record)
        unsent = UnsentNotice(record.status, hook.target, record.name, when, when)
        assert not outbox.send(unsent, Notice(record.status, record))
    world.now += timedelta(minutes=1)
    return world, outbox

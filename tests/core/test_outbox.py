"""Notices that are refused by a target, wait, are dropped, or aren't sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from doubles import MemoryNotifier
from notices.http_receiver import receiving
from notices.test_webhook import SECRET
from renditions.core.ask import ALLOWED, Ask
from renditions.core.leases import reopen
from renditions.core.outbox import Outbox, send_again
from renditions.core.reconcile import sync
from renditions.errors import NotifyFailed, NotifyRefused
from renditions.messages.intake import needs_redelivery
from renditions.model.notices import FIRST_PAUSE, MOST_SENDINGS, Notice, Removal, UnsentNotice
from renditions.model.notify import Notify
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition
from renditions.model.record import OwedNotice
from renditions.notices import webhook
from renditions.notices.webhook import WebhookNotifier
from world import LOG, World, make_pipeline

NAME = "photo.jpg"
ALL = Notify(on=("done", "rejected", "failed", "removed"), to="log:")


class Deaf:
    """A target that refuses every notice."""

    def __init__(self, error: type[NotifyFailed] = NotifyRefused) -> None:
        self._error = error
        self.attempts = 0

    def send(self, notice: Notice) -> None:
        self.attempts += 1
        raise self._error("no such topic")


@pytest.fixture
def world() -> World:
    return World(make_pipeline(notify=(ALL,)))


def outbox(world: World, notifier: Deaf | MemoryNotifier | None = None) -> Outbox:
    return Outbox(world.catalog, {ALL.target: notifier or world.notifier}, world.clock)


def unsent(world: World) -> list[UnsentNotice]:
    return list(world.catalog.unsent_notices())


def events(world: World) -> list[str]:
    return [notice.event for notice in world.notifier.sent]


@pytest.mark.parametrize("error", [NotifyFailed, NotifyRefused])
def test_a_picture_is_done_although_its_notice_was_refused(world: World, error: type[NotifyFailed]) -> None:
    world.upload(NAME, b"one")
    outcome = world.processor(notifiers={ALL.target: Deaf(error)}).process(NAME)
    assert (outcome.result, outcome.again_after, needs_redelivery(outcome)) == ("done", None, False)
    assert world.plan() == []
    (kept,) = unsent(world)
    assert (kept.name, kept.event, kept.attempts, kept.reason) == (NAME, "done", 1, "no such topic")


def test_after_a_failure_a_run_keeps_the_other_notices_of_the_target_without_sending_them(
    world: World,
) -> None:
    deaf = Deaf()
    processor = world.processor(notifiers={ALL.target: deaf})
    for number in range(5):
        world.upload(f"{number}.jpg", b"one")
        assert processor.process(f"{number}.jpg").result == "done"
    assert deaf.attempts == 1
    assert sorted(each.attempts for each in unsent(world)) == [0, 0, 0, 0, 1]
    assert {each.reason for each in unsent(world)} == {"no such topic"}
    world.now += FIRST_PAUSE
    world.upload("5.jpg", b"one")
    world.upload("6.jpg", b"one")
    processor.process("5.jpg")
    processor.process("6.jpg")
    assert deaf.attempts == 2, "one more attempt after each pause"
    world.now += FIRST_PAUSE
    replace(outbox(world), circuits=processor.circuits).send_due()
    assert (len(events(world)), unsent(world)) == (7, [])


def test_a_run_waits_only_once_for_a_receiver_that_does_not_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 0.5)
    with receiving() as receiver:
        receiver.delay_seconds = 60
        hook = Notify(on=("done",), to=f"webhook:{receiver.url}", secret="${HOOK}")  # noqa: S106
        world.pipeline = make_pipeline(notify=(hook,))
        notifiers = {hook.target: WebhookNotifier(hook, {"HOOK": SECRET})}
        processor = world.processor(notifiers=notifiers)
        for number in range(20):
            world.upload(f"{number}.jpg", b"one")
            assert processor.process(f"{number}.jpg").result == "done"
        assert len(receiver.got) == 1
        receiver.delay_seconds = 0
        receiver.closing.set()
        world.now += 2 * FIRST_PAUSE
        Outbox(world.catalog, notifiers, world.clock).send_due()
        assert len(receiver.got) == 21
    assert unsent(world) == []


def test_refused_notices_do_not_fail_a_sync(world: World) -> None:
    for number in range(5):
        world.upload(f"{number}.jpg", b"one")
    summary = sync(world.run(world.processor(notifiers={ALL.target: Deaf()}).process))
    assert (summary.results["done"], summary.waiting, summary.all_done) == (5, 0, True)
    assert len(unsent(world)) == 5


def test_a_refused_notice_is_retried_after_growing_pauses_and_finally_only_listed(world: World) -> None:
    world.upload(NAME, b"one")
    deaf = Deaf()
    world.processor(notifiers={ALL.target: deaf}).process(NAME)
    pauses = []
    for _ in range(MOST_SENDINGS - 1):
        (kept,) = unsent(world)
        assert kept.again_at
        outbox(world, deaf).send_due()
        assert unsent(world) == [kept], "it isn't due yet"
        pauses.append((kept.again_at - world.now).total_seconds() // 60 + 1)
        world.now = kept.again_at
        outbox(world, deaf).send_due()
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 360, 360]
    (given_up,) = unsent(world)
    assert (given_up.again_at, given_up.attempts, deaf.attempts) == (None, MOST_SENDINGS, MOST_SENDINGS)
    world.now += timedelta(days=30)
    outbox(world, deaf).send_due()
    assert (unsent(world), deaf.attempts) == ([given_up], MOST_SENDINGS)
    send_again(world.catalog, unsent(world), world.now)
    outbox(world).send_due()
    assert (events(world), unsent(world)) == (["done"], [])


def test_the_log_says_after_the_last_attempt_that_the_notice_was_given_up(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    world.upload(NAME, b"one")
    deaf = Deaf()
    world.processor(notifiers={ALL.target: deaf}).process(NAME)
    while again_at := unsent(world)[0].again_at:
        world.now = again_at
        outbox(world, deaf).send_due()
    failure = "Can't send the notice 'done' of photo.jpg now: no such topic. "
    *earlier, last = caplog.messages
    assert earlier == [f"{failure}A later run tries again"] * (MOST_SENDINGS - 1)
    given_up = "10 attempts failed, so Renditions gave up this notice. Run renditions notices --resend"
    assert last == f"{failure}{given_up}"


def test_a_failing_target_gets_only_one_attempt_after_each_pause(world: World) -> None:
    for number in range(5):
        world.upload(f"{number}.jpg", b"one")
    deaf = Deaf()
    for number in range(5):
        world.processor(notifiers={ALL.target: deaf}).process(f"{number}.jpg")
    assert deaf.attempts == 5, "each processor is another process here"
    world.now += timedelta(hours=1)
    outbox(world, deaf).send_due()
    assert deaf.attempts == 6
    outbox(world, deaf).send_due()
    assert deaf.attempts == 6, "a later run waits too"
    world.now += timedelta(minutes=9)
    outbox(world, deaf).send_due()
    assert (deaf.attempts, events(world)) == (6, [])
    world.now += timedelta(minutes=2)
    outbox(world).send_due()
    assert (events(world), unsent(world)) == (["done"] * 5, [])


def test_a_notice_that_its_target_always_refuses_delays_others_only_once(world: World) -> None:
    class Picky(MemoryNotifier):
        def send(self, notice: Notice) -> None:
            if notice.name == "0.jpg":
                raise NotifyRefused("too large")
            super().send(notice)

    picky = Picky()
    processor = world.processor(notifiers={ALL.target: picky})
    for number in range(4):
        world.upload(f"{number}.jpg", b"one")
        processor.process(f"{number}.jpg")
    assert (picky.sent, len(unsent(world))) == ([], 4)
    for _ in range(2):
        world.now += 4 * FIRST_PAUSE
        outbox(world, picky).send_due()
        assert [notice.name for notice in picky.sent] == ["1.jpg", "2.jpg", "3.jpg"]
    (refused,) = unsent(world)
    assert (refused.name, refused.attempts) == ("0.jpg", 3)


def test_a_failing_target_does_not_delay_the_notices_of_another_target(world: World) -> None:
    other = Notify(on=("done",), to="sns:arn:aws:sns:eu-west-1:123456789012:other")
    world.pipeline = make_pipeline(notify=(ALL, other))
    deaf = Deaf()
    for number in range(3):
        world.upload(f"{number}.jpg", b"one")
        world.processor(notifiers={ALL.target: deaf, other.target: deaf}).process(f"{number}.jpg")
    world.now += timedelta(hours=1)
    Outbox(world.catalog, {ALL.target: deaf, other.target: world.notifier}, world.clock).send_due()
    assert events(world) == ["done"] * 3
    assert {each.target for each in unsent(world)} == {ALL.target}


def test_an_unsent_notice_is_dropped_when_the_status_of_its_picture_changes(world: World) -> None:
    world.upload(NAME, b"one")
    world.processor(notifiers={ALL.target: Deaf()}).process(NAME)
    world.upload(NAME, b"bad")
    world.processor().process(NAME)
    world.now += timedelta(hours=1)
    outbox(world).send_due()
    assert (events(world), unsent(world)) == (["rejected"], [])


def test_an_unsent_notice_waits_while_the_picture_is_processed(world: World) -> None:
    world.upload(NAME, b"one")
    world.processor(notifiers={ALL.target: Deaf()}).process(NAME)
    record = world.catalog.get(NAME)
    assert record
    world.catalog.write(replace(record, status="processing"))
    world.now += timedelta(hours=1)
    outbox(world).send_due()
    assert (events(world), len(unsent(world))) == ([], 1)


def test_a_notice_that_is_no_longer_true_does_not_prolong_the_pause_of_its_target(world: World) -> None:
    deaf = Deaf()
    box = outbox(world, deaf)
    world.upload(NAME, b"one")
    world.processor(notifiers={ALL.target: Deaf()}).process(NAME)
    world.now += timedelta(hours=1)
    box.send_due()
    assert deaf.attempts == 1
    world.upload(NAME, b"bad")
    world.processor().process(NAME)
    world.now += timedelta(minutes=7)
    world.upload("other.jpg", b"two")
    world.processor(notifiers={ALL.target: Deaf()}).process("other.jpg")
    world.now += timedelta(minutes=4)
    box.send_due()
    assert [each.name for each in unsent(world)] == ["other.jpg"]
    world.now += timedelta(minutes=2)
    box.send_due()
    assert deaf.attempts == 2


def test_an_unsent_notice_whose_target_is_no_longer_declared_is_dropped(world: World) -> None:
    world.upload(NAME, b"one")
    world.processor(notifiers={ALL.target: Deaf()}).process(NAME)
    Outbox(world.catalog, {}, world.clock).send_due()
    assert unsent(world) == []


def test_the_notice_about_a_removed_picture_has_its_former_keys(world: World) -> None:
    world.upload(NAME, b"one")
    world.settle()
    world.remove(NAME)
    assert world.processor().process(NAME, ALLOWED).result == "removed"
    assert events(world) == ["done", "removed"]
    item = world.notifier.sent[-1].to_item()
    assert item["image_name"] == NAME
    assert item["deleted"] == ["photo.jpg/large.jpg", "photo.jpg/thumb.jpg"]
    assert unsent(world) == []


def test_a_refused_notice_about_a_removal_is_sent_later(world: World) -> None:
    world.upload(NAME, b"one")
    world.settle()
    world.remove(NAME)
    outcome = world.processor(notifiers={ALL.target: Deaf()}).process(NAME, ALLOWED)
    assert (outcome.result, outcome.again_after, world.catalog.get(NAME)) == ("removed", None, None)
    world.now += timedelta(hours=1)
    outbox(world).send_due()
    assert events(world) == ["done", "removed"]
    assert isinstance(world.notifier.sent[-1].subject, Removal)


def test_an_unsent_notice_about_a_removal_is_dropped_when_the_picture_is_back(world: World) -> None:
    world.upload(NAME, b"one")
    world.settle()
    world.remove(NAME)
    world.processor(notifiers={ALL.target: Deaf()}).process(NAME, ALLOWED)
    world.upload(NAME, b"two")
    world.settle()
    world.now += timedelta(hours=1)
    outbox(world).send_due()
    assert (events(world), unsent(world)) == (["done", "done"], [])


def test_a_target_that_does_not_declare_removals_gets_no_notice_of_a_removal() -> None:
    world = World(make_pipeline(notify=(LOG,)))
    world.upload(NAME, b"one")
    world.settle()
    world.remove(NAME)
    world.settle()
    assert events(world) == ["done"]


@pytest.mark.parametrize("key", ["{rendition}/{name}", "{rendition}/always.jpg"], ids=["new key", "same key"])
def test_renaming_a_picture_causes_the_notice_done_and_no_notice_of_a_removal(key: str) -> None:
    world = World(make_pipeline(notify=(ALL,), thumb=Rendition(width=200, key=key)))
    world.upload(NAME, b"one")
    world.settle()
    world.remove(NAME)
    world.upload("renamed.jpg", b"one")
    assert world.processor().process("renamed.jpg").renamed_from == NAME
    world.settle()
    assert [(notice.event, notice.name) for notice in world.notifier.sent] == [
        ("done", NAME), ("done", "renamed.jpg"),
    ]  # fmt: skip


@pytest.mark.parametrize("content", [b"one", b"bad"])
def test_a_changed_rule_that_affects_no_picture_causes_no_notice(world: World, content: bytes) -> None:
    world.upload(NAME, content)
    world.settle()
    before = events(world)
    world.pipeline = replace(world.pipeline, accept=Accept(max_bytes=1_000))
    assert world.plan() == [(NAME, "update")]
    world.settle()
    assert world.plan() == []
    assert events(world) == before


def test_a_changed_rule_that_rejects_a_picture_causes_a_notice(world: World) -> None:
    world.upload(NAME, b"one")
    world.settle()
    world.pipeline = replace(world.pipeline, accept=Accept(max_bytes=1))
    world.settle()
    assert events(world) == ["done", "rejected"]


def test_a_touched_picture_and_a_restored_output_cause_no_notice(world: World) -> None:
    world.upload(NAME, b"one")
    world.settle()
    world.source.touch(NAME)
    world.settle()
    world.lose_outputs()
    world.processor().process(NAME, Ask(verify="quick"))
    assert len(list(world.output.list())) == 2
    assert events(world) == ["done"]


def test_a_new_upload_that_is_rejected_for_the_same_reason_causes_a_notice(world: World) -> None:
    for content in (b"bad", b"bad too"):
        world.upload(NAME, content)
        world.settle()
    assert events(world) == ["rejected", "rejected"]


def test_retrying_a_rejected_picture_without_a_change_causes_no_notice(world: World) -> None:
    world.upload(NAME, b"bad")
    world.settle()
    record = world.catalog.get(NAME)
    assert record
    assert reopen(world.catalog, record)
    world.settle()
    assert events(world) == ["rejected"]


def test_an_unsent_notice_is_still_sent_after_a_rule_changed(world: World) -> None:
    world.upload(NAME, b"one")
    processor = world.processor()
    processor.process(NAME)
    record = world.catalog.get(NAME)
    assert record
    world.notifier.sent.clear()
    world.catalog.write(replace(record, owed=(OwedNotice("done", ALL.target),)))
    world.pipeline = replace(world.pipeline, accept=Accept(max_bytes=1_000))
    world.settle()
    assert events(world) == ["done"]


def test_an_unsent_notice_is_dropped_if_its_picture_is_interrupted_and_then_deleted(world: World) -> None:
    """In an earlier version, such a notice was never dropped.

    It waited for the picture, whose record keeps the status ``processing``. The simulator found this.
    """
    world.upload(NAME, b"one")
    world.processor(notifiers={ALL.target: Deaf()}).process(NAME)
    record = world.catalog.get(NAME)
    assert record
    world.catalog.write(replace(record, status="processing", missing_since=world.clock()))
    send_again(world.catalog, unsent(world), world.clock())
    outbox(world).send_due()
    assert unsent(world) == []
    assert events(world) == []


def test_a_notice_that_failed_while_the_clock_was_ahead_is_sent_after_the_clock_was_put_back(
    world: World,
) -> None:
    present = world.now
    world.now += timedelta(days=365)
    world.upload(NAME, b"one")
    processor = world.processor(notifiers={ALL.target: Deaf(NotifyFailed)})
    processor.process(NAME)
    world.now = present
    outbox(world).send_due()
    assert events(world) == ["done"]
    world.upload(NAME, b"two")
    assert processor.circuits.find_pause(ALL.target, world.now) is None


def test_a_digest_is_sent_after_a_clock_that_was_ahead_was_put_back(world: World) -> None:
    present = world.now
    world.now += timedelta(days=365)
    day = 86400.0
    entry = replace(ALL, digest=day)
    world.pipeline = replace(world.pipeline, notify=(entry,))
    world.upload(NAME, b"one")
    world.processor().process(NAME)
    world.now = present
    Outbox(world.catalog, {entry.target: world.notifier}, world.clock, (entry,)).send_due()
    assert len(world.notifier.sent + world.notifier.held) == 1

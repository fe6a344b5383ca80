"""The worker on moto's queue, and the command ``worker``.

The stores and the catalog are in memory, except in the tests of the command.
"""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aws.account import Account, count_messages, make_queue
from commands import RENDITIONS, draw, run
from contract.cloud import CLIENTS, name_of
from messages.test_tick import make_tick
from renditions.aws.sqs import Queue, Received
from renditions.core.ask import PLAIN, Ask
from renditions.core.outcome import Outcome
from renditions.core.process import Process
from renditions.errors import QueueFailed, QueueRefused, Superseded
from renditions.messages.events import SyncRequest, encode_change, encode_sync
from renditions.messages.intake import redelivery_pause
from renditions.messages.worker import Times, Worker
from renditions.model.lease import Lease
from renditions.model.places import S3Place
from renditions.model.recipe import Rendition
from renditions.model.record import Record
from renditions.pipeline_file.reading import read_preset
from world import World

pytestmark = pytest.mark.usefixtures("aws")

PLACE = S3Place("photos", "in/")
QUICK = Times(poll=1, first_pause=0)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Make a queue and its dead-letter queue, and return the queue's URL.

    The dead-letter queue gets messages that were delivered three times.
    """
    return make_queue(name_of(tmp_path), 30)[0]


def send(url: str, *bodies: str) -> None:
    for body in bodies:
        CLIENTS.sqs.send_message(QueueUrl=url, MessageBody=body)


def send_pictures(url: str, *names: str) -> None:
    send(url, *(encode_change("photos", f"in/{name}") for name in names))


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def working(
    queue: Queue, world: World, process: Process | None = None, times: Times = QUICK
) -> Iterator[list[Outcome]]:
    """Run a worker of two threads during the block; yield its outcomes."""
    told: list[Outcome] = []
    stop = threading.Event()
    tick = make_tick(world, queue.send)
    worker = Worker(queue, PLACE, process or world.processor().process, tick, 2, told.append, times)
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        yield told
    finally:
        stop.set()
        thread.join()


def test_messages_of_done_or_rejected_pictures_are_deleted(world: World, url: str) -> None:
    world.upload("first.jpg", b"1")
    world.upload("bad.jpg", b"bad")
    send_pictures(url, "first.jpg", "bad.jpg", "missing.jpg")
    with working(Queue(CLIENTS.sqs, url), world) as told:
        wait_until(lambda: count_messages(url) == 0)
    results = {outcome.name: outcome.result for outcome in told}
    assert results == {"first.jpg": "done", "bad.jpg": "rejected", "missing.jpg": "unchanged"}
    world.check_promise()


def test_a_message_is_redelivered_until_its_picture_is_done(world: World, url: str) -> None:
    world.upload("first.jpg", b"1")
    send_pictures(url, "first.jpg")
    process = world.processor(output=world.break_writes(1)).process
    with working(Queue(CLIENTS.sqs, url), world, process) as told:
        wait_until(lambda: count_messages(url) == 0)
    assert [outcome.result for outcome in told] == ["failed", "done"]
    world.check_promise()


def test_the_message_of_a_picture_that_always_fails_reaches_the_dead_letter_queue(
    world: World, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The processing raises an unexpected error, which affects no other message."""
    world.upload("second.jpg", b"2")
    calls: list[str] = []

    def process(name: str, ask: Ask = PLAIN) -> Outcome:
        calls.append(name)
        if name == "first.jpg":
            raise ZeroDivisionError("oh")
        return world.processor().process(name, ask)

    send_pictures(url, "first.jpg", "second.jpg")
    with working(Queue(CLIENTS.sqs, url), world, process):
        wait_until(lambda: count_messages(f"{url}-dead") == 1)
    assert sorted(calls) == ["first.jpg"] * 3 + ["second.jpg"]
    assert "ZeroDivisionError: oh" in caplog.text
    assert count_messages(url) == 0


def test_the_message_of_a_picture_that_waits_for_a_removal_is_deleted_and_a_tick_finds_it(
    world: World, url: str
) -> None:
    world.pipeline = replace(world.pipeline, renditions={"thumb": Rendition(width=200, key="{name}")})
    world.upload("a/photo.jpg", b"1")
    world.settle()
    world.remove("a/photo.jpg")
    world.upload("b/photo.jpg", b"2")
    send_pictures(url, "b/photo.jpg")
    with working(Queue(CLIENTS.sqs, url), world) as told:
        wait_until(lambda: count_messages(url) == 0)
    assert count_messages(f"{url}-dead") == 0
    assert [(outcome.result, outcome.blocked_by) for outcome in told] == [("waiting", "a/photo.jpg")]
    assert "still belongs to a/photo.jpg" in (told[0].reason or "")
    assert ("b/photo.jpg", "create") in world.plan()


def test_the_pauses_after_failed_messages_and_failed_queue_requests_double_up_to_a_limit() -> None:
    assert [redelivery_pause((), deliveries) for deliveries in (1, 2, 3, 6, 5000)] == [30, 60, 120, 900, 900]
    assert [Times().silence_after(attempt) for attempt in (0, 1, 5, 6, 5000)] == [1, 2, 32, 60, 60]


def test_a_message_whose_picture_failed_stays_hidden_for_a_while(world: World, url: str) -> None:
    world.upload("first.jpg", b"1")
    send_pictures(url, "first.jpg")
    process = world.processor(output=world.break_writes(1)).process
    with working(Queue(CLIENTS.sqs, url), world, process, replace(QUICK, first_pause=30)) as told:
        wait_until(lambda: bool(told))
    assert Queue(CLIENTS.sqs, url).receive(wait_seconds=0) == []
    assert count_messages(url) == 1


def test_a_message_of_a_leased_picture_stays_hidden_until_the_lease_ends(world: World, url: str) -> None:
    """If the queue redelivered it before that, the worker could only hide it again."""
    world.upload("first.jpg", b"1")
    until = datetime.now(UTC) + timedelta(seconds=4)
    leased = Record("first.jpg", "processing", world.now, lease=Lease("killed", until))
    world.catalog.write(leased)

    def process(name: str, ask: Ask = PLAIN) -> Outcome:
        world.now = datetime.now(UTC)
        return replace(world.processor(), is_gone=None).process(name, ask)

    send_pictures(url, "first.jpg")
    with working(Queue(CLIENTS.sqs, url), world, process) as told:
        wait_until(lambda: count_messages(url) == 0)
    assert [outcome.result for outcome in told] == ["waiting", "done"]
    world.check_promise()


def test_the_message_of_a_slow_picture_stays_hidden(world: World, url: str) -> None:
    """The picture takes three times as long as one renewal hides its message."""
    send_pictures(url, "slow.jpg")
    begun, over = threading.Event(), threading.Event()

    def process(name: str, ask: Ask = PLAIN) -> Outcome:
        begun.set()
        assert over.wait(60)
        return Outcome(name, "done")

    with working(Queue(CLIENTS.sqs, url), world, process, replace(QUICK, hold=1, beat=0.2)) as told:
        assert begun.wait(60)
        seen = [Queue(CLIENTS.sqs, url).receive(wait_seconds=1) for _ in range(3)]
        over.set()
        wait_until(lambda: count_messages(url) == 0)
    assert seen == [[]] * 3
    assert len(told) == 1


def test_messages_of_a_killed_worker_are_redelivered(world: World, url: str) -> None:
    send_pictures(url, "first.jpg")
    (taken,) = Queue(CLIENTS.sqs, url).receive(hide_seconds=1)
    world.upload("first.jpg", b"1")
    with working(Queue(CLIENTS.sqs, url), world):
        wait_until(lambda: count_messages(url) == 0)
    assert taken.deliveries == 1
    world.check_promise()


def test_unknown_messages_are_reported_and_left_for_the_dead_letter_queue(
    world: World, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Another program may need them. S3's test event is known, and deleted."""
    send(
        url, "not JSON", encode_change("other", "a.jpg"), '{"Service": "Amazon S3", "Event": "s3:TestEvent"}'
    )
    with working(Queue(CLIENTS.sqs, url), world) as told:
        wait_until(lambda: count_messages(url) == 0)
    assert told == []
    assert {record.getMessage() for record in caplog.records if record.levelno == logging.ERROR} == {
        f"{why}. The message is left for the dead-letter queue."
        for why in (
            "the message isn't understood: not JSON",
            "s3://other/a.jpg isn't in the source, s3://photos/in/",
        )
    }
    dead = {message.body for message in Queue(CLIENTS.sqs, f"{url}-dead").receive(wait_seconds=2)}
    assert dead == {"not JSON", encode_change("other", "a.jpg")}


def test_a_tick_sends_one_message_for_each_differing_picture(world: World, url: str) -> None:
    for number in range(25):
        world.upload(f"{number:02}.jpg", b"%d" % number)
    send(url, encode_sync(SyncRequest()))
    with working(Queue(CLIENTS.sqs, url), world) as told:
        wait_until(lambda: len(told) == 25 and count_messages(url) == 0)
    world.check_promise()


def test_a_stopped_worker_has_received_only_as_many_messages_as_it_could_start(
    world: World, url: str
) -> None:
    names = [f"{number}.jpg" for number in range(6)]
    send_pictures(url, *names)
    stop, go = threading.Event(), threading.Event()
    begun = threading.Semaphore(0)
    told: list[Outcome] = []

    def process(name: str, ask: Ask = PLAIN) -> Outcome:
        begun.release()
        assert go.wait(60)
        return Outcome(name, "done")

    queue = Queue(CLIENTS.sqs, url)
    worker = Worker(queue, PLACE, process, make_tick(world, queue.send), 2, told.append, QUICK)
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    assert begun.acquire(timeout=60)
    assert begun.acquire(timeout=60)
    stop.set()
    found = CLIENTS.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert found["ApproximateNumberOfMessages"] == "4"
    go.set()
    thread.join()
    assert len(told) == 2
    assert count_messages(url) == 4


def test_a_superseded_worker_ends_and_gives_its_message_back(world: World, url: str) -> None:
    send_pictures(url, "first.jpg")
    queue = Queue(CLIENTS.sqs, url)

    def process(name: str, ask: Ask = PLAIN) -> Outcome:
        raise Superseded("another version is in force")

    worker = Worker(queue, PLACE, process, make_tick(world, queue.send), 1, lambda _: None, QUICK)
    with pytest.raises(Superseded):
        worker.run(threading.Event())
    assert len(queue.receive(wait_seconds=0)) == 1


def test_a_worker_that_is_superseded_after_it_was_stopped_reports_it(world: World, url: str) -> None:
    send_pictures(url, "first.jpg")
    stop = threading.Event()

    def process(name: str, ask: Ask = PLAIN) -> Outcome:
        stop.set()
        raise Superseded("another version is in force")

    worker = Worker(
        Queue(CLIENTS.sqs, url), PLACE, process, make_tick(world, lambda _: None), 2, lambda _: None, QUICK
    )
    with pytest.raises(Superseded):
        worker.run(stop)
    assert count_messages(url) == 1


class Away:
    """A queue whose first requests of each kind fail."""

    def __init__(self, queue: Queue, times: int, error: type[QueueFailed] = QueueFailed) -> None:
        self._queue = queue
        self._left = {"receive": times, "delete": times, "hide": times}
        self._error = error

    def __getattr__(self, name: str) -> Any:
        def step(*args: Any) -> Any:
            if self._left[name]:
                self._left[name] -= 1
                raise self._error(f"{name}: no route to the queue")
            return getattr(self._queue, name)(*args)

        return step


def test_a_worker_retries_while_its_queue_is_unreachable(
    world: World, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    world.upload("first.jpg", b"1")
    send_pictures(url, "first.jpg")
    away: Any = Away(Queue(CLIENTS.sqs, url), 1)
    with working(away, world, times=replace(QUICK, hold=1, beat=0.1)):
        wait_until(lambda: count_messages(url) == 0)
    messages = [record.getMessage() for record in caplog.records]
    assert "receive: no route to the queue. Trying again in 1 seconds." in messages
    redelivered = "The queue redelivers the message later, or moves it to its dead-letter queue."
    assert f"delete: no route to the queue. {redelivered}" in messages
    world.check_promise()


def test_the_worker_finishes_pictures_in_progress_and_ends_if_the_queue_refuses_it(
    world: World, url: str
) -> None:
    class Refusing(Queue):
        calls = 0

        def receive(self, *args: Any) -> list[Received]:
            self.calls += 1
            if self.calls > 1:
                raise QueueRefused("the policy changed")
            return super().receive(*args)

    world.upload("first.jpg", b"1")
    send_pictures(url, "first.jpg")
    process = world.processor().process
    queue = Refusing(CLIENTS.sqs, url)
    worker = Worker(queue, PLACE, process, make_tick(world, queue.send), 2, lambda _: None, QUICK)
    with pytest.raises(QueueRefused):
        worker.run(threading.Event())
    assert count_messages(url) == 0
    world.check_promise()


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    made = Account(name_of(tmp_path / "account"))
    for variable, value in made.environ().items():
        monkeypatch.setenv(variable, value)
    (tmp_path / "renditions.toml").write_text(read_preset("thumbnail"))
    draw(tmp_path / "photo.jpg")
    return made


def test_the_worker_command_runs_until_it_is_stopped(tmp_path: Path, account: Account, url: str) -> None:
    account.upload("photo.jpg", (tmp_path / "photo.jpg").read_bytes())
    send(url, encode_change(f"{account.table}-in", "photo.jpg"))
    with subprocess.Popen(
        [RENDITIONS, "worker", "--queue", url, "--json", "--workers", "1"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout
        line = json.loads(process.stdout.readline())
        wait_until(lambda: count_messages(url) == 0)
        process.send_signal(signal.SIGTERM)
        _, messages = process.communicate(timeout=60)
    assert (line["name"], line["result"]) == ("photo.jpg", "done")
    assert process.returncode == 0, messages
    assert list(account.read_outputs()) == ["thumb_photo.jpg"]


def test_the_worker_command_needs_a_bucket_and_a_queue(tmp_path: Path, account: Account, url: str) -> None:
    missing = run(tmp_path, "worker", "--queue", f"{url}-not")
    assert missing.code == 1
    assert f"{url}-not" in missing.err
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SOURCE_BUCKET")
        folder = run(tmp_path, "worker", "--queue", url)
    assert folder.code == 2
    assert "expected a source in a bucket, found" in folder.err

"""The handler's answers to each kind of event, with stores in memory."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from renditions.core.adopt import yield_unless_lost
from renditions.core.ask import PLAIN, Ask
from renditions.core.binding import Claimant, Start, bind, hold
from renditions.core.outcome import Outcome, retry_pause
from renditions.core.ports import IfMatch
from renditions.core.process import Process
from renditions.errors import Failed, StoreFailed, Superseded, WorkerDied
from renditions.imaging.memory import Memory
from renditions.messages.events import encode_change
from renditions.model.pipeline import Accept, Analyze, Limits
from renditions.model.places import S3Place
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendering
from renditions.serverless.allowance import Pace
from renditions.serverless.function import EXTRA_THREADS, Function
from renditions.serverless.room import Room
from renditions.serverless.telemetry import JsonLines, log_to_stdout
from world import World, hash_render, make_pipeline

EVENTS = Path(__file__).parents[1] / "messages" / "events"
BUCKET = "amzn-s3-demo-bucket"
PICTURES = ("first.jpg", "second.jpg", "third.jpg")


@dataclass
class Call:
    """A context whose remaining time the test sets."""

    left_seconds: float | Callable[[], float] = 60.0
    function_name: str = "pictures"
    aws_request_id: str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"

    def get_remaining_time_in_millis(self) -> int:
        left = self.left_seconds
        return int(1000 * (left() if callable(left) else left))


@pytest.fixture
def world() -> World:
    return World(make_pipeline(thumb=Rendition(width=200)))


def make(world: World, prefix: str = "", **changes: Any) -> Function:
    processor = world.processor(**changes)
    return make_function(world, processor.process, prefix)


def make_function(world: World, process: Process, prefix: str = "") -> Function:
    keep = partial(hold, world.catalog)
    return Function(S3Place(BUCKET, prefix), process, world.differences, lambda: world.guard, keep, threads=2)


@pytest.fixture(autouse=True)
def _json_lines() -> Iterator[None]:
    logger = logging.getLogger("renditions")
    before = logger.handlers, logger.level, logger.propagate
    log_to_stdout()
    yield
    logger.handlers, logger.level, logger.propagate = before


def load(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text())


def put(*keys: str) -> dict[str, Any]:
    """Return S3's notification of new objects with these keys."""
    (template,) = load("s3-put")["Records"]
    text = json.dumps(template)
    return {"Records": [json.loads(text.replace("2026/red+flower+%281%29.jpg", key)) for key in keys]}


def queue(*bodies: Any) -> dict[str, Any]:
    """Return an SQS event. The ids of its messages are 0, 1, …."""
    return {
        "Records": [
            {"eventSource": "aws:sqs", "messageId": str(number), "body": json.dumps(body)}
            for number, body in enumerate(bodies)
        ]
    }


def failures(answer: Any) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def read_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_every_picture_of_every_message_is_processed(world: World) -> None:
    for name in PICTURES:
        world.upload(name, name.encode())
    answer = make(world).handle(queue(put("first.jpg", "second.jpg"), put("third.jpg")), Call())
    assert answer == {"batchItemFailures": []}
    world.check_promise()


def test_only_failed_messages_of_a_batch_are_redelivered(world: World) -> None:
    """One write fails, one picture is damaged, and one is missing.

    Only the message of the first one is redelivered.
    """
    world.upload("throttled.jpg", b"t")
    world.upload("bad.jpg", b"bad")
    function = make(world, output=world.break_writes(1))
    batch = queue(put("throttled.jpg"), put("bad.jpg"), put("missing.jpg"))
    assert failures(function.handle(batch, Call())) == ["0"]
    assert failures(function.handle(batch, Call())) == []
    world.check_promise()


def test_the_picture_of_an_event_is_processed_once_although_many_threads_send_the_event(world: World) -> None:
    world.upload("first.jpg", b"1")
    function = make(world)
    ended = []
    threads = [
        threading.Thread(target=lambda: ended.append(function.handle(queue(put("first.jpg")), Call())))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ended) == 8
    assert function.handle(queue(put("first.jpg")), Call()) == {"batchItemFailures": []}
    assert len(world.notifier.sent) == 1
    world.check_promise()


def test_a_picture_with_two_messages_in_a_batch_is_processed_once(world: World) -> None:
    world.upload("first.jpg", b"1")
    calls: list[str] = []

    def process(name: str, ask: Ask = PLAIN) -> Outcome:
        calls.append(name)
        return Outcome(name, "failed", "throttled", retry_pause(1))

    function = make_function(world, process)
    removed = put("first.jpg")
    removed["Records"][0]["eventName"] = "ObjectRemoved:Delete"
    assert failures(function.handle(queue(put("first.jpg"), removed), Call())) == ["0", "1"]
    assert calls == ["first.jpg"]


def test_the_message_of_a_picture_that_was_given_up_still_fails(
    world: World,
) -> None:
    def crash(*_: Any) -> Any:
        raise WorkerDied("the worker ended")

    world.upload("first.jpg", b"1")
    function = make(world, render=crash)
    assert [failures(function.handle(queue(put("first.jpg")), Call())) for _ in range(5)] == [["0"]] * 5


def test_an_unexpected_exception_fails_only_its_picture(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.upload("second.jpg", b"2")

    def process(name: str, ask: Ask = PLAIN) -> Outcome:
        if name == "first.jpg":
            raise ZeroDivisionError("oh")
        return world.processor().process(name, ask)

    function = make_function(world, process)
    assert failures(function.handle(queue(put("first.jpg"), put("second.jpg")), Call())) == ["0"]
    (line,) = [line for line in read_lines(capsys) if "exception" in line]
    assert "ZeroDivisionError: oh" in line["exception"]
    assert line["key"] == "first.jpg"


def test_unknown_messages_are_logged_and_reported_as_failed(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.upload("first.jpg", b"1")
    elsewhere = json.loads(json.dumps(put("first.jpg")).replace(BUCKET, "other"))
    batch = queue({"hello": 1}, elsewhere, put("in/first.jpg"), load("s3-test-event"), put("out/a.jpg"))
    answer = make(world, prefix="in/").handle(batch, Call())
    assert failures(answer) == ["0", "1", "4"]
    world.check_promise()
    refused = [line["message"] for line in read_lines(capsys) if "RefusedMessages" in line]
    assert refused == [
        'the message isn\'t understood: {"hello": 1}',
        "s3://other/first.jpg isn't in the source, s3://amzn-s3-demo-bucket/in/",
        "s3://amzn-s3-demo-bucket/out/a.jpg isn't in the source, s3://amzn-s3-demo-bucket/in/",
    ]


@pytest.mark.parametrize("name", ["s3-put", "s3-in-sns", "eventbridge-created"])
def test_a_direct_event_whose_picture_fails_raises_an_exception(world: World, name: str) -> None:
    text = json.dumps(load(name)).replace("2026/red+flower+%281%29.jpg", "first.jpg")
    event = json.loads(text.replace("2026/red flower+(1).jpg", "first.jpg"))
    world.upload("first.jpg", b"1")
    function = make(world, output=world.break_writes(1))
    with pytest.raises(Failed, match=r"first.jpg: no space left"):
        function.handle(event, Call())
    assert function.handle(event, Call()) == {"results": {"done": 1}}
    world.check_promise()


def test_a_rejected_picture_does_not_fail_a_direct_event(world: World) -> None:
    world.upload("bad.jpg", b"bad")
    assert make(world).handle(put("bad.jpg"), Call()) == {"results": {"rejected": 1}}


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_an_s3_batch_job_gets_the_result_of_each_task(world: World, version: str) -> None:
    job = load(f"batch-{version}")
    (task,) = job["tasks"]
    job["tasks"] = [
        task | {"taskId": key, "s3Key": key} for key in ("first.jpg", "bad.jpg", "broken.jpg", "notes.txt")
    ] + [{"taskId": "no key"}]
    for name in ("first", "bad", "broken"):
        world.upload(f"{name}.jpg", name.encode())

    def process(name: str, ask: Ask = PLAIN) -> Outcome:
        if name == "broken.jpg":
            raise StoreFailed("throttled")
        return world.processor().process(name, ask)

    answer = make_function(world, process).handle(job, Call())
    results = answer.pop("results")
    assert answer == {
        "invocationSchemaVersion": version,
        "treatMissingKeysAs": "TemporaryFailure",
        "invocationId": job["invocationId"],
    }
    assert [tuple(result.values()) for result in results] == [
        ("first.jpg", "Succeeded", "done"),
        ("bad.jpg", "PermanentFailure", "rejected: it is bad"),
        ("broken.jpg", "TemporaryFailure", "failed: throttled"),
        ("notes.txt", "Succeeded", "unchanged: it matches no pattern in [source] match"),
        (
            "no key",
            "PermanentFailure",
            'rejected: the message isn\'t understood: {"taskId": "no key"}',
        ),
    ]


def test_messages_for_which_no_time_is_left_are_redelivered_unprocessed(world: World) -> None:
    for name in PICTURES:
        world.upload(name, name.encode())
    left = iter([60.0, 60.0, 60.0, 0.9])
    function = make(world)
    answer = function.handle(queue(*(put(name) for name in PICTURES)), Call(lambda: next(left)))
    assert len(failures(answer)) == 1
    assert len(list(world.catalog.list())) == 2
    assert failures(function.handle(queue(*(put(name) for name in PICTURES)), Call())) == []
    world.check_promise()


def test_a_call_starts_a_picture_only_if_it_has_time_for_the_slowest_recent_picture(world: World) -> None:
    function = make(world)
    for name in PICTURES[:2]:
        world.upload(name, name.encode())
    function.pace.recent_seconds.append(5.0)
    left = iter([60.0, 60.0, 5.9])
    answer = function.handle(queue(*(put(name) for name in PICTURES[:2])), Call(lambda: next(left)))
    assert len(failures(answer)) == 1
    left = iter([60.0, 60.0, 6.1])
    answer = function.handle(queue(*(put(name) for name in PICTURES[:2])), Call(lambda: next(left)))
    assert failures(answer) == []


def test_a_call_starts_a_picture_even_after_a_very_slow_picture(
    world: World,
) -> None:
    """A very slow picture must not keep later calls from starting a picture.

    If the calls required as much time, the function would never process a picture again.
    """
    function = make(world)
    world.upload("first.jpg", b"1")
    function.pace.recent_seconds.append(59.9)
    assert function.handle(put("first.jpg"), Call(60.0)) == {"results": {"done": 1}}


def test_a_slow_picture_no_longer_affects_the_time_estimate_after_a_hundred_other_pictures() -> None:
    pace = Pace()
    for seconds in (50.0, *[2.0] * 100):
        pace.recent_seconds.append(seconds)
    assert pace.longest_seconds == 2.0


@pytest.mark.parametrize("name", ["schedule", "schedule-in-sqs"])
def test_a_tick_of_the_schedule_runs_a_sync(world: World, name: str) -> None:
    for picture in PICTURES:
        world.upload(picture, picture.encode())
    make(world).handle(load(name), Call())
    world.check_promise()


def test_a_sync_stops_before_the_call_ends_and_the_next_call_continues(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    for picture in PICTURES:
        world.upload(picture, picture.encode())
    function = replace(make(world), threads=1)
    function.handle(load("schedule"), Call(lambda: 0.0 if list(world.catalog.list()) else 60.0))
    assert len(list(world.catalog.list())) == 1
    assert read_lines(capsys)[-1]["message"] == "sync ended before all pictures were checked"
    function.handle(load("schedule"), Call())
    world.check_promise()


def test_a_tick_with_a_queue_sends_messages_for_new_pictures_and_a_message_to_continue(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Later calls of the function handle these messages like any others."""
    for picture in PICTURES:
        world.upload(picture, picture.encode())
    sent: list[str] = []
    function = replace(make(world), send=sent.extend)
    left = iter([60.0, 60.0, 60.0, 4.0])
    assert function.handle(load("schedule-in-sqs"), Call(lambda: next(left))) == {"batchItemFailures": []}
    assert list(world.catalog.list()) == []
    assert len(sent) == 3
    assert read_lines(capsys)[-1]["next"]["after"] == "second.jpg"
    while sent:
        batch = queue(*map(json.loads, sent))
        sent.clear()
        assert function.handle(batch, Call()) == {"batchItemFailures": []}
    world.check_promise()


@pytest.mark.parametrize("has_queue", [True, False])
def test_a_tick_that_would_remove_most_pictures_removes_none_and_logs_a_metric(
    world: World, capsys: pytest.CaptureFixture[str], *, has_queue: bool
) -> None:
    bind(world.catalog, Claimant("", "in", "out", "1", Start(sets_generation=True)))
    for number in range(30):
        world.upload(f"{number}.jpg", b"1")
    world.settle()
    for number in range(30):
        world.remove(f"{number}.jpg")
    sent: list[str] = []
    function = replace(
        make(world), plan=partial(world.differences, ask=PLAIN), send=sent.extend if has_queue else None
    )
    assert function.handle(load("schedule-in-sqs"), Call()) == {"batchItemFailures": []}
    assert sent == []
    assert world.known == 30
    (line,) = [line for line in read_lines(capsys) if "RemovalsHeld" in line]
    assert (line["level"], line["RemovalsHeld"]) == ("ERROR", 30)
    binding = world.catalog.read_binding()
    assert binding
    assert [(held.what, held.count) for held in binding.held] == [("removals", 30)]


@pytest.mark.parametrize("has_queue", [True, False])
def test_a_tick_with_a_lost_catalog_processes_no_picture_and_logs_a_metric(
    world: World, capsys: pytest.CaptureFixture[str], *, has_queue: bool
) -> None:
    bind(world.catalog, Claimant("", "in", "out", "1", Start(sets_generation=True)))
    world.upload("first.jpg", b"1")
    world.overwrite("first.jpg/thumb.jpg", b"of the lost catalog")

    def plan(after: str) -> Iterator[Any]:
        return yield_unless_lost(world.catalog, world.output, "us", world.differences(after))

    sent: list[str] = []
    function = replace(make(world), plan=plan, send=sent.extend if has_queue else None)
    assert function.handle(load("schedule-in-sqs"), Call()) == {"batchItemFailures": []}
    assert (sent, world.known) == ([], 0)
    (line,) = [line for line in read_lines(capsys) if "CatalogLost" in line]
    assert (line["CatalogLost"], "OutputsHeld" in line) == (1, False)
    assert "because of 1 unknown output: the catalog is empty, but 1 of 1 output keys" in line["message"]
    binding = world.catalog.read_binding()
    assert binding
    assert [(held.what, held.count) for held in binding.held] == [("catalog", 1)]


def lose_an_output(world: World) -> str:
    """Settle a picture, and delete one of its outputs; return the output's key."""
    world.upload("first.jpg", b"1")
    world.settle()
    key = "first.jpg/thumb.jpg"
    there = world.output.head(key)
    assert there
    world.output.delete(key, IfMatch(there.etag))
    return key


@pytest.mark.parametrize("has_queue", [True, False])
def test_a_tick_that_checks_outputs_restores_a_lost_output(world: World, *, has_queue: bool) -> None:
    bind(world.catalog, Claimant("", "in", "out", "1", Start(sets_generation=True)))
    key = lose_an_output(world)
    sent: list[str] = []
    checks = Ask(verify="quick")
    function = replace(
        make(world),
        plan=partial(world.differences, ask=checks),
        verify=checks.verify,
        open_guard=lambda: replace(world.guard, is_attended=False),
        send=sent.extend if has_queue else None,
    )
    assert function.handle(load("schedule-in-sqs"), Call()) == {"batchItemFailures": []}
    while sent:
        batch = queue(*map(json.loads, sent))
        sent.clear()
        assert function.handle(batch, Call()) == {"batchItemFailures": []}
    assert world.output.head(key)
    world.check_promise()


def test_a_lost_output_is_restored_although_the_batch_has_another_message_about_its_picture(
    world: World,
) -> None:
    key = lose_an_output(world)
    drifted = json.loads(encode_change(BUCKET, "first.jpg", "drifted"))
    assert make(world).handle(queue(drifted, put("first.jpg")), Call()) == {"batchItemFailures": []}
    assert world.output.head(key)


def refuse(name: str, ask: Ask = PLAIN) -> Outcome:
    raise Superseded("another version is in force")


def test_a_superseded_function_puts_its_messages_back_into_the_queue(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The function sends each message again, so no message loses a delivery attempt."""
    postponed: list[str] = []
    function = replace(make_function(world, refuse), postpone=postponed.extend)
    batch = queue(*(put(f"{number}.jpg") for number in range(12)), load("schedule"))
    assert function.handle(batch, Call()) == {"batchItemFailures": []}
    assert postponed == [record["body"] for record in batch["Records"]]
    (line,) = [line for line in read_lines(capsys) if "Superseded" in line]
    assert (line["level"], line["message"]) == ("ERROR", "another version is in force")


def test_a_superseded_function_raises_an_error_if_it_can_not_put_messages_back(world: World) -> None:
    with pytest.raises(Superseded):
        make_function(world, refuse).handle(queue(put("first.jpg")), Call())
    postponed: list[str] = []
    function = replace(make_function(world, refuse), postpone=postponed.extend)
    with pytest.raises(Superseded):
        function.handle(put("first.jpg"), Call())
    assert postponed == []


def test_only_a_failed_tick_is_redelivered(world: World) -> None:
    def send(_: object) -> None:
        raise StoreFailed("throttled")

    world.upload("first.jpg", b"1")
    world.upload("second.jpg", b"2")
    function = replace(make(world), send=send)
    tick = load("schedule")
    assert failures(function.handle(queue(put("first.jpg"), tick, tick), Call())) == ["1", "2"]
    with pytest.raises(Failed, match="the sync: throttled"):
        function.handle(tick, Call())
    assert [record.name for record in world.catalog.list()] == ["first.jpg"]


def test_the_log_has_two_lines_for_a_picture_and_the_second_has_its_sizes(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.upload("first.jpg", b"123")
    make(world, prefix="in/").handle(put("in/first.jpg"), Call())
    begun, ended = read_lines(capsys)
    about = {
        "event": "ObjectCreated:Put",
        "bucket": BUCKET,
        "key": "in/first.jpg",
        "request_id": Call.aws_request_id,
    }
    assert begun.items() >= (about | {"level": "INFO"}).items()
    assert begun["message"] == "Processing image from bucket: amzn-s3-demo-bucket, key: in/first.jpg"
    assert ended.items() >= (about | {"message": "first.jpg is done", "Pictures": 1}).items()
    assert ended["original"]["size_bytes"] == 3
    assert ended["renditions"]["thumb"].items() >= {"key": "first.jpg/thumb.jpg", "size_bytes": 32}.items()
    assert ended["metadata_stored"] is True


def test_the_log_line_of_a_picture_contains_its_metrics(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line is in CloudWatch's Embedded Metric Format.

    Each named metric and dimension must be a field of the line.
    """
    world.upload("first.jpg", b"123")
    make(world).handle(put("first.jpg"), Call())
    line = read_lines(capsys)[-1]
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Renditions"
    assert {name: line[name] for name in directive["Dimensions"][0]} == {
        "FunctionName": "pictures",
        "Result": "done",
    }
    values = {metric["Name"]: (line[metric["Name"]], metric["Unit"]) for metric in directive["Metrics"]}
    assert values.pop("Seconds")[1] == "Seconds"
    assert values == {"Pictures": (1, "Count"), "OriginalBytes": (3, "Bytes"), "OutputBytes": (32, "Bytes")}
    assert line["_aws"]["Timestamp"] > 1_700_000_000_000


def test_a_key_with_a_line_break_is_logged_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    JsonLines().emit(logging.LogRecord("renditions", logging.INFO, "", 0, "a\nb %s", ("\u2028",), None))
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["message"] == "a\nb \u2028"


def test_reading_rendering_and_writing_of_three_pictures_overlap(world: World) -> None:
    """Three pictures wait for each other in three stages.

    Rendering uses one core, so the stages must overlap.
    """
    for name in PICTURES:
        world.upload(name, name.encode())
    meet = threading.Barrier(3, timeout=60)
    rendered: list[bytes] = []

    class Source:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.source, name)

        def stream(self, key: str, *part: Any) -> Any:
            if key == PICTURES[2]:
                meet.wait()
            return world.source.stream(key, *part)

    class Output:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.output, name)

        def put(self, key: str, *rest: Any) -> Any:
            if key == f"{rendered[0].decode()}/thumb.jpg":
                meet.wait()
            return world.output.put(key, *rest)

    def render(
        content: bytes,
        accept: Accept,
        recipes: Mapping[str, Rendition],
        analyze: Analyze,
        *,
        limits: Limits,
        memory: Memory,
    ) -> Rendering:
        with memory.take(len(content)):
            rendered.append(content)
            if len(rendered) == 2:
                meet.wait()
            return hash_render(content, accept, recipes, analyze)

    changes: dict[str, Any] = {
        "source": Source(),
        "output": Output(),
        "render": Room().make_renderer(Limits(), render),
    }
    function = replace(make(world, **changes), threads=1 + EXTRA_THREADS)
    assert function.handle(queue(*map(put, PICTURES)), Call()) == {"batchItemFailures": []}
    world.check_promise()

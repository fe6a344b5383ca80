"""The entry on AWS Lambda: decode the event, process its pictures, answer the caller.

The function processes several pictures at once, so that some are read and written while others are
rendered. When the time left is too short for one more, it gives the rest back untouched. Failed pictures
are redelivered: the function tells SQS which messages and S3 Batch Operations which tasks failed, and
raises an exception for any other event.

Pictures are rendered in this process. A hostile one costs this one call, at most its time limit: Lambda
then starts the function again, SQS redelivers the messages, and the one that always kills the function ends
in the dead-letter queue. ``limits.seconds`` has no effect here: the function's own time limit counts.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from renditions.core import reconcile
from renditions.core.ask import PLAIN, Ask
from renditions.core.difference import RECHECK, Difference, Outcome, retry_pause
from renditions.core.guard import Guard
from renditions.core.process import Process
from renditions.core.reconcile import Run
from renditions.errors import BindingRefused, Failed, Superseded
from renditions.messages.events import Incoming, Message, SyncRequest, decode, find_bodies
from renditions.messages.intake import Picture, Refused, Task, needs_redelivery, read_task
from renditions.messages.tick import SEND_AT_ONCE, Tick
from renditions.model.binding import Held
from renditions.model.places import S3Place
from renditions.model.reason import Reason
from renditions.runtime.parts import now
from renditions.serverless.bundled import find_bucket, open_bundled
from renditions.serverless.telemetry import Unit, log_to_stdout, metrics

log = logging.getLogger(__name__)

MARGIN_SECONDS = 1.0
"""The time that is kept for the answer."""

FAN_OUT_SECONDS = 5.0
"""The time left when a reconcile hands over to another call: enough for a page of each listing."""

EXTRA_THREADS = 2
"""How many pictures are read or written while one on each core is rendered."""

MAX_RESULT_LENGTH = 1024
"""The longest ``resultString`` in a report of S3 Batch Operations, in characters."""

NOT_IN_FORCE = (Superseded, BindingRefused)
"""What the catalog answers if this function must not write to it."""

NOTHING = Outcome("", "unchanged")
"""The outcome of a message that is about no single picture."""

NOT_BEGUN = "the call had too little time left to process it"


class Context(Protocol):
    """The part of Lambda's context that is used."""

    function_name: str
    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Return the time until this call is ended."""
        ...


@dataclass
class Pace:
    """The processing times of the last hundred pictures since the cold start."""

    recent_seconds: deque[float] = field(default_factory=lambda: deque([0.0], maxlen=100))

    @property
    def longest_seconds(self) -> float:
        """How long one more picture may take."""
        return max(self.recent_seconds)


class Allowance:
    """The time that one call was given.

    The first picture of a call is always begun, even if an earlier one took long: it can't get more time.
    """

    def __init__(self, context: Context, pace: Pace) -> None:
        self.context = context
        self._pace = pace
        self._given_seconds = self.left_seconds

    @property
    def left_seconds(self) -> float:
        """The time until the call is ended."""
        return self.context.get_remaining_time_in_millis() / 1000

    def allows_one_more(self) -> bool:
        """Return whether enough time is left to process one more picture."""
        left_seconds = self.left_seconds
        needed_seconds = min(self._pace.longest_seconds, self._given_seconds - 2 * MARGIN_SECONDS)
        return left_seconds > max(needed_seconds, 0.0) + MARGIN_SECONDS


@dataclass(frozen=True)
class Function:
    """The objects that one cold start creates and every call uses."""

    place: S3Place
    """Where the pictures land."""
    process: Process
    """Processes one name; called from several threads."""
    plan: Callable[[str], Iterator[Difference]]
    """Makes a fresh plan of everything above a name, for a schedule's tick."""
    open_guard: Callable[[], Guard]
    """Returns what holds back a tick's removals and restorations."""
    keep_held: Callable[[Sequence[Held]], None]
    """Keeps in the catalog what a whole run held back."""
    threads: int
    """How many pictures are processed at once."""
    send: Callable[[Sequence[str]], None] | None = None
    """Puts up to ten messages into the function's queue, if it has one."""
    postpone: Callable[[Sequence[str]], None] | None = None
    """Puts up to ten messages into that queue, for later."""
    pace: Pace = field(default_factory=Pace)

    def handle(self, event: Any, context: Context) -> Any:
        """Process the event's pictures, and return the answer that its origin waits for.

        A superseded function leaves its messages in the queue, for the one that takes its place.

        Raises:
            Failed: A part of the event failed, so it must be redelivered.
            Superseded, BindingRefused: The function is superseded, and the event is no queue's.

        """
        try:
            return self._handle(event, context)
        except NOT_IN_FORCE as error:
            fields = {"request_id": context.aws_request_id}
            fields |= metrics({"FunctionName": context.function_name}, {"Superseded": (1, "Count")})
            log.error("%s", error, extra={"fields": fields})  # noqa: TRY400 - the message is enough
            bodies = find_bodies(event)
            if not (self.postpone and bodies):
                raise
            # A message that is redelivered instead has an attempt less, and ends in the dead-letter queue.
            for start in range(0, len(bodies), SEND_AT_ONCE):
                self.postpone(bodies[start : start + SEND_AT_ONCE])
            return {"batchItemFailures": []}

    def _handle(self, event: Any, context: Context) -> Any:
        allowance = Allowance(context, self.pace)
        incoming = decode(event)
        asked = [
            (message, [read_task(content, self.place) for content in message.contents])
            for message in incoming.messages
        ]
        tasks = [task for _, some in asked for task in some]
        pictures: dict[str, Picture] = {}
        for task in tasks:
            if isinstance(task, Picture) and (task.is_removal or task.name not in pictures):
                pictures[task.name] = task
        with ThreadPoolExecutor(self.threads, thread_name_prefix="picture") as executor:
            worked = executor.map(lambda picture: self._work(picture, allowance), pictures.values())
            outcomes = {outcome.name: outcome for outcome in worked}
        synced: list[tuple[SyncRequest, Outcome]] = []
        for task in tasks:
            if isinstance(task, SyncRequest) and task not in [request for request, _ in synced]:
                synced.append((task, self._reconcile(task, allowance)))
        results = [
            (message, [self._result_of(task, outcomes, synced, context) for task in some])
            for message, some in asked
        ]
        return _answer(incoming, results, event)

    def _result_of(
        self,
        task: Task,
        outcomes: Mapping[str, Outcome],
        synced: Sequence[tuple[SyncRequest, Outcome]],
        context: Context,
    ) -> Outcome:
        """Do one thing that a message asks for; report messages that aren't for this pipeline."""
        match task:
            case Picture(name):
                return outcomes[name]
            case SyncRequest():
                return next(outcome for request, outcome in synced if request == task)
            case Refused(why):
                fields = {"request_id": context.aws_request_id}
                fields |= metrics({"FunctionName": context.function_name}, {"RefusedMessages": (1, "Count")})
                log.error("%s", why, extra={"fields": fields})
                return Outcome("", "rejected", why)
            case _:
                return NOTHING

    def _work(self, picture: Picture, allowance: Allowance) -> Outcome:
        """Process one picture, unless the time left is too short; log it."""
        name = picture.name
        if not allowance.allows_one_more():
            return Outcome(name, "waiting", NOT_BEGUN, RECHECK)
        about = {
            "event": picture.event,
            "bucket": self.place.bucket,
            "key": self.place.prefix + name,
            "request_id": allowance.context.aws_request_id,
        }
        log.info(
            "Processing image from bucket: %s, key: %s",
            about["bucket"],
            about["key"],
            extra={"fields": about},
        )
        started = time.monotonic()
        try:
            outcome = self.process(name, picture.ask)
        except NOT_IN_FORCE:
            raise
        except Exception as error:
            # Any error: it doesn't concern the other pictures of the batch.
            log.exception("%s failed unexpectedly", name, extra={"fields": about})
            outcome = Outcome(name, "failed", str(error), retry_pause(1), code=Reason.of(error).code)
        seconds = time.monotonic() - started
        self.pace.recent_seconds.append(seconds)
        log.log(
            logging.ERROR if outcome.result == "failed" else logging.INFO,
            "%s is %s%s", name, outcome.result, f": {outcome.reason}" if outcome.reason else "",
            extra={"fields": about | _describe(outcome, seconds, allowance.context)},
        )  # fmt: skip
        return outcome

    def _reconcile(self, request: SyncRequest, allowance: Allowance) -> Outcome:
        """Close every difference that is asked for: by messages to the queue, or without one in this call."""
        about = {"request_id": allowance.context.aws_request_id}
        try:
            if self.send:
                self._fan_out(request, self.send, allowance)
            else:
                self._sync(request.after, allowance)
        except NOT_IN_FORCE:
            raise
        except Exception as error:
            # It doesn't concern the pictures that came with the tick.
            log.exception("the sync failed unexpectedly", extra={"fields": about})
            return Outcome("the sync", "failed", str(error), retry_pause(1), code=Reason.of(error).code)
        return NOTHING

    def _fan_out(
        self, request: SyncRequest, send: Callable[[Sequence[str]], None], allowance: Allowance
    ) -> None:
        tick = Tick(self.plan, self.open_guard(), self.place, send, self.keep_held, now)
        ticked = tick.run(request, lambda: allowance.left_seconds > FAN_OUT_SECONDS)
        log.info(
            "%d pictures differ and were sent to the queue, %s",
            ticked.sent,
            "another call continues" if ticked.next else "all pictures were checked",
            extra={
                "fields": {"after": request.after, "next": ticked.next and dataclasses.asdict(ticked.next)}
            },
        )
        self._report_held(ticked.held, allowance.context)

    def _report_held(self, held: Sequence[Held], context: Context) -> None:
        for each in held:
            name = "RemovalsHeld" if each.what == "removals" else "OutputsHeld"
            fields = {"request_id": context.aws_request_id}
            fields |= metrics({"FunctionName": context.function_name}, {name: (each.count, "Count")})
            log.error(
                "%s held back for %d pictures: %s", each.what, each.count, each.why, extra={"fields": fields}
            )

    def _sync(self, after: str, allowance: Allowance) -> None:
        """Close every difference that the time allows; the next tick continues with the rest."""
        stop = threading.Event()

        def plan() -> Iterator[Difference]:
            for difference in self.plan(after):
                if not allowance.allows_one_more():
                    stop.set()
                yield difference

        def process(name: str, ask: Ask = PLAIN) -> Outcome:
            return self._work(Picture(name, "sync", ask.removal == "allowed"), allowance)

        summary = reconcile.sync(
            Run(
                differences=plan,
                process=process,
                guard=self.open_guard(),
                ask=PLAIN,
                threads=self.threads,
                stop=stop,
                on_outcome=lambda _: None,
                clock=now,
            )
        )
        if not summary.interrupted:
            self.keep_held(summary.held)
        self._report_held(summary.held, allowance.context)
        log.info(
            "sync %s",
            "ended before all pictures were checked" if summary.interrupted else "checked all pictures",
            extra={"fields": {"results": dict(summary.results), "waiting": summary.waiting}},
        )


def open_function(file: Path, environ: Mapping[str, str]) -> Function:
    """Create the objects that every call uses: once, while Lambda starts the function.

    See :func:`renditions.serverless.bundled.open_bundled`.
    """
    log_to_stdout()
    opened = open_bundled(file, environ)
    return Function(
        find_bucket(opened.parts.declared.source.store),
        opened.process,
        opened.parts.plan,
        opened.open_guard,
        opened.keep_held,
        threads=opened.cores + EXTRA_THREADS,
        send=opened.send,
        postpone=opened.postpone,
    )


def _describe(outcome: Outcome, seconds: float, context: Context) -> dict[str, Any]:
    """Return the log fields of a finished picture, which are also its metrics."""
    record = outcome.record
    worked = record is not None and outcome.result in ("done", "rejected")
    original = record.original if record and worked else None
    outputs = record.outputs if record and worked else ()
    values: dict[str, tuple[float, Unit]] = {
        "Pictures": (1, "Count"),
        "Seconds": (round(seconds, 3), "Seconds"),
    }
    if original:
        values["OriginalBytes"] = (original.size_bytes, "Bytes")
    if outputs:
        values["OutputBytes"] = (sum(output.size_bytes for output in outputs), "Bytes")
    return {
        "original": dataclasses.asdict(original) if original else None,
        "renditions": {
            output.rendition: {
                "key": output.key,
                "size_bytes": output.size_bytes,
                "width": output.width,
                "height": output.height,
            }
            for output in outputs
        },
        "metadata_stored": worked,
        **metrics({"FunctionName": context.function_name, "Result": outcome.result}, values),
    }


def _answer(incoming: Incoming, results: list[tuple[Message, list[Outcome]]], event: Any) -> Any:
    """Return the answer that the event's origin waits for."""
    match incoming.origin:
        case "queue":
            # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
            return {
                "batchItemFailures": [
                    {"itemIdentifier": message.id}
                    for message, outcomes in results
                    if any(map(needs_redelivery, outcomes))
                ]
            }
        case "batch job":
            # https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html
            return {
                "invocationSchemaVersion": event["invocationSchemaVersion"],
                "treatMissingKeysAs": "TemporaryFailure",
                "invocationId": event.get("invocationId"),
                "results": [_task_result(message.id, outcome) for message, (outcome,) in results],
            }
        case _:
            outcomes = [outcome for _, some in results for outcome in some]
            if failed := [outcome for outcome in outcomes if needs_redelivery(outcome)]:
                raise Failed("; ".join(f"{outcome.name}: {outcome.reason}" for outcome in failed))
            return {"results": dict(Counter(outcome.result for outcome in outcomes))}


def _task_result(task: str, outcome: Outcome) -> dict[str, str]:
    code = "TemporaryFailure" if needs_redelivery(outcome) else "Succeeded"
    if outcome.result == "rejected":
        code = "PermanentFailure"
    text = f"{outcome.result}: {outcome.reason}" if outcome.reason else outcome.result
    return {"taskId": task, "resultCode": code, "resultString": text[:MAX_RESULT_LENGTH]}

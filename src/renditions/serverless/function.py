"""The entry point on AWS Lambda.

The function decodes the event, processes its pictures, and answers the caller.

The function processes several pictures at once, so that it reads and writes some while it renders others. If
the time left is too short for one more picture, the function gives the other pictures back unprocessed. If
pictures fail, it reports the failed messages to SQS, or the failed tasks to S3 Batch Operations, so that they
are tried again. If pictures of any other event fail, it raises an exception.

The function renders pictures in its own process. A harmful picture can crash or block one call, at most until
the function's time limit. Lambda then starts the function again, and SQS redelivers the messages. A message
that kills the function each time ends in the dead-letter queue. ``limits.seconds`` has no effect here; the
function's own time limit applies, also to leases.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from renditions.core import reconcile
from renditions.core.ask import PLAIN, Ask, Verify
from renditions.core.difference import RECHECK, Difference
from renditions.core.guard import Guard
from renditions.core.outcome import Outcome, retry_pause
from renditions.core.process import Process
from renditions.core.reconcile import Run
from renditions.errors import CatalogLost, Failed, NoTimeLeft
from renditions.messages.events import Incoming, Message, SyncRequest, decode, find_bodies
from renditions.messages.intake import Picture, Refused, Task, needs_redelivery, read_task
from renditions.messages.tick import Tick, hold_lost
from renditions.model.binding import Held
from renditions.model.places import S3Place
from renditions.model.reason import Reason
from renditions.runtime.parts import now
from renditions.serverless.allowance import Allowance, Context, Pace
from renditions.serverless.bundled import NOT_IN_FORCE, find_bucket, open_bundled
from renditions.serverless.redelivery import Redelivery
from renditions.serverless.room import Room
from renditions.serverless.telemetry import HELD, log_to_stdout, metrics

log = logging.getLogger(__name__)

FAN_OUT_SECONDS = 5.0
"""How much time a call must have left to go on with a tick. With less, a later call goes on with it."""

EXTRA_THREADS = 2
"""How many pictures the function reads or writes while each core renders one."""

MAX_RESULT_LENGTH = 1024
"""The longest ``resultString`` in a report of S3 Batch Operations, in characters."""

NOTHING = Outcome("", "unchanged")
"""The outcome of a message that isn't about one picture."""

NOT_BEGUN = "the call had too little time left to process it"


@dataclass(frozen=True)
class Function:
    """The objects that one cold start creates and every call uses."""

    place: S3Place
    """The bucket and prefix of the source."""
    process: Process
    """Processes the picture of one name. Several threads call it."""
    plan: Callable[[str], Iterator[Difference]]
    """Makes a new plan for the pictures whose names come after the given name, for a schedule's tick."""
    open_guard: Callable[[], Guard]
    """Returns the guard that may hold back a tick's removals and restorations."""
    end_run: Callable[[Sequence[Held]], object]
    """Stores in the catalog what a whole run held back, and sends due notices."""
    threads: int
    """How many pictures the function processes at the same time."""
    verify: Verify = "no"
    """How a tick without a queue checks the outputs of the pictures that it processes."""
    send: Callable[[Sequence[str]], None] | None = None
    """Puts messages into the function's queue; None without a queue."""
    postpone: Callable[[Sequence[str]], None] | None = None
    """Puts messages into the function's queue with a delay; None without a queue."""
    pace: Pace = field(default_factory=Pace)
    redelivery: Redelivery | None = None
    """Puts messages that aren't done back into the function's queue; None without a queue."""
    room: Room = field(default_factory=Room)
    """The memory and the cores that the pictures of a call share."""
    renew_totals: Callable[[Callable[[], bool]], object] = lambda _: None
    """Counts the records after a tick, as long as the time allows."""
    call: Callable[[Context], AbstractContextManager[object]] = nullcontext
    """Returns the context in which a call works. Its end invalidates changed outputs."""

    def handle(self, event: Any, context: Context) -> Any:
        """Process the event's pictures, and return the answer that its origin waits for.

        If a newer deployment has replaced this function, the messages go back into the queue.

        Raises:
            Failed: A part of the event failed, and the event isn't from a queue or a batch job. The caller
                must send it again.
            Superseded, BindingRefused: The function must not write to the catalog, and the event doesn't
                come from a queue, or the function knows no queue.

        """
        try:
            with self.call(context):
                return self._handle(event, context)
        except NOT_IN_FORCE as error:
            fields = {"request_id": context.aws_request_id}
            fields |= metrics({"FunctionName": context.function_name}, {"Superseded": 1})
            log.error("%s", error, extra={"fields": fields})  # noqa: TRY400 - the message is enough
            bodies = find_bodies(event)
            if not (self.postpone and bodies):
                raise
            # Send the messages as new ones. A redelivery would count as a failed attempt, and after a few
            # failed attempts the queue would move the message to its dead-letter queue.
            self.postpone(bodies)
            return {"batchItemFailures": []}

    def _handle(self, event: Any, context: Context) -> Any:
        allowance = Allowance(context, self.pace)
        self.room.begin(allowance.allows_one_more)
        incoming = decode(event)
        asked = [
            (message, [read_task(content, self.place) for content in message.contents])
            for message in incoming.messages
        ]
        tasks = [task for _, some in asked for task in some]
        pictures: dict[str, Picture] = {}
        for task in tasks:
            if isinstance(task, Picture):
                pictures[task.name] = task.joined(pictures.get(task.name, task))
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
        if incoming.origin == "queue" and self.redelivery:
            return _report(self.redelivery.settle(event, results))
        return _answer(incoming, results, event)

    def _result_of(
        self,
        task: Task,
        outcomes: Mapping[str, Outcome],
        synced: Sequence[tuple[SyncRequest, Outcome]],
        context: Context,
    ) -> Outcome:
        """Return the outcome of one task of a message.

        If the message isn't for this pipeline, log that, and return a rejection.
        """
        match task:
            case Picture(name):
                return outcomes[name]
            case SyncRequest():
                return next(outcome for request, outcome in synced if request == task)
            case Refused(why):
                fields = {"request_id": context.aws_request_id}
                fields |= metrics({"FunctionName": context.function_name}, {"RefusedMessages": 1})
                log.error("%s", why, extra={"fields": fields})
                return task.outcome
            case _:
                return NOTHING

    def _work(self, picture: Picture, allowance: Allowance) -> Outcome:
        """Process one picture and log its outcome.

        If the time left is too short, give the picture back unprocessed.
        """
        name = picture.name
        if not allowance.allows_one_more():
            return Outcome(name, "waiting", NOT_BEGUN, RECHECK, code=NoTimeLeft.code)
        about = {
            "event": picture.event,
            "bucket": self.place.bucket,
            "key": self.place.prefix + name,
            "request_id": allowance.context.aws_request_id,
        }
        log.info(
            "Processing image from bucket: %s, key: %s", about["bucket"], about["key"],
            extra={"fields": about},
        )  # fmt: skip
        self.room.waited_seconds()
        started = time.monotonic()
        try:
            outcome = self.process(name, picture.ask)
        except NOT_IN_FORCE:
            raise
        except Exception as error:
            # Catch any error, because the other pictures of the batch must still be processed.
            log.exception("%s failed unexpectedly", name, extra={"fields": about})
            outcome = Outcome(name, "failed", str(error), retry_pause(1), code=Reason.of(error).code)
        seconds = time.monotonic() - started - self.room.waited_seconds()
        self.pace.recent_seconds.append(seconds)
        log.log(
            logging.ERROR if outcome.result == "failed" else logging.INFO,
            "%s is %s%s", name, outcome.result, f": {outcome.reason}" if outcome.reason else "",
            extra={"fields": about | _describe(outcome, seconds, allowance.context)},
        )  # fmt: skip
        return outcome

    def _reconcile(self, request: SyncRequest, allowance: Allowance) -> Outcome:
        """Process the pictures that differ, for one call of a schedule's tick.

        With a queue, send a message for each picture; without one, process the pictures in this call. If the
        pictures of the same event left too little time, give the tick back.
        """
        if not allowance.allows(FAN_OUT_SECONDS):
            return Outcome("the sync", "waiting", NOT_BEGUN, RECHECK, code=NoTimeLeft.code)
        about = {"request_id": allowance.context.aws_request_id}
        try:
            if self.send:
                self._fan_out(request, self.send, allowance)
            else:
                self._sync(request.after, allowance)
        except CatalogLost as lost:
            held = [hold_lost(lost, now())]
            self.end_run(held)
            self._report_held(held, allowance.context)
        except NOT_IN_FORCE:
            raise
        except Exception as error:
            # Catch any error, because the pictures of the same event must still be answered for.
            log.exception("the sync failed unexpectedly", extra={"fields": about})
            return Outcome("the sync", "failed", str(error), retry_pause(1), code=Reason.of(error).code)
        return NOTHING

    def _fan_out(
        self, request: SyncRequest, send: Callable[[Sequence[str]], None], allowance: Allowance
    ) -> None:
        tick = Tick(self.plan, self.open_guard(), self.place, send, self.end_run, now)
        ticked = tick.run(request, lambda: allowance.left_seconds > FAN_OUT_SECONDS)
        log.info(
            "Pictures that differ, sent to the queue: %d; %s",
            ticked.sent,
            "another call continues" if ticked.next else "all pictures were checked",
            extra={
                "fields": {"after": request.after, "next": ticked.next and dataclasses.asdict(ticked.next)}
            },
        )
        self._report_held(ticked.held, allowance.context)
        if not ticked.next:
            self.renew_totals(lambda: allowance.left_seconds > FAN_OUT_SECONDS)

    def _report_held(self, held: Sequence[Held], context: Context) -> None:
        for each in held:
            fields = {"request_id": context.aws_request_id}
            fields |= metrics({"FunctionName": context.function_name}, {HELD[each.what]: each.count})
            log.error(
                "%s Run renditions status to see how to allow this.",
                each.describe(),
                extra={"fields": fields},
            )

    def _sync(self, after: str, allowance: Allowance) -> None:
        """Process the pictures that differ, as long as the time allows.

        The next tick processes the rest.
        """
        stop = threading.Event()

        def plan(_: Ask) -> Iterator[Difference]:
            for difference in self.plan(after):
                if not allowance.allows_one_more():
                    stop.set()
                yield difference

        def process(name: str, ask: Ask = PLAIN) -> Outcome:
            picture = Picture(name, "sync", ask.removal == "allowed", ask.verify != "no")
            return self._work(picture, allowance)

        summary = reconcile.sync(
            Run(
                differences=plan,
                process=process,
                guard=self.open_guard(),
                ask=Ask(verify=self.verify),
                threads=self.threads,
                stop=stop,
                on_outcome=lambda _: None,
                clock=now,
            )
        )
        if not summary.interrupted:
            self.end_run(summary.held)
            self.renew_totals(lambda: allowance.left_seconds > FAN_OUT_SECONDS)
        self._report_held(summary.held, allowance.context)
        log.info(
            "sync %s",
            "ended before all pictures were checked" if summary.interrupted else "checked all pictures",
            extra={"fields": {"results": dict(summary.results), "waiting": summary.waiting}},
        )


def open_function(file: Path, environ: Mapping[str, str]) -> Function:
    """Create the objects that every call uses.

    Lambda calls this once, while it starts the function. It raises the errors of
    :func:`renditions.serverless.bundled.open_bundled`, and UsageError if the source isn't a bucket.
    """
    log_to_stdout()
    opened = open_bundled(file, environ)
    return Function(
        find_bucket(opened.parts.declared.source.store),
        opened.process,
        opened.parts.plan_tick,
        opened.open_guard,
        opened.end_run,
        threads=opened.room.cores + EXTRA_THREADS,
        verify=opened.parts.default_verify(is_attended=False),
        send=opened.send,
        postpone=opened.postpone,
        redelivery=opened.redelivery,
        room=opened.room,
        renew_totals=opened.renew_totals,
        call=opened.call,
    )


def _describe(outcome: Outcome, seconds: float, context: Context) -> dict[str, Any]:
    """Return the log fields of a finished picture, with its metrics."""
    record = outcome.record
    worked = record is not None and outcome.result in ("done", "rejected")
    original = record.original if record and worked else None
    outputs = record.outputs if record and worked else ()
    values: dict[str, float] = {"Pictures": 1, "Seconds": round(seconds, 3)}
    if original:
        values["OriginalBytes"] = original.size_bytes
    if outputs:
        values["OutputBytes"] = sum(output.size_bytes for output in outputs)
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


def _report(identifiers: Iterable[str]) -> Any:
    """Return the answer that makes the queue redeliver these messages.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in identifiers]}


def _answer(incoming: Incoming, results: list[tuple[Message, list[Outcome]]], event: Any) -> Any:
    """Return the answer that the event's origin waits for."""
    match incoming.origin:
        case "queue":
            return _report(message.id for message, some in results if any(map(needs_redelivery, some)))
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
                texts = (": ".join(filter(None, (each.name, str(each.reason)))) for each in failed)
                raise Failed("; ".join(texts))
            return {"results": dict(Counter(outcome.result for outcome in outcomes))}


def _task_result(task: str, outcome: Outcome) -> dict[str, str]:
    is_later = needs_redelivery(outcome) or outcome.result == "waiting"
    code = "TemporaryFailure" if is_later else "Succeeded"
    if outcome.result == "rejected":
        code = "PermanentFailure"
    text = f"{outcome.result}: {outcome.reason}" if outcome.reason else outcome.result
    return {"taskId": task, "resultCode": code, "resultString": text[:MAX_RESULT_LENGTH]}

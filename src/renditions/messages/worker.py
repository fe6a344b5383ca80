"""A worker that processes a queue's messages like the function on Lambda.

While the worker processes a message, it hides the message from other workers. It hides the message for a
short time, and again before this time ends, until the pictures are done. So the queue soon redelivers the
messages of a killed worker. The worker deletes each message whose work is done. The queue redelivers a
message that failed or isn't understood, after pauses that grow up to a limit, until it moves the message to
its dead-letter queue.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from renditions.core.outcome import Outcome, retry_pause
from renditions.core.process import Process
from renditions.errors import Failed, QueueFailed, RenditionsError, Superseded
from renditions.messages.events import SyncRequest, decode
from renditions.messages.intake import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    Picture,
    Refused,
    Task,
    needs_redelivery,
    read_task,
    redelivery_pause,
)
from renditions.messages.tick import Tick
from renditions.model.batches import in_batches
from renditions.model.places import S3Place

if TYPE_CHECKING:
    from renditions.aws.sqs import Queue, Received

log = logging.getLogger(__name__)

MOST_DOUBLINGS = 10
"""How often a pause doubles before it stays the same."""

_REDELIVERED = "The queue redelivers the message later, or moves it to its dead-letter queue."


@dataclass(frozen=True, slots=True)
class Times:
    """The worker's waiting times, in seconds."""

    poll: int = 5
    """How long a request waits for a message. Stopping the worker can take that long."""
    hold: int = 120
    """How long a message in progress stays hidden after each renewal."""
    beat: float = 30.0
    """The time between two renewals."""
    first_pause: int = FIRST_PAUSE_SECONDS
    longest_pause: int = LONGEST_PAUSE_SECONDS
    notices: float = 300.0
    """The time between two attempts to send due notices."""
    longest_silence: int = 60
    """The longest wait before the worker calls an unreachable queue again."""

    def silence_after(self, attempt: int) -> int:
        """Return how long to wait after a failed attempt to reach the queue.

        Attempts are counted from 0.
        """
        return int(min(2 ** min(attempt, MOST_DOUBLINGS), self.longest_silence))


class Held:
    """The messages in progress, kept hidden from other workers."""

    def __init__(self, queue: Queue, times: Times) -> None:
        self._queue = queue
        self._times = times
        self._messages: dict[str, Received] = {}
        self._lock = threading.Lock()

    def add(self, message: Received) -> None:
        """Keep the message hidden from now on."""
        with self._lock:
            self._messages[message.receipt] = message

    def drop(self, message: Received) -> None:
        """Stop renewing the message; wait for a renewal that has begun."""
        with self._lock:
            del self._messages[message.receipt]

    @contextmanager
    def renewed(self) -> Iterator[None]:
        """Renew the messages in a separate thread until the ``with`` block ends."""
        over = threading.Event()
        thread = threading.Thread(target=self._beat, args=(over,), name="renewals")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _beat(self, over: threading.Event) -> None:
        while not over.wait(self._times.beat):
            with self._lock:
                messages = list(self._messages.values())
                for some in in_batches(messages):  # one by one, so that a failure concerns only its part
                    try:
                        self._queue.hide(some, self._times.hold)
                    except QueueFailed as error:
                        log.warning("%s. Other workers may receive the messages in progress.", error)


@dataclass(frozen=True)
class Worker:
    """A worker that processes a queue's messages, several at a time.

    The worker receives only as many messages as it can start at once.
    """

    queue: Queue
    place: S3Place
    """The bucket and prefix of the source."""
    process: Process
    """Processes the picture of one name. Several threads call it."""
    tick: Tick
    """Processes a schedule's tick."""
    threads: int
    """How many messages the worker processes at the same time."""
    on_outcome: Callable[[Outcome], None]
    """Receives the outcomes of pictures. Only one thread at a time calls it."""
    times: Times = Times()
    send_due: Callable[[], None] = lambda: None
    """Sends the due notices and digests. The worker calls it every ``times.notices`` seconds."""
    invalidate: Callable[[], None] = lambda: None
    """Has CloudFront fetch changed outputs again. The worker calls it between messages and at its end."""
    _reporting: threading.Lock = field(default_factory=threading.Lock, init=False)

    def run(self, stop: threading.Event) -> None:
        """Process messages until ``stop`` is set, then finish the messages in progress.

        If the queue is unreachable, the worker tries again after growing pauses.

        Raises:
            QueueRefused: The queue can't be used until a person changes something.
            Superseded: The catalog uses another version of the pipeline file. The worker gives the message
                back to the queue.

        """
        try:
            self._run(stop)
        finally:
            self.invalidate()

    def _run(self, stop: threading.Event) -> None:
        held = Held(self.queue, self.times)
        running: set[Future[None]] = set()
        with held.renewed(), ThreadPoolExecutor(self.threads, thread_name_prefix="message") as executor:
            sent_at = time.monotonic()
            while not stop.is_set():
                if time.monotonic() - sent_at >= self.times.notices:
                    self._send_due()
                    sent_at = time.monotonic()
                if len(running) == self.threads:
                    wait(running, return_when=FIRST_COMPLETED)
                for future in [future for future in running if future.done()]:
                    running.remove(future)
                    future.result()
                self.invalidate()
                for message in self._receive(self.threads - len(running), stop):
                    held.add(message)
                    running.add(executor.submit(self._handle, message, held, stop))
            for future in running:
                future.result()

    def _send_due(self) -> None:
        try:
            self.send_due()
        except Failed as error:
            log.warning("%s. The worker tries the due notices again later.", error)

    def _receive(self, limit: int, stop: threading.Event) -> list[Received]:
        """Return messages from the queue.

        The list is empty if no message came in time, or if ``stop`` is set.

        Raises:
            QueueRefused: The queue can't be used until a person changes something.

        """
        for attempt in itertools.count():
            try:
                received = self.queue.receive(limit, self.times.poll, self.times.hold)
                if received and stop.is_set():
                    self.queue.hide(received, 0)
                    received = []
            except QueueFailed as error:
                if not error.retryable:
                    raise
                pause = self.times.silence_after(attempt)
                log.warning("%s. Trying again in %d seconds.", error, pause)
                stop.wait(pause)
            else:
                return received
            if stop.is_set():
                break
        return []

    def _handle(self, message: Received, held: Held, stop: threading.Event) -> None:
        """Process the message; then delete it, or let the queue redeliver it."""
        (decoded,) = decode({"Records": [message.to_record()]}).messages
        try:
            outcomes = [self._work(read_task(content, self.place), stop) for content in decoded.contents]
        except Superseded:
            held.drop(message)
            self._give_back(message)
            raise
        held.drop(message)
        try:
            if any(map(needs_redelivery, outcomes)):
                times = self.times
                pause = redelivery_pause(outcomes, message.deliveries, times.first_pause, times.longest_pause)
                self.queue.hide([message], pause)
            else:
                self.queue.delete([message])
        except QueueFailed as error:
            log.warning("%s. %s", error, _REDELIVERED)
        with self._reporting:
            for outcome in outcomes:
                if outcome.name:
                    self.on_outcome(outcome)

    def _give_back(self, message: Received) -> None:
        """Make the message visible, so that another worker can receive it at once."""
        try:
            self.queue.hide([message], 0)
        except QueueFailed as error:
            log.warning("%s. %s", error, _REDELIVERED)

    def _work(self, task: Task, stop: threading.Event) -> Outcome:
        """Do one task of a message, and return its outcome."""
        try:
            match task:
                case Picture(name):
                    return self.process(name, task.ask)
                case SyncRequest():
                    self._tick(task, stop)
                case Refused(why):
                    log.error("%s. The message is left for the dead-letter queue.", why)
                    return task.outcome
        except Superseded:
            raise
        except RenditionsError as error:
            log.error("%s", error)  # noqa: TRY400 - the message says enough without a traceback
        except Exception:
            # Catch any error, because the other messages must still be processed.
            log.exception("Can't process %s: unexpected error. %s", task, _REDELIVERED)
        else:
            return Outcome("", "unchanged")
        return Outcome("", "failed", again_after=retry_pause(1))

    def _tick(self, request: SyncRequest, stop: threading.Event) -> None:
        ticked = self.tick.run(request, lambda: not stop.is_set())
        log.info(
            "Pictures that differ, sent to the queue: %d%s",
            ticked.sent,
            "; the check continues" if ticked.next else "",
        )
        for held in ticked.held:
            log.error("%s Run renditions status to see how to allow it.", held.describe())

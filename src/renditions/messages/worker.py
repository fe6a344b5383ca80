"""A worker: takes a queue's messages and processes them as the function on Lambda does.

The worker hides a message from others while it processes it, for a short time that it renews until the
pictures are done. So the messages of a killed worker are redelivered soon. The worker deletes messages that
are done. A failed message is redelivered, later each time, until the queue moves it to its dead-letter
queue.
"""

from __future__ import annotations

import itertools
import logging
import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from renditions.core.difference import Outcome, retry_pause
from renditions.core.process import Process
from renditions.errors import QueueFailed, RenditionsError, Superseded
from renditions.messages.events import SyncRequest, decode
from renditions.messages.intake import Picture, Refused, Task, needs_redelivery, read_task
from renditions.messages.tick import Tick
from renditions.model.places import S3Place

if TYPE_CHECKING:
    from renditions.aws.sqs import Queue, Received

log = logging.getLogger(__name__)

RENEW_AT_ONCE = 10
"""The most messages of one request: as many as SQS takes."""

MOST_DOUBLINGS = 10
"""How often a pause doubles before it stays the same."""


@dataclass(frozen=True, slots=True)
class Times:
    """The times that a worker waits, in seconds."""

    poll: int = 5
    """How long a request waits for a message; a stop may take as long."""
    hold: int = 120
    """How long a message stays hidden while it is being processed, from the last renewal."""
    beat: float = 30.0
    """How often the worker renews that."""
    first_pause: int = 30
    """How long a message stays hidden after it failed once; twice as long after each further delivery."""
    longest_pause: int = 900
    longest_silence: int = 60
    """The longest wait before an unreachable queue is asked again."""

    def pause_after(self, deliveries: int) -> int:
        """Return how long to hide a message that failed at this delivery, from 1."""
        return int(min(self.first_pause * 2 ** min(deliveries - 1, MOST_DOUBLINGS), self.longest_pause))

    def silence_after(self, attempt: int) -> int:
        """Return how long to wait after this failed attempt to reach the queue, from 0."""
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
        """Renew in a separate thread until the context is left."""
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
                for start in range(0, len(messages), RENEW_AT_ONCE):
                    try:
                        self._queue.hide(messages[start : start + RENEW_AT_ONCE], self._times.hold)
                    except QueueFailed as error:
                        log.warning("%s; other workers may get the messages in progress", error)


@dataclass(frozen=True)
class Worker:
    """Processes a queue's messages, several at a time. It takes only messages that it starts at once."""

    queue: Queue
    place: S3Place
    """Where the pictures land."""
    process: Process
    """Processes one name; called from several threads."""
    tick: Tick
    """Does what a schedule's tick asks for."""
    threads: int
    """How many messages are processed at once."""
    on_outcome: Callable[[Outcome], None]
    """Gets the outcome of each picture, in one thread at a time."""
    times: Times = Times()
    _telling: threading.Lock = field(default_factory=threading.Lock, init=False)

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set, and then finish the messages in progress.

        An unreachable queue is asked again after growing pauses.

        Raises:
            QueueRefused: The queue can't be used until a person changes something.
            Superseded: Another version of the pipeline file is in force; messages in progress are given back.

        """
        held = Held(self.queue, self.times)
        running: set[Future[None]] = set()
        with held.renewed(), ThreadPoolExecutor(self.threads, thread_name_prefix="message") as executor:
            while not stop.is_set():
                if len(running) == self.threads:
                    wait(running, return_when=FIRST_COMPLETED)
                for future in [future for future in running if future.done()]:
                    running.remove(future)
                    future.result()
                for message in self._receive(self.threads - len(running), stop):
                    held.add(message)
                    running.add(executor.submit(self._handle, message, held, stop))

    def _receive(self, limit: int, stop: threading.Event) -> list[Received]:
        """Return messages; none if ``stop`` was set meanwhile."""
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
                log.warning("%s; trying again in %d seconds", error, pause)
                stop.wait(pause)
            else:
                return received
            if stop.is_set():
                break
        return []

    def _handle(self, message: Received, held: Held, stop: threading.Event) -> None:
        """Do what the message asks for; then delete it, or have it redelivered."""
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
                pause = max(self.times.pause_after(message.deliveries), *map(_seconds_until_again, outcomes))
                self.queue.hide([message], pause)
            else:
                self.queue.delete([message])
        except QueueFailed as error:
            log.warning("%s; the message will be redelivered", error)
        with self._telling:
            for outcome in outcomes:
                if outcome.name:
                    self.on_outcome(outcome)

    def _give_back(self, message: Received) -> None:
        """Let another worker have the message at once."""
        try:
            self.queue.hide([message], 0)
        except QueueFailed as error:
            log.warning("%s; the message will be redelivered later", error)

    def _work(self, task: Task, stop: threading.Event) -> Outcome:
        """Do one thing that a message asks for, and return its outcome."""
        try:
            match task:
                case Picture(name):
                    return self.process(name, task.ask)
                case SyncRequest():
                    self._tick(task, stop)
                case Refused(why):
                    log.error("%s", why)
        except Superseded:
            raise
        except RenditionsError as error:
            log.error("%s", error)  # noqa: TRY400 - it says what was expected and what was found
        except Exception:
            # Any error: it doesn't concern the other messages.
            log.exception("%s failed unexpectedly", task)
        else:
            return Outcome("", "unchanged")
        return Outcome("", "failed", again_after=retry_pause(1))

    def _tick(self, request: SyncRequest, stop: threading.Event) -> None:
        ticked = self.tick.run(request, lambda: not stop.is_set())
        log.info("%d pictures differ%s", ticked.sent, ", to be continued" if ticked.next else "")
        for held in ticked.held:
            log.error("%s held back for %d pictures: %s", held.what, held.count, held.why)


def _seconds_until_again(outcome: Outcome) -> int:
    """Return how long the picture asks to wait, in whole seconds.

    If another worker holds it, that is until the lease ends. An earlier redelivery would be in vain, and
    the queue allows only a few:

        A  takes the lease …killed…                          the lease ends
        B                    waits, waits, dead-letter queue         :
        C                    waits                                   : makes it
    """
    return math.ceil(outcome.again_after.total_seconds()) if outcome.again_after else 0

"""One history: people change pictures and the pipeline while workers run, fail and die; then all is calm.

The history's number determines the actions, the failures and the order of the tasks. Each history first draws
its kinds of failure, so that some have only crashes, some only lost answers, and some all kinds at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any
from unittest.mock import patch

from doubles import MemoryCatalog, MemoryStore
from faults import promise
from faults.cloud import CloudCatalog, CloudNotifier, CloudQueue, CloudRenderer, CloudStore, Message
from faults.observer import Observer
from faults.outsiders import Outsiders
from faults.scheduler import Fault, Process, Scheduler, Task, Threads, drain
from faults.weather import (
    ATTENDED,
    CONTENTS,
    EPOCH,
    FOREIGN,
    LIMITS,
    LONG_SECONDS,
    NAMES,
    NOTIFY,
    PIPELINES,
    READY,
    WRONG_SECONDS,
    Weather,
)
from renditions.core import reconcile
from renditions.core.ask import ALLOWED, PLAIN, Ask
from renditions.core.binding import FOLLOWS, Claimant, Standing, Start, bind
from renditions.core.comparison import Comparison
from renditions.core.difference import Difference, Outcome, retry_pause
from renditions.core.guard import Guard
from renditions.core.leases import permit_removal, reopen, wish
from renditions.core.ports import IfAbsent, IfMatch
from renditions.core.process import Processor
from renditions.core.reconcile import Run
from renditions.errors import RenditionsError, Superseded
from renditions.model.pipeline import (
    Pipeline,
    Wishes,
)
from renditions.model.recipe import Focus
from renditions.model.record import Record


class History:
    """The history of a number. ``run`` raises ``Broken`` if the promise doesn't hold."""

    def __init__(self, number: int, *, is_calm: bool = False) -> None:
        self.random = Random(number)  # noqa: S311 - repeatable, not secret
        self.weather = Weather.draw(self.random)
        self.names = self.random.sample(NAMES, self.random.choice((1, 2, 5)))
        self.notify = self.random.choice(NOTIFY)
        self.scheduler = Scheduler(self._latency_seconds)
        self.dead: set[str] = set()
        self.source, self.output, self.catalog = MemoryStore(), MemoryStore(), MemoryCatalog()
        for key, content in FOREIGN.items():
            self.output.put(key, content, IfAbsent(), "")
        weather = self.weather
        is_strict = weather.skew_seconds < WRONG_SECONDS and not (weather.outsider or weather.restore)
        self.observer = Observer(
            self.output, self.catalog, self._time_of, self._is_gone, is_strict,
            known=len(self.names), limits=LIMITS,
        )  # fmt: skip
        self.outsiders = Outsiders(
            self.random, self.source, self.output, self.catalog, self.observer, dict(FOREIGN)
        )
        self.use(self.random.choice(PIPELINES))
        self.queue = CloudQueue(self.scheduler, self.random)
        self.is_calm = is_calm
        self._processes = self._in_progress = self._restarts = 0
        self._ports: dict[str, Any] = {
            "source": CloudStore(self.scheduler, self.source, outsiders=self.outsiders),
            "catalog": CloudCatalog(
                self.scheduler,
                self.catalog,
                self.observer,
                lambda: 0 if self.is_calm else self.random.uniform(0, self.weather.lag_seconds),
            ),
        }

    @property
    def calls(self) -> int:
        """The number of I/O calls."""
        return self.scheduler.calls

    def run(self) -> None:
        """Run the history, calm it down, and check the result."""
        with replaced_threads(self.scheduler):
            self.scheduler.start(Process("people"), self._be_people)
            for _ in range(self.weather.queue_workers):
                self.start(self._work)
            for _ in range(self.weather.syncs):
                self.start(self._sync_some_time)
            for task in drain(self.scheduler, self._choose_fault):
                if task.process.is_dead and task.process.owner not in self.dead:
                    self.dead.add(task.process.owner)
                    self.start(self._work)
        self.calm_down()
        self.check()

    def check(self) -> None:
        """Check the promise."""
        promise.check(
            self.pipeline, self.source, self.output, self.catalog, self.observer.sent,
            self.outsiders.foreign, may_stray=self.outsiders.has_strays,
        )  # fmt: skip

    def calm_down(self) -> None:
        """Finish all tasks, let leases of dead workers expire, sync, and retry given-up pictures.

        A person attends the syncs, so they verify, retry and may remove pictures.
        """
        self.is_calm = True
        with replaced_threads(self.scheduler):
            self._drain()
            self.outsiders.show_source()
            for _ in range(3):
                self.scheduler.now += LONG_SECONDS
                self._permit_removals()
                self.start(partial(self._sync, ATTENDED))
                self._drain()
                for record in list(self.catalog.list()):
                    if record.status == "failed":
                        reopen(self.catalog, record)

    def _permit_removals(self) -> None:
        """Allow the removal of every picture that is missing now, like a person."""
        until = EPOCH + timedelta(seconds=self.scheduler.now + LONG_SECONDS)
        for record in list(self.catalog.list()):
            if not (self.source.head(record.name) and self.pipeline.source.matches(record.name)):
                permit_removal(self.catalog, record, until)

    def _drain(self) -> None:
        for _ in drain(self.scheduler):
            pass

    def start(self, body: Callable[[], object]) -> Task:
        """Start a worker process that runs this function."""
        return self.scheduler.start(self._new_process(), body)

    def use(self, pipeline: Pipeline) -> None:
        """Use another pipeline for all work that starts from now on."""
        self.pipeline = READY[id(pipeline), self.notify]
        bound = bind(self.catalog, self._claim(Start(sets_generation=True)))
        self.observer.newest[bound.generation] = bound.generation_number

    def _claim(self, start: Start = FOLLOWS) -> Claimant:
        return Claimant("renditions.toml", "in", "out", self.pipeline.generation, start)

    def process_quietly(self, name: str) -> None:
        """Process a picture, and ignore its failure."""
        with suppress(RenditionsError):
            self._process(self._processor(self.scheduler.current.process), name)

    def _be_people(self) -> None:
        """Upload, replace and delete pictures, and now and then change the pipeline."""
        for _ in range(self.random.randint(2, 12)):
            self.scheduler.sleep(self.random.expovariate(1) * self.random.choice((0.01, 1.0, 100.0, 1000.0)))
            if self._be_outsiders():
                continue
            what = self.random.random()
            name = self.random.choice(self.names)
            if what < 0.65:
                self.upload(name, self.random.choice(CONTENTS))
            elif what < 0.83:
                self.remove(name)
            elif what < 0.92:
                self.use(self.random.choice(PIPELINES))
            elif record := self.catalog.get(name):
                self._ask_for(record)

    def _be_outsiders(self) -> bool:
        """Sometimes act as another program that the workers don't know; return whether it acted."""
        draw, weather, outsiders = self.random.random(), self.weather, self.outsiders
        if draw < weather.vanish:
            outsiders.change_source(self.names)
        elif self._in_progress:
            # A worker sees that a key is free; an outsider writes there before the worker claims it; the
            # worker dies. No process can detect this. The documentation says so, and this test omits it.
            return False
        elif draw < weather.vanish + weather.outsider:
            if self.random.random() < 0.6:
                outsiders.change_output()
            else:
                name = self.random.choice(self.names)
                etag = getattr(self.source.head(name), "etag", "none")
                outsiders.add_foreign(self.pipeline.output_keys(name, etag).values())
        elif draw < weather.vanish + weather.outsider + weather.restore:
            self._change_catalog()
        else:
            return False
        return True

    def _change_catalog(self) -> None:
        """Keep, restore or lose the catalog; then every worker is started again."""
        if self.random.random() < 0.1:
            self.outsiders.lose_catalog()
        elif not self.outsiders.restore_catalog():
            return
        self._restarts += 1
        self.observer.newest.clear()
        self.use(self.random.choice(PIPELINES))

    def _ask_for(self, record: Record) -> None:
        """Retry a picture, set its focus, or request a rendition on demand."""
        if self.random.random() < 0.5:
            reopen(self.catalog, record)
        else:
            focus = self.random.choice((None, Focus(x=10, y=20), Focus(x=30, y=40)))
            demanded = self.random.choice(((), ("extra",)))
            wish(self.catalog, record, Wishes(focus, demanded))
        self._hint(record.name)

    def upload(self, name: str, content: bytes) -> None:
        """Put or replace a picture."""
        there = self.source.head(name)
        stored = self.source.put(name, content, IfMatch(there.etag) if there else IfAbsent(), "image/jpeg")
        self.observer.see_source(name, stored.etag, content)
        self._hint(name)

    def remove(self, name: str) -> None:
        """Delete a picture."""
        if there := self.source.head(name):
            self.source.delete(name, IfMatch(there.etag))
            self.observer.see_source(name, None)
            self._hint(name, is_removal=True)

    def _hint(self, name: str, *, is_removal: bool = False) -> None:
        if self.random.random() < self.weather.lose_hint:
            return
        for _ in range(self.random.choice((1, 1, 2))):
            self.queue.send(name, self.random.choice((0.0, 0.5, 30.0)), is_removal=is_removal)

    def _work(self) -> None:
        """Take hints from the queue and process them, until none has arrived for a long time."""
        process = self.scheduler.current.process
        idle = 0
        processor, started = self._processor(process), self._restarts
        while idle < 4:
            messages: list[Message] = []
            try:
                messages = self.queue.receive(3)
                idle = 0 if messages else idle + 1
                for message in messages:
                    if self.random.random() < 0.2 or started != self._restarts:
                        processor, started = self._processor(process), self._restarts
                    self._answer(message, processor)
            except Superseded:
                processor = self._processor(process)
            except RenditionsError:
                idle += 1
            if not messages:
                self.scheduler.sleep(self.random.choice((0.1, 20.0, 500.0)))

    def _answer(self, message: Message, processor: Processor) -> None:
        """Process the picture of a message, and delete the message unless it must be redelivered."""
        outcome = self._process(processor, message.name, ALLOWED if message.is_removal else PLAIN)
        if outcome.again_after is None:
            self.queue.delete(message)
        elif self.random.random() < 0.5:
            self.queue.give_back(message, self.random.choice((1.0, 50.0)))

    def _process(self, processor: Processor, name: str, ask: Ask = PLAIN) -> Outcome:
        task = self.scheduler.current
        self.observer.asks[task] = ask
        self._in_progress += 1
        try:
            outcome = processor.process(name, ask)
        finally:
            self._in_progress -= 1
        self.observer.see_outcome(outcome)
        return outcome

    def _sync_some_time(self) -> None:
        self.scheduler.sleep(self.random.choice((1.0, 100.0, 1000.0)))
        self._sync(self.random.choice((PLAIN, Ask(verify="quick"), Ask(verify="content"))))

    def _sync(self, ask: Ask) -> None:
        """Run the real ``sync`` over all pictures."""
        process = self.scheduler.current.process
        processor, started = self._processor(process), self._restarts

        def plan() -> Iterator[Difference]:
            comparison = Comparison(
                processor.pipeline, processor.catalog, processor.output, self._is_gone, ask
            )
            return reconcile.plan(comparison, processor.source, clock=processor.clock)

        def work(name: str, ask: Ask = PLAIN) -> Outcome:
            self.observer.syncing.add(self.scheduler.current)
            if started != self._restarts:
                raise Superseded("it was started again")
            try:
                return self._process(processor, name, ask)
            except Superseded:
                raise
            except RenditionsError as error:
                return Outcome(name, "failed", str(error), retry_pause(1) if error.retryable else None)

        stop: Any = self
        try:
            reconcile.sync(
                Run(
                    differences=plan,
                    process=work,
                    guard=Guard(LIMITS),
                    ask=ask,
                    threads=2,
                    stop=stop,
                    on_outcome=lambda _: None,
                    clock=processor.clock,
                )
            )
        except RenditionsError:
            if self.is_calm:
                raise

    def wait(self, seconds: float) -> bool:
        """Stand for the event that stops a sync. It is never set, and waiting takes simulated time."""
        self.scheduler.sleep(seconds)
        return False

    def is_set(self) -> bool:
        """Return that the sync isn't stopped."""
        return False

    def _processor(self, process: Process) -> Processor:
        binding = self.catalog.read_binding()
        assert binding
        self.observer.generation_of[process] = binding.generation
        output = CloudStore(self.scheduler, self.output, self.observer, self.pipeline.output.headers)
        return Processor(
            pipeline=self.pipeline,
            render=CloudRenderer(self.scheduler),
            notifiers={
                notify.target: CloudNotifier(self.scheduler, self.observer) for notify in self.pipeline.notify
            },
            owner=process.owner,
            clock=lambda: self._time_of(process),
            is_gone=self._is_gone,
            standing=Standing(self._ports["catalog"], binding, self._claim()),
            output=output,
            **self._ports,
        )

    def _new_process(self) -> Process:
        self._processes += 1
        skew = 0.0 if self.is_calm else self.random.uniform(-1, 1) * self.weather.skew_seconds
        return Process(f"worker {self._processes}", skew)

    def _time_of(self, process: Process) -> datetime:
        return EPOCH + timedelta(seconds=self.scheduler.now + process.skew_seconds)

    def _is_gone(self, owner: str) -> bool:
        return self.weather.knows_dead and owner in self.dead

    def _latency_seconds(self) -> float:
        return 0.0 if self.is_calm else self.random.expovariate(20)

    def _choose_fault(self, task: Task) -> Fault:
        draw, weather = self.random.random(), self.weather
        if self.random.random() < weather.oversleep:
            task.process.asleep_until = self.scheduler.now + self.random.choice((10.0, 400.0, 4000.0))
        for fault, often in (
            (Fault.DIE, weather.die / 2),
            (Fault.DIE_AFTER, weather.die / 2),
            (Fault.FAIL, weather.fail),
            (Fault.REFUSE, weather.refuse),
            (Fault.LOSE, weather.lose),
            (Fault.REPEAT, weather.repeat),
        ):
            if draw < often:
                return fault
            draw -= often
        return Fault.NONE


@contextmanager
def replaced_threads(scheduler: Scheduler) -> Iterator[None]:
    """Make the real ``sync`` use tasks for its threads."""
    threads = Threads(scheduler)
    with patch.multiple(reconcile, ThreadPoolExecutor=threads, wait=threads.wait):
        yield

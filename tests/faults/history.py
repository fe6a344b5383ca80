"""One history: people change pictures and the pipeline while workers run, fail and die; then it calms down.

Its number determines everything: the actions, the failures, and which task runs when. It draws its kinds of
failure first, so that some histories have only crashes, some only lost answers, and some everything at
once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from unittest.mock import patch

from doubles import MemoryCatalog, MemoryStore
from faults import promise
from faults.cloud import CloudCatalog, CloudNotifier, CloudQueue, CloudRenderer, CloudStore, Message
from faults.observer import Observer
from faults.scheduler import Fault, Process, Scheduler, Task, Threads, drain
from renditions.core import reconcile
from renditions.core.ask import ALLOWED, PLAIN, Ask
from renditions.core.binding import Claimant, Standing, bind
from renditions.core.comparison import Comparison
from renditions.core.difference import Difference, Outcome, retry_pause
from renditions.core.guard import Guard
from renditions.core.leases import reopen, wish
from renditions.core.ports import IfAbsent, IfMatch
from renditions.core.process import Processor
from renditions.core.reconcile import Run
from renditions.errors import RenditionsError
from renditions.model.pipeline import Accept, Analyze, Notify, OutputPlace, Pipeline, Source, Wishes
from renditions.model.recipe import Focus, Rendition
from renditions.model.record import Record
from world import LOG, make_pipeline

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("a/1.jpg", "a/2.jpg", "b/1.jpg", "c.jpg", "d.png")
CONTENTS = (b"one", b"two", b"bad", b"half", b"one that is longer")
FOREIGN = {"a/0.jpg": b"foreign", "z": b"another's"}
"""An object in the output store that isn't ours."""

_ON_DEMAND = Rendition(width=50, on_demand=True)
_WIDE = Rendition(width=1200)
PIPELINES = (
    make_pipeline(),
    make_pipeline(thumb=Rendition(width=100), large=_WIDE),
    make_pipeline(thumb=Rendition(width=200), large=Rendition(width=900), extra=Rendition(width=50)),
    make_pipeline(thumb=Rendition(width=200, key="thumb_{name}"), large=_WIDE),
    make_pipeline(thumb=Rendition(width=200, key="{etag}/{dir}{name}")),
    make_pipeline(thumb=Rendition(width=9, height=9, fit="cover", gravity="focus"), extra=_ON_DEMAND),
    make_pipeline(large=Rendition(width=1200, key="{stem}.jpg")),
    replace(make_pipeline(), accept=Accept(max_bytes=5)),
    replace(make_pipeline(), analyze=Analyze(transparency=True)),
    replace(make_pipeline(), source=Source(store="in", match=("a/*", "*.png"))),
    Pipeline(
        source=Source(store="in"),
        output=OutputPlace(store="out"),
        renditions={"same": Rendition(width=9, key="{stem}"), "thumb": Rendition(width=200, key="{name}")},
    ),
)
NOTIFY = (
    (),
    (LOG,),
    (Notify(on=("rejected", "failed"), to="log:"),),
    (LOG, Notify(on=("done",), to="sns:arn:aws:sns:eu-west-1:123456789012:done")),
)
"""One of these holds for a whole history: changed targets are no reason to send a notice again."""

WRONG_SECONDS = 4000.0
"""How far a wrong clock is off."""

LONG_SECONDS = 3 * 3600.0
"""A time longer than any lease, pause and clock error."""


@dataclass(frozen=True, slots=True)
class Weather:
    """The probability of each failure per I/O call or message, and the properties of the machines."""

    die: float
    fail: float
    refuse: float
    lose: float
    repeat: float
    oversleep: float
    lose_hint: float
    lag_seconds: float
    skew_seconds: float
    knows_dead: bool
    """Whether workers can see which others are dead, as on one machine."""
    queue_workers: int
    syncs: int
    """How many full syncs run."""

    @classmethod
    def draw(cls, random: Random) -> Weather:
        """Draw the failures of a history: each kind is left out of half of the histories."""

        def maybe(*values: float) -> float:
            return random.choice((0.0,) * len(values) + values)

        knows_dead = random.random() < 0.3
        weather = cls(
            die=maybe(0.004, 0.03),
            fail=maybe(0.01, 0.1),
            refuse=maybe(0.002, 0.01),
            lose=maybe(0.01, 0.05),
            repeat=maybe(0.02, 0.1),
            oversleep=maybe(0.005, 0.03),
            lose_hint=maybe(0.1, 0.5),
            lag_seconds=maybe(1.0, 60.0),
            skew_seconds=maybe(1.0, 25.0),
            knows_dead=knows_dead,
            queue_workers=random.randint(1, 3),
            syncs=random.randint(0, 2),
        )
        if random.random() < 0.15:
            return replace(weather, die=0.0, fail=0.0, refuse=0.0, lose=0.0, skew_seconds=WRONG_SECONDS)
        return weather


class History:
    """The history of a number; ``run`` raises ``Broken`` where the promise doesn't hold."""

    def __init__(self, number: int, *, is_calm: bool = False) -> None:
        self.random = Random(number)  # noqa: S311 - repeatable, not secret
        self.weather = Weather.draw(self.random)
        self.names = self.random.sample(NAMES, self.random.choice((1, 2, 5)))
        self.notify = self.random.choice(NOTIFY)
        self.use(self.random.choice(PIPELINES))
        self.scheduler = Scheduler(self._latency_seconds)
        self.dead: set[str] = set()
        self.source, self.output, self.catalog = MemoryStore(), MemoryStore(), MemoryCatalog()
        for key, content in FOREIGN.items():
            self.output.put(key, content, IfAbsent(), "")
        claimant = Claimant("renditions.toml", "in", "out", "one")
        self.standing = Standing(self.catalog, bind(self.catalog, claimant), claimant)
        clocks_agree = self.weather.skew_seconds < WRONG_SECONDS
        self.observer = Observer(self.output, self.catalog, self._time_of, self._is_gone, clocks_agree)
        self.queue = CloudQueue(self.scheduler, self.random)
        self.is_calm = is_calm
        self._processes = 0
        self._ports: dict[str, Any] = {
            "source": CloudStore(self.scheduler, self.source),
            "output": CloudStore(self.scheduler, self.output, self.observer),
            "catalog": CloudCatalog(
                self.scheduler,
                self.catalog,
                self.observer,
                lambda: 0 if self.is_calm else self.random.uniform(0, self.weather.lag_seconds),
            ),
        }

    @property
    def calls(self) -> int:
        """How many I/O calls there were."""
        return self.scheduler.calls

    def run(self) -> None:
        """Run it, let it calm down, and check the result."""
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
        promise.check(self.pipeline, self.source, self.output, self.catalog, self.observer.sent, FOREIGN)

    def calm_down(self) -> None:
        """Finish all tasks, let leases of dead workers expire, sync, and retry given-up pictures."""
        self.is_calm = True
        with replaced_threads(self.scheduler):
            self._drain()
            self.scheduler.now += LONG_SECONDS
            self.start(self._sync)
            self._drain()
            for record in list(self.catalog.list()):
                if record.status == "failed":
                    reopen(self.catalog, record)
            self.start(self._sync)
            self._drain()

    def _drain(self) -> None:
        for _ in drain(self.scheduler):
            pass

    def start(self, body: Callable[[], object]) -> Task:
        """Start a worker process with this body."""
        return self.scheduler.start(self._new_process(), body)

    def use(self, pipeline: Pipeline) -> None:
        """Use another pipeline for all work begun from now on."""
        self.pipeline = replace(pipeline, notify=self.notify)

    def process_quietly(self, name: str) -> None:
        """Process a picture, and ignore its failure."""
        with suppress(RenditionsError):
            self._process(self._processor(self.scheduler.current.process), name)

    def _be_people(self) -> None:
        """Upload, replace and delete pictures, and now and then change the pipeline."""
        for _ in range(self.random.randint(2, 12)):
            self.scheduler.sleep(self.random.expovariate(1) * self.random.choice((0.01, 1.0, 100.0, 1000.0)))
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
        """Take hints from the queue and process them, until none came for a long time."""
        process = self.scheduler.current.process
        idle = 0
        processor = self._processor(process)
        while idle < 4:
            messages: list[Message] = []
            try:
                messages = self.queue.receive(3)
                idle = 0 if messages else idle + 1
                if self.random.random() < 0.3:
                    processor = self._processor(process)
                for message in messages:
                    self._answer(message, processor)
            except RenditionsError:
                idle += 1
            if not messages:
                self.scheduler.sleep(self.random.choice((0.1, 20.0, 500.0)))

    def _answer(self, message: Message, processor: Processor) -> None:
        """Process what a message hints at, and delete it unless it has to be redelivered."""
        outcome = self._process(processor, message.name, ALLOWED if message.is_removal else PLAIN)
        if outcome.again_after is None:
            self.queue.delete(message)
        elif self.random.random() < 0.5:
            self.queue.give_back(message, self.random.choice((1.0, 50.0)))

    def _process(self, processor: Processor, name: str, ask: Ask = PLAIN) -> Outcome:
        outcome = processor.process(name, ask)
        self.observer.see_outcome(outcome)
        return outcome

    def _sync_some_time(self) -> None:
        self.scheduler.sleep(self.random.choice((1.0, 100.0, 1000.0)))
        self._sync()

    def _sync(self) -> None:
        """Run the real ``sync`` over all pictures."""
        process = self.scheduler.current.process
        processor = self._processor(process)

        def plan() -> Iterator[Difference]:
            comparison = Comparison(processor.pipeline, processor.catalog, processor.output, self._is_gone)
            return reconcile.plan(comparison, processor.source, clock=processor.clock)

        def work(name: str, ask: Ask = PLAIN) -> Outcome:
            try:
                return self._process(processor, name, ask)
            except RenditionsError as error:
                return Outcome(name, "failed", str(error), retry_pause(1) if error.retryable else None)

        stop: Any = self
        try:
            reconcile.sync(
                Run(
                    differences=plan,
                    process=work,
                    guard=Guard(self.pipeline.source.max_removals),
                    ask=PLAIN,
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
        """Stand in for the event that stops a sync: never set; waiting takes simulated time."""
        self.scheduler.sleep(seconds)
        return False

    def is_set(self) -> bool:
        """Return that the sync isn't stopped."""
        return False

    def _processor(self, process: Process) -> Processor:
        return Processor(
            pipeline=self.pipeline,
            render=CloudRenderer(self.scheduler),
            notifiers={
                notify.target: CloudNotifier(self.scheduler, self.observer) for notify in self.pipeline.notify
            },
            owner=process.owner,
            clock=lambda: self._time_of(process),
            is_gone=self._is_gone,
            standing=self.standing,
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
    """Have the real ``sync`` use tasks for its threads."""
    threads = Threads(scheduler)
    with patch.multiple(reconcile, ThreadPoolExecutor=threads, wait=threads.wait):
        yield

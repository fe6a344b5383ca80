"""A small world for the core: stores and a catalog in memory, and a manual clock.

Its renderer only hashes. A worker's calls to the stores, the catalog and the notifiers can be counted as
*steps*. A test can crash the caller at a step or let another task run there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from doubles import MemoryCatalog, MemoryNotifier, MemoryStore
from faults import promise
from hashing import expected_output, hash_render
from renditions.core.ask import ALLOWED, PLAIN, Ask
from renditions.core.binding import Claimant, Standing, Start, bind
from renditions.core.comparison import Comparison
from renditions.core.content import Reader
from renditions.core.guard import Guard
from renditions.core.outcome import Outcome
from renditions.core.planning import plan
from renditions.core.ports import IfAbsent, IfMatch, Store
from renditions.core.process import Process, Processor
from renditions.core.reconcile import Run
from renditions.errors import StoreFailed
from renditions.model.notify import Notify
from renditions.model.output_place import OutputPlace
from renditions.model.pipeline import Pipeline
from renditions.model.recipe import Rendition
from renditions.model.record import Record
from renditions.model.registry import Shared
from renditions.model.source import Source
from renditions.runtime.parts import Parts

__all__ = ["LOG", "NAME", "Crash", "Steps", "World", "expected_output", "hash_render", "make_pipeline"]

NAME = "photo.jpg"
"""The picture of a test that needs only one."""

LOG = Notify(on=("done", "rejected", "failed"), to="log:")


def make_pipeline(notify: tuple[Notify, ...] = (LOG,), **renditions: Rendition) -> Pipeline:
    """Return a pipeline with these renditions, or with ``thumb`` and ``large``."""
    return Pipeline(
        source=Source(store="in"),
        output=OutputPlace(store="out"),
        renditions=renditions or {"thumb": Rendition(width=200), "large": Rendition(width=1200)},
        notify=notify,
    )


APPLIES = Start(sets_generation=True)


class Crash(BaseException):
    """Raised where the process dies. Only tests may catch it."""


@dataclass
class Steps:
    """The counted calls to stores, catalog and notifiers, with actions at one call."""

    count: int = 0
    at: int = -1
    before: Callable[[], object] = lambda: None
    after: Callable[[], object] = lambda: None
    names: list[str] = field(default_factory=list)


class Stepped:
    """A store, a catalog or a notifier whose calls are steps."""

    def __init__(self, port: Any, steps: Steps) -> None:
        self._port = port
        self._steps = steps

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._port, name)
        if name in ("folding", "obstacle", "is_spelled"):  # these aren't counted
            return method

        def step(*args: Any, **named: Any) -> Any:
            steps = self._steps
            number = steps.count
            steps.count += 1
            steps.names.append(f"{type(self._port).__name__}.{name}")
            if number == steps.at:
                steps.before()
            try:
                return method(*args, **named)
            finally:
                if number == steps.at:
                    steps.after()

        return step


@dataclass
class World:
    """Stores, catalog and notices that outlive the workers."""

    pipeline: Pipeline = field(default_factory=make_pipeline)
    source: MemoryStore = field(default_factory=MemoryStore)
    output: Store = field(default_factory=MemoryStore)
    former: dict[str, Store] = field(default_factory=dict)
    """Output stores that were used before, by their place."""
    standing: Standing | None = None
    """Says whether the pipeline is in force. None if the catalog isn't bound; outputs then get no mark."""
    catalog: MemoryCatalog = field(default_factory=MemoryCatalog)
    notifier: MemoryNotifier = field(default_factory=MemoryNotifier)
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    gone: set[str] = field(default_factory=set)
    ask: Ask = ALLOWED
    """The options of :meth:`plan` and :meth:`settle`."""
    foreign: dict[str, bytes] = field(default_factory=dict)
    """Objects in the output store that must stay unchanged."""

    @property
    def known(self) -> int:
        """How many pictures have a record."""
        return sum(totals.pictures for totals in self.catalog.count().values())

    def record(self, name: str = NAME) -> Record:
        """Return the record of a picture, which must have one."""
        record = self.catalog.get(name)
        assert record
        return record

    def clock(self) -> datetime:
        """Return the time. It advances by a millisecond with each call."""
        self.now += timedelta(milliseconds=1)
        return self.now

    def upload(self, name: str, content: bytes) -> None:
        """Put or replace a source object."""
        there = self.source.head(name)
        self.source.put(name, content, IfMatch(there.etag) if there else IfAbsent(), "image/jpeg")

    def remove(self, name: str) -> None:
        """Delete a source object."""
        if there := self.source.head(name):
            self.source.delete(name, IfMatch(there.etag))

    def bind(self, start: Start = APPLIES) -> Standing:
        """Bind the catalog to the present pipeline; return the standing, now in use."""
        pipeline = self.pipeline
        claimant = Claimant(
            "renditions.toml", pipeline.source.store, pipeline.output.store, pipeline.generation, start
        )
        self.standing = Standing(self.catalog, bind(self.catalog, claimant), claimant)
        return self.standing

    def move_output(self, place: str) -> None:
        """Use a new output store, or a former one again."""
        self.former[self.pipeline.output.store] = self.output
        self.output = self.former.pop(place) if place in self.former else MemoryStore()
        self.use_output(store=place)

    def use_output(self, **changes: Any) -> None:
        """Change fields of ``[output]``."""
        self.pipeline = replace(self.pipeline, output=replace(self.pipeline.output, **changes))

    def processor(self, owner: str = "first", steps: Steps | None = None, **changes: Any) -> Processor:
        """Return a worker. If there are ``steps``, they count its calls."""
        ports: dict[str, Any] = {"source": self.source, "output": self.output, "catalog": self.catalog}
        notifier: Any = self.notifier
        places: dict[str, Any] = {**self.former, self.pipeline.output.store: self.output}
        if steps:
            places = {place: Stepped(store, steps) for place, store in places.items()}
            ports = {name: Stepped(port, steps) for name, port in ports.items()}
            notifier = Stepped(notifier, steps)
        processor = Processor(
            pipeline=self.pipeline,
            render=hash_render,
            notifiers={notify.target: notifier for notify in self.pipeline.notify},
            owner=owner,
            clock=self.clock,
            is_gone=self.gone.__contains__,
            standing=self.standing,
            open_place=places.__getitem__,
            **ports,
        )
        return replace(processor, **changes)

    def parts(self) -> Parts:
        """Return the world's parts in the form that entry points use."""
        return Parts(
            self.pipeline,
            Path(),
            source=self.source,
            output=self.output,
            catalog=self.catalog,
            notifiers={notify.target: self.notifier for notify in self.pipeline.notify},
            shared=Shared(),
            is_gone=self.gone.__contains__,
        )

    def plan(self) -> list[tuple[str, str]]:
        """Return (name, action) of each picture that differs."""
        return [
            (difference.name, difference.action)
            for difference in self.differences(ask=self.ask)
            if difference.action != "keep"
        ]

    def differences(self, after: str = "", ask: Ask = ALLOWED) -> Iterator[Any]:
        """Yield the differences of the plan."""
        comparison = Comparison(
            self.pipeline, self.catalog, self.output, self.gone.__contains__, ask, reader=Reader(self.source)
        )
        return plan(comparison, self.source, clock=self.clock, after=after)

    @property
    def guard(self) -> Guard:
        """The guard that the pipeline declares."""
        return Guard(self.pipeline.source.max_removals, self.source.has_folder)

    def run(self, process: Process | None = None, **changes: Any) -> Run:
        """Return a run over all pictures."""
        run = Run(
            differences=lambda ask: self.differences(ask=ask),
            process=process or self.processor().process,
            guard=self.guard,
            ask=PLAIN,
            threads=3,
            stop=threading.Event(),
            on_outcome=lambda _: None,
            clock=self.clock,
            folding=self.output.folding,
        )
        return replace(run, **changes)

    def settle(self, owner: str = "later", rounds: int = 6) -> list[Outcome]:
        """Process what the plan lists, until nothing is left to do; return the outcomes."""
        outcomes = []
        for _ in range(rounds):
            todo = self.plan()
            outcomes += [self.processor(owner).process(name, self.ask) for name, _ in todo]
            if not todo:
                return outcomes
        raise AssertionError(f"never settles: {self.plan()}")

    def check_promise(self) -> None:
        """Assert that outputs and records are exactly as the pipeline declares."""
        foreign = {self.output.folding()(key): content for key, content in self.foreign.items()}
        promise.check(
            promise.Final(self.pipeline, self.source, self.output, self.catalog, self.notifier.sent, foreign)
        )

    def content(self, key: str) -> bytes:
        """Return the content of the object under the key in the output store."""
        got = self.output.get(key)
        assert got
        return got[1]

    def lose_outputs(self, keys: Iterable[str] | None = None) -> None:
        """Delete these outputs, or all of them, as another program would."""
        for found in list(self.output.list()):
            if keys is None or found.key in keys:
                self.output.delete(found.key, IfMatch(found.etag))

    def overwrite(self, key: str, content: bytes) -> None:
        """Write an object to the output store, as another program would."""
        there = self.output.head(key)
        self.output.put(key, content, IfMatch(there.etag) if there else IfAbsent(), "image/jpeg")

    def no_rewrites(self) -> Any:
        """Return an output store that can't change headers."""
        world = self

        class Fixed:
            def __getattr__(self, name: str) -> Any:
                return getattr(world.output, name)

            def rewrite_headers(self, *_: Any) -> Any:
                raise StoreFailed("not allowed")

        return Fixed()

    def break_writes(self, times: int) -> Any:
        """Return an output store whose next ``times`` writes fail."""
        world = self

        class Broken:
            left = times

            def __getattr__(self, name: str) -> Any:
                return getattr(world.output, name)

            def put(self, *args: Any) -> Any:
                if self.left:
                    self.left -= 1
                    raise StoreFailed("no space left on the device")
                return world.output.put(*args)

        return Broken()

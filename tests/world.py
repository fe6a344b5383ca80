"""A small world for the core: in-memory ports, a renderer that only hashes, a clock that is set by hand.

Every call to a port is a *step*; a step can be made to crash the caller or to let somebody else work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from memory import MemoryCatalog, MemoryNotifier, MemoryStore
from renditions.difference import Outcome
from renditions.errors import StoreFailed
from renditions.pipeline import Accept, Analyze, Notify, OutputPlace, Pipeline, Source
from renditions.ports import IfAbsent, IfMatch, Rendered, Rendering, Store
from renditions.process import Processor
from renditions.recipe import Rendition
from renditions.reconcile import plan
from renditions.record import Analysis, Original

LOG = Notify(on=("done", "rejected", "failed"), to="log:")


def make_pipeline(notify: tuple[Notify, ...] = (LOG,), **renditions: Rendition) -> Pipeline:
    """Return a pipeline with these renditions, or with ``thumb`` and ``large``."""
    return Pipeline(
        source=Source(store="in"),
        output=OutputPlace(store="out"),
        renditions=renditions or {"thumb": Rendition(width=200), "large": Rendition(width=1200)},
        notify=notify,
    )


def hash_render(
    content: bytes, accept: Accept, recipes: Mapping[str, Rendition], analyze: Analyze
) -> Rendering:
    """Render by hashing; content that starts with ``bad`` is rejected, ``half`` fails in one rendition."""
    analysis = Analysis(transparency=False) if analyze.transparency else None
    original = Original(len(content), "jpeg", 4, 3, 1, analysis)
    if content.startswith(b"bad"):
        return Rendering(original, rejected="it is bad")
    made = {
        name: Rendered(expected_output(content, recipe), "jpeg", 2, 1) for name, recipe in recipes.items()
    }
    errors = {"large": "too half"} if content.startswith(b"half") and "large" in made else {}
    return Rendering(original, {name: made[name] for name in made if name not in errors}, errors)


def expected_output(content: bytes, recipe: Rendition) -> bytes:
    """Return what :func:`hash_render` makes of this content."""
    return hashlib.sha256(content + recipe.fingerprint().encode()).digest()


class Crash(BaseException):
    """The process dies here: nothing may catch it."""


@dataclass
class Steps:
    """Counts the calls to ports and acts at a chosen one."""

    count: int = 0
    at: int = -1
    before: Callable[[], object] = lambda: None
    after: Callable[[], object] = lambda: None
    names: list[str] = field(default_factory=list)


class Stepped:
    """A port whose every call is a step."""

    def __init__(self, port: Any, steps: Steps) -> None:
        self._port = port
        self._steps = steps

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)

        def step(*args: Any) -> Any:
            steps = self._steps
            number = steps.count
            steps.count += 1
            steps.names.append(f"{type(self._port).__name__}.{name}")
            if number == steps.at:
                steps.before()
            try:
                return method(*args)
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
    catalog: MemoryCatalog = field(default_factory=MemoryCatalog)
    notifier: MemoryNotifier = field(default_factory=MemoryNotifier)
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    gone: set[str] = field(default_factory=set)

    def clock(self) -> datetime:
        """Return the time, which passes a millisecond with each look."""
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

    def processor(self, owner: str = "first", steps: Steps | None = None, **changes: Any) -> Processor:
        """Return a worker; with ``steps`` each of its calls to a port counts."""
        ports: dict[str, Any] = {"source": self.source, "output": self.output, "catalog": self.catalog}
        notifier: Any = self.notifier
        if steps:
            ports = {name: Stepped(port, steps) for name, port in ports.items()}
            notifier = Stepped(notifier, steps)
        processor = Processor(
            pipeline=self.pipeline,
            render=hash_render,
            notifiers={notify.target: notifier for notify in self.pipeline.notify},
            owner=owner,
            clock=self.clock,
            is_gone=self.gone.__contains__,
            **ports,
        )
        return replace(processor, **changes)

    def plan(self) -> list[tuple[str, str]]:
        """Return (name, action) of everything that is to be done."""
        return [
            (difference.name, difference.action)
            for difference in self.differences()
            if difference.action != "keep"
        ]

    def differences(self) -> Iterator[Any]:
        """Yield the plan."""
        return plan(
            self.pipeline, self.source, self.catalog, clock=self.clock, is_gone=self.gone.__contains__
        )

    def settle(self, owner: str = "later", rounds: int = 6) -> list[Outcome]:
        """Sync until nothing is left to do."""
        outcomes = []
        for _ in range(rounds):
            todo = self.plan()
            outcomes += [self.processor(owner).process(name) for name, _ in todo]
            if not todo:
                return outcomes
        raise AssertionError(f"never settles: {self.plan()}")

    def check_promise(self) -> None:
        """Assert that there is exactly what the pipeline declares, and that the records say so."""
        wanted: dict[str, bytes] = {}
        names = []
        for found in self.source.list():
            name = found.key
            names.append(name)
            record = self.catalog.get(name)
            got = self.source.get(name)
            assert record, f"{name} has no record"
            assert got
            content = got[1]
            assert record.etag == found.etag
            assert record.lease is None
            assert record.pending_keys == () or record.status == "failed"
            assert record.owed == ()
            half = content.startswith(b"half") and "large" in self.pipeline.renditions
            status = "rejected" if content.startswith(b"bad") or half or record.blocked_by else "done"
            assert (record.name, record.status) == (name, status)
            keys = self.pipeline.output_keys(name, found.etag)
            if content.startswith(b"bad") or record.blocked_by:
                keys = {}
            elif half:
                del keys["large"]
            wanted |= {
                key: expected_output(content, self.pipeline.renditions[rendition])
                for rendition, key in keys.items()
            }
            assert {output.rendition: output.key for output in record.outputs} == keys
            for output in record.outputs:
                there = self.output.head(output.key)
                assert there
                assert there.etag == output.etag
            if self.pipeline.notify:
                told = [(notice.event, notice.record.etag) for notice in self.notifier.sent
                        if notice.record.name == name]  # fmt: skip
                assert (record.status, record.etag) in told, f"nobody was told of {name}"
        assert [record.name for record in self.catalog.list()] == names
        assert {found.key: self.content(found.key) for found in self.output.list()} == wanted

    def content(self, key: str) -> bytes:
        """Return what the output store holds under the key."""
        got = self.output.get(key)
        assert got
        return got[1]

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

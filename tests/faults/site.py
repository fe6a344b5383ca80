"""The site of a history: its stores, catalog, queue, clock and processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from doubles import MemoryCatalog, MemoryStore
from faults.cloud import CloudCatalog, CloudNotifier, CloudQueue, CloudRenderer, CloudStore
from faults.observer import Observer
from faults.outsiders import Outsiders
from faults.places import US, OutputStore
from faults.scheduler import Process, Scheduler, Task
from faults.weather import (
    AWAY,
    DIGESTS,
    EPOCH,
    FOREIGN,
    LIMITS,
    NOTIFY,
    PERIODS,
    PIPELINES,
    PLACES,
    RESPELLING,
    SLOW,
    WRONG_SECONDS,
    Changes,
    Weather,
    ready,
)
from renditions.core.ask import PLAIN, Ask
from renditions.core.binding import FOLLOWS, Claimant, Standing, Start, bind
from renditions.core.circuits import Circuits
from renditions.core.neighbours import Neighbours
from renditions.core.outcome import Outcome
from renditions.core.ports import IfAbsent
from renditions.core.process import Processor
from renditions.model.notify import Notify
from renditions.model.pipeline import Pipeline


class Site:
    """Everything that outlives the workers, and the functions that start them."""

    pipeline: Pipeline

    def __init__(self, number: int, *, is_calm: bool = False) -> None:
        self.random = Random(number)  # noqa: S311 - repeatable, not secret
        self.weather = weather = Weather.draw(self.random)
        self.names = weather.names(self.random)
        self.notify: tuple[Notify, ...] = self.random.choice(NOTIFY)
        # Digests have a random generator of their own. So histories without digests stay as they were.
        self.digest_random = Random(~number)  # noqa: S311 - repeatable, not secret
        self.slow_seconds = self.away_seconds = 0.0
        if self.digest_random.random() < DIGESTS:
            self.slow_seconds = self.digest_random.choice(SLOW)
            self.away_seconds = self.digest_random.choice(AWAY)
            self.notify = tuple(
                replace(each, digest=self.digest_random.choice((None, None, *PERIODS)))
                for each in self.notify
            )
        self.is_calm = is_calm
        self.scheduler = Scheduler(self._latency_seconds)
        self.dead: set[str] = set()
        self.circuits: dict[str, Circuits] = {}
        self.source = MemoryStore(counts_versions=weather.counts_versions)
        self.catalog = MemoryCatalog(weather.folding)
        self.places = {name: OutputStore(name, MemoryStore(weather.folding), self.catalog) for name in PLACES}
        for place in self.places.values():
            for key, content in FOREIGN.items():
                place.store.put(key, content, IfAbsent(), "")
                place.foreign[key] = content
        is_strict = weather.skew_seconds < WRONG_SECONDS and not (weather.outsider or weather.restore)
        self.observer = Observer(
            self.places, self.catalog, self.time_of, self.is_gone, is_strict,
            known=len(self.names), limits=LIMITS,
        )  # fmt: skip
        self.outsiders = Outsiders(self.random, self.source, self.places, self.catalog, self.observer)
        if weather.has_neighbour:
            self.outsiders.add_neighbour()
        self.queue = CloudQueue(self.scheduler, self.random)
        self.cloud_source: Any = CloudStore(self.scheduler, self.source, outsiders=self.outsiders)
        self.cloud_catalog: Any = CloudCatalog(self.scheduler, self.catalog, self.observer, self._lag_seconds)
        self.restarts = self.in_progress = self._processes = 0
        self.was_moved = False
        self.use_any()

    @property
    def calls(self) -> int:
        """The number of I/O calls so far."""
        return self.scheduler.calls

    @property
    def place(self) -> OutputStore:
        """The present output store."""
        return self.places[self.pipeline.output.store]

    def use_any(self) -> None:
        """Choose a pipeline for all work that begins from now on.

        The weather limits the choice.
        """
        is_respelling = self.weather.folding.ignores_case and self.random.random() < 0.5
        self.use(
            self.random.choice(RESPELLING if is_respelling else range(len(PIPELINES))),
            self.random.choice(PLACES) if self.weather.moves else PLACES[0],
            keeps_deleted=self.random.random() < self.weather.keeps_deleted,
        )

    def use(self, number: int, place: str = PLACES[0], *, keeps_deleted: bool = False) -> None:
        """Use the pipeline with this number from now on.

        This stands for a person who applies it.
        """
        changes = Changes(self.notify, place, self.weather.keeps_replaced, keeps_deleted)
        self.pipeline = ready(number, changes)
        self._apply()

    def _apply(self) -> None:
        """Bind the catalog to the pipeline, as a person's command does."""
        bound = bind(self.catalog, self._claim(Start(sets_generation=True)))
        self.was_moved = self.was_moved or bool(bound.former_outputs)
        self.observer.newest[bound.generation] = bound.generation_number
        self.place.store.register(bound.catalog_id, US.to_text())

    def restart(self) -> None:
        """Start every worker again, with another catalog.

        The pipeline stays the same, or changes too.
        """
        self.restarts += 1
        self.observer.see_other_catalog()
        if self.random.random() < 0.5:
            self._apply()
        else:
            self.use_any()

    def start(self, body: Callable[[], object]) -> Task:
        """Start a worker process with this body; return its task."""
        self._processes += 1
        skew = 0.0 if self.is_calm else self.random.uniform(-1, 1) * self.weather.skew_seconds
        return self.scheduler.start(Process(f"worker {self._processes}", skew), body)

    def process(self, processor: Processor, name: str, ask: Ask = PLAIN) -> Outcome:
        """Process a picture; check and return the outcome."""
        self.observer.see_ask(self.scheduler.current, ask)
        self.in_progress += 1
        try:
            outcome = processor.process(name, ask)
        finally:
            self.in_progress -= 1
        self.observer.see_outcome(outcome)
        return outcome

    def make_processor(self) -> Processor:
        """Return a processor of the current process with the present pipeline."""
        process, pipeline = self.scheduler.current.process, self.pipeline
        self.observer.pipeline_of[process] = pipeline
        output, standing = self.open_place(pipeline.output.store), self.stand()
        return Processor(
            pipeline=pipeline,
            source=self.cloud_source,
            output=output,
            catalog=self.cloud_catalog,
            render=CloudRenderer(self.scheduler),
            notifiers={
                notify.target: CloudNotifier(self.scheduler, self.observer, self._slow_seconds, self._is_away)
                for notify in pipeline.notify
            },
            owner=process.owner,
            clock=lambda: self.time_of(process),
            is_gone=self.is_gone,
            standing=standing,
            open_place=self.open_place,
            read_neighbours=lambda: Neighbours.read(output, standing.catalog_id, US),
            circuits=self.circuits.setdefault(process.owner, Circuits()),
        )

    def stand(self) -> Standing:
        """Return the standing of a process that begins now."""
        binding = self.catalog.read_binding()
        assert binding
        return Standing(self.cloud_catalog, binding, self._claim())

    def open_place(self, name: str) -> CloudStore:
        """Return an output store in the form that a worker uses."""
        place = self.places[name]
        headers = self.pipeline.output.headers
        return CloudStore(self.scheduler, place.store, self.observer, place, headers)

    def time_of(self, process: Process) -> datetime:
        """Return the time by the clock of a process."""
        return EPOCH + timedelta(seconds=self.scheduler.now + process.skew_seconds)

    def is_gone(self, owner: str) -> bool:
        """Return whether a lease's owner is known to be dead."""
        return self.weather.knows_dead and owner in self.dead

    def _claim(self, start: Start = FOLLOWS) -> Claimant:
        output = self.pipeline.output.store
        return Claimant("renditions.toml", "in", output, self.pipeline.generation, start)

    def _latency_seconds(self) -> float:
        return 0.0 if self.is_calm else self.random.expovariate(20)

    def _slow_seconds(self) -> float:
        """Return how long a target of notices takes to answer."""
        return 0.0 if self.is_calm else self.digest_random.choice((0.0, self.slow_seconds))

    def _is_away(self) -> bool:
        return not self.is_calm and self.scheduler.now < self.away_seconds

    @property
    def has_digests(self) -> bool:
        """Whether a target gets digests."""
        return any(each.digest for each in self.notify)

    def _lag_seconds(self) -> float:
        return 0.0 if self.is_calm else self.random.uniform(0, self.weather.lag_seconds)

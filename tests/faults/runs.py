"""What the processes of a history do: process hints, sync, delete strays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

from faults.cloud import Message
from faults.places import US
from faults.scheduler import Scheduler, Threads
from faults.site import Site
from faults.weather import ADOPTING, ATTENDED, LIMITS
from renditions.core import planning, reconcile
from renditions.core.adopt import check_not_lost
from renditions.core.ask import PLAIN, Ask
from renditions.core.comparison import Comparison
from renditions.core.content import Reader
from renditions.core.difference import Difference
from renditions.core.guard import Guard
from renditions.core.neighbours import Neighbours
from renditions.core.outbox import Outbox
from renditions.core.outcome import Outcome, retry_pause
from renditions.core.process import Processor
from renditions.core.reconcile import Run
from renditions.core.selection import EVERYTHING
from renditions.core.strays import Claims, Stray, delete_stray, list_strays
from renditions.errors import RenditionsError, Superseded

PARTIAL = 0.2
"""How likely a sync makes only one rendition."""
PAUSES = (1.0, 100.0, 1000.0)
"""How long a person waits before a command, in seconds."""

LEASE = timedelta(minutes=5)
"""How long a lease on a stray lasts."""


def process_quietly(site: Site, name: str) -> None:
    """Process a picture, and ignore a failure."""
    with suppress(RenditionsError):
        site.process(site.make_processor(), name)


def work(site: Site) -> None:
    """Take hints from the queue and process them.

    End after four attempts in a row that got no hint.
    """
    idle = 0
    processor, started = site.make_processor(), site.restarts
    while idle < 4:
        messages: list[Message] = []
        try:
            messages = site.queue.receive(3)
            idle = 0 if messages else idle + 1
            for message in messages:
                if site.random.random() < 0.2 or started != site.restarts:
                    processor, started = site.make_processor(), site.restarts
                _answer(site, message, processor)
        except Superseded:
            processor = site.make_processor()
        except RenditionsError:
            idle += 1
        if not messages:
            if site.has_digests and site.digest_random.random() < 0.7:
                with suppress(RenditionsError):
                    send_due(processor)
            site.scheduler.sleep(site.random.choice((0.1, 20.0, 500.0)))


def _answer(site: Site, message: Message, processor: Processor) -> None:
    """Process the picture of a message.

    Delete the message unless it must be redelivered.
    """
    outcome = site.process(processor, message.name, message.ask)
    if outcome.again_after is None:
        site.queue.delete(message)
    elif site.random.random() < 0.5:
        site.queue.give_back(message, site.random.choice((1.0, 50.0)))


def sync_some_time(site: Site, pauses: Sequence[float] = PAUSES) -> None:
    """Sync all pictures at a random time, with or without a person.

    Some syncs make only one rendition.
    """
    site.scheduler.sleep(site.random.choice(pauses))
    ask = site.random.choice([PLAIN, Ask(verify="quick"), Ask(verify="content"), ATTENDED])
    ask = ADOPTING if site.weather.adopts and site.random.random() < 0.5 else ask
    if site.random.random() < PARTIAL:
        renditions = frozenset((site.random.choice(list(site.pipeline.renditions)),))
        ask = replace(ask, renditions=renditions)
    with suppress(RenditionsError):
        sync(site, ask, is_attended=ask.adopts or site.random.random() < 0.5)


def sync(site: Site, ask: Ask, *, is_attended: bool = True, checks_loss: bool = True) -> None:
    """Run the real ``sync`` over all pictures.

    An adopting run, or one without ``checks_loss``, doesn't check first whether the catalog was lost.

    Raises:
        CatalogLost: The catalog is empty, but most wanted keys hold files.
        RenditionsError: A store or the catalog failed, or the process is superseded.

    """
    processor, started = site.make_processor(), site.restarts
    standing = processor.standing
    assert standing

    def plan(ask: Ask = ask) -> Iterator[Difference]:
        comparison = Comparison(
            processor.pipeline, processor.catalog, processor.output, site.is_gone, ask,
            reader=Reader(processor.source),
        )  # fmt: skip
        return planning.plan(comparison, processor.source, clock=processor.clock)

    def process(name: str, ask: Ask = PLAIN) -> Outcome:
        site.observer.syncing.add(site.scheduler.current)
        if started != site.restarts:
            raise Superseded("it was started again")
        try:
            return site.process(processor, name, ask)
        except Superseded:
            raise
        except RenditionsError as error:
            return Outcome(name, "failed", str(error), retry_pause(1) if error.retryable else None)

    if checks_loss and not ask.adopts:
        check_not_lost(processor.catalog, processor.output, standing.catalog_id, partial(plan, PLAIN))
    stop: Any = Pauses(site)
    reconcile.sync(
        Run(
            differences=plan,
            process=process,
            guard=Guard(LIMITS, is_attended=is_attended, is_output_bound=standing.is_output_bound),
            ask=ask,
            threads=2,
            stop=stop,
            on_outcome=lambda _: None,
            clock=processor.clock,
            folding=processor.output.folding,
        )
    )
    send_due(processor, is_end=is_attended)


def send_due(processor: Processor, *, is_end: bool = False) -> None:
    """Send the notices and digests that are due."""
    outbox = Outbox(
        processor.catalog,
        processor.notifiers,
        processor.clock,
        processor.pipeline.notify,
        processor.circuits,
    )
    outbox.send_due(is_end=is_end)


class Pauses:
    """A stand-in for the event that stops a sync.

    This event is never set, and waiting for it takes simulated time.
    """

    def __init__(self, site: Site) -> None:
        self._site = site

    def wait(self, seconds: float) -> bool:
        self._site.scheduler.sleep(seconds)
        return False

    def is_set(self) -> bool:
        return False


def find_strays(site: Site, place: str) -> list[Stray]:
    """List the strays of an output store, as ``renditions strays`` does."""
    store, catalog = site.open_place(place), site.cloud_catalog
    neighbours = Neighbours.read(store, site.stand().catalog_id, US)
    claims = Claims.read(catalog, store.folding(), place, is_present=place == site.pipeline.output.store)
    return list(list_strays(store, neighbours, claims, EVERYTHING))


def delete_strays(site: Site, place: str) -> list[Stray]:
    """Delete our own strays, as ``renditions strays --delete`` does.

    Return the strays that were listed.
    """
    task, processor, started = site.scheduler.current, site.make_processor(), site.restarts
    site.observer.see_ask(task, Ask(removal="asked"))
    leases = replace(processor._leases, output=site.open_place(place), lasts=LEASE)
    listed = find_strays(site, place)
    for stray in listed:
        if started != site.restarts:
            break
        site.in_progress += 1
        try:
            is_present = place == site.pipeline.output.store
            site.observer.deleting_strays[task] = is_present
            delete_stray(stray, leases, processor.clock, place=place, claims=is_present)
        finally:
            site.in_progress -= 1
    return listed


def delete_strays_some_time(site: Site, pauses: Sequence[float] = PAUSES) -> None:
    """Delete our own strays in one output store, present or former, at a random time."""
    site.scheduler.sleep(site.random.choice(pauses))
    with suppress(RenditionsError):
        delete_strays(site, site.random.choice(known_places(site)))


def known_places(site: Site) -> list[str]:
    """Return the output stores that the catalog knows."""
    binding = site.catalog.read_binding()
    assert binding
    return [binding.output, *binding.former_outputs]


@contextmanager
def replaced_threads(scheduler: Scheduler) -> Iterator[None]:
    """Make the real ``sync`` use tasks in place of threads."""
    threads = Threads(scheduler)
    with patch.multiple(reconcile, ThreadPoolExecutor=threads, wait=threads.wait):
        yield

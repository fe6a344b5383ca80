"""Run a pipeline on one machine.

This module starts worker processes, watches a folder, and keeps a secret in a file.

No function on Lambda imports this module.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path

from renditions.core import reconcile
from renditions.core.adopt import check_not_lost
from renditions.core.ask import PLAIN, Ask
from renditions.core.binding import Standing
from renditions.core.follow import Following, Hints, follow
from renditions.core.guard import Guard
from renditions.core.leases import PERMISSION_LASTS, permit_removal
from renditions.core.left_out import LeftOut
from renditions.core.outcome import Outcome
from renditions.core.ports import Stopped
from renditions.core.process import Process, Processor
from renditions.core.reconcile import EVERYTHING_ONCE, Order, Run, count_pictures
from renditions.core.selection import Selection
from renditions.core.summary import Summary
from renditions.errors import CatalogRefused, RenditionsError, Superseded, UsageError
from renditions.local.mounts import find_silent_mount
from renditions.local.owners import Owner
from renditions.local.poll import poll_keys
from renditions.local.previews import PreviewCache
from renditions.local.secret import keep_secret
from renditions.local.watch import watch_keys
from renditions.local.workers.pool import RenderPool
from renditions.model.pipeline import Pipeline
from renditions.model.places import FolderPlace, parse_catalog, parse_store
from renditions.runtime.apart import check_apart
from renditions.runtime.bin import empty_bin
from renditions.runtime.parts import Parts, now
from renditions.runtime.reload import Session
from renditions.runtime.undeclared import hold_undeclared

log = logging.getLogger(__name__)

TICK_SECONDS = 0.1
"""The time between two checks of a watch for due pictures."""

RENAME_MARGIN = timedelta(seconds=2)
"""How much longer than ``[source] settle`` a watch waits before it removes a missing picture. The picture may
have been renamed."""


@dataclass(frozen=True, slots=True)
class Workers:
    """The worker processes that render one pipeline's pictures."""

    count: int
    """How many there are at most."""
    processing: Callable[[threading.Event | None], Process]
    """Returns a function that processes the picture of one name.

    If a picture fails, that function returns an outcome with the error. It raises only ``Superseded``,
    because that error concerns every picture. If the picture was removed or renamed, the function deletes the
    page's previews under the old name. Once the event is set, a picture that no worker renders yet waits for
    the next run.
    """
    find_problem: Callable[[], str | None] = lambda: None
    """Returns why the newest worker didn't start; None if it did, or before the first worker."""

    @property
    def threads(self) -> int:
        """How many pictures to have in progress at once: two more than there are workers."""
        return self.count + 2


@contextmanager
def open_workers(parts: Parts, count: int, standing: Standing) -> Iterator[Workers]:
    """Open a pool of worker processes.

    Raises:
        Unconfined: The system can't confine workers as the pipeline file demands.
        Failed: The lock files of leases can't be used, or ``[limits] confine = "require"`` and no worker
            starts.

    """
    previews = find_preview_cache(parts.pipeline, parts.directory)
    with _own(parts.owners) as owner, open_pool(parts, count) as pool:
        if parts.attached.limits.confine == "require":
            pool.start()  # raises before the first picture
        processor = parts.make_processor(pool, owner, standing)

        def processing(stop: threading.Event | None) -> Process:
            return _make_process(replace(processor, render=partial(pool, stop=stop)), previews)

        yield Workers(count, processing, lambda: pool.problem)


def _make_process(processor: Processor, previews: PreviewCache | None) -> Process:
    """Return the function that ``Workers.processing`` describes."""

    def process(name: str, ask: Ask = PLAIN) -> Outcome:
        try:
            outcome = processor.process(name, ask)
            if previews and (gone := _find_gone(outcome)):
                previews.drop(gone)
        except Superseded:
            raise
        except RenditionsError as error:
            return Outcome.failed(name, error)
        except Stopped:
            why = "processing stopped before the picture was rendered"
            return Outcome(name, "waiting", why, timedelta())
        return outcome

    return process


def open_pool(parts: Parts, workers: int) -> RenderPool:
    """Return a pool with the pipeline's limits; it starts workers when it needs them."""
    limits = parts.attached.limits
    return RenderPool(workers, limits.seconds, limits=limits)


def find_preview_cache(pipeline: Pipeline, directory: Path) -> PreviewCache | None:
    """Return the page's cache of previews, which is beside the catalog's file.

    Return None if the catalog isn't a file.
    """
    file = parse_catalog(pipeline.catalog.store, directory)
    return PreviewCache(file.with_name(".renditions") / f"previews-{file.name}") if file else None


def _find_gone(outcome: Outcome) -> str | None:
    """Return the name of a removed picture, or the former name of a renamed one.

    Return None if the picture is still under its name.
    """
    return outcome.name if outcome.result == "removed" else outcome.renamed_from


def sync(
    parts: Parts,
    workers: Workers,
    guard: Guard,
    *,
    stop: threading.Event,
    on_outcome: Callable[[Outcome], None],
    order: Order = EVERYTHING_ONCE,
) -> Summary:
    """Process every picture that differs; see :func:`renditions.core.reconcile.sync`.

    Raises:
        CatalogLost: The catalog is empty, but most of the first wanted output keys hold files.

    """
    check_catalog_not_lost(parts, order)
    left_out = LeftOut()
    summary = reconcile.sync(
        Run(
            differences=lambda ask: parts.plan(ask=ask, selection=order.selection, left_out=left_out),
            process=workers.processing(stop),
            guard=order.limit(guard, parts.catalog),
            ask=order.ask,
            threads=workers.threads,
            stop=stop,
            on_outcome=on_outcome,
            clock=now,
            folding=parts.output.folding,
            on_wait=order.on_wait,
        )
    )
    summary.left_out = left_out
    return summary


def check_catalog_not_lost(parts: Parts, order: Order) -> None:
    """Raise CatalogLost if the catalog is empty but most wanted keys hold files.

    This function checks only the first keys. It does nothing if the run adopts outputs, or with
    ``[output] overwrite``.
    """
    if order.ask.adopts or parts.pipeline.output.overwrite:
        return
    catalog_id = parts.ownership.writer
    check_not_lost(parts.catalog, parts.output, catalog_id, lambda: parts.plan(selection=order.selection))


def allow_removals(parts: Parts, selection: Selection) -> int:
    """Store a person's permission to remove the missing pictures.

    Return how many pictures the permission covers. The permission lasts a day. It is valid for every process,
    including a function on Lambda. It doesn't cover pictures that disappear later.
    """
    until = now() + PERMISSION_LASTS
    missing = (each.record for each in parts.plan(selection=selection) if each.action == "hold")
    return sum(permit_removal(parts.catalog, record, until) for record in missing if record)


def watch(
    session: Session,
    workers: Workers,
    *,
    on_outcome: Callable[[Outcome], None],
    hints: Hints | None = None,
) -> None:
    """Keep renditions up to date until the session ends.

    See :func:`renditions.core.follow.follow`. Other threads add known changes to ``hints``. An error
    while watching ends the session too.

    Raises:
        UsageError: The source isn't a folder, or outputs would land in it.
        Superseded: The catalog uses another version of the pipeline file.
        StoreFailed: The source folder is missing or can't be watched, or a whole store can't be read.
        CatalogLost: The catalog is empty, but most of the first wanted output keys hold files.
        CatalogFailed: The catalog can't be read, for example because it was deleted or replaced.

    """
    parts, stop, standing = session.parts, session.ended, session.standing
    if standing is None:
        raise Superseded(
            "This catalog uses another version of the pipeline file. To apply this process's version, run "
            "renditions sync (or deploy)"
        )
    watchers = _open_watchers(parts, stop)
    hints = Hints() if hints is None else hints
    guard = parts.make_guard(standing, is_attended=False)
    hold_undeclared(parts, guard, standing, session.dropped)
    verify = parts.default_verify(is_attended=False)

    def sync_all(note: Callable[[Outcome], None]) -> None:
        standing.refresh()
        check_apart(parts.pipeline, parts.directory, standing.catalog_id)
        order = Order(Ask(verify=verify, keeps_undeclared=standing.keeps_undeclared))
        summary = sync(parts, workers, guard, stop=stop, on_outcome=note, order=order)
        if not summary.interrupted:
            parts.end_run(summary.held, is_end=False)
            empty_bin(parts)

    def note(outcome: Outcome) -> None:
        if outcome.code == CatalogRefused.code:
            standing.refresh()  # fails if every picture would fail, because the catalog's file was replaced
        on_outcome(outcome)

    with closing(_take_hints(watchers, hints, stop)) as taken:
        following = Following(
            process=workers.processing(stop),
            sync_all=sync_all,
            guard=guard,
            catalog_size=lambda: count_pictures(parts.catalog),
            threads=workers.threads,
            monotonic_seconds=time.monotonic,
            on_outcome=note,
            removal_pause=timedelta(seconds=parts.pipeline.source.settle) + RENAME_MARGIN,
        )
        follow(taken, following)


def _open_watchers(parts: Parts, stop: threading.Event) -> list[Iterator[frozenset[str] | None]]:
    """Return the iterators over changed names in the source.

    The first one watches the folder. On some mounts, a second one polls it. Raise UsageError if the source
    isn't a folder.
    """
    store = parts.pipeline.source.store
    place = parse_store(store, parts.directory)
    if not isinstance(place, FolderPlace):
        raise UsageError(
            f"can't watch {store!r}: only a source in a folder can be watched; "
            "use renditions sync, or renditions worker with a queue"
        )
    watchers: list[Iterator[frozenset[str] | None]] = [watch_keys(place.path, stop, TICK_SECONDS)]
    if polling := describe_polling(parts):
        log.warning("%s", polling)
        watchers.append(poll_keys(parts.source, stop, parts.pipeline.source.poll))
    return watchers


def describe_polling(parts: Parts) -> str | None:
    """Return a sentence about the mount for which ``watch`` and ``serve`` poll.

    Return None if they don't poll the source.
    """
    place = parse_store(parts.pipeline.source.store, parts.directory)
    mount = find_silent_mount(place.path) if isinstance(place, FolderPlace) else None
    if mount is None:
        return None
    return (
        f"The file system at {mount.path} ({mount.type}) doesn't report every change, so watch and serve "
        f"check the source every {parts.pipeline.source.poll:g} s ([source] poll)"
    )


def _take_hints(
    watchers: Sequence[Iterator[frozenset[str] | None]], hints: Hints, stop: threading.Event
) -> Generator[frozenset[str] | None]:
    """Yield the changes in a folder and all other hints until ``stop`` is set.

    Set ``stop`` at the end. Each watcher has a thread. While the caller is busy, the threads collect the
    changes in ``hints``, whose size is limited.
    """

    def note(some: Iterable[frozenset[str] | None]) -> None:
        for names in some:
            hints.add(names)

    for each in watchers:
        note(islice(each, 1))  # from then on the watcher reports every change
    with ThreadPoolExecutor(len(watchers), thread_name_prefix="watcher") as executor:
        watching = [executor.submit(note, each) for each in watchers]
        try:
            while not any(each.done() for each in watching):
                yield hints.take()
                wait(watching, TICK_SECONDS, FIRST_COMPLETED)
        finally:
            stop.set()
        for ended in watching:
            ended.result()


def find_secret(pipeline: Pipeline, directory: Path) -> bytes | None:
    """Return the server's secret, which is in a file beside the catalog.

    Create the file if it is missing. Return None if the catalog isn't a file.

    Raises:
        Failed: The file can't be read or written, or another process has locked it for too long.

    """
    file = parse_catalog(pipeline.catalog.store, directory)
    return keep_secret(file.with_name(f"{file.name}-secret")) if file else None


@contextmanager
def _own(owners: Path | None) -> Iterator[str]:
    """Yield the id of a lease owner for this process."""
    if owners is None:
        yield uuid.uuid4().hex
        return
    with Owner(owners) as owner:
        yield owner.id

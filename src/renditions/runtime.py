"""The composition root: a pipeline's parts, opened and wired. The only module that knows them all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from renditions import reconcile
from renditions.attachments import attach
from renditions.difference import Difference, Outcome
from renditions.errors import RenditionsError, UsageError
from renditions.local.folder import FolderStore
from renditions.local.owners import Owner
from renditions.local.pool import RenderPool
from renditions.local.sqlite import SqliteCatalog
from renditions.local.watch import watch_keys
from renditions.notify import LogNotifier
from renditions.pipeline import FolderPlace, Notify, Pipeline, parse_store
from renditions.pipeline_file import LoadedPipeline
from renditions.ports import Catalog, Notifier, Store
from renditions.process import Processor
from renditions.reconcile import Summary

REST_SECONDS = 1.0
"""How long a file in the source folder must have been left alone to count as written."""

TICK_SECONDS = 0.1
"""How often a watch looks at what is due."""


@dataclass(frozen=True)
class Runtime:
    """One pipeline's parts, open."""

    pipeline: Pipeline
    source_folder: Path
    source: Store
    output: Store
    catalog: Catalog
    owners: Path
    """The folder in which the lease owners of this machine hold their locks."""

    @cached_property
    def attached(self) -> Pipeline:
        """The pipeline with the pictures that it takes from the source, as they were when first needed."""
        return attach(self.pipeline, self.source)

    def plan(self) -> Iterator[Difference]:
        """Yield what is to be done for each picture; see :func:`renditions.reconcile.plan`."""
        return reconcile.plan(
            self.attached, self.source, self.catalog, clock=_now, is_gone=Owner(self.owners).is_gone
        )

    @contextmanager
    def open_workers(self, workers: int) -> Iterator[Callable[[str], Outcome]]:
        """Start worker processes and yield a function that processes one name.

        That function may be called from many threads. What breaks on the way of one picture comes
        back as its outcome.
        """
        pipeline = self.attached
        limits = pipeline.limits
        with (
            Owner(self.owners) as owner,
            RenderPool(workers, limits.seconds, limits=limits) as render,
        ):
            processor = Processor(
                pipeline=pipeline,
                source=self.source,
                output=self.output,
                catalog=self.catalog,
                render=render,
                notifiers={notify.target: _make_notifier(notify) for notify in pipeline.notify},
                owner=owner.id,
                clock=_now,
                is_gone=owner.is_gone,
            )

            def process(name: str) -> Outcome:
                try:
                    return processor.process(name)
                except RenditionsError as error:
                    return Outcome(name, "failed", str(error), again=error.retryable)

            yield process

    def sync(
        self,
        process: Callable[[str], Outcome],
        *,
        workers: int,
        stop: threading.Event,
        on_outcome: Callable[[Outcome], None],
    ) -> Summary:
        """Close every difference; see :func:`renditions.reconcile.sync`."""
        return reconcile.sync(self.plan, process, threads=_threads(workers), stop=stop, on_outcome=on_outcome)

    def watch(
        self,
        process: Callable[[str], Outcome],
        *,
        workers: int,
        stop: threading.Event,
        on_outcome: Callable[[Outcome], None],
        hinted: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        """Keep everything as declared until ``stop`` is set; see :func:`renditions.reconcile.follow`.

        ``hinted`` returns names that something is known to have happened to since it was last asked.
        """
        seen = watch_keys(self.source_folder, stop, TICK_SECONDS)
        reconcile.follow(
            (None if names is None else names | hinted() for names in seen),
            process,
            lambda: self.sync(process, workers=workers, stop=stop, on_outcome=on_outcome),
            threads=_threads(workers),
            monotonic_seconds=time.monotonic,
            on_outcome=on_outcome,
        )


@contextmanager
def open_runtime(loaded: LoadedPipeline, *, read_only: bool = False) -> Iterator[Runtime]:
    """Open the parts that a pipeline names.

    With ``read_only``, a catalog that isn't there yet is not made: an empty one stands for it.

    Raises:
        UsageError: It names a store, a catalog or a notice target that this version can't open.

    """
    pipeline = loaded.pipeline
    source_folder = _find_folder("source.store", pipeline.source.store, loaded.directory)
    output_folder = _find_folder("output.store", pipeline.output.store, loaded.directory)
    catalog_path = _find_catalog(pipeline, loaded.directory)
    for notify in pipeline.notify:
        _make_notifier(notify)
    is_missing = read_only and not catalog_path.exists()
    with SqliteCatalog(Path(":memory:") if is_missing else catalog_path) as catalog:
        yield Runtime(
            pipeline=pipeline,
            source_folder=source_folder,
            source=FolderStore(source_folder, REST_SECONDS),
            output=FolderStore(output_folder, create=True),
            catalog=catalog,
            owners=catalog_path.with_name(f"{catalog_path.name}-owners"),
        )


def _find_folder(place: str, url: str, directory: Path) -> Path:
    found = parse_store(url, directory)
    if not isinstance(found, FolderPlace):
        raise UsageError(f"{place}: expected a folder, which is what this version can open, found {url!r}")
    return found.path


def _find_catalog(pipeline: Pipeline, directory: Path) -> Path:
    kind, _, path = pipeline.catalog.store.partition(":")
    if kind != "sqlite":
        raise UsageError(
            f"catalog.store: expected sqlite:FILE, which is what this version can open, "
            f"found {pipeline.catalog.store!r}"
        )
    return directory / Path(path).expanduser()


def _make_notifier(notify: Notify) -> Notifier:
    if notify.to != "log:":
        raise UsageError(f"notify: expected log:, which is what this version can notify, found {notify.to!r}")
    return LogNotifier()


def _threads(workers: int) -> int:
    """Return how many pictures are in work at once: while some are rendered, others are read and written."""
    return workers + 2


def _now() -> datetime:
    return datetime.now(UTC)

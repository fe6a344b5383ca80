"""The composition root: a pipeline's parts, opened and wired. The only module that knows them all."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from renditions import reconcile
from renditions.difference import Difference, Outcome
from renditions.errors import Failed, UsageError
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

log = logging.getLogger(__name__)

REST_SECONDS = 1.0
"""How long a file in the source folder must have been left alone to count as written."""


@dataclass(frozen=True)
class Runtime:
    """One pipeline's parts, open."""

    pipeline: Pipeline
    source: Store
    output: Store
    catalog: Catalog
    owners: Path
    """The folder in which the lease owners of this machine hold their locks."""

    def plan(self) -> Iterator[Difference]:
        """Yield what is to be done for each picture; see :func:`renditions.reconcile.plan`."""
        return reconcile.plan(
            self.pipeline, self.source, self.catalog, clock=_now, is_gone=Owner(self.owners).is_gone
        )

    @contextmanager
    def open_workers(self, workers: int) -> Iterator[Callable[[str], Outcome]]:
        """Start worker processes and yield a function that processes one name.

        That function may be called from many threads. What breaks on the way of one picture comes
        back as its outcome.
        """
        seconds = self.pipeline.limits.seconds
        with Owner(self.owners) as owner, RenderPool(workers, seconds) as render:
            processor = Processor(
                pipeline=self.pipeline,
                source=self.source,
                output=self.output,
                catalog=self.catalog,
                render=render,
                notifiers={notify.target: _make_notifier(notify) for notify in self.pipeline.notify},
                owner=owner.id,
                clock=_now,
                is_gone=owner.is_gone,
            )

            def process(name: str) -> Outcome:
                try:
                    return processor.process(name)
                except Failed as error:
                    return Outcome(name, "failed", str(error), again=True)

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
        return reconcile.sync(
            self.plan, process, threads=_threads(workers), stop=stop, on_outcome=on_outcome
        )

    def watch(
        self,
        process: Callable[[str], Outcome],
        *,
        workers: int,
        stop: threading.Event,
        on_outcome: Callable[[Outcome], None],
    ) -> None:
        """Keep everything as declared until ``stop`` is set; see :func:`renditions.reconcile.follow`."""
        place = parse_store(self.pipeline.source.store, Path())
        if not isinstance(place, FolderPlace):
            raise UsageError(f"expected a folder to watch, found {self.pipeline.source.store!r}")
        reconcile.follow(
            watch_keys(self.source_path, stop, TICK_SECONDS),
            process,
            lambda: self.sync(process, workers=workers, stop=stop, on_outcome=on_outcome),
            threads=_threads(workers),
            monotonic_seconds=time.monotonic,
            on_outcome=on_outcome,
        )


@contextmanager
def open_runtime(loaded: LoadedPipeline) -> Iterator[Runtime]:
    """Open the parts that a pipeline names.

    Raises:
        UsageError: It names a store or catalog that this version can't open.

    """
    pipeline = loaded.pipeline
    with ExitStack() as stack:
        source = _open_store(pipeline.source.store, loaded.directory, rest_seconds=REST_SECONDS, create=False)
        output = _open_store(pipeline.output.store, loaded.directory, rest_seconds=0.0, create=True)
        catalog_path = _sqlite_path(pipeline, loaded.directory)
        catalog = stack.enter_context(SqliteCatalog(catalog_path))
        for notify in pipeline.notify:
            _make_notifier(notify)
        yield Runtime(pipeline, source, output, catalog, catalog_path.with_name(f"{catalog_path.name}-owners"))

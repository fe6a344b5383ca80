"""The composition root: a pipeline's parts, opened and wired. The only module that knows them all."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from secrets import token_bytes
from typing import TYPE_CHECKING

from renditions.core import reconcile
from renditions.core.difference import Difference, Outcome, retry_pause
from renditions.core.ports import Catalog, Notifier, Store
from renditions.core.process import Processor
from renditions.core.reconcile import Hints, Summary
from renditions.errors import RenditionsError, UsageError
from renditions.local.folder import FolderStore
from renditions.local.owners import Owner
from renditions.local.pool import RenderPool
from renditions.local.secret import SECRET_BYTES, keep_secret
from renditions.local.sqlite import SqliteCatalog
from renditions.local.watch import watch_keys
from renditions.model.pipeline import Notify, Pipeline, S3Place, parse_store
from renditions.notices.log import LogNotifier
from renditions.pipeline_file.attachments import attach
from renditions.pipeline_file.reading import LoadedPipeline

if TYPE_CHECKING:
    from renditions.aws.cloud import Cloud
    from renditions.aws.sqs import Queue

REST_SECONDS = 1.0
"""How long a file in the source folder must have been left alone to count as written."""

TICK_SECONDS = 0.1
"""How often a watch looks at what is due."""


@dataclass(frozen=True)
class Runtime:
    """One pipeline's parts, open."""

    pipeline: Pipeline
    source_folder: Path | None
    """The folder that can be watched, where the source is one."""
    source: Store
    output: Store
    catalog: Catalog
    notifiers: Mapping[str, Notifier]
    """By ``Notify.target``."""
    catalog_file: Path | None
    """The catalog's file, if it is this machine's own. What is shared with it lies beside it."""

    @property
    def owners(self) -> Path | None:
        """The folder in which the lease owners of this machine hold their locks.

        Where there is none, a lease ends by its time alone.
        """
        file = self.catalog_file
        return file.with_name(f"{file.name}-owners") if file else None

    @cached_property
    def secret(self) -> bytes:
        """What forms for uploads are signed with: the same after a restart, where it can be kept."""
        file = self.catalog_file
        return keep_secret(file.with_name(f"{file.name}-secret")) if file else token_bytes(SECRET_BYTES)

    @cached_property
    def attached(self) -> Pipeline:
        """The pipeline with the pictures that it takes from the source, as they were when first needed."""
        return attach(self.pipeline, self.source)

    def plan(self, after: str = "") -> Iterator[Difference]:
        """Yield what is to be done for each picture; see :func:`renditions.core.reconcile.plan`."""
        is_gone = Owner(self.owners).is_gone if self.owners else None
        return reconcile.plan(
            self.attached, self.source, self.catalog, clock=_now, is_gone=is_gone, after=after
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
            _own(self.owners) as (owner, is_gone),
            RenderPool(workers, limits.seconds, limits=limits) as render,
        ):
            processor = Processor(
                pipeline=pipeline,
                source=self.source,
                output=self.output,
                catalog=self.catalog,
                render=render,
                notifiers=self.notifiers,
                owner=owner,
                clock=_now,
                is_gone=is_gone,
            )

            def process(name: str) -> Outcome:
                try:
                    return processor.process(name)
                except RenditionsError as error:
                    return Outcome(name, "failed", str(error), retry_pause(1) if error.retryable else None)

            yield process

    def sync(
        self,
        process: Callable[[str], Outcome],
        *,
        workers: int,
        stop: threading.Event,
        on_outcome: Callable[[Outcome], None],
    ) -> Summary:
        """Close every difference; see :func:`renditions.core.reconcile.sync`."""
        return reconcile.sync(
            self.plan, process, threads=count_threads(workers), stop=stop, on_outcome=on_outcome
        )

    def watch(
        self,
        process: Callable[[str], Outcome],
        *,
        workers: int,
        stop: threading.Event,
        on_outcome: Callable[[Outcome], None],
        hints: Hints | None = None,
    ) -> None:
        """Keep everything as declared until ``stop`` is set; see :func:`renditions.core.reconcile.follow`.

        ``hints`` is where others add what they know to have happened.

        Raises:
            UsageError: the source is no folder.

        """
        if self.source_folder is None:
            raise UsageError(
                f"can't watch {self.pipeline.source.store!r}: only a source in a folder can be watched; "
                "use renditions sync, or renditions worker with a queue"
            )
        hints = Hints() if hints is None else hints
        with closing(_take_hints(self.source_folder, hints, stop)) as taken:
            reconcile.follow(
                taken,
                process,
                lambda: self.sync(process, workers=workers, stop=stop, on_outcome=on_outcome),
                threads=count_threads(workers),
                monotonic_seconds=time.monotonic,
                on_outcome=on_outcome,
            )


def _take_hints(folder: Path, hints: Hints, stop: threading.Event) -> Generator[frozenset[str] | None]:
    """Yield what happens in a folder, and what else is hinted at, until ``stop`` is set; set it at the end.

    A thread of its own watches the folder: while whoever takes the hints is at work, what happens must go
    where it is bounded.
    """
    seen = watch_keys(folder, stop, TICK_SECONDS)

    def note(some: Iterable[frozenset[str] | None]) -> None:
        for names in some:
            hints.add(names)

    note(islice(seen, 1))  # from then on all that happens is told
    with ThreadPoolExecutor(1, thread_name_prefix="watcher") as executor:
        watching = executor.submit(note, seen)
        try:
            while not watching.done():
                yield hints.take()
                wait([watching], TICK_SECONDS)
        finally:
            stop.set()
        watching.result()


@contextmanager
def open_runtime(loaded: LoadedPipeline, *, read_only: bool = False) -> Iterator[Runtime]:
    """Open the parts that a pipeline names.

    With ``read_only``, a catalog that isn't there yet is not made: an empty one stands for it.

    Raises:
        UsageError: It names a store, a catalog or a notice target that this version can't open.

    """
    pipeline, directory = loaded.pipeline, loaded.directory
    source_place = parse_store(pipeline.source.store, directory)
    output_place = parse_store(pipeline.output.store, directory)
    aws = _Aws()
    source: Store
    output: Store
    if isinstance(source_place, S3Place):
        source, source_folder = aws.cloud.open_store(source_place), None
    else:
        source, source_folder = FolderStore(source_place.path, REST_SECONDS), source_place.path
    if isinstance(output_place, S3Place):
        output = aws.cloud.open_store(output_place, pipeline.output.cache_control)
    else:
        output = FolderStore(output_place.path, create=True)
    notifiers = {notify.target: _open_notifier(notify, aws) for notify in pipeline.notify}
    with _open_catalog(pipeline, directory, aws, read_only=read_only) as (catalog, file):
        yield Runtime(pipeline, source_folder, source, output, catalog, notifiers, file)


def open_queue(url: str) -> Queue:
    """Return the queue of this URL; nothing is asked of it yet.

    Raises:
        UsageError: What speaks with AWS isn't installed, or no region is configured.

    """
    return _Aws().cloud.open_queue(url)


class _Aws:
    """What is on AWS. Nothing of it is imported before the first part is opened."""

    @cached_property
    def cloud(self) -> Cloud:
        try:
            from renditions.aws.cloud import Cloud  # noqa: PLC0415 - an extra, and slow to import
        except ModuleNotFoundError as error:
            raise UsageError(
                f"s3://, dynamodb:, sns: and events: need {error.name}: pip install 'renditions[aws]'"
            ) from error
        return Cloud()


@contextmanager
def _open_catalog(
    pipeline: Pipeline, directory: Path, aws: _Aws, *, read_only: bool
) -> Iterator[tuple[Catalog, Path | None]]:
    """Yield the catalog, and its file if it is this machine's own."""
    kind, _, name = pipeline.catalog.store.partition(":")
    if kind == "dynamodb":
        yield aws.cloud.open_catalog(name, pipeline.catalog.key), None
        return
    path = directory / Path(name).expanduser()
    is_missing = read_only and not path.exists()
    with SqliteCatalog(Path(":memory:") if is_missing else path) as catalog:
        yield catalog, path


def _open_notifier(notify: Notify, aws: _Aws) -> Notifier:
    if notify.to == "log:":
        return LogNotifier()
    if notify.to.startswith(("sns:", "events:")):
        return aws.cloud.open_notifier(notify.to)
    expected = "log:, sns:ARN or events:BUS, which is what this version can notify"
    raise UsageError(f"notify: expected {expected}, found {notify.to!r}")


@contextmanager
def _own(owners: Path | None) -> Iterator[tuple[str, Callable[[str], bool] | None]]:
    """Yield who takes the leases, and what tells of another owner that it is gone."""
    if owners is None:
        yield uuid.uuid4().hex, None
        return
    with Owner(owners) as owner:
        yield owner.id, owner.is_gone


def count_threads(workers: int) -> int:
    """Return how many pictures are in work at once: while some are rendered, others are read and written."""
    return workers + 2


def _now() -> datetime:
    return datetime.now(UTC)

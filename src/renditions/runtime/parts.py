"""The parts that a pipeline names, opened in one place: on a laptop, in a worker and on Lambda.

:mod:`renditions.model.backends` names the function that opens each part. Nothing here imports ``local`` or
``aws`` by itself: a function has no folders, and a laptop may have no botocore.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from renditions.core import reconcile
from renditions.core.difference import Difference
from renditions.core.notify import Notifier
from renditions.core.ports import Catalog, Renderer, Store
from renditions.core.process import Processor
from renditions.errors import UsageError
from renditions.model.backends import OWNER, QUEUE
from renditions.model.pipeline import Pipeline, parse_catalog, parse_store
from renditions.model.registry import Shared, resolve
from renditions.pipeline_file.attachments import attach
from renditions.pipeline_file.backend_checks import Declared, describe_missing, find_declared

if TYPE_CHECKING:
    from renditions.aws.sqs import Queue


@dataclass(frozen=True)
class Parts:
    """One pipeline's parts, open. Entry points hold them; they may be used from many threads."""

    pipeline: Pipeline
    directory: Path
    """The folder that relative paths in the pipeline start from."""
    source: Store
    output: Store
    catalog: Catalog
    notifiers: Mapping[str, Notifier]
    """By ``Notify.target``."""
    shared: Shared
    """The values that all parts share, also for parts opened later."""
    owners: Path | None = None
    """The folder in which the lease owners of this machine hold their locks, where the catalog is a file."""
    is_gone: Callable[[str], bool] | None = None
    """Returns whether a lease's owner has certainly ended; None if leases end only by their time."""

    @cached_property
    def attached(self) -> Pipeline:
        """The pipeline with the watermark pictures that it takes from the source, read when first needed."""
        return attach(self.pipeline, self.source)

    def plan(self, after: str = "") -> Iterator[Difference]:
        """Yield what must be done for each picture; see :func:`renditions.core.reconcile.plan`."""
        return reconcile.plan(
            self.attached, self.source, self.catalog, clock=_now, is_gone=self.is_gone, after=after
        )

    def make_processor(self, render: Renderer, owner: str) -> Processor:
        """Return the processor of pictures with these parts; ``owner`` takes the leases."""
        return Processor(
            pipeline=self.attached,
            source=self.source,
            output=self.output,
            catalog=self.catalog,
            render=render,
            notifiers=self.notifiers,
            owner=owner,
            clock=_now,
            is_gone=self.is_gone,
        )


@contextmanager
def open_parts(pipeline: Pipeline, directory: Path, *, read_only: bool = False) -> Iterator[Parts]:
    """Open the parts that a checked pipeline names.

    Args:
        pipeline: Its stores count, also against the environment.
        directory: The folder that relative paths in it start from.
        read_only: Whether a missing catalog isn't created: an empty one takes its place.

    Raises:
        UsageError: A library that a part needs isn't installed, or AWS has no region or profile configured.

    """
    shared = Shared()
    source, output, catalog, *targets = find_declared(pipeline)
    file = parse_catalog(catalog.url, directory)
    owners = file.with_name(f"{file.name}-owners") if file else None
    with _load_opener(catalog)(pipeline.catalog, directory, shared, read_only=read_only) as opened:
        yield Parts(
            pipeline,
            directory,
            source=_load_opener(source)(parse_store(source.url, directory), None, shared),
            output=_load_opener(output)(parse_store(output.url, directory), pipeline.output, shared),
            catalog=opened,
            notifiers={
                notify.target: _load_opener(target)(target.url, shared)
                for notify, target in zip(pipeline.notify, targets, strict=True)
            },
            shared=shared,
            owners=owners,
            is_gone=resolve(OWNER)(owners).is_gone if owners else None,
        )


def open_queue(url: str, shared: Shared) -> Queue:
    """Return the queue of this URL, without a request.

    Raises:
        UsageError: The library for AWS isn't installed, or no region is configured.

    """
    opened: Queue = _load_opener(Declared("queue", url, QUEUE, (QUEUE,)))(url, shared)
    return opened


def _load_opener(declared: Declared) -> Any:
    """Import the function that opens a part; see :mod:`renditions.model.backends` for how it is called."""
    try:
        return resolve(declared.backend.opener)
    except ModuleNotFoundError as error:
        if declared.backend.extra is None:
            raise
        raise UsageError(str(describe_missing(declared, error.name or ""))) from error


def _now() -> datetime:
    return datetime.now(UTC)

"""The parts that a pipeline names, opened in one place: on a laptop, in a worker and on Lambda.

What opens each part stands in :mod:`renditions.model.backends`. Nothing here imports ``local`` or ``aws``
by itself: a function has no folders, and a laptop may have no botocore.
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
    """What the parts have in common, for whatever else is opened beside them."""
    owners: Path | None = None
    """The folder in which the lease owners of this machine hold their locks, where the catalog is a file."""
    is_gone: Callable[[str], bool] | None = None
    """Tells of a lease's owner that it certainly works no more; None where leases end by their time alone."""

    @cached_property
    def attached(self) -> Pipeline:
        """The pipeline with the pictures that it takes from the source, as they were when first needed."""
        return attach(self.pipeline, self.source)

    def plan(self, after: str = "") -> Iterator[Difference]:
        """Yield what must be done for each picture; see :func:`renditions.core.reconcile.plan`."""
        return reconcile.plan(
            self.attached, self.source, self.catalog, clock=_now, is_gone=self.is_gone, after=after
        )

    def make_processor(self, render: Renderer, owner: str) -> Processor:
        """Return what processes pictures with these parts; ``owner`` takes the leases."""
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
        pipeline: What it says counts, whatever the environment says.
        directory: The folder that relative paths in it start from.
        read_only: Whether a catalog that doesn't exist yet isn't made: an empty one stands for it.

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
    """Return the queue of this URL; nothing is asked of it yet.

    Raises:
        UsageError: What speaks with AWS isn't installed, or no region is configured.

    """
    opened: Queue = _load_opener(Declared("queue", url, QUEUE, (QUEUE,)))(url, shared)
    return opened


def _load_opener(declared: Declared) -> Any:
    """Import what opens a part; see :mod:`renditions.model.backends` for how it is called."""
    try:
        return resolve(declared.backend.opener)
    except ModuleNotFoundError as error:
        if declared.backend.extra is None:
            raise
        raise UsageError(str(describe_missing(declared, error.name or ""))) from error


def _now() -> datetime:
    return datetime.now(UTC)

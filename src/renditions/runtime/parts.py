"""Open the parts that a pipeline names: on a laptop, in a worker and on Lambda.

:mod:`renditions.model.backends` names the function that opens each part. This module doesn't import ``local``
or ``aws`` directly, because a function on Lambda uses no folders, and a laptop may not have botocore.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from renditions.core import planning
from renditions.core.adopt import yield_unless_lost
from renditions.core.ask import PLAIN, Ask, Verify
from renditions.core.bin import Bin
from renditions.core.binding import Claimant, Standing, Start, bind, check_binding
from renditions.core.catalog import Catalog
from renditions.core.circuits import Circuits
from renditions.core.comparison import Comparison
from renditions.core.content import Reader
from renditions.core.difference import Difference
from renditions.core.foreign import Ownership
from renditions.core.guard import Guard
from renditions.core.left_out import LeftOut
from renditions.core.marker import Marker
from renditions.core.neighbours import Neighbours
from renditions.core.notify import Notifier, Placed
from renditions.core.outbox import Outbox
from renditions.core.pages import Pages
from renditions.core.ports import Renderer, Store, StoredObject, Unreadable
from renditions.core.preview import SyncPreview, warn_of_foreign
from renditions.core.process import Processor
from renditions.core.readable import get_readable
from renditions.core.reconcile import EVERYTHING_ONCE, Order
from renditions.core.selection import EVERYTHING, Selection
from renditions.core.twins import hand_over
from renditions.model.backends import LISTING, OWNER, QUEUE
from renditions.model.binding import Held
from renditions.model.pipeline import Pipeline
from renditions.model.places import FolderPlace, parse_catalog, parse_store
from renditions.model.registry import Shared, resolve
from renditions.pipeline_file.attachments import attach
from renditions.pipeline_file.backend_checks import Declared, find_declared
from renditions.runtime.apart import check_apart
from renditions.runtime.registration import describe_catalog, register
from renditions.runtime.stores import load_opener, open_bin, open_output, open_source

if TYPE_CHECKING:
    from renditions.aws.sqs import Queue


@dataclass(frozen=True)
class Parts:
    """The open parts of one pipeline.

    An entry point opens these parts and passes them on. Many threads may use them.
    """

    declared: Pipeline
    """The pipeline of the file, with the values of the environment."""
    directory: Path
    """The folder that relative paths in the pipeline start from."""
    source: Store
    output: Store
    catalog: Catalog
    notifiers: Mapping[str, Notifier]
    """The notifiers, by ``Notify.target``."""
    shared: Shared
    """Objects that several parts share, such as the AWS clients."""
    bin: Bin | None = None
    """The bin of the source; None if the source is read-only, or can't have a bin."""
    file: str = ""
    """The pipeline file's name; empty if it isn't known, for example in a bundle."""
    owners: Path | None = None
    """The folder in which the lease owners of this machine hold their locks.

    None if the catalog isn't a file.
    """
    is_gone: Callable[[str], bool] | None = None
    """Returns whether a lease's owner has certainly ended. None if a lease ends only when it expires."""

    @cached_property
    def pipeline(self) -> Pipeline:
        """The pipeline, with the default patterns that its catalog uses."""
        if not self.keeps_former_patterns:
            return self.declared
        return replace(self.declared, source=self.declared.source.with_former_defaults())

    @cached_property
    def keeps_former_patterns(self) -> bool:
        """Whether the default patterns of version 0.1 apply.

        A catalog of that version keeps them until a person writes ``match`` or ``exclude``, so that an
        upgrade removes no picture and adds none.
        """
        source = self.declared.source
        if source.exclude is not None:
            return False
        if binding := self.catalog.read_binding():
            return binding.keeps_former_patterns(source.pattern_fingerprint)
        unreadable: list[Unreadable] = []  # version 0.1 wrote records, but no binding
        record = next(self.catalog.list(on_unreadable=unreadable.append), None)
        return record is not None or bool(unreadable)

    @cached_property
    def attached(self) -> Pipeline:
        """The pipeline with its watermark pictures, read from the source on first use.

        Reading it raises UsageError if the source has no such picture or it can't be a watermark, and
        StoreFailed if the source fails.
        """
        return attach(self.pipeline, self.source)

    def plan(
        self,
        after: str = "",
        *,
        ask: Ask = PLAIN,
        selection: Selection = EVERYTHING,
        left_out: LeftOut | None = None,
    ) -> Iterator[Difference]:
        """Yield each picture's difference; see :func:`renditions.core.planning.plan`."""
        comparison = self._compare(ask)
        with ExitStack() as stack:
            if ask.verify != "no" and selection.is_all and self.output.is_cheaper_to_list:
                # Listing a bucket costs one request for each thousand outputs, and not one for each.
                look_up = stack.enter_context(resolve(LISTING)(self.output))
                comparison = replace(comparison, look_up=look_up)
            yield from planning.plan(
                comparison,
                self.source,
                clock=now,
                after=after,
                selection=selection,
                left_out=left_out,
                is_marker_missing=self._marker.is_missing,
            )

    def preview(
        self, order: Order = EVERYTHING_ONCE, left_out: LeftOut | None = None
    ) -> Iterator[Difference]:
        """Yield what a sync with this order would do; see :class:`SyncPreview`."""
        comparison = self._compare(order.ask)

        def rename(found: StoredObject, former: str) -> Difference | None:
            record = get_readable(self.catalog, former)
            if record is None:
                return None
            taken = replace(hand_over(record, found), name=found.key)
            return comparison.compare(found.key, found, taken, now())

        def plan(ask: Ask) -> Iterator[Difference]:
            return self.plan(ask=ask, selection=order.selection, left_out=left_out)

        ownership = self.ownership
        shown = SyncPreview(
            differences=plan,
            ask=order.ask,
            guard=order.limit(self.preview_guard(), self.catalog),
            identify=Reader(self.source).identify,
            rename=rename,
        ).show()
        return (warn_of_foreign(difference, self.pipeline, ownership) for difference in shown)

    def plan_tick(self, after: str) -> Iterator[Difference]:
        """Yield the differences of the pictures after a name, for one call of a tick.

        If ``[output] verify`` says so, this method checks the outputs too. In a bucket it reads only the
        pages of the listing that contain these outputs, because one call lacks the time and memory for all
        pages.

        Raises:
            CatalogLost: The catalog has few records, but most of the first wanted output keys hold files that
                it didn't write. This method checks that only with an empty ``after`` and without
                ``[output] overwrite``.

        """
        binding = self.catalog.read_binding()
        keeps = bool(binding and binding.held_renditions)
        ask = Ask(verify=self.default_verify(is_attended=False), keeps_undeclared=keeps)
        comparison = self._compare(ask)
        if self.output.is_cheaper_to_list:
            comparison = replace(comparison, look_up=Pages(self.output).find)
        differences = planning.plan(comparison, self.source, clock=now, after=after)
        if not (after or self.pipeline.output.overwrite):
            catalog_id = binding.catalog_id if binding else ""
            differences = yield_unless_lost(self.catalog, self.output, catalog_id, differences)
        yield from differences

    def _compare(self, ask: Ask) -> Comparison:
        reader = Reader(self.source)
        return Comparison(self.attached, self.catalog, self.output, self.is_gone, ask, reader=reader)

    def bind(self, start: Start) -> Standing:
        """Bind the catalog to this pipeline; see :func:`renditions.core.binding.bind`.

        If ``start`` sets the generation, also register the catalog in the output store.

        Raises:
            BindingRefused: The catalog belongs to another pipeline file, source or deployment.
            Superseded: The catalog uses another version of the pipeline file.
            CatalogTooNew: A newer version of Renditions wrote the binding.
            UsageError: Outputs could land in the source, see :func:`check_apart`. This method checks that
                before it writes anything, and then again with the catalog's id. Also raised by
                :attr:`attached`.
            StoreFailed: See :attr:`attached`.

        """
        claimant = self._claimant(start)
        check_apart(self.pipeline, self.directory)
        binding = bind(self.catalog, claimant)
        if start.sets_generation:
            us = describe_catalog(self.pipeline, self.directory, self.file)
            register(self.output, binding.catalog_id, us)
        check_apart(self.pipeline, self.directory, binding.catalog_id)
        return Standing(self.catalog, binding, claimant)

    @property
    def ownership(self) -> Ownership:
        """The check whether objects in the output store belong to this catalog."""
        binding = self.catalog.read_binding()
        return Ownership(self.catalog, self.output, binding.catalog_id if binding else "")

    def read_neighbours(self, store: Store) -> Neighbours:
        """Return the catalogs that use this store: this catalog and the others."""
        binding = self.catalog.read_binding()
        us = describe_catalog(self.pipeline, self.directory, self.file)
        return Neighbours.read(store, binding.catalog_id if binding else "", us)

    def check_binding(self, start: Start) -> None:
        """Raise the error that ``bind`` would raise, without changing the catalog."""
        binding = check_binding(self.catalog, self._claimant(start))
        check_apart(self.pipeline, self.directory, binding.catalog_id if binding else "")

    def _claimant(self, start: Start) -> Claimant:
        pipeline = self.attached
        return Claimant(
            self.file,
            pipeline.source.store,
            pipeline.output.store,
            pipeline.generation,
            start,
            self.declared.source.pattern_fingerprint if self.keeps_former_patterns else "",
        )

    def default_verify(self, *, is_attended: bool) -> Verify:
        """Return how a full comparison verifies outputs if the caller doesn't choose.

        With ``is_attended``, the result is ``"quick"`` for a folder and ``"no"`` for a bucket, where a check
        costs requests. Otherwise, also at a schedule's tick, ``[output] verify`` decides: ``always`` verifies
        in a bucket too, ``schedule`` only in a folder, and ``never`` nowhere.
        """
        wanted = "schedule" if is_attended else self.declared.output.verify
        is_cheap = isinstance(parse_store(self.declared.output.store, self.directory), FolderPlace)
        return "quick" if wanted == "always" or (wanted == "schedule" and is_cheap) else "no"

    def make_guard(self, standing: Standing, *, is_attended: bool) -> Guard:
        """Return the guard that may hold back removals and restorations."""
        return replace(
            self.preview_guard(),
            renew_marker=self._marker.renew,
            is_attended=is_attended,
            is_output_bound=standing.is_output_bound,
        )

    def preview_guard(self) -> Guard:
        """Return a guard for previews, which needs no binding and writes nothing."""
        return Guard(
            self.pipeline.source.max_removals,
            has_folder=self.source.has_folder,
            is_marker_missing=self._marker.is_missing,
        )

    @cached_property
    def _marker(self) -> Marker:
        return Marker(self.source, self.catalog, is_read_only=self.pipeline.source.read_only)

    @cached_property
    def circuits(self) -> Circuits:
        """The targets of notices that failed a moment ago."""
        return Circuits()

    @property
    def outbox(self) -> Outbox:
        """The notices that aren't sent yet."""
        return Outbox(self.catalog, self.notifiers, now, self.declared.notify, self.circuits)

    def end_run(
        self,
        held: Sequence[Held] | None,
        *,
        is_attended: bool = False,
        is_end: bool = True,
        seconds: float = math.inf,
    ) -> None:
        """Store a run's held work, and send its notices and those that are due.

        ``held`` is None after a run that compared only some pictures, because such a run doesn't know all
        held work. With ``is_attended``, no notice of held work is sent, because a person reads the run's
        result. ``seconds`` and ``is_end`` are those of :meth:`Outbox.send_due`.
        """
        outbox = self.outbox
        if held is not None:
            outbox.hold(held, is_attended=is_attended)
        outbox.send_due(seconds, is_end=is_end)

    def open_place(self, place: str) -> Store:
        """Open an earlier output store of the catalog.

        ``place`` is the store's URL or path, as in ``[output] store``.
        """
        former = replace(self.pipeline, output=replace(self.pipeline.output, store=place))
        return open_output(former, self.directory, self.shared)

    def make_processor(self, render: Renderer, owner: str, standing: Standing) -> Processor:
        """Return a processor with these parts; ``owner`` owns the leases that it takes."""
        return Processor(
            pipeline=self.attached,
            source=self.source,
            output=self.output,
            catalog=self.catalog,
            render=render,
            notifiers=self.notifiers,
            owner=owner,
            clock=now,
            is_gone=self.is_gone,
            standing=standing,
            open_place=self.open_place,
            read_neighbours=cache(partial(self.read_neighbours, self.output)),
            circuits=self.circuits,
        )


@contextmanager
def open_parts(
    pipeline: Pipeline, directory: Path, file: str = "", *, read_only: bool = False
) -> Iterator[Parts]:
    """Open the parts that a checked pipeline names.

    Args:
        pipeline: The pipeline. The environment doesn't override its stores here.
        directory: The folder that relative paths in the pipeline start from.
        file: The pipeline file's name, if it is known.
        read_only: Whether to use an empty catalog in place of a missing one, instead of creating it.

    Raises:
        UsageError: A library that a part needs isn't installed, or AWS has no region or profile configured.
        CatalogFailed: The catalog's file can't be opened.

    """
    shared = Shared()
    _, _, catalog, *targets = find_declared(pipeline)
    database = parse_catalog(catalog.url, directory)
    owners = database.with_name(f"{database.name}-owners") if database else None
    place = open_output(pipeline, directory, shared)
    with load_opener(catalog)(
        pipeline.catalog, directory, shared, read_only=read_only, folding=place.folding
    ) as opened:
        yield Parts(
            pipeline,
            directory,
            source=open_source(pipeline, directory, shared),
            output=place,
            catalog=opened,
            notifiers={
                notify.target: Placed(load_opener(target)(notify, shared), pipeline.source.store)
                for notify, target in zip(pipeline.notify, targets, strict=True)
            },
            shared=shared,
            bin=open_bin(pipeline, directory, shared),
            file=file,
            owners=owners,
            is_gone=resolve(OWNER)(owners).is_gone if owners else None,
        )


def open_queue(url: str, shared: Shared) -> Queue:
    """Return the queue of this URL, without a request.

    Raises:
        UsageError: The library for AWS isn't installed, or no region is configured.

    """
    opened: Queue = load_opener(Declared("queue", url, QUEUE, (QUEUE,)))(url, shared)
    return opened


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)

"""Run a sync, and the work that must follow it: send notices, empty the bin."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from renditions.core.binding import Standing
from renditions.core.outcome import Outcome
from renditions.core.reconcile import Order
from renditions.core.summary import Summary
from renditions.model.pipeline import Pipeline
from renditions.runtime.bin import empty_bin
from renditions.runtime.machine import Workers, sync
from renditions.runtime.parts import Parts


@dataclass(frozen=True)
class Running:
    """A pipeline's parts with the worker processes that process its pictures."""

    parts: Parts
    standing: Standing
    workers: Workers
    is_attended: bool

    def sync(self, order: Order, stop: threading.Event, on_outcome: Callable[[Outcome], None]) -> Summary:
        """Sync by this order, store held work, send notices, delete expired originals.

        Only a full run stores the work that it held back. An interrupted sync ends without the other steps.

        Raises:
            Superseded: The catalog uses another version of the pipeline file.
            CatalogLost: The catalog is empty, but most of the first wanted output keys hold files.
            StoreFailed, CatalogFailed: A whole store, or the catalog, can't be read.

        """
        order = fit(order, self.parts.pipeline, self.standing)
        summary = sync(
            self.parts,
            self.workers,
            self.parts.make_guard(self.standing, is_attended=self.is_attended),
            stop=stop,
            on_outcome=on_outcome,
            order=order,
        )
        if order.is_full:
            summary.held += self.standing.held_renditions
        if not summary.interrupted:
            self.parts.end_run(summary.held if order.is_full else None, is_attended=self.is_attended)
            empty_bin(self.parts)
        return summary


def fit(order: Order, pipeline: Pipeline, standing: Standing) -> Order:
    """Return the order, adapted to the catalog's binding and to the notice targets.

    The binding may hold back the deletion of undeclared outputs. Without a target other than this process's
    log, notices of rejections don't wait.
    """
    ask = replace(order.ask, keeps_undeclared=standing.keeps_undeclared, rests=_has_receivers(pipeline))
    return replace(order, ask=ask)


def _has_receivers(pipeline: Pipeline) -> bool:
    """Return whether a notice target other than this process's log gets rejections."""
    return any(notify.wants("rejected") and notify.to != "log:" for notify in pipeline.notify)

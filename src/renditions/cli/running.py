"""Run a sync for a command: show progress, print the summary, set the exit code."""

from __future__ import annotations

from dataclasses import dataclass, replace

import typer

from renditions.cli import INTERRUPTED, display, unsent
from renditions.cli.advice import spell_selection
from renditions.cli.console import messages
from renditions.cli.left_out import print_counts
from renditions.cli.markup import escape
from renditions.cli.opening import stopping
from renditions.cli.reasons import print_reasons
from renditions.core.ask import Verify
from renditions.core.binding import Standing
from renditions.core.outcome import Outcome
from renditions.core.reconcile import Order
from renditions.core.summary import Summary
from renditions.runtime.machine import open_workers
from renditions.runtime.parts import Parts
from renditions.runtime.running import Running, fit

TROUBLE = 1
HELD = 3


@dataclass(frozen=True, slots=True)
class Manner:
    """How a sync runs and what it prints."""

    workers: int
    as_json: bool = False
    is_attended: bool = True
    is_strict: bool = False
    """Whether pictures that were rejected or failed in earlier runs also make the exit code 1."""


def run(parts: Parts, standing: Standing, order: Order, manner: Manner) -> None:
    """Sync with a progress bar, and print the summary; exit unless the code is 0."""
    order = replace(fit(order, parts.pipeline, standing), on_wait=display.print_wait)
    troubles = display.Troubles(parts.pipeline)
    with (
        stopping() as stop,
        display.show_progress("pictures", _count_work(parts, order), quiet=manner.as_json) as progress,
        open_workers(parts, manner.workers, standing) as workers,
    ):

        def tell(outcome: Outcome) -> None:
            if outcome.again_after is None:
                progress.advance(progress.task_ids[0])
            troubles.print(outcome)

        running = Running(parts, standing, workers, manner.is_attended)
        summary = running.sync(order, stop, tell)
    for remark in summary.remarks:
        messages.print(f"[yellow]{escape(remark)}[/]")
    selected = spell_selection(order.selection)
    for held in summary.held:
        display.print_held(held.what, held.count, held.why, selected)
    if manner.as_json:
        display.print_json(display.summary_item(summary))
    else:
        display.make_data_console().print(display.describe_summary(summary), soft_wrap=True)
    print_reasons(summary.reasons, selected)
    print_counts(summary.left_out)
    unsent.print_counts(parts)
    if code := _sync_exit_code(summary, is_strict=manner.is_strict):
        raise typer.Exit(code)


def _count_work(parts: Parts, order: Order) -> int | None:
    """Return how many pictures differ, or have a notice that waits.

    Return None without a terminal.
    """
    if not messages.is_terminal:
        return None
    verify: Verify = (
        "no" if order.ask.verify == "content" else order.ask.verify
    )  # Reading every output here and again in the sync would be slow.
    differences = parts.plan(ask=replace(order.ask, verify=verify), selection=order.selection)
    return sum(difference.action != "keep" or bool(difference.notice_after) for difference in differences)


def _sync_exit_code(summary: Summary, *, is_strict: bool) -> int:
    if summary.interrupted:
        return INTERRUPTED
    if summary.held:
        return HELD
    return TROUBLE if summary.has_trouble or (is_strict and summary.had_trouble) else 0

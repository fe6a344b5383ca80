"""The commands that compare pictures with the pipeline file, and update outputs."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Literal
from urllib.parse import quote

import typer

from renditions.cli import display
from renditions.cli.advice import spell_selection
from renditions.cli.app import WORKERS, FileOption, JsonOption, WorkersOption
from renditions.cli.completion import NamesArgument, complete_name, complete_rendition
from renditions.cli.console import messages
from renditions.cli.left_out import print_counts
from renditions.cli.markup import escape
from renditions.cli.opening import opened
from renditions.cli.plans import PlanReport
from renditions.cli.running import HELD, TROUBLE, Manner, run
from renditions.core.ask import PLAIN, Ask, Verify
from renditions.core.binding import FOLLOWS, Start
from renditions.core.leases import reopen, wish
from renditions.core.left_out import LeftOut
from renditions.core.readable import get_readable
from renditions.core.reconcile import Order
from renditions.core.selection import Selection
from renditions.errors import UsageError
from renditions.model.counting import count_of
from renditions.model.recipe import Focus
from renditions.model.record import Record, Status
from renditions.model.salvage import REASON
from renditions.runtime import selecting
from renditions.runtime.machine import allow_removals, check_catalog_not_lost
from renditions.runtime.parts import Parts
from renditions.runtime.selecting import find_record

TO_DO = 4
"""The exit code of ``plan --exit-code`` if sync would change something."""

RenditionOption = Annotated[
    list[str] | None,
    typer.Option(
        "--rendition",
        help="Only this rendition or family; repeat the option for more.",
        autocompletion=complete_rendition,
    ),
]
StatusOption = Annotated[
    Status | None, typer.Option("--status", help="Only pictures whose record has this status.")
]
VerifyOption = Annotated[
    bool | None,
    typer.Option(
        "--verify/--no-verify",
        help="Check that outputs exist and are unchanged (default: only in a folder; in unattended runs, "
        "output.verify decides).",
    ),
]
VerifyContentOption = Annotated[
    bool, typer.Option("--verify-content", help="Read every output and compare its hash.")
]
RebindOption = Annotated[
    bool, typer.Option("--rebind", help="Use the catalog for this pipeline file and source from now on.")
]
TakeOverOption = Annotated[
    bool,
    typer.Option("--take-over", help="Replace the version of the pipeline file that a deployment set."),
]
UnattendedOption = Annotated[
    bool,
    typer.Option(
        "--unattended",
        help="For runs without a person (cron, systemd, containers): hold back unusual changes.",
    ),
]


def plan(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    names: NamesArgument = None,
    file: FileOption = None,
    rendition: RenditionOption = None,
    status: StatusOption = None,
    *,
    verify: VerifyOption = None,
    verify_content: VerifyContentOption = False,
    rebind: RebindOption = False,
    take_over: TakeOverOption = False,
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code",
            help="Exit with 3 if removals are held back; otherwise with 4 if pictures differ; "
            "otherwise with 1 if there are problems.",
        ),
    ] = False,
    details: Annotated[
        bool, typer.Option("--details", help="List each picture, even if there are many.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what sync would do, without changing anything."""
    start = Start(sets_generation=True, rebinds=rebind, takes_over=take_over)
    with opened(context, file, read_only=True) as parts:
        parts.check_binding(start)
        how = _choose_verify(parts, verify, is_content=verify_content, is_attended=True)
        order = make_order(parts, names, Ask(verify=how), rendition, status)
        check_catalog_not_lost(parts, order)
        report = PlanReport(has_details=details, workers=WORKERS)
        left_out = LeftOut()
        differences = parts.preview(order, left_out)
        if as_json:
            display.print_json_array(difference.to_item() for difference in report.select(differences))
        else:
            report.print(differences)
        print_counts(left_out)
        if report.why_held:
            held = report.counts["hold"]
            display.print_held("removals", held, report.why_held, spell_selection(order.selection))
    if exit_code:
        raise typer.Exit(_plan_exit_code(report.counts))


def sync(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    names: NamesArgument = None,
    file: FileOption = None,
    workers: WorkersOption = WORKERS,
    rendition: RenditionOption = None,
    status: StatusOption = None,
    *,
    verify: VerifyOption = None,
    verify_content: VerifyContentOption = False,
    removals: Annotated[
        bool,
        typer.Option(
            "--allow-removals",
            help="For a day, allow the removal of renditions whose pictures are missing now.",
        ),
    ] = False,
    adopt: Annotated[
        bool,
        typer.Option("--adopt", help="After the catalog was lost: take over the outputs that it wrote."),
    ] = False,
    rebind: RebindOption = False,
    take_over: TakeOverOption = False,
    unattended: UnattendedOption = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 also if pictures were rejected or failed earlier.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring every picture's renditions up to date with the pipeline file."""
    start = replace(
        make_start(unattended=unattended, rebind=rebind, take_over=take_over),
        deletes_undeclared=not unattended,
    )
    if unattended and (removals or adopt):
        raise UsageError(
            "--allow-removals and --adopt need a person's decision: use them without --unattended"
        )
    with opened(context, file) as parts:
        how = _choose_verify(parts, verify, is_content=verify_content, is_attended=not unattended)
        order = make_order(parts, names, Ask(verify=how, adopts=adopt), rendition, status)
        standing = parts.bind(start)
        if removals:
            allowed = allow_removals(parts, order.selection)
            pictures = count_of(allowed, "missing picture")
            messages.print(f"Allowed to remove {pictures}. The permission ends in 24 hours.")
        run(parts, standing, order, Manner(workers, as_json, not unattended, strict))


def retry(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    names: NamesArgument = None,
    status: Annotated[
        Literal["failed", "rejected"] | None,
        typer.Option(help="Only pictures of this status (default without names: failed)."),
    ] = None,
    file: FileOption = None,
    workers: WorkersOption = WORKERS,
    rendition: RenditionOption = None,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Make all outputs of the named pictures again.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Try failed pictures again.

    If you name pictures, also try rejected ones again, and make missing and changed outputs again.
    """
    if force and not names:
        raise UsageError("retry --force: no pictures named. Name the pictures whose outputs to make again.")
    with opened(context, file) as parts:
        ask = Ask(verify="quick", is_retry=True, is_forced=force)
        order = make_order(parts, names, ask, rendition, status if names else status or "failed")
        standing = parts.bind(FOLLOWS)
        for name in order.selection.names:
            if parts.catalog.repair(name):
                messages.print(f"{escape(name)}: {REASON}. Renditions processes the picture again.")
        reopened = sum(reopen(parts.catalog, record) for record in _find_undone(parts, order.selection))
        if reopened or not names:
            messages.print(f"Failed or rejected pictures to try again: {reopened:,}")
        run(parts, standing, order, Manner(workers, as_json))


def focus(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="The picture's key, relative to the source.", autocompletion=complete_name
        ),
    ],
    x: Annotated[
        float | None,
        typer.Argument(
            metavar="X", min=0, max=100, help="The point's distance from the left edge, in percent."
        ),
    ] = None,
    y: Annotated[
        float | None,
        typer.Argument(
            metavar="Y", min=0, max=100, help="The point's distance from the top edge, in percent."
        ),
    ] = None,
    file: FileOption = None,
    workers: WorkersOption = WORKERS,
    *,
    clear: Annotated[bool, typer.Option("--clear", help="Remove the point instead.")] = False,
) -> None:
    """Set the point that renditions with gravity = "focus" keep when they crop."""
    point = Focus(x=x, y=y) if x is not None and y is not None else None
    if clear == (x is not None) or (x is None) != (y is None):
        raise UsageError("focus: pass either X and Y, or --clear")
    if point and not (0 <= point.x <= 100 and 0 <= point.y <= 100):  # the options' range lets NaN through
        raise UsageError(f"focus: X and Y must be from 0 to 100, not {x:g} and {y:g}")
    with opened(context, file) as parts:
        standing = parts.bind(FOLLOWS)
        record = find_record(parts, name)
        if not any(each.gravity == "focus" for each in parts.pipeline.renditions.values()):
            messages.print('[yellow]No rendition has gravity = "focus", so nothing will change.[/]')
        if not wish(parts.catalog, record, replace(record.wishes, focus=point)):
            raise UsageError(f"another process changed the record of {name!r} meanwhile; try again")
        run(parts, standing, Order(selection=Selection((name,))), Manner(workers))


def make_start(*, unattended: bool, rebind: bool = False, take_over: bool = False) -> Start:
    """Return what a command may change in the catalog's binding when it starts.

    Raises:
        UsageError: An unattended run got an option that needs a person's decision.
    """
    if unattended and (rebind or take_over):
        raise UsageError("--rebind and --take-over need a person's decision: use them without --unattended")
    return Start(sets_generation=not unattended, rebinds=rebind, takes_over=take_over)


def make_order(
    parts: Parts,
    names: list[str] | None,
    ask: Ask = PLAIN,
    renditions: list[str] | None = None,
    status: Status | None = None,
) -> Order:
    """Return the order that a command's arguments describe.

    For each named picture, also print the named renditions that no client requested.

    Raises:
        UsageError: A name or a prefix matches no picture, or a named rendition doesn't exist.

    """
    order = selecting.make_order(parts, names, ask, renditions, status)
    _print_unrequested(parts, order)
    return order


def _print_unrequested(parts: Parts, order: Order) -> None:
    """For each named picture, print the named renditions that no client requested.

    This function checks only renditions with ``on_demand``.
    """
    recipes = parts.pipeline.renditions
    named = [each for each in sorted(order.ask.renditions or ()) if recipes[each].on_demand]
    for name in order.selection.names if named else ():
        record = get_readable(parts.catalog, name)
        demanded = record.wishes.demanded if record else ()
        for rendition in named:
            if rendition not in demanded:
                messages.print(
                    f"{escape(name)}: {rendition} is made on demand, and no client has requested it for this "
                    f"picture. To request it, open {escape(f'/i/{rendition}/{quote(name)}')} at a server of "
                    "renditions serve. To make it for every picture, remove on_demand from the pipeline file."
                )


def _find_undone(parts: Parts, selection: Selection) -> Iterator[Record]:
    """Yield the selected records that were rejected or failed."""
    statuses: tuple[Status, ...] = (selection.status,) if selection.status else ("failed", "rejected")
    for name in selection.names:
        record = parts.catalog.get(name)
        if record and record.status in statuses:
            yield record
    prefixes = ("",) if selection.is_all else selection.prefixes
    for status, prefix in itertools.product(statuses, prefixes):
        yield from parts.catalog.query(status, prefix=prefix, on_unreadable=display.print_unreadable)


def _choose_verify(parts: Parts, verify: bool | None, *, is_content: bool, is_attended: bool) -> Verify:
    """Return how to verify outputs: by the options, or else by the default.

    Raise UsageError if the options contradict each other.
    """
    if is_content and verify is False:
        raise UsageError("--verify-content and --no-verify contradict each other: use only one of them")
    if is_content:
        return "content"
    if verify is None:
        return parts.default_verify(is_attended=is_attended)
    return "quick" if verify else "no"


def _plan_exit_code(counts: Counter[str]) -> int:
    if counts["hold"]:
        return HELD
    troubles = counts["unreadable"] + counts["attention"]
    if counts.total() - counts["keep"] - troubles:
        return TO_DO
    return TROUBLE if troubles else 0

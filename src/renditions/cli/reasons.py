"""Print why pictures wait or failed, and the command that helps."""

from __future__ import annotations

from collections.abc import Sequence

from renditions.cli import display
from renditions.cli.console import messages
from renditions.cli.markup import escape
from renditions.core.outcome import is_given_up
from renditions.core.reasons import Reasons
from renditions.model.record import Record
from renditions.model.shell import as_argument

MOST_GROUPS = 5
"""How many reasons of each state are printed at most."""


def print_reasons(
    reasons: Reasons, selected: str = "", states: Sequence[str] = ("waiting", "failed")
) -> None:
    """Print how many pictures are in these states, by reason.

    Each reason has an example. ``selected`` has the arguments that select pictures, with a space before
    them. It follows the suggested command.
    """
    for state in states:
        advice = f". To try again: renditions retry{selected}" if state == "failed" else ""
        groups = reasons.groups(state)
        for group in groups[:MOST_GROUPS]:
            which = (
                group.example if group.count == 1 else f"{group.count:,} pictures, such as {group.example}"
            )
            why = group.reason.rstrip(".") if advice else group.reason
            style = display.STATUS_STYLES.get(state, "blue")
            messages.print(f"[{style}]{state}:[/] {escape(which)}: {escape(why + advice)}")
        if groups[MOST_GROUPS:]:
            messages.print(f"… and {len(groups) - MOST_GROUPS:,} more reasons (--json has all)")


def print_next_attempt(record: Record) -> None:
    """Print when a failed picture is tried again, or how a person can try it again."""
    if record.status == "failed":
        then = "The next sync tries it again."
        if is_given_up(record):
            again = f"renditions retry {as_argument(record.name)}"
            then = f"Renditions gave it up, so syncs skip it. To try again: {again}"
        display.make_data_console().print(f"  {escape(then)}", soft_wrap=True)

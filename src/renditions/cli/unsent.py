"""Print the notices that aren't sent yet."""

from __future__ import annotations

from collections.abc import Iterable

from renditions.cli import display
from renditions.cli.console import messages
from renditions.cli.markup import escape
from renditions.model.items import format_time
from renditions.model.notices import UnsentNotice
from renditions.model.pipeline import Pipeline
from renditions.runtime.parts import Parts
from renditions.runtime.status import UnsentGroup, count_unsent

MOST_COUNTED = 1_000
"""How many unsent notices a command reads at most to count them."""


def describe(pipeline: Pipeline, unsent: UnsentNotice) -> str:
    """Return a text with a notice's event, its target, and why it isn't sent."""
    what = f"{unsent.event} of {unsent.name}" if unsent.name else unsent.event
    then = f"tried again after {format_time(unsent.again_at)}" if unsent.again_at else "given up"
    times = f"{unsent.attempts} attempt{'' if unsent.attempts == 1 else 's'}"
    target = pipeline.spell_target(unsent.target)
    if unsent.is_collected and unsent.again_at and not unsent.attempts:
        return f"{what} to {target}: waits for a digest, at the latest until {format_time(unsent.again_at)}"
    return f"{what} to {target}: {unsent.reason_at(target) or 'not tried yet'} ({times}, {then})"


def print_of_picture(parts: Parts, name: str) -> None:
    """Print the unsent notices about one picture."""
    for each in parts.catalog.unsent_notices(name):
        text = f"  [yellow]notice not sent[/] {escape(describe(parts.pipeline, each))}"
        display.make_data_console().print(text, soft_wrap=True)


def print_counts(parts: Parts) -> None:
    """Print how many notices aren't sent and why; print nothing if all are sent."""
    print_groups(count_unsent(parts, MOST_COUNTED), MOST_COUNTED)


def print_groups(groups: Iterable[UnsentGroup], most: int) -> None:
    """Print how many notices to each target aren't sent, and why.

    ``most`` is how many notices :func:`count_unsent` read at most. If it read as many, there may be more of
    each group, so each count gets a plus sign.
    """
    groups = tuple(groups)
    plus = "+" if sum(group.count for group in groups) >= most else ""
    for group in groups:
        then = "Later runs try again. To send now: renditions notices --resend"
        if group.given_up:
            then = "Given up. To try again: renditions notices --failed --resend"
        number = f"{group.count:,}{plus} notice{'' if group.count == 1 and not plus else 's'}"
        if group.collected and not group.reason:
            messages.print(f"[dim]waiting for a digest:[/] {number} to {escape(group.target)}")
            continue
        why = escape(group.reason or "not tried yet").rstrip(".")
        messages.print(f"[yellow]not sent:[/] {number} to {escape(group.target)}: {why}. {then}")

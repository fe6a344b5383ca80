"""Prints the notices that couldn't be sent yet."""

from __future__ import annotations

import itertools
from collections import Counter

from renditions.cli import display
from renditions.cli.markup import escape
from renditions.model.items import format_time
from renditions.model.notices import UnsentNotice
from renditions.model.pipeline import Pipeline
from renditions.runtime.parts import Parts

MOST_COUNTED = 1_000
"""How many unsent notices a command reads to count them."""


def describe(pipeline: Pipeline, unsent: UnsentNotice) -> str:
    """Return a sentence about an unsent notice.

    It has the event, the target, why it failed, and the next attempt.
    """
    what = f"{unsent.event} of {unsent.name}" if unsent.name else unsent.event
    then = f"tried again after {format_time(unsent.again_at)}" if unsent.again_at else "given up"
    times = f"{unsent.attempts} attempt{'' if unsent.attempts == 1 else 's'}"
    target = pipeline.spell_target(unsent.target)
    return f"{what} to {target}: {unsent.reason or 'not tried yet'} ({times}, {then})"


def print_of_picture(parts: Parts, name: str) -> None:
    """Print the unsent notices about one picture."""
    for each in parts.catalog.unsent_notices(name):
        text = f"  [yellow]notice not sent[/] {escape(describe(parts.pipeline, each))}"
        display.make_data_console().print(text, soft_wrap=True)


def print_counts(parts: Parts) -> None:
    """Print how many notices aren't sent and why; print nothing if all are sent."""
    groups: Counter[tuple[str, str, bool]] = Counter()
    for each in itertools.islice(parts.catalog.unsent_notices(), MOST_COUNTED):
        groups[parts.pipeline.spell_target(each.target), each.reason, each.again_at is None] += 1
    for (target, reason, is_given_up), count in groups.items():
        then = "Later runs try again. To send now: renditions notices --resend"
        if is_given_up:
            then = "Given up. To try again: renditions notices --failed --resend"
        number = f"{count:,}{'+' if count == MOST_COUNTED else ''} notice{'' if count == 1 else 's'}"
        why = escape(reason or "not tried yet").rstrip(".")
        display.messages.print(f"[yellow]not sent:[/] {number} to {escape(target)}: {why}. {then}")

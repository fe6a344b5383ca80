"""The command ``notices``: it lists unsent notices, and sends them again."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Annotated

import typer

from renditions.cli import display
from renditions.cli.app import FileOption, JsonOption
from renditions.cli.console import messages
from renditions.cli.markup import escape
from renditions.cli.opening import opened
from renditions.cli.running import TROUBLE
from renditions.cli.unsent import describe
from renditions.core.outbox import send_again
from renditions.model.notices import MOST_SENDINGS, UnsentNotice
from renditions.runtime.parts import Parts, now


def notices(
    context: typer.Context,
    file: FileOption = None,
    *,
    failed: Annotated[
        bool,
        typer.Option(
            "--failed", help=f"Only notices that Renditions gave up after {MOST_SENDINGS} attempts."
        ),
    ] = False,
    resend: Annotated[bool, typer.Option("--resend", help="Send the listed notices now.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the notices that aren't sent yet, with the reasons."""
    with opened(context, file, read_only=not resend) as parts:
        listed = _select(parts, only_failed=failed)
        if not resend:
            _print(parts, listed, as_json=as_json)
            return
        unsent = _resend(parts, list(listed))
        _print(parts, iter(unsent), as_json=as_json)
    if unsent:
        raise typer.Exit(TROUBLE)


def _print(parts: Parts, listed: Iterator[UnsentNotice], *, as_json: bool) -> None:
    if as_json:
        display.print_json_array(each.to_shown(parts.pipeline) for each in listed)
        return
    console = display.make_data_console()
    for each in itertools.islice(listed, display.MOST_LINES):
        console.print(escape(describe(parts.pipeline, each)), soft_wrap=True)
    if rest := sum(1 for _ in listed):
        messages.print(f"… and {rest:,} more (--json prints all)")


def _select(parts: Parts, *, only_failed: bool) -> Iterator[UnsentNotice]:
    unsent = parts.catalog.unsent_notices()
    return (each for each in unsent if each.again_at is None) if only_failed else unsent


def _resend(parts: Parts, chosen: list[UnsentNotice]) -> list[UnsentNotice]:
    """Send ``chosen`` and all due notices; return those of ``chosen`` still unsent."""
    send_again(parts.catalog, chosen, now())
    parts.outbox.send_due()
    wanted = {(each.name, each.event, each.target) for each in chosen}
    unsent = parts.catalog.unsent_notices()
    left = [each for each in unsent if (each.name, each.event, each.target) in wanted]
    still = f"; still not sent: {len(left):,}" if left else ""
    messages.print(f"Notices to send again: {len(chosen):,}{still}")
    return left

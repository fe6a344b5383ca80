"""The commands ``show`` and ``list``, which print the catalog's records."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from renditions.cli import display, unsent
from renditions.cli.app import FileOption, JsonOption
from renditions.cli.completion import NamesArgument, complete_name
from renditions.cli.console import messages
from renditions.cli.left_out import print_files
from renditions.cli.markup import escape
from renditions.cli.opening import opened
from renditions.cli.reasons import print_next_attempt
from renditions.cli.records import print_record, print_records
from renditions.core.ports import Unreadable
from renditions.core.selection import Selection
from renditions.errors import RecordUnreadable, UsageError
from renditions.model.record import Record, Status
from renditions.model.warning import WARNINGS
from renditions.runtime.parts import Parts
from renditions.runtime.selecting import check_prefixes, find_record, select_files


def show(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="The picture's key, relative to the source.", autocompletion=complete_name
        ),
    ],
    file: FileOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show the record of one picture."""
    with opened(context, file, read_only=True) as parts:
        record = find_record(parts, name)
        key_name = parts.pipeline.catalog.key
        if as_json:
            notices = [each.to_shown(parts.pipeline) for each in parts.catalog.unsent_notices(name)]
            display.print_json(record.to_item(key_name) | ({"unsent_notices": notices} if notices else {}))
        else:
            print_record(record, key_name)
            print_next_attempt(record)
            unsent.print_of_picture(parts, name)


def list_records(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    names: NamesArgument = None,
    status: Annotated[Status | None, typer.Option(help="Only pictures with this status.")] = None,
    warning: Annotated[
        str | None,
        typer.Option(
            metavar="CODE",
            help="Only pictures with this warning, see docs/errors.md.",
            autocompletion=lambda: list(WARNINGS),
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=0,
            help=f"How many records to print (default: {display.MOST_LINES} in a table on a terminal, "
            "else all).",
        ),
    ] = None,
    file: FileOption = None,
    *,
    unmatched: Annotated[
        bool,
        typer.Option("--unmatched", help="List the files that aren't pictures instead, with the reasons."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the pictures' records, newest first.

    Records that you name come first, then those of each prefix.
    """
    if unmatched and (status or warning):
        raise UsageError(
            "--unmatched contradicts --status and --warning, because only pictures have a status and "
            "warnings: leave one out"
        )
    if warning is not None and warning not in WARNINGS:
        # A newer version may have written records with other codes, so this is no error.
        known = ", ".join(WARNINGS)
        messages.print(f"[yellow]warning:[/] {escape(repr(warning))} isn't one of the known codes: {known}")
    with opened(context, file, read_only=True) as parts:
        if unmatched:
            print_files(parts, select_files(parts, names), as_json=as_json)
            return
        selection = Selection.of(names or (), status)
        check_prefixes(parts, selection)
        records = _select_records(parts, selection)
        if warning:
            records = (record for record in records if warning in {each.code for each in record.warnings})
        if limit is None and not as_json and sys.stdout.isatty():
            limit = display.MOST_LINES
        shown = itertools.islice(records, limit)
        if as_json:
            display.print_json_array(record.to_item(parts.pipeline.catalog.key) for record in shown)
            return
        print_records(shown)
        if limit is not None and (rest := sum(1 for _ in records)):
            messages.print(f"… and {rest:,} more. To print all: --limit {limit + rest}")


def _select_records(parts: Parts, selection: Selection) -> Iterator[Record]:
    """Yield the selected records. Print the names of records that can't be read."""
    for name in selection.names:
        try:
            record = find_record(parts, name)
        except RecordUnreadable as error:
            display.print_unreadable(Unreadable(name, str(error)))
            continue
        if selection.has(record):
            yield record
    for prefix in ("",) if selection.is_all else selection.prefixes:
        yield from parts.catalog.query(
            selection.status, prefix=prefix, on_unreadable=display.print_unreadable
        )

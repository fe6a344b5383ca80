"""Print the catalog's records for people."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import datetime

from rich.console import Console
from rich.table import Table

from renditions.cli.display import STATUS_STYLES, format_bytes, format_sides, make_data_console
from renditions.cli.findings import describe
from renditions.cli.markup import escape
from renditions.model.items import format_time
from renditions.model.record import Record

FACTS = ("timestamp", "original_format", "original_frames", "etag", "attempts", "blocked_by")
"""The attributes of a record's JSON form that are printed unchanged."""

_BATCH = 1_000
"""How many rows are printed at once, as a table with its own column widths."""


def _describe_missing(record: Record) -> str:
    """Return a text that says when the source was found missing, or an empty one."""
    return (
        f"source has been missing since {_format_time(record.missing_since)}" if record.missing_since else ""
    )


def print_records(records: Iterable[Record]) -> None:
    """Print a table of records, ``_BATCH`` records at a time."""
    console = make_data_console()
    rest = iter(records)
    is_first = True
    while (batch := list(itertools.islice(rest, _BATCH))) or is_first:
        table = Table(box=None, pad_edge=False, header_style="bold", show_header=is_first)
        for heading in (
            "picture",
            "status",
            "original",
            "renditions",
            "total size",
            "warnings",
            "when / why",
        ):
            table.add_column(heading, overflow="fold")
        for record in batch:
            table.add_row(*_record_cells(record))
        console.print(table)
        is_first = False


def print_record(record: Record, key_name: str) -> None:
    """Print one record in a form for people."""
    console = make_data_console()
    style = STATUS_STYLES[record.status]
    console.print(f"[bold]{escape(record.name)}[/] is [{style}]{record.status}[/]", soft_wrap=True)
    if record.reason:
        console.print(f"  {escape(record.reason)}", soft_wrap=True)
    if record.missing_since:
        console.print(f"  Its {_describe_missing(record)}, and its outputs are kept.", soft_wrap=True)
    for warning in record.warnings:
        console.print(f"  [yellow]warning:[/] {escape(str(warning))}", soft_wrap=True)
    _print_facts(console, record, key_name)
    console.print(_tabulate_renditions(record))
    if record.history:
        console.print(_tabulate_history(record))


def _print_facts(console: Console, record: Record, key_name: str) -> None:
    item = record.to_item(key_name)
    facts = {name: str(item[name]) for name in FACTS if item.get(name)}
    if focus := record.wishes.focus:
        facts["focus"] = f"{focus.x:g} % from the left, {focus.y:g} % from the top"
    if record.wishes.demanded:
        facts["demanded"] = ", ".join(record.wishes.demanded)
    if record.lease:
        facts["lease"] = f"until {format_time(record.lease.until)}, held by process {record.lease.owner}"
    for name, text in facts.items():
        console.print(f"  [dim]{name}[/] {escape(text)}", soft_wrap=True)
    if record.original and record.original.analysis:
        for finding in describe(record.original.analysis):
            swatch = f"[on {finding.swatch}]  [/] " if finding.swatch else ""
            console.print(f"  [dim]{finding.name}[/] {swatch}{escape(finding.text)}", soft_wrap=True)


def _tabulate_renditions(record: Record) -> Table:
    """Return the table of the original and the outputs.

    The table also has kept former outputs, renditions that share another one's file, and failed renditions.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("rendition", "output", "format", "dimensions", "size"):
        table.add_column(heading, overflow="fold")
    if original := record.original:
        cells = "[dim]original[/]", "", original.format or "", format_sides(original)
        table.add_row(*cells, format_bytes(original.size_bytes))
    for output in record.outputs:
        cells = output.rendition, escape(output.key), output.format, format_sides(output)
        table.add_row(*cells, format_bytes(output.size_bytes))
    for old in record.retired:
        table.add_row("[dim]former[/]", f"[dim]kept: {escape(old.describe())}[/]", "", "", "")
    for rendition, other in record.stand_ins:
        why = f"[dim]uses the file of {other}: the picture is too small for a larger width[/]"
        table.add_row(rendition, why, "", "", "")
    for rendition, reason in record.errors:
        table.add_row(rendition, f"[yellow]{escape(reason.text)}[/]", "", "", "")
    return table


def _tabulate_history(record: Record) -> Table:
    """Return the table of what happened to the picture, the oldest event first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("history", "status", "why"):
        table.add_column(heading, overflow="fold")
    for event in record.history:
        style = STATUS_STYLES[event.status]
        table.add_row(_format_time(event.timestamp), f"[{style}]{event.status}[/]", escape(event.reason))
    return table


def _format_time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _record_cells(record: Record) -> tuple[str, ...]:
    original = record.original
    made = sum(output.size_bytes for output in record.outputs)
    why = [text for text in (record.reason, _describe_missing(record)) if text]
    return (
        escape(record.name),
        f"[{STATUS_STYLES[record.status]}]{record.status}[/]",
        f"{format_sides(original)} {format_bytes(original.size_bytes)}".strip() if original else "",
        ", ".join(output.rendition for output in record.outputs),
        format_bytes(made) if record.outputs else "",
        ", ".join(dict.fromkeys(warning.code for warning in record.warnings)),
        escape("; ".join(why)) if why else _format_time(record.timestamp),
    )

"""Print the catalog's records for people."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from renditions.cli.display import STATUS_STYLES, format_bytes, format_sides, make_data_console
from renditions.cli.findings import describe
from renditions.model.record import Record


def print_records(records: Iterable[Record]) -> None:
    """Print a table of records."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("picture", "status", "original", "renditions", "total size", "warnings", "when / why"):
        table.add_column(heading, overflow="fold")
    for record in records:
        table.add_row(*_record_cells(record))
    make_data_console().print(table)


def print_record(record: Record, key_name: str) -> None:
    """Print one record in a form for people."""
    console = make_data_console()
    style = STATUS_STYLES[record.status]
    console.print(f"[bold]{escape(record.name)}[/] is [{style}]{record.status}[/]", soft_wrap=True)
    if record.reason:
        console.print(f"  {escape(record.reason)}", soft_wrap=True)
    for warning in record.warnings:
        console.print(f"  [yellow]warning:[/] {escape(str(warning))}", soft_wrap=True)
    _print_facts(console, record, key_name)
    console.print(_tabulate_renditions(record))


def _print_facts(console: Console, record: Record, key_name: str) -> None:
    item = record.to_item(key_name)
    shown = ("timestamp", "original_format", "original_frames", "etag", "attempts", "blocked_by", "lease")
    for name in shown:
        if item.get(name):
            console.print(f"  [dim]{name}[/] {escape(str(item[name]))}", soft_wrap=True)
    if record.original and record.original.analysis:
        for finding in describe(record.original.analysis):
            swatch = f"[on {finding.swatch}]  [/] " if finding.swatch else ""
            console.print(f"  [dim]{finding.name}[/] {swatch}{escape(finding.text)}", soft_wrap=True)


def _tabulate_renditions(record: Record) -> Table:
    """Return the table of the original and the outputs.

    It also has the renditions without an output of their own.
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
    for rendition, other in record.stand_ins:
        why = f"[dim]has the file of {other}: the picture is too small for a wider one[/]"
        table.add_row(rendition, why, "", "", "")
    for rendition, reason in record.errors:
        table.add_row(rendition, f"[yellow]{escape(reason.text)}[/]", "", "", "")
    return table


def _record_cells(record: Record) -> tuple[str, ...]:
    original = record.original
    made = sum(output.size_bytes for output in record.outputs)
    return (
        escape(record.name),
        f"[{STATUS_STYLES[record.status]}]{record.status}[/]",
        f"{format_sides(original)} {format_bytes(original.size_bytes)}".strip() if original else "",
        ", ".join(output.rendition for output in record.outputs),
        format_bytes(made) if record.outputs else "",
        ", ".join(dict.fromkeys(warning.code for warning in record.warnings)),
        escape(record.reason) if record.reason else f"{record.timestamp:%Y-%m-%d %H:%M:%S} UTC",
    )

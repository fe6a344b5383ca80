"""The commands ``strays`` and ``forget``.

``strays`` lists files in an output store that belong to no picture. With ``--delete``, it deletes the named
files that this catalog wrote, and leaves other files. ``forget`` deletes a picture, its renditions and its
record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Annotated, Any
from uuid import uuid4

import typer

from renditions.cli import display
from renditions.cli.app import FileOption, JsonOption
from renditions.cli.completion import complete_name
from renditions.cli.console import messages
from renditions.cli.markup import escape
from renditions.cli.opening import opened
from renditions.cli.questions import ask
from renditions.core.binding import FOLLOWS, Standing
from renditions.core.forget import Reach, Report
from renditions.core.forget import forget as forget_picture
from renditions.core.leases import Leases
from renditions.core.ports import OnUnreadable, Store, Unreadable
from renditions.core.process import Process
from renditions.core.selection import Selection
from renditions.core.strays import Claims, Stray, delete_stray, list_strays
from renditions.errors import UsageError
from renditions.runtime.machine import find_preview_cache, open_workers
from renditions.runtime.parts import Parts, now
from renditions.runtime.selecting import has_record, is_known, suggest

YesOption = Annotated[bool, typer.Option("--yes", help="Don't ask before deleting.")]
LEASE = timedelta(minutes=5)


def strays(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY|PREFIX/]...", help="Only these files (default: all).")
    ] = None,
    file: FileOption = None,
    store: Annotated[
        str | None, typer.Option(metavar="URL", help="Check an output store that this catalog used before.")
    ] = None,
    *,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete the listed files that this catalog wrote.")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """List files in the output store that belong to no picture."""
    if delete and not names:
        raise UsageError(
            "strays --delete: no keys given. Name the keys to delete, or a prefix that ends with a slash."
        )
    selection = Selection.of(names or ())
    with opened(context, file, read_only=not delete) as parts:
        place = _Place(parts, store)
        if delete:
            _delete(place, selection, yes=yes, as_json=as_json)
        elif as_json:
            display.print_json_array(
                stray.to_item() for stray in place.list(selection) if stray.whose != "another's"
            )
        else:
            _print(place.list(selection))


class _Place:
    """An output store, and the facts that show which catalog owns its objects."""

    def __init__(self, parts: Parts, url: str | None) -> None:
        binding = parts.catalog.read_binding()
        former = binding.former_outputs if binding else ()
        self.parts = parts
        self.url = url or parts.pipeline.output.store
        self.is_present = self.url == parts.pipeline.output.store
        if not self.is_present and self.url not in former:
            advice = f"Name one of its former stores: {', '.join(former)}" if former else "Leave out --store"
            raise UsageError(f"--store: {self.url!r} is no former output store of this catalog. {advice}")
        self.store = parts.output if self.is_present else parts.open_place(self.url)
        self.neighbours = parts.read_neighbours(self.store)

    def list(
        self, selection: Selection, on_unreadable: OnUnreadable | None = display.print_unreadable
    ) -> Iterator[Stray]:
        """Yield the strays, and the outputs of other catalogs.

        In a former store, an unreadable record may still need some of them. Without ``on_unreadable``, raise
        RecordUnreadable then.
        """
        claims = Claims.read(
            self.parts.catalog,
            self.store.folding(),
            self.url,
            is_present=self.is_present,
            on_unreadable=on_unreadable,
        )
        return list_strays(self.store, self.neighbours, claims, selection)


def _print(found: Iterator[Stray]) -> None:
    """Print the strays in a form for people, and their number."""
    console = display.make_data_console()
    counts: Counter[str] = Counter()
    for stray in found:
        counts[stray.whose] += 1
        if stray.whose != "another's" and counts.total() - counts["another's"] <= display.MOST_LINES:
            size = display.format_bytes(stray.found.size_bytes)
            console.print(f"{stray.whose:8} {size:>8}  {escape(stray.found.key)}", soft_wrap=True)
    shown = counts.total() - counts["another's"]
    if shown > display.MOST_LINES:
        console.print(f"… and {shown - display.MOST_LINES:,} more (--json prints all)")
    theirs = counts["another's"]
    others = f". Objects of other catalogs: {theirs:,}" if theirs else ""
    messages.print(f"Strays: {shown:,} ({counts['ours']:,} ours, {counts['unknown']:,} unknown){others}")


def _delete(place: _Place, selection: Selection, *, yes: bool, as_json: bool) -> None:
    """Delete the strays that this catalog wrote; first ask, unless ``yes``."""
    standing = place.parts.bind(FOLLOWS)
    place.neighbours = place.parts.read_neighbours(place.store)
    counts: Counter[str] = Counter()
    unmatched = set(selection.names)
    unreadable: list[Unreadable] = []
    for stray in place.list(selection, unreadable.append):
        counts[stray.whose] += 1
        unmatched.discard(stray.found.key)
    _insist_readable(unreadable, place.url)
    for each in sorted(unmatched):
        messages.print(f"{escape(repr(each))} isn't a stray. To list the strays: renditions strays")
    if counts["ours"]:
        ask(f"Delete the strays of this catalog ({counts['ours']:,}) from {escape(place.url)}?", yes=yes)
    leases = _make_leases(place.parts, place.store, standing)
    left = 0

    def delete_each() -> Iterator[dict[str, Any]]:
        nonlocal left
        for stray in place.list(selection, None):
            why = delete_stray(stray, leases, now, place=place.url, claims=place.is_present)
            left += why is not None
            yield stray.to_item() | {"deleted": why is None} | ({"why": why} if why else {})

    if as_json:
        display.print_json_array(delete_each())
    else:
        for item in delete_each():
            sign, why = ("-", "") if item["deleted"] else ("=", f"  [dim]{escape(item['why'])}[/]")
            display.make_data_console().print(f"{sign} {escape(item['key'])}{why}", soft_wrap=True)
        messages.print(f"{counts.total() - left:,} deleted, {left:,} left")
    if left or unmatched:
        raise typer.Exit(1)


def _insist_readable(unreadable: Sequence[Unreadable], url: str) -> None:
    """Print the unreadable records, and exit with 1 if there are any."""
    for part in unreadable:
        display.print_unreadable(part)
    if unreadable:
        messages.print(
            f"Nothing was deleted: such a record may still need files in {escape(url)}. First run renditions "
            "retry or forget for each of these pictures."
        )
        raise typer.Exit(1)


def forget(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="The picture's key, relative to the source.", autocompletion=complete_name
        ),
    ],
    file: FileOption = None,
    *,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete a picture, its renditions and its record, with all earlier versions."""
    with opened(context, file) as parts:
        why_not = parts.pipeline.source.patterns.why_not(name)
        if why_not and not has_record(parts, name):
            raise UsageError(f"{name!r} isn't a picture: {why_not}. {suggest(parts, name)}".rstrip(". "))
        is_there = is_known(parts, name)
        if not is_there and (advice := suggest(parts, name)):
            raise UsageError(f"there is no picture {name!r}, and no record of one. {advice}")
        ask(_question(name, is_there=is_there), yes=yes)
        standing = parts.bind(FOLLOWS)
        with open_workers(parts, 1, standing) as workers:
            report = forget_picture(name, _reach(parts, workers.processing(None), standing))
    if not report.removed and not report.left:
        raise UsageError(f"can't find {name!r}: it has no picture, no record and no outputs. Check the name.")
    if as_json:
        display.print_json(report.to_item())
    else:
        _print_report(report)
    if report.left:
        raise typer.Exit(1)


def _make_leases(parts: Parts, store: Store, standing: Standing) -> Leases:
    return Leases(parts.catalog, store, uuid4().hex, now, LEASE, standing)


def _question(name: str, *, is_there: bool) -> str:
    if is_there:
        return f"Delete {escape(name)}, its renditions and its record? This can't be undone."
    return (
        f"There is no picture {escape(name)}, and no record of one. Delete its other traces, such as older "
        "versions and originals in the bin? This can't be undone."
    )


def _reach(parts: Parts, process: Process, standing: Standing) -> Reach:
    binding = parts.catalog.read_binding()
    outputs: dict[str, Store] = {parts.pipeline.output.store: parts.output}
    for place in binding.former_outputs if binding else ():
        outputs.setdefault(place, parts.open_place(place))
    previews = find_preview_cache(parts.pipeline, parts.directory)
    return Reach(
        parts.pipeline,
        parts.source,
        parts.catalog,
        outputs,
        process,
        parts.read_neighbours,
        _make_leases(parts, parts.output, standing),
        bin=parts.bin,
        is_marker_missing=parts.preview_guard().is_marker_missing,
        drop_previews=previews.drop if previews else lambda _: False,
    )


def _print_report(report: Report) -> None:
    console = display.make_data_console()
    for trace in report.removed:
        console.print(f"removed {escape(trace.what)}: {escape(trace.where)}", soft_wrap=True)
    for trace in report.left:
        console.print(
            f"[yellow]left[/] {escape(trace.what)}: {escape(trace.where)}: {escape(trace.why)}",
            soft_wrap=True,
        )

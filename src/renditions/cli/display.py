"""The output of the commands: tables and progress for people, JSON for programs."""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from renditions.cli.advice import HOW_TO_ALLOW, Console
from renditions.cli.console import messages
from renditions.cli.markup import escape
from renditions.core.outcome import Outcome
from renditions.core.ports import Unreadable
from renditions.core.summary import Summary
from renditions.model.counting import count_of
from renditions.model.hidden import reveal_in_json
from renditions.model.pipeline import Pipeline
from renditions.model.record import Record

PIPE_COLUMNS = 160
"""The width of tables in characters, if stdout isn't a terminal."""

MOST_LINES = 40
"""How many entries a list for people shows at most, such as pictures or files."""

NO_PICTURES = "found no pictures"
"""The words of a plan, and of a sync's summary, if the source is empty or nothing is selected."""

STATUS_STYLES = {"done": "green", "rejected": "yellow", "failed": "red", "processing": "blue"}


def make_data_console() -> Console:
    """Return a console for data.

    Each call creates a new one, because stdout may have changed.
    """
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPE_COLUMNS
    return console


def print_json(value: Any) -> None:
    """Print one JSON value."""
    sys.stdout.write(reveal_in_json(json.dumps(value, indent=2, ensure_ascii=False)) + "\n")


def print_json_array(values: Iterable[Any]) -> None:
    """Print a JSON array with one line for each element.

    This prints each line before it takes the next element from ``values``.
    """
    separator = "["
    for value in values:
        sys.stdout.write(f"{separator}\n  {reveal_in_json(json.dumps(value, ensure_ascii=False))}")
        separator = ","
    sys.stdout.write("[]\n" if separator == "[" else "\n]\n")


def format_bytes(count: float) -> str:
    """Return a number of bytes with a decimal unit: ``1.2 MB``."""
    for unit in ("B", "kB", "MB"):
        if abs(count) < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 99.5 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def format_duration(seconds: float) -> str:
    """Return a duration with its unit: ``12 min``."""
    for unit, length in (("s", 60), ("min", 60), ("h", 24)):
        if seconds < 1.5 * length:
            return f"{max(seconds, 1):.0f} {unit}"
        seconds /= length
    return f"{seconds:.0f} days"


def summary_item(summary: Summary) -> dict[str, Any]:
    """Return the JSON form of a sync's summary."""
    return {
        "processed": dict(summary.results),
        "renamed": summary.renamed,
        "as_declared": dict(summary.standing),
        "waiting": summary.waiting,
        "unreadable": summary.unreadable,
        "warnings": summary.warnings,
        "unmatched": summary.left_out.unmatched,
        "excluded": summary.left_out.excluded,
        "links": summary.left_out.links,
        "reasons": [group.to_item() for group in summary.reasons.groups()],
        "held": [{"what": held.what, "count": held.count, "why": held.why} for held in summary.held],
        "interrupted": summary.interrupted,
        "all_done": summary.all_done,
    }


HELD_WORK = {
    "removals": "the removal of",
    "renditions": "deleting the undeclared outputs of",
    "output": "restoring the outputs of",
}


def print_held(what: str, count: int, why: str, selected: str = "") -> None:
    """Print which removals or outputs are held back, why, and how to allow them.

    ``selected`` has the arguments that select pictures, with a space before them. It follows the suggested
    command.
    """
    concerned = f"{HELD_WORK[what]} {count_of(count, 'picture')}"
    messages.print(
        f"[magenta]held back:[/] {concerned}, because {escape(why)}. {HOW_TO_ALLOW[what]}{escape(selected)}"
    )


def print_wait(count: int, pause: timedelta) -> None:
    """Print that the command waits before it sends the notices of rejected pictures."""
    seconds = math.ceil(pause.total_seconds())
    messages.print(
        f"Waiting {seconds} s before sending the notices of rejected pictures ({count:,}), because another "
        "program may still be copying their files. Press Ctrl-C to leave the notices to the next sync."
    )


def print_unreadable(part: Unreadable) -> None:
    """Print which record or part of the source can't be read, and why."""
    messages.print(f"[red]unreadable[/] {escape(part.prefix)}: {escape(part.reason)}")


def describe_summary(summary: Summary) -> str:
    """Return a sentence that sums up a sync."""
    standing = summary.standing.total()
    held = sum(each.count for each in summary.held)
    if not (summary.results or summary.waiting or summary.interrupted or held):
        checked = f"{count_of(standing, 'picture')} checked, {_list_counts(summary.standing)}"
        parts = [f"Nothing to do: {checked if standing else NO_PICTURES}", *_list_troubles(summary)]
        return "; ".join(parts) + "."
    processed = f"{count_of(summary.results.total(), 'picture')} processed"
    parts = [": ".join(filter(None, (processed, _list_counts(summary.results))))]
    if summary.renamed:
        parts.append(f"{summary.renamed} of them renamed")
    if standing:
        parts.append(f"{standing} needed no work ({_list_counts(summary.standing)})")
    if summary.waiting:
        parts.append(f"{summary.waiting} still waiting; the next sync processes them")
    if held:
        parts.append(f"{held:,} held back")
    parts += _list_troubles(summary)
    if summary.interrupted:
        parts.append("stopped early; the next sync continues")
    return "; ".join(parts) + "."


def _list_troubles(summary: Summary) -> list[str]:
    """Return how much couldn't be read, and how many pictures a person must check."""
    unreadable = [f"{summary.unreadable:,} can't be read"] if summary.unreadable else []
    return unreadable + ([f"{summary.warnings:,} for a person to check"] if summary.warnings else [])


def print_json_line(value: Any) -> None:
    """Print one JSON value on one line, and flush it."""
    sys.stdout.write(reveal_in_json(json.dumps(value, ensure_ascii=False)) + "\n")
    sys.stdout.flush()


def print_outcome(outcome: Outcome) -> None:
    """Print a line about a picture's outcome."""
    style = STATUS_STYLES.get(outcome.result, "dim")
    made = ", ".join(output.key for output in outcome.record.outputs) if outcome.record else ""
    detail = made if outcome.result == "done" else outcome.reason
    console = make_data_console()
    console.print(
        f"[{style}]{outcome.result}[/] {escape(outcome.name)}  [dim]{escape(detail or '')}[/]", soft_wrap=True
    )
    console.file.flush()


class Troubles:
    """A printer of rejected, failed, unreadable and waiting pictures on stderr.

    It prints each picture once, and ``MOST_LINES`` pictures at most.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        # These entries of [[notify]] log each trouble in full, so ``print`` doesn't repeat it.
        self._logs = [
            notify
            for notify in pipeline.notify
            if notify.to == "log:" and not (notify.digest or notify.renditions or notify.text)
        ]
        self._printed: set[str] = set()
        self._has_more = False

    def print(self, outcome: Outcome) -> None:
        """Print the outcome of a rejected, failed, waiting or unreadable picture.

        Print nothing if the outcome says when Renditions tries the picture again, or if the log has it.
        """
        is_trouble = outcome.result in ("rejected", "failed", "unreadable", "waiting")
        is_wanted = any(
            outcome.result in log.on and log.wants(outcome.result, outcome.name) for log in self._logs
        )
        is_logged = is_wanted and outcome.is_notified
        if not is_trouble or outcome.again_after is not None or is_logged:
            return
        if outcome.name in self._printed or self._has_more:
            return
        if len(self._printed) == MOST_LINES:
            self._has_more = True
            messages.print("… and more. To list such pictures: renditions list --status rejected (or failed)")
            return
        self._printed.add(outcome.name)
        style = STATUS_STYLES.get(outcome.result, "red")
        messages.print(f"[{style}]{outcome.result}[/] {escape(outcome.name)}: {escape(outcome.reason or '')}")


class Retries:
    """A printer of the reasons why pictures failed, if Renditions tries them again.

    It prints them on stderr. It prints a picture's reason only if it differs from the picture's last one.
    """

    def __init__(self) -> None:
        self._reasons: dict[str, str | None] = {}

    def print(self, outcome: Outcome) -> None:
        """Print a new reason of a picture that is tried again."""
        if outcome.result != "failed" or outcome.again_after is None:
            self._reasons.pop(outcome.name, None)
        elif self._reasons.get(outcome.name) != outcome.reason:
            self._reasons[outcome.name] = outcome.reason
            messages.print(f"[yellow]waits[/] {escape(outcome.name)}: {escape(outcome.reason or '')}")


def print_renditions(pipeline: Pipeline, example: str, keys: Mapping[str, str]) -> None:
    """Print a pipeline's renditions, with the output keys of an example picture."""
    console = make_data_console()
    console.print(
        f"{escape(pipeline.source.store)} → {escape(pipeline.output.store)}, "
        f"records in {escape(pipeline.catalog.store)}",
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("rendition", "format", "box", "fit", f"file of {example}"):
        table.add_column(heading, overflow="fold")
    for name, rendition in pipeline.renditions.items():
        box = f"{rendition.width or 'any'}×{rendition.height or 'any'}"
        sized = rendition.width or rendition.height
        table.add_row(
            name,
            rendition.format,
            box if sized else "original size",
            rendition.fit if sized else "",
            escape(keys[name]) + (", on demand" if rendition.on_demand else ""),
        )
    console.print(table)


def print_demo(records: Callable[[], Iterator[Record]], directory: Path, pipeline: Pipeline) -> None:
    """Print the first pictures' files, and the share of bytes that each saves.

    Also print the first rejected and failed pictures with their reasons.

    Each call of ``records`` starts a new pass over the catalog.
    """
    console = make_data_console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("picture and files", overflow="fold")
    for heading in ("dimensions", "size", "saves"):
        table.add_column(heading, justify="right")
    statuses: Counter[str] = Counter()
    bytes_in = bytes_out = 0
    for number, record in enumerate(records()):
        statuses[record.status] += 1
        original = record.original
        if record.status != "done" or original is None:
            continue
        bytes_in += original.size_bytes
        bytes_out += sum(output.size_bytes for output in record.outputs)
        if number < MOST_LINES:
            table.add_row(
                f"[bold]{escape(record.name)}[/]",
                format_sides(original),
                format_bytes(original.size_bytes),
                "",
            )
            for output in record.outputs:
                saved = 1 - output.size_bytes / original.size_bytes
                table.add_row(
                    f"  {escape(output.key)}",
                    format_sides(output),
                    format_bytes(output.size_bytes),
                    f"{saved:.0%}",
                )
    console.print(table)
    for record in itertools.islice((record for record in records() if record.reason), MOST_LINES):
        style = STATUS_STYLES[record.status]
        console.print(
            f"[{style}]{record.status}[/] {escape(record.name)}: {escape(record.reason or '')}",
            soft_wrap=True,
        )
    console.print(
        f"{count_of(statuses.total(), 'picture')}: {_list_counts(statuses)}. "
        f"{format_bytes(bytes_in)} of pictures, {format_bytes(bytes_out)} of renditions."
    )
    console.print(
        f"The files are in {escape(str((directory / pipeline.output.store).resolve()))}", soft_wrap=True
    )
    console.print(
        f"The pipeline file is {escape(str((directory / 'renditions.toml').resolve()))}", soft_wrap=True
    )


@contextmanager
def show_progress(description: str, total: int | None, *, quiet: bool) -> Iterator[Progress]:
    """Show a progress bar on stderr, with rate and remaining time, during the block.

    Show none if stderr isn't a terminal, or with ``quiet``. The yielded progress has one task, with this
    description and total.
    """
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=messages,
        transient=True,
        disable=quiet or not messages.is_terminal,
    )
    with progress:
        progress.add_task(description, total=total)
        yield progress


class _RateColumn(ProgressColumn):
    """A column with the number of pictures per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "", style="progress.data.speed")


def format_sides(sized: Any) -> str:
    """Return width and height; an empty text if they aren't known."""
    return f"{sized.width}×{sized.height}" if sized.width else ""


def _list_counts(counts: dict[Any, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counts.items() if number)

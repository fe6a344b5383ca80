"""The report of ``renditions plan``."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from rich.console import Console

from renditions.cli.display import (
    MOST_LINES,
    NO_PICTURES,
    format_bytes,
    format_duration,
    make_data_console,
)
from renditions.cli.markup import escape
from renditions.core.difference import Action, Difference
from renditions.model.counting import count_of
from renditions.model.keys import is_known
from renditions.model.record import Record

ACTION_SIGNS: dict[Action, str] = {
    "create": "[green]+[/]",
    "update": "[yellow]~[/]",
    "remove": "[red]-[/]",
    "settle": "[blue]>[/]",
    "wait": "[dim]…[/]",
    "rename": "[cyan]>[/]",
    "hold": "[magenta]![/]",
    "unreadable": "[red]?[/]",
}
_NOUNS = {"create": "to create", "update": "to update", "remove": "to remove", "rename": "renamed",
          "settle": "to tidy up", "wait": "to wait for", "hold": "held back",
          "unreadable": "that can't be read", "attention": "for a person to check"}  # fmt: skip
_MOST_GROUPS = 1_000
"""How many groups the report distinguishes. Reasons can contain names, so there may be many."""
_MOST_OUTPUTS = 1_000
"""How many outputs of each rendition an estimate uses at most."""


@dataclass(slots=True)
class _Group:
    """The pictures that differ in the same way for the same reason."""

    example: str
    count: int = 0
    made: Counter[str] = field(default_factory=Counter)
    """How many files of each rendition will be made."""
    deleted: int = 0


class _Means:
    """The mean size or time of the present outputs, for each rendition."""

    def __init__(self) -> None:
        self._numbers: dict[str, list[float]] = {}

    def add(self, rendition: str, number: float) -> None:
        """Add one output's size or time."""
        numbers = self._numbers.setdefault(rendition, [])
        if len(numbers) < _MOST_OUTPUTS:
            numbers.append(number)

    def estimate(self, made: Counter[str]) -> float | None:
        """Return the estimated sum for all files of ``made``.

        Return None if there are none, or if ``add`` got no number for one of their renditions.
        """
        if not made or not made.keys() <= self._numbers.keys():
            return None
        return sum(statistics.mean(self._numbers[name]) * count for name, count in made.items())


class PlanReport:
    """A report that counts the differences of a plan, and prints them.

    A short plan has one line for each picture. A long plan groups the pictures by what they need and why.
    With ``has_details``, a long plan also has one line for each picture, and no groups. Sizes and times of
    the files to make are estimated from the present ones; ``workers`` is how many processes render at once.
    """

    def __init__(self, *, has_details: bool, workers: int) -> None:
        self.counts: Counter[str] = Counter()
        self.why_held: str | None = None
        self._has_details = has_details
        self._groups: dict[tuple[Action, str], _Group] = {}
        self._workers = workers
        self._sizes = _Means()
        self._seconds = _Means()

    def select(self, differences: Iterable[Difference]) -> Iterator[Difference]:
        """Count all differences, and yield those to show."""
        for difference in differences:
            is_left = difference.action == "keep" and difference.warning
            self.counts["attention" if is_left else difference.action] += 1
            if difference.action == "hold":
                self.why_held = self.why_held or difference.why
            if difference.record:
                self._learn(difference.record)
            if difference.action != "keep" or difference.warning:
                yield difference

    def print(self, differences: Iterable[Difference]) -> None:
        """Print the differences that ``select`` yields, and a sentence with totals."""
        console = make_data_console()
        first: list[Difference] = []
        for number, difference in enumerate(self.select(differences)):
            if self._has_details:
                _print_difference(console, difference)
                continue
            self._group(difference)
            if number < MOST_LINES:
                first.append(difference)
        shown = sum(group.count for group in self._groups.values())
        if shown > MOST_LINES:
            self._print_groups(console)
        else:
            for difference in first:
                _print_difference(console, difference)
        console.print(self._describe())

    def _learn(self, record: Record) -> None:
        for output in record.outputs:
            self._sizes.add(output.rendition, output.size_bytes)
            if output.seconds is not None:
                self._seconds.add(output.rendition, output.seconds / self._workers)

    def _group(self, difference: Difference) -> None:
        why = difference.warning or difference.why
        if (difference.action, why) not in self._groups and len(self._groups) >= _MOST_GROUPS:
            why = "other reasons"
        group = self._groups.setdefault((difference.action, why), _Group(difference.name))
        group.count += 1
        group.made.update(difference.make)
        group.deleted += len(difference.delete)

    def _print_groups(self, console: Console) -> None:
        groups = sorted(self._groups.items(), key=lambda each: -each[1].count)
        for (action, why), group in groups[:MOST_LINES]:
            parts = [f"{count:,} × {escape(name)}" for name, count in group.made.items()]
            if group.deleted:
                verb = "would delete" if action == "hold" else "deletes"
                parts.append(f"[red]{verb} {count_of(group.deleted, 'file')}[/]")
            seconds = self._seconds.estimate(group.made)
            if seconds is not None:
                parts.append(f"about {format_duration(seconds)}")
            pictures = count_of(group.count, "picture")
            detail = f": {', '.join(parts)}" if parts else ""
            sign = ACTION_SIGNS.get(action, " ")
            console.print(f"{sign} {pictures}  [dim]{escape(why)}[/]{detail}", soft_wrap=True)
            console.print(f"    [dim]such as {escape(group.example)}[/]", soft_wrap=True)
        if rest := groups[MOST_LINES:]:
            pictures = count_of(sum(group.count for _, group in rest), "picture")
            console.print(f"… and {pictures} for {len(rest):,} more reasons")
        console.print("To list each picture: renditions plan --details (or --json)")
        made = sum((group.made for group in self._groups.values()), Counter[str]())
        size_bytes, seconds = self._sizes.estimate(made), self._seconds.estimate(made)
        if size_bytes is not None:
            time = f" and take about {format_duration(seconds)}" if seconds is not None else ""
            console.print(
                f"The new files will have about {format_bytes(size_bytes)}{time}, if they are like the "
                "present ones."
            )

    def _describe(self) -> str:
        todo = [f"{self.counts[action]:,} {text}" for action, text in _NOUNS.items() if self.counts[action]]
        kept = f"{self.counts['keep']:,} unchanged" if self.counts.total() else NO_PICTURES
        return f"Plan: {', '.join(todo)}; {kept}." if todo else f"Nothing to do: {kept}."


def _print_difference(console: Console, difference: Difference) -> None:
    """Print one line of a plan."""
    parts = [", ".join(difference.make)]
    if difference.delete:
        verb = "would delete" if difference.action == "hold" else "deletes"
        parts.append(f"[red]{verb} {escape(', '.join(difference.delete))}[/]")
    if not all(is_known((difference.keys or {})[rendition]) for rendition in difference.make):
        parts.append("keys known after reading")
    parts += [f"keeps {escape(old.describe())}" for old in difference.retire]
    detail = "; ".join(part for part in parts if part)
    sign = ACTION_SIGNS.get(difference.action, " ")
    text = f"{sign} {escape(difference.name)}  [dim]{escape(difference.why)}[/]"
    console.print(f"{text}: {detail}" if detail else text, soft_wrap=True)
    if difference.warning:
        console.print(f"    [yellow]warning:[/] {escape(difference.warning)}", soft_wrap=True)

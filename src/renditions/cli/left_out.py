"""Print the files of the source that aren't pictures, with the reasons."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from renditions.cli import display
from renditions.cli.console import messages
from renditions.cli.markup import escape
from renditions.core.left_out import LeftOut, find_no_file, why_no_file
from renditions.core.ports import Obstacle
from renditions.core.selection import Selection
from renditions.core.verify import find
from renditions.model.patterns import Patterns
from renditions.runtime.parts import Parts


def print_counts(left_out: LeftOut) -> None:
    """Print how many files aren't pictures, if there are any."""
    parts = [f"{left_out.unmatched:,} without a matching pattern"] if left_out.unmatched else []
    parts += [f"{left_out.excluded:,} excluded"] if left_out.excluded else []
    links = "1 link or special file" if left_out.links == 1 else f"{left_out.links:,} links or special files"
    parts += [links] if left_out.links else []
    if parts:
        messages.print(f"Files left out: {', '.join(parts)}. To list them: renditions list --unmatched")


def print_files(parts: Parts, selection: Selection, *, as_json: bool) -> None:
    """Print the selected files that aren't pictures, with the reasons."""
    found = _find(parts, selection)
    if as_json:
        display.print_json_array({"name": name, "why": why} for name, why in found)
        return
    console = display.make_data_console()
    for name, why in itertools.islice(found, display.MOST_LINES):
        console.print(f"{escape(name)}  [dim]{escape(why)}[/]", soft_wrap=True)
    rest = sum(1 for _ in found)
    if rest:
        messages.print(f"… and {rest:,} more (--json prints all)")


def _find(parts: Parts, selection: Selection) -> Iterator[tuple[str, str]]:
    patterns = parts.pipeline.source.patterns
    for name in selection.names:
        why = patterns.why_not(name)
        if why and find(parts.source, name):
            yield name, why
        elif obstacle := find_no_file(parts.source, name):
            yield name, why_no_file(obstacle, patterns)
    obstacles: list[Obstacle] = []  # a listing reports them before it yields any later key
    for prefix in ("",) if selection.is_all else selection.prefixes:
        listed = parts.source.list(
            prefix=prefix, on_unreadable=display.print_unreadable, on_obstacle=obstacles.append
        )
        for found in listed:
            yield from _explain(obstacles, patterns)
            is_counted = not (found.key.endswith("/") or patterns.is_alt_text(found.key))
            why = patterns.why_not(found.key) if is_counted else None
            if why:
                yield found.key, why
        yield from _explain(obstacles, patterns)


def _explain(obstacles: list[Obstacle], patterns: Patterns) -> Iterator[tuple[str, str]]:
    """Take all links and special files from the list, and yield each with the reason."""
    for obstacle in obstacles:
        yield obstacle.key, why_no_file(obstacle, patterns)
    obstacles.clear()

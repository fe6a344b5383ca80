"""The command ``status``.

The command shows a catalog's counts, its binding, and the held removals and outputs.
"""

from __future__ import annotations

import shlex
from typing import Any

import typer

from renditions.cli import display, unsent
from renditions.cli.advice import HOW_TO_ALLOW
from renditions.cli.app import FileOption, JsonOption
from renditions.cli.markup import escape
from renditions.cli.opening import opened
from renditions.cli.reasons import print_reasons
from renditions.core.reasons import STATES
from renditions.model.binding import Binding
from renditions.model.items import format_time
from renditions.runtime import machine
from renditions.runtime.parts import Parts
from renditions.runtime.status import MOST_READ, CatalogStatus, find_unfinished, read_status


def status(context: typer.Context, file: FileOption = None, *, as_json: JsonOption = False) -> None:
    """Show the numbers of pictures, held removals and outputs, and the binding."""
    with opened(context, file, read_only=True) as parts:
        unfinished = find_unfinished(parts)
        found = read_status(parts, waiting=unfinished, polling=machine.describe_polling(parts))
        missing = _count_missing(parts)
        if as_json:
            display.print_json(found.to_item() | {"source_missing": missing} | _binding_item(found.binding))
        else:
            _print_status(found, missing, parts)
            print_reasons(found.reasons, states=STATES)
            unsent.print_groups(found.unsent, MOST_READ)


def _count_missing(parts: Parts) -> int:
    """Return how many records are kept although their pictures are missing.

    No index has this number, so this function reads every record. It does so only if the pipeline file
    keeps such records (``on_delete = "keep"``). Otherwise it returns 0.
    """
    if parts.pipeline.source.on_delete != "keep":
        return 0
    records = parts.catalog.list(on_unreadable=display.print_unreadable)
    return sum(record.missing_since is not None for record in records)


def _binding_item(binding: Binding | None) -> dict[str, Any]:
    """Return the JSON form of a catalog's binding; before the first run it is empty."""
    if binding is None:
        return {}
    return {
        "pipeline_file": binding.pipeline_file,
        "source": binding.source,
        "output": binding.output,
        "generation": binding.generation_number,
        "deployed_at": binding.deployed_at or None,
        "former_outputs": list(binding.former_outputs),
    }


def _print_status(found: CatalogStatus, missing: int, parts: Parts) -> None:
    console = display.make_data_console()

    def say(name: str, text: str) -> None:
        console.print(f"[dim]{name:<14}[/] {escape(text)}", soft_wrap=True)

    counts = (f"{number:,} {name}" for name, number in found.pictures.items() if number)
    say("pictures", ", ".join(counts) or "none")
    if missing:
        say(
            "",
            f'missing from the source: {missing:,}, with outputs that are kept ([source] on_delete = "keep")',
        )
    if found.polling:
        say("polling", found.polling)
    binding = found.binding
    if binding is None:
        say("catalog", "no run has used it yet. To process the pictures: renditions sync")
        return
    if found.former_patterns:
        say("patterns", "the defaults of version 0.1, until you write [source] match or exclude")
    for held in binding.held:
        say("held back", f"{held.describe()} {HOW_TO_ALLOW[held.what]}")
        say("", f"since {format_time(held.since)}")
    say("pipeline file", binding.pipeline_file or "unknown")
    setter = f"deployed at {binding.deployed_at}" if binding.deployed_at else "set by a person"
    say("generation", f"{binding.generation_number}, {setter}")
    say("source", binding.source)
    say("output", binding.output)
    declared = parts.declared.output.store
    if binding.output != declared:
        say("", f"the pipeline file names {declared}; to apply it: renditions sync")
    for place in binding.former_outputs:
        say("former output", place)
        command = f"renditions strays --store {shlex.quote(place)} --delete /"
        say("", f"to delete this catalog's files there: {command}")

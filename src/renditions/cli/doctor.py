"""The command ``doctor``: shows how this system confines worker processes."""

from __future__ import annotations

import os
from pathlib import Path

import typer
from rich.markup import escape
from rich.table import Table

from renditions.cli import display
from renditions.cli.app import FileOption, JsonOption, chosen_file
from renditions.cli.console import messages
from renditions.local.workers.confine import LAYERS, LayerState, find_missing, is_known_here
from renditions.local.workers.pool import RenderPool
from renditions.model.pipeline import Confine, Limits
from renditions.pipeline_file.reading import load

_SPELLED = {"on": "[green]on[/]", "missing": "[red]missing[/]"}


def doctor(context: typer.Context, file: FileOption = None, *, as_json: JsonOption = False) -> None:
    """Check how this system confines worker processes, which decode pictures."""
    declared = _declared_mode(chosen_file(context, file))
    limits = Limits()
    # The pool demands nothing here, so that a system that lacks a layer is shown too.
    with RenderPool(1, limits.seconds, limits=limits) as pool:
        states = pool.start()
    missing = find_missing(states)
    if as_json:
        layers = [
            {"name": state.name, "state": state.state, "detail": state.detail or None} for state in states
        ]
        display.print_json(
            {"confine": declared, "layers": layers, "missing": [each.name for each in missing]}
        )
    else:
        _print(states, declared)
    if missing and declared != "none":
        raise typer.Exit(1)


def _declared_mode(path: Path) -> Confine:
    """Return the pipeline file's ``[limits] confine``, or the default without a file."""
    return load(path, os.environ).pipeline.limits.confine if path.exists() else Limits().confine


def _print(states: tuple[LayerState, ...], declared: Confine) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("layer", "here", "a worker process has"):
        table.add_column(heading)
    for layer, state in zip(LAYERS, states, strict=True):
        shown = _SPELLED[state.state] if is_known_here(layer) else "[dim]not on this system[/]"
        detail = f" ({state.detail})" if state.detail and is_known_here(layer) else ""
        table.add_row(layer.name, shown + escape(detail), layer.holds)
    display.make_data_console().print(table)
    messages.print(f'[limits] confine = "{declared}"', markup=False)
    if missing := find_missing(states):
        names = ", ".join(state.name for state in missing)
        messages.print(
            f"This system lacks {names}. Run Renditions on Linux 6.12 or newer. If it runs in a container, "
            "let the container use the system calls of these layers."
        )

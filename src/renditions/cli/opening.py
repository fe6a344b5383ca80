"""Open a pipeline's parts for a command, and stop the command on Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import typer

from renditions.cli import INTERRUPTED
from renditions.cli.app import chosen_file
from renditions.cli.console import messages
from renditions.cli.markup import escape
from renditions.pipeline_file.reading import load
from renditions.runtime.parts import Parts, open_parts


@contextmanager
def opened(
    context: typer.Context,
    file: Path | None,
    *,
    read_only: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> Iterator[Parts]:
    """Open the chosen pipeline's parts and print its warnings.

    Variables in ``environ`` override fields of the pipeline file, see
    ``renditions.pipeline_file.environment``. Raise the errors of ``load`` and ``open_parts``.
    """
    loaded = load(chosen_file(context, file), environ)
    for warning in loaded.warnings:
        messages.print(f"[yellow]warning:[/] {escape(str(warning))}")
    with open_parts(loaded.pipeline, loaded.directory, loaded.file, read_only=read_only) as parts:
        yield parts


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Yield an event that the first Ctrl-C (or SIGTERM) sets.

    The second signal ends the program at once, with exit code 130 (Ctrl-C) or 143 (SIGTERM).
    """
    stop = threading.Event()

    def ask(number: int, _frame: object) -> None:
        if stop.is_set():
            os._exit(INTERRUPTED if number == signal.SIGINT else 128 + number)
        stop.set()
        messages.print("Finishing the pictures in progress. Press Ctrl-C again to stop now.")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""The command ``demo``: makes renditions of sample pictures, or of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from renditions.cli import INTERRUPTED, display
from renditions.cli.app import WORKERS, JsonOption, WorkersOption
from renditions.cli.opening import stopping
from renditions.core.binding import Start
from renditions.demo.folder import prepare
from renditions.errors import UsageError
from renditions.pipeline_file.reading import load
from renditions.runtime.machine import open_workers
from renditions.runtime.machine import sync as sync_parts
from renditions.runtime.parts import open_parts


def demo(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to create.")] = Path("demo"),
    photos: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A folder of your own pictures, which the demo only reads."),
    ] = None,
    workers: WorkersOption = WORKERS,
    *,
    as_json: JsonOption = False,
) -> None:
    """Make renditions of a few sample pictures, or of your own, and show the result."""
    if photos is not None and not photos.is_dir():
        raise UsageError(f"--photos: there is no folder {str(photos)!r}. Name a folder of pictures.")
    loaded = load(prepare(directory, photos))
    with open_parts(loaded.pipeline, loaded.directory, loaded.file) as parts, stopping() as stop:
        standing = parts.bind(Start(sets_generation=True))
        with (
            display.show_progress("pictures", None, quiet=as_json) as progress,
            open_workers(parts, workers, standing) as opened,
        ):
            summary = sync_parts(
                parts,
                opened,
                parts.make_guard(standing, is_attended=True),
                stop=stop,
                on_outcome=lambda _: progress.advance(progress.task_ids[0]),
            )
        if as_json:
            display.print_json_array(record.to_item() for record in parts.catalog.list())
        else:
            display.print_demo(parts.catalog.list, directory, loaded.pipeline)
    if summary.interrupted:
        raise typer.Exit(INTERRUPTED)

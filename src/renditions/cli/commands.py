"""The commands: each reads its arguments, calls the runtime and prints the result."""

from __future__ import annotations

import itertools
import logging
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from renditions.cli import display
from renditions.core import reconcile
from renditions.core.binding import FOLLOWS, Standing, Start
from renditions.core.difference import Outcome
from renditions.core.leases import reopen, wish
from renditions.demo.folder import prepare
from renditions.errors import PipelineError, RenditionsError, UsageError
from renditions.model.pipeline import Wishes
from renditions.model.recipe import Focus
from renditions.model.record import Record, Status
from renditions.pipeline_file.backend_checks import find_missing_libraries
from renditions.pipeline_file.reading import load, preset_names, read_preset
from renditions.pipeline_file.schema import json_schema
from renditions.runtime.machine import open_workers
from renditions.runtime.machine import sync as sync_parts
from renditions.runtime.parts import Parts, open_parts

DEFAULT_FILE = Path("renditions.toml")
HELD = 3
INTERRUPTED = 130
_TROUBLES = ("rejected", "failed", "unreadable")

app = typer.Typer(
    help="Every size, format and watermark of every picture, the moment it lands.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

FileOption = Annotated[
    Path | None,
    typer.Option("-p", "--pipeline", metavar="FILE", help="The pipeline file (default: renditions.toml)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
WorkersOption = Annotated[
    int, typer.Option("--workers", min=1, max=256, help="How many worker processes render pictures.")
]
WORKERS = os.cpu_count() or 1


def main() -> None:
    """Run the command line and exit with its code."""
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a name may be no UTF-8
    sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        app()
    except RenditionsError as error:
        display.messages.print(f"[red]error:[/] {escape(str(error))}")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output has closed it (as `head` does), so there is no reader for an error either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _show_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"renditions {version('renditions')}")
        raise typer.Exit


@app.callback()
def start(
    context: typer.Context,
    file: FileOption = None,
    *,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Set up messages; remember a pipeline file given before the command."""
    del show_version
    logging.basicConfig(
        level=logging.WARNING, format="%(message)s", handlers=[display.MessageHandler()], force=True
    )
    logging.getLogger("renditions.notices").setLevel(logging.INFO)
    context.obj = file


def chosen_file(context: typer.Context, file: Path | None) -> Path:
    """Return the pipeline file given before or after the command, or the default."""
    named: Path | None = context.obj
    return file or named or DEFAULT_FILE


@contextmanager
def opened(context: typer.Context, file: Path | None, *, read_only: bool = False) -> Iterator[Parts]:
    """Open the chosen pipeline's parts and print its warnings."""
    loaded = load(chosen_file(context, file), os.environ)
    for warning in loaded.warnings:
        display.messages.print(f"[yellow]warning:[/] {escape(str(warning))}")
    with open_parts(loaded.pipeline, loaded.directory, loaded.file, read_only=read_only) as parts:
        yield parts


@app.command()
def init(
    context: typer.Context,
    preset: Annotated[
        str, typer.Option(metavar=f"<{'|'.join(preset_names())}>", help="What to begin with.")
    ] = "thumbnail",
    file: FileOption = None,
) -> None:
    """Write a pipeline file from a preset, and create the folder for pictures."""
    path = chosen_file(context, file)
    text = read_preset(preset)
    try:
        with path.open("x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists already; it was not changed") from None
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}") from None
    inbox = path.parent / load(path).pipeline.source.store
    inbox.mkdir(parents=True, exist_ok=True)
    display.messages.print(
        f"Wrote {escape(str(path))} and {escape(str(inbox))}/. Put pictures there, then: renditions sync"
    )


@app.command()
def check(context: typer.Context, file: FileOption = None, *, as_json: JsonOption = False) -> None:
    """Check the pipeline file and show what it declares."""
    path = chosen_file(context, file)
    loaded = load(path, os.environ)
    pipeline = loaded.pipeline
    if missing := tuple(find_missing_libraries(pipeline)):
        raise PipelineError(str(path), missing)
    example = "folder/photo.jpg"
    keys = pipeline.output_keys(example, "etag", Wishes(demanded=tuple(pipeline.renditions)))
    if as_json:
        display.print_json(
            {
                "file": str(path),
                "warnings": [str(warning) for warning in loaded.warnings],
                "source": pipeline.source.store,
                "output": pipeline.output.store,
                "catalog": pipeline.catalog.store,
                "renditions": {name: {"example_key": key} for name, key in keys.items()},
            }
        )
        return
    for warning in loaded.warnings:
        display.messages.print(f"[yellow]warning:[/] {escape(str(warning))}")
    display.print_renditions(pipeline, example, keys)
    display.messages.print(f"{escape(str(path))} is valid.")


@app.command()
def plan(context: typer.Context, file: FileOption = None, *, as_json: JsonOption = False) -> None:
    """Show what sync would do, and change nothing."""
    with opened(context, file, read_only=True) as parts:
        differences = reconcile.preview(parts.plan, parts.preview_guard())
        if as_json:
            display.print_json_array(
                difference.to_item() for difference in differences if difference.action != "keep"
            )
            return
        console = display.make_data_console()
        counts: Counter[str] = Counter()
        for difference in differences:
            counts[difference.action] += 1
            shown = counts.total() - counts["keep"]
            if difference.action != "keep" and shown <= display.MOST_LINES:
                display.print_difference(console, difference)
        hidden = counts.total() - counts["keep"] - display.MOST_LINES
        if hidden > 0:
            console.print(f"… and {hidden:,} more (--json prints all)")
        console.print(display.describe_plan(counts))


@app.command()
def sync(
    context: typer.Context,
    file: FileOption = None,
    workers: WorkersOption = WORKERS,
    *,
    as_json: JsonOption = False,
) -> None:
    """Bring every picture's renditions up to date with the pipeline file."""
    with opened(context, file) as parts:
        _sync(parts, parts.bind(Start(sets_generation=True)), workers, as_json=as_json)


def _sync(parts: Parts, standing: Standing, workers: int, *, as_json: bool) -> None:
    """Sync with a progress bar, print the summary and exit with its code."""
    guard = parts.make_guard(standing, is_attended=True)
    with stopping() as stop:
        total = sum(difference.action != "keep" for difference in parts.plan()) if _on_terminal() else None
        with display.show_progress("pictures", total, quiet=as_json) as progress:
            troubles = itertools.count(1)
            logged = {event for notify in parts.pipeline.notify if notify.to == "log:" for event in notify.on}

            def tell(outcome: Outcome) -> None:
                if outcome.again_after is None:
                    progress.advance(progress.task_ids[0])
                is_trouble = outcome.result in _TROUBLES and outcome.result not in logged
                if is_trouble and outcome.again_after is None:
                    number = next(troubles)
                    if number <= display.MOST_LINES:
                        display.print_trouble(outcome)
                    elif number == display.MOST_LINES + 1:
                        display.messages.print("… and more: renditions list --status rejected (or failed)")

            with open_workers(parts, workers, standing) as process:
                summary = sync_parts(parts, process, guard, workers=workers, stop=stop, on_outcome=tell)
    if as_json:
        display.print_json(display.summary_item(summary))
    else:
        display.make_data_console().print(display.describe_summary(summary), soft_wrap=True)
    if summary.interrupted:
        raise typer.Exit(INTERRUPTED)
    if summary.held:
        raise typer.Exit(HELD)
    if not summary.all_done:
        raise typer.Exit(1)


def _on_terminal() -> bool:
    return display.messages.is_terminal


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Yield an event that the first Ctrl-C (or SIGTERM) sets; the second one ends the program at once."""
    stop = threading.Event()

    def ask(number: int, _frame: object) -> None:
        if stop.is_set():
            os._exit(INTERRUPTED if number == signal.SIGINT else 128 + number)
        stop.set()
        display.messages.print("Finishing the pictures in progress. Press Ctrl-C again to stop now.")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@app.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The picture's key, relative to the source.")],
    file: FileOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show the record of one picture."""
    with opened(context, file, read_only=True) as parts:
        record = _find(parts, name)
        key_name = parts.pipeline.catalog.key
        if as_json:
            display.print_json(record.to_item(key_name))
        else:
            display.print_record(record, key_name)


def _find(parts: Parts, name: str) -> Record:
    record = parts.catalog.get(name)
    if record is None:
        raise UsageError(f"there is no record of {name!r} (see: renditions list)")
    return record


@app.command("list")
def list_records(
    context: typer.Context,
    status: Annotated[Status | None, typer.Option(help="Only pictures with this status.")] = None,
    file: FileOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """List the pictures' records, newest first."""
    with opened(context, file, read_only=True) as parts:
        records = parts.catalog.query(status)
        if as_json:
            display.print_json_array(record.to_item(parts.pipeline.catalog.key) for record in records)
            return
        display.print_records(itertools.islice(records, display.MOST_LINES))
        rest = sum(1 for _ in records)
        if rest:
            display.messages.print(f"… and {rest:,} more (--json prints all)")


@app.command()
def retry(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(help="The pictures; without names, all failed ones.")
    ] = None,
    status: Annotated[
        Literal["failed", "rejected"], typer.Option(help="Which ones, where none is named.")
    ] = "failed",
    file: FileOption = None,
    workers: WorkersOption = WORKERS,
    *,
    as_json: JsonOption = False,
) -> None:
    """Try failed (or rejected, or named) pictures again."""
    with opened(context, file) as parts:
        records: Iterator[Record]
        records = iter([_find(parts, name) for name in names]) if names else parts.catalog.query(status)
        reopened = sum(reopen(parts.catalog, record) for record in records)
        display.messages.print(f"{reopened:,} will be tried again")
        _sync(parts, parts.bind(FOLLOWS), workers, as_json=as_json)


@app.command()
def focus(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The picture's key, relative to the source.")],
    x: Annotated[
        float | None,
        typer.Argument(min=0, max=100, help="The point's distance from the left edge, in percent."),
    ] = None,
    y: Annotated[
        float | None,
        typer.Argument(min=0, max=100, help="The point's distance from the top edge, in percent."),
    ] = None,
    file: FileOption = None,
    workers: WorkersOption = WORKERS,
    *,
    clear: Annotated[bool, typer.Option("--clear", help="Remove the point instead.")] = False,
) -> None:
    """Set the point that renditions with gravity = "focus" keep when they cut a picture."""
    point = Focus(x=x, y=y) if x is not None and y is not None else None
    if clear == (x is not None) or (x is None) != (y is None):
        raise UsageError("focus: expected a name with X and Y, or a name with --clear")
    with opened(context, file) as parts:
        if not any(rendition.gravity == "focus" for rendition in parts.pipeline.renditions.values()):
            display.messages.print('[yellow]No rendition has gravity = "focus", so nothing will change.[/]')
        record = _find(parts, name)
        if not wish(parts.catalog, record, replace(record.wishes, focus=point)):
            raise UsageError(f"{name!r} is being processed; try again shortly")
        _sync(parts, parts.bind(FOLLOWS), workers, as_json=False)


@app.command()
def schema() -> None:
    """Print the pipeline file's JSON Schema, for editors."""
    display.print_json(json_schema())


@app.command()
def demo(
    directory: Annotated[Path, typer.Argument(help="The folder to create.")] = Path("demo"),
    photos: Annotated[
        Path | None, typer.Option(help="A folder of your own pictures. It is only read.")
    ] = None,
    workers: WorkersOption = WORKERS,
    *,
    as_json: JsonOption = False,
) -> None:
    """Make the renditions of a few drawn pictures (or your own) and show the result."""
    if photos is not None and not photos.is_dir():
        raise UsageError(f"--photos: expected a folder, found {str(photos)!r}")
    loaded = load(prepare(directory, photos))
    with open_parts(loaded.pipeline, loaded.directory, loaded.file) as parts, stopping() as stop:
        standing = parts.bind(Start(sets_generation=True))
        with (
            display.show_progress("pictures", None, quiet=as_json) as progress,
            open_workers(parts, workers, standing) as process,
        ):
            summary = sync_parts(
                parts,
                process,
                parts.make_guard(standing, is_attended=True),
                workers=workers,
                stop=stop,
                on_outcome=lambda _: progress.advance(progress.task_ids[0]),
            )
        if as_json:
            display.print_json_array(record.to_item() for record in parts.catalog.list())
        else:
            display.print_demo(parts.catalog.list, directory, loaded.pipeline)
    if summary.interrupted:
        raise typer.Exit(INTERRUPTED)

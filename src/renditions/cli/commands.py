"""The basic commands.

Each reads its arguments, calls the runtime and prints the result.
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from renditions.cli import advice, display, unsent
from renditions.cli.left_out import print_files
from renditions.cli.markup import escape, escape_lines
from renditions.cli.reasons import print_next_attempt
from renditions.cli.records import print_record, print_records
from renditions.cli.selecting import insist_on_prefixes, select_files
from renditions.core.binding import Start
from renditions.core.ports import Unreadable
from renditions.core.selection import Selection
from renditions.demo.folder import prepare
from renditions.errors import PipelineError, RecordUnreadable, RenditionsError, UsageError
from renditions.model.record import Record, Status
from renditions.model.wishes import Wishes
from renditions.pipeline_file.backend_checks import find_missing_libraries
from renditions.pipeline_file.reading import load, preset_names, read_preset
from renditions.pipeline_file.schema import json_schema
from renditions.runtime.machine import open_workers
from renditions.runtime.machine import sync as sync_parts
from renditions.runtime.parts import Parts, open_parts

DEFAULT_FILE = Path("renditions.toml")
INTERRUPTED = 130

app = typer.Typer(
    help="Make the sizes, formats and watermarks that you declare, for each picture as soon as it arrives.",
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
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # names may not be UTF-8
    sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        app()
    except RenditionsError as error:
        display.messages.print(f"[red]error:[/] {escape_lines(str(error))}")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output has ended, like `head`. An error message would have no reader either.
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
    """Set up logging, and remember a pipeline file that is named before the command."""
    del show_version
    logging.basicConfig(
        level=logging.WARNING, format="%(message)s", handlers=[display.MessageHandler()], force=True
    )
    logging.getLogger("renditions.notices").setLevel(logging.INFO)
    context.obj = file


def chosen_file(context: typer.Context, file: Path | None) -> Path:
    """Return the pipeline file that the command line names, or the default.

    The option can stand before or after the command.
    """
    named: Path | None = context.obj
    advice.remember_file(file or named)
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
        str, typer.Option(metavar=f"<{'|'.join(preset_names())}>", help="The preset to start from.")
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
        raise UsageError(
            f"can't create {path}: it already exists. It is unchanged. Choose another file with --pipeline."
        ) from None
    except OSError as error:
        raise UsageError(f"can't write {path}: {error.strerror}. Choose another --pipeline.") from None
    inbox = path.parent / load(path).pipeline.source.store
    inbox.mkdir(parents=True, exist_ok=True)
    display.messages.print(
        f"Wrote {escape(str(path))} and {escape(str(inbox))}/. Put pictures there, then run renditions sync"
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
    keys = pipeline.output_keys(
        example, "etag", Wishes(demanded=tuple(pipeline.renditions)), sha256(b"").hexdigest()
    )
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


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Yield an event that the first Ctrl-C (or SIGTERM) sets.

    The second Ctrl-C ends the program at once.
    """
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
        record = find_record(parts, name)
        key_name = parts.pipeline.catalog.key
        if as_json:
            notices = [each.to_shown(parts.pipeline) for each in parts.catalog.unsent_notices(name)]
            display.print_json(record.to_item(key_name) | ({"unsent_notices": notices} if notices else {}))
        else:
            print_record(record, key_name)
            print_next_attempt(record)
            unsent.print_of_picture(parts, name)


def find_record(parts: Parts, name: str) -> Record:
    """Return the picture's record; raise UsageError if there is none."""
    record = parts.catalog.get(name)
    if record is None:
        raise UsageError(f"there is no record of {name!r}. To see the names, run renditions list")
    return record


@app.command("list")
def list_records(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME|PREFIX/]…", help="Only these pictures; a trailing slash means all below a folder."
        ),
    ] = None,
    status: Annotated[Status | None, typer.Option(help="Only pictures with this status.")] = None,
    warning: Annotated[
        str | None, typer.Option(metavar="CODE", help="Only pictures with this warning, see docs/errors.md.")
    ] = None,
    file: FileOption = None,
    *,
    unmatched: Annotated[
        bool,
        typer.Option("--unmatched", help="List the files that aren't pictures instead, with the reasons."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the pictures' records, newest first."""
    if unmatched and (status or warning):
        raise UsageError(
            "--unmatched contradicts --status and --warning, because only pictures have a status and "
            "warnings: leave one out"
        )
    with opened(context, file, read_only=True) as parts:
        if unmatched:
            print_files(parts, select_files(parts, names), as_json=as_json)
            return
        selection = Selection.of(names or (), status)
        insist_on_prefixes(parts, selection)
        records = _select_records(parts, selection)
        if warning:
            records = (record for record in records if warning in {each.code for each in record.warnings})
        if as_json:
            display.print_json_array(record.to_item(parts.pipeline.catalog.key) for record in records)
            return
        print_records(itertools.islice(records, display.MOST_LINES))
        rest = sum(1 for _ in records)
        if rest:
            display.messages.print(f"… and {rest:,} more (--json prints all)")


def _select_records(parts: Parts, selection: Selection) -> Iterator[Record]:
    """Yield the selected records. Print the names of unreadable ones instead."""
    for name in selection.names:
        try:
            record = find_record(parts, name)
        except RecordUnreadable as error:
            display.print_unreadable(Unreadable(name, str(error)))
            continue
        if selection.has(record):
            yield record
    for prefix in ("",) if selection.is_all else selection.prefixes:
        yield from parts.catalog.query(
            selection.status, prefix=prefix, on_unreadable=display.print_unreadable
        )


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
    """Make renditions of a few sample pictures, or of your own, and show the result."""
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

"""The commands ``init``, ``check`` and ``schema``, which open no store."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import Annotated, Literal

import typer

from renditions.cli import display
from renditions.cli.app import FileOption, JsonOption, chosen_file
from renditions.cli.console import messages
from renditions.cli.markup import escape
from renditions.errors import PipelineError, UsageError
from renditions.model.shapes import SCHEMA_URL, describe_manifest, describe_record
from renditions.model.wishes import Wishes
from renditions.pipeline_file.backend_checks import find_missing_libraries, find_target_problems
from renditions.pipeline_file.reading import load, preset_names, read_preset
from renditions.pipeline_file.schema import json_schema
from renditions.pipeline_file.writing import write_new


def init(
    context: typer.Context,
    preset: Annotated[
        str,
        typer.Option(
            metavar=f"<{'|'.join(preset_names())}>",
            help="The preset to start from.",
            autocompletion=preset_names,
        ),
    ] = "thumbnail",
    file: FileOption = None,
) -> None:
    """Write a pipeline file from a preset, and create the folder for pictures."""
    path = chosen_file(context, file)
    text = read_preset(preset)
    try:
        write_new(path, text)
    except FileExistsError:
        raise UsageError(
            f"can't create {path}: it already exists. It is unchanged. Choose another file with --pipeline."
        ) from None
    except OSError as error:
        raise UsageError(f"can't write {path}: {error.strerror}. Choose another file with -p.") from None
    inbox = path.parent / load(path).pipeline.source.store
    try:
        inbox.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"wrote {path}, but can't create the folder {inbox}: {error.strerror}. Create it, or change "
            "[source] store in the file."
        ) from error
    messages.print(
        f"Wrote {escape(str(path))} and {escape(str(inbox))}/. Put pictures into this folder, then run "
        "renditions sync"
    )


def check(context: typer.Context, file: FileOption = None, *, as_json: JsonOption = False) -> None:
    """Check the pipeline file and show what it declares."""
    path = chosen_file(context, file)
    loaded = load(path, os.environ)
    pipeline = loaded.pipeline
    if missing := tuple(find_missing_libraries(pipeline)):
        raise PipelineError(str(path), loaded.locate(missing))
    if unset := tuple(find_target_problems(pipeline, os.environ)):
        raise PipelineError(str(path), loaded.locate(unset))
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
        messages.print(f"[yellow]warning:[/] {escape(str(warning))}")
    display.print_renditions(pipeline, example, keys)
    messages.print(f"{escape(str(path))} is valid.")


def schema(
    of: Annotated[
        Literal["pipeline", "record", "manifest"],
        typer.Argument(metavar="pipeline|record|manifest", help="What to describe."),
    ] = "pipeline",
) -> None:
    """Print the JSON Schema of the pipeline file, of records or of the manifest."""
    if of == "pipeline":
        display.print_json(json_schema())
        return
    described = describe_record() if of == "record" else describe_manifest()
    display.print_json({"$schema": SCHEMA_URL, "title": f"Renditions {of}"} | described)

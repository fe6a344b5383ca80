"""Suggest names of renditions and pictures to the shell after Tab.

An error only ends the suggestions: the shell is in the middle of a line, and can't show a message.
"""

from __future__ import annotations

import itertools
import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from renditions.cli.app import DEFAULT_FILE
from renditions.errors import RenditionsError
from renditions.model.families import family_of
from renditions.pipeline_file.reading import LoadedPipeline, load
from renditions.runtime.parts import open_parts

_MOST_NAMES = 100


def complete_rendition(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of renditions and families that begin with ``incomplete``."""
    names: set[str] = set()
    with suppress(RenditionsError):
        for name, recipe in _load(context).pipeline.renditions.items():
            names |= {name, family_of(name, recipe)}
    return sorted(name for name in names if name.startswith(incomplete))


def complete_name(context: typer.Context, incomplete: str) -> list[str]:
    """Return up to 100 names of recorded pictures that begin with ``incomplete``."""
    with suppress(RenditionsError):
        loaded = _load(context)
        with open_parts(loaded.pipeline, loaded.directory, loaded.file, read_only=True) as parts:
            records = parts.catalog.query(prefix=incomplete)
            return [record.name for record in itertools.islice(records, _MOST_NAMES)]
    return []


def _load(context: typer.Context) -> LoadedPipeline:
    """Return the pipeline that the command line names."""
    named = context.params.get("file") or (context.parent and context.parent.params.get("file"))
    return load(Path(named) if named else DEFAULT_FILE, os.environ)


NamesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME|PREFIX/]…",
        help="Only these pictures. A trailing slash selects all pictures below a folder.",
        autocompletion=complete_name,
    ),
]

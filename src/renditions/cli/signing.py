"""The command that signs URLs."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from renditions.cli.app import FileOption, chosen_file
from renditions.cli.completion import complete_name, complete_rendition
from renditions.cli.console import messages
from renditions.cli.markup import escape
from renditions.cli.reaching import RootPathOption
from renditions.errors import Failed, UsageError
from renditions.model.families import find_rendition
from renditions.model.pipeline import Pipeline
from renditions.model.places import parse_catalog
from renditions.pipeline_file.reading import LoadedPipeline, load
from renditions.runtime.machine import find_secret
from renditions.runtime.parts import open_parts
from renditions.runtime.selecting import has_record, suggest
from renditions.web.signing import SIGNING_KEYS, SigningKeys

HOUR_SECONDS = 3600
MOST_HOURS = 1_000_000
"""About 114 years. Far more hours would give a time with more digits than a signed URL can have."""


def sign(
    context: typer.Context,
    rendition: Annotated[
        str,
        typer.Argument(
            metavar="RENDITION",
            help="The rendition's name in the pipeline file.",
            autocompletion=complete_rendition,
        ),
    ],
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="The picture's name.", autocompletion=complete_name),
    ],
    file: FileOption = None,
    hours: Annotated[int, typer.Option(min=1, max=MOST_HOURS, help="How many hours the URL is valid.")] = 24,
    root_path: RootPathOption = "",
) -> None:
    """Print the signed URL of a rendition, for the server of `renditions serve`.

    The URL has no host: put the server's address before it.

    A client needs no token to use the URL, and any site may embed the picture.
    """
    if not name:
        raise UsageError(
            "can't sign a URL: the picture's name is empty. To see the names, run renditions list"
        )
    loaded = load(chosen_file(context, file), os.environ)
    find_rendition(loaded.pipeline.renditions, rendition)
    keys = find_keys(loaded.pipeline, loaded.directory)
    root_path = root_path.rstrip("/")
    url = f"{root_path}/i/{quote(rendition, safe='')}/{quote(name)}"
    typer.echo(keys.sign(url, expires_at_seconds=expire_after(hours), root_path=root_path))
    _warn_if_unknown(loaded, name)


def _warn_if_unknown(loaded: LoadedPipeline, name: str) -> None:
    """Print a warning if a catalog on this machine has no record of the picture.

    A URL may be signed before its picture arrives, or where the catalog can't be read. So this is no error.
    """
    if parse_catalog(loaded.pipeline.catalog.store, loaded.directory) is None:
        return
    with (
        suppress(Failed),
        open_parts(loaded.pipeline, loaded.directory, loaded.file, read_only=True) as parts,
    ):
        if not has_record(parts, name):
            advice = suggest(parts, name) or "Check the name with renditions list"
            messages.print(
                f"[yellow]warning:[/] there is no record of {escape(repr(name))}, so the URL doesn't work "
                f"before this picture arrives. {escape(advice)}"
            )


def find_keys(pipeline: Pipeline, directory: Path) -> SigningKeys:
    """Return the keys that a server with this pipeline file checks signed URLs with.

    If the environment has no keys, this function creates a missing secret beside the catalog.

    Raises:
        UsageError: The environment's keys aren't valid; or it has none, and no secret is kept beside the
            catalog.
        Failed: The secret can't be read or created.

    """
    if keys := SigningKeys.read(os.environ):
        return keys
    secret = find_secret(pipeline, directory)
    if secret is None:
        raise UsageError(
            f"can't sign: the catalog isn't a file, so no secret is kept beside it. Set {SIGNING_KEYS}, "
            "for this command and for the server."
        )
    return SigningKeys.derive(secret)


def expire_after(hours: int) -> int:
    """Return the Unix time, in seconds, ``hours`` from now."""
    return int(time.time()) + hours * HOUR_SECONDS

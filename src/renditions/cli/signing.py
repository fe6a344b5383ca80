"""The command that signs URLs."""

from __future__ import annotations

import os
import time
from typing import Annotated
from urllib.parse import quote

import typer

from renditions.cli.app import FileOption, chosen_file
from renditions.cli.reaching import RootPathOption
from renditions.errors import UsageError
from renditions.pipeline_file.reading import load
from renditions.runtime.machine import find_secret
from renditions.web.signing import SIGNING_KEYS, SigningKeys

HOUR_SECONDS = 3600


def sign(
    context: typer.Context,
    rendition: Annotated[str, typer.Argument(help="The rendition's name in the pipeline file.")],
    name: Annotated[str, typer.Argument(help="The picture's name.")],
    file: FileOption = None,
    hours: Annotated[int, typer.Option(min=1, help="How many hours the URL is valid.")] = 24,
    root_path: RootPathOption = "",
) -> None:
    """Print the signed URL of a rendition, for the server of `renditions serve`.

    A client needs no token to use the URL, and any site may embed the picture.
    """
    loaded = load(chosen_file(context, file), os.environ)
    if rendition not in loaded.pipeline.renditions:
        known = ", ".join(loaded.pipeline.renditions)
        raise UsageError(f"there is no rendition {rendition!r}: expected one of {known}")
    keys = SigningKeys.read(os.environ)
    if keys is None:
        secret = find_secret(loaded.pipeline, loaded.directory)
        if secret is None:
            raise UsageError(
                f"can't sign: the catalog isn't a file, so no secret is kept beside it. Set {SIGNING_KEYS}, "
                "for this command and for the server."
            )
        keys = SigningKeys.derive(secret)
    root_path = root_path.rstrip("/")
    url = f"{root_path}/i/{quote(rendition, safe='')}/{quote(name)}"
    expires_at_seconds = int(time.time()) + hours * HOUR_SECONDS
    typer.echo(keys.sign(url, expires_at_seconds=expires_at_seconds, root_path=root_path))

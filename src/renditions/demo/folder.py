"""The demo's folder: pictures to render and a pipeline file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from renditions.errors import Failed, UsageError

_PIPELINE = """\
# What the demo makes of each picture. Change it and run: renditions plan

[source]
store = {source}

[accept]
max_pixels = "200 MP"

[output]
store = "./processed"

[catalog]
store = "sqlite:renditions.db"

[renditions.thumb]
width  = 200
height = 200

[renditions.square]
width   = 200
height  = 200
fit     = "cover"
gravity = "attention"

[renditions.large]
width  = 1600
height = 1600
format = "webp"

[renditions.document]
width  = 1600
height = 1600
format = "pdf"
"""


def prepare(directory: Path, photos: Path | None) -> Path:
    """Make the demo's folder and return its pipeline file.

    Without ``photos``, a handful of pictures are drawn into its ``inbox``, once. With it, that folder is
    the source; it is only read.

    Raises:
        UsageError: The folder can't be made or written, or holds another pipeline file.
        Failed: The pictures couldn't be drawn.

    """
    pipeline = directory / "renditions.toml"
    source = str(photos.resolve()) if photos else "./inbox"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _write_once(pipeline, _PIPELINE.format(source=_quote(source)).encode())
        if photos is None and not (directory / "inbox").exists():
            _draw(directory / "inbox")
    except OSError as error:
        raise UsageError(
            f"the demo can't be written to {directory}: {error.strerror}; name another folder"
        ) from error
    except UnicodeEncodeError as error:
        raise UsageError(
            f"the pipeline file can't hold the folder {source!r}, whose name is not UTF-8: rename it"
        ) from error
    return pipeline


def _quote(text: str) -> str:
    """Return a TOML basic string: a JSON string, but for DEL, which TOML wants escaped too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write_once(file: Path, content: bytes) -> None:
    """Write the file unless it exists; never overwrite a user's file."""
    try:
        with file.open("xb") as new:
            new.write(content)
    except FileExistsError:
        if file.read_bytes() != content:
            raise UsageError(
                f"{file} is not the demo's own file: "
                "run 'renditions sync' there, or name another folder for the demo"
            ) from None


def _draw(inbox: Path) -> None:
    """Draw the pictures in a process of its own: this one never loads an imaging library."""
    making = inbox.with_name("inbox.part")
    command = [sys.executable, "-P", "-m", "renditions.demo.scenery", str(making)]
    drawn = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if drawn.returncode:
        raise Failed(f"the demo's pictures couldn't be drawn: {drawn.stderr.strip()[-500:]}")
    making.rename(inbox)

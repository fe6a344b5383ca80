"""The demo's folder: pictures to render and a pipeline file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from renditions.errors import Failed, UsageError
from renditions.pipeline_file.writing import write_new

_PIPELINE = """\
# The renditions that the demo makes of each picture. Change this file and run: renditions plan

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


def prepare(directory: Path, photos: Path | None, *, keeps_file: bool = False) -> Path:
    """Create the demo's folder and return its pipeline file.

    ``photos`` is the source, which the demo only reads. If ``photos`` is None, the source is the folder
    ``inbox`` in ``directory``; if there is no such folder yet, draw a few pictures into it. With
    ``keeps_file``, if a person changed the pipeline file, leave it unchanged and draw nothing.

    Raises:
        UsageError: The folder can't be created or written, or contains another pipeline file, or the path of
            ``photos`` isn't UTF-8.
        Failed: The process that draws the pictures failed.

    """
    pipeline = directory / "renditions.toml"
    source = str(photos.resolve()) if photos else "./inbox"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        text = _PIPELINE.format(source=_quote(source))
        if photos:  # nothing is written into a person's own folder, not even the marker
            text = text.replace("\n\n[accept]", "\nread_only = true\n\n[accept]", 1)
        if keeps_file and pipeline.exists() and pipeline.read_bytes() != text.encode():
            return pipeline
        _write_once(pipeline, text)
        if photos is None and not (directory / "inbox").exists():
            _draw(directory / "inbox")
    except OSError as error:
        raise UsageError(
            f"can't write the demo to {directory}: {error.strerror}. Choose another folder: "
            "renditions demo DIR"
        ) from error
    except UnicodeEncodeError as error:
        raise UsageError(
            f"can't write the folder {source!r} into the pipeline file: its name isn't UTF-8. Rename it."
        ) from error
    return pipeline


def _quote(text: str) -> str:
    """Return a TOML basic string.

    A TOML basic string equals a JSON string, except that TOML also escapes DEL.
    """
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write_once(file: Path, text: str) -> None:
    """Write the file unless it exists; never overwrite a user's file.

    Raise ``UsageError`` if the file exists with another content.
    """
    try:
        write_new(file, text)
    except FileExistsError:
        if file.read_bytes() != text.encode():
            raise UsageError(
                f"can't write {file}: another pipeline file exists there. "
                "Run 'renditions sync' with it, or name another folder for the demo."
            ) from None


def _draw(inbox: Path) -> None:
    """Draw the pictures in a separate process.

    The calling process must not load an imaging library. Raise ``Failed`` if the separate process fails.
    """
    with TemporaryDirectory(prefix="drawing-", dir=inbox.parent) as making:
        drawn_folder = Path(making, inbox.name)
        command = [sys.executable, "-P", "-m", "renditions.demo.scenery", str(drawn_folder)]
        drawn = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
        if drawn.returncode:
            raise Failed(
                f"can't draw the demo's pictures ({drawn.stderr.strip()[-500:]}). Check the installation of "
                "pyvips, or use pictures of your own: renditions demo --photos DIR"
            )
        try:
            drawn_folder.rename(inbox)
        except OSError:
            if not inbox.exists():  # another demo in this folder may have drawn them meanwhile
                raise

"""Write a new pipeline file."""

from __future__ import annotations

from pathlib import Path


def write_new(path: Path, text: str) -> None:
    """Create a pipeline file whole, or not at all.

    Raises:
        FileExistsError: Something has this path. It is unchanged.
        OSError: The file can't be written, for example because the disk is full.
        UnicodeEncodeError: UTF-8 can't hold the text.

    """
    content = text.encode()
    file = path.open("xb")
    try:
        with file:
            file.write(content)
    except BaseException:  # also Ctrl-C
        path.unlink()
        raise

"""Write a new pipeline file."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4


def write_new(path: Path, text: str) -> None:
    """Create a pipeline file whole, or not at all.

    Another process finds no file or the whole file. Only on a file system without hard links it may find a
    part of the file.

    Raises:
        FileExistsError: Something has this path. It is unchanged.
        OSError: The file can't be written, for example because the disk is full.
        UnicodeEncodeError: UTF-8 can't hold the text.

    """
    content = text.encode()
    unfinished = path.with_name(f".unfinished-{uuid4().hex}")
    _write(unfinished, content)
    try:
        # A rename would replace a file that another process has written meanwhile.
        os.link(unfinished, path)
    except FileExistsError:
        raise
    except OSError:  # the file system has no hard links
        _write(path, content)
    finally:
        unfinished.unlink()


def _write(path: Path, content: bytes) -> None:
    """Create a file; remove it again if it can't be written whole.

    Raise FileExistsError if something has this path.
    """
    file = path.open("xb")
    try:
        with file:
            file.write(content)
    except BaseException:  # also Ctrl-C
        path.unlink()
        raise

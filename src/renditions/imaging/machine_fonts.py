"""Let drawings use the machine's fonts, if the pipeline file declares this.

A process can't change its fonts after it has drawn a text, because fontconfig reads its configuration only
once, and PDFium keeps the fonts that it has found.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from xml.etree import ElementTree as ET

from renditions.errors import Failed, Undecodable
from renditions.imaging.typeface import read_faces
from renditions.model.pipeline import Fonts

_CONFIGURATION = Path(__file__).with_name("machine_fonts.conf")
_SUFFIXES = (".ttf", ".otf", ".ttc", ".otc")


class _Choice:
    """The choice between bundled and system fonts in this process."""

    wanted: Fonts = "bundled"
    used: Fonts | None = None
    """The fonts that fontconfig and PDFium use; None before the first call of :func:`settle`."""


def choose(fonts: Fonts) -> None:
    """Choose the fonts for the text of drawings in this process.

    If the process has already drawn text with other fonts, :func:`settle` raises ``Failed``.
    """
    _Choice.wanted = fonts


def settle() -> Fonts:
    """Let fontconfig use the chosen fonts, and return the choice.

    Call this function before any code that draws text. For the machine's fonts, the first call sets
    environment variables of this process.

    Raises:
        Failed: This process has drawn text with other fonts.

    """
    if _Choice.used is None and _Choice.wanted == "system":
        os.environ["FONTCONFIG_FILE"] = str(_CONFIGURATION)
        os.environ["FONTCONFIG_PATH"] = str(_CONFIGURATION.parent)  # where it includes fonts.conf from
    _Choice.used = _Choice.used or _Choice.wanted
    if _Choice.used != _Choice.wanted:
        raise Failed(
            f'this process has drawn text with [accept] fonts = "{_Choice.used}". Start Renditions again to '
            f'use "{_Choice.wanted}"'
        )
    return _Choice.used


def without_machine_s(missing: str) -> str:
    """Return those of the characters that no font of the machine has.

    Return all of them if drawings may not use the machine's fonts.
    """
    return _find_missing(missing) if missing and _Choice.wanted == "system" else missing


@cache
def _find_missing(text: str) -> str:
    for path in _find_files():
        try:
            with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
                for face in read_faces(content):
                    text = face.find_missing(text)
        except (OSError, ValueError, Undecodable):
            continue  # A broken font of the machine mustn't reject a picture. An empty file is a ValueError.
        if not text:
            break
    return text


def _find_files() -> Iterator[Path]:
    for folder in ET.parse(_CONFIGURATION).getroot().iter("dir"):  # noqa: S314 - our own file
        for path in sorted(Path(folder.text or "").rglob("*")):
            if path.suffix.lower() in _SUFFIXES:
                yield path

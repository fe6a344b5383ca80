"""The patterns of ``[source] match`` and ``exclude``.

They decide which objects of a source are pictures.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from renditions.model.formats import DEFAULT_SOURCES, SOURCE_FORMATS

DEFAULT_MATCH = tuple(f"*.{suffix}" for name in DEFAULT_SOURCES for suffix in SOURCE_FORMATS[name].suffixes)

DEFAULT_EXCLUDE = (
    # Hidden folders: trash, thumbnails, versions and temporary files of systems and sync tools.
    ".*/",
    # Synology
    "@eaDir/", "#recycle/", "#snapshot/", "@tmp/", "@sharesnap/", "SYNOPHOTO_THUMB*", "SYNOFILE_THUMB*",
    # QNAP
    "@Recycle/", "@Recently-Snapshot/", "@__thumb/", "@Transcode/",
    # NetApp
    "~snapshot/",
    # Windows
    "$RECYCLE.BIN/", "RECYCLER/", "System Volume Information/", "Thumbs.db", "ehthumbs.db", "desktop.ini",
    # macOS
    "__MACOSX/", "Network Trash Folder/", "Temporary Items/", "TheVolumeSettingsFolder/",
    # Linux
    "lost+found/",
    # Downloads and copies in progress: browsers, Syncthing, Resilio Sync
    "*.part", "*.crdownload", "*.tmp", "~syncthing~*", "*.!sync",
)  # fmt: skip


ALT_TEXT = ".alt.txt"
"""The ending of the file with a picture's alternative text, such as ``photo.jpg.alt.txt``."""

UNMATCHED = "it matches no pattern in [source] match"


@dataclass(frozen=True, slots=True)
class Patterns:
    """The patterns that decide which keys are pictures."""

    match: tuple[str, ...]
    exclude: tuple[str, ...]

    def why_not(self, key: str) -> str | None:
        """Return why the object with this key isn't a picture; None if it is one."""
        if key.endswith("/"):
            return "it is a folder"
        if key.rpartition("/")[2].startswith("."):
            return "its name starts with a dot"
        if excluded := find_exclusion(self.exclude, key):
            return f"it is excluded by {excluded!r} in [source] exclude"
        return None if _join(self.match).match(key.lower()) else UNMATCHED

    def is_alt_text(self, key: str) -> bool:
        """Return whether this is the key of the text beside a picture."""
        return key.endswith(ALT_TEXT) and self.why_not(key.removesuffix(ALT_TEXT)) is None


FORMER_DEFAULTS = Patterns(
    ("*.jpg", "*.jpeg", "*.png", "*.webp", "*.avif", "*.gif", "*.tif", "*.tiff", "*.heic", "*.heif"), ()
)
"""The defaults of version 0.1. Its catalogs keep them until the patterns in the file change."""


def find_exclusion(exclude: tuple[str, ...], path: str) -> str | None:
    """Return the pattern that excludes a file, or a folder (with a final slash).

    Return None if no pattern does. A pattern without a slash, except at its end, applies to each part of the
    path. Any other pattern applies to the path from its start. A pattern that ends with a slash applies only
    to folders. Case doesn't matter.
    """
    folder = path[: path.rfind("/", 0, -1) + 1]
    return _find_folder_exclusion(exclude, folder) or _match(exclude, path, len(folder))


@lru_cache(maxsize=4096)
def _find_folder_exclusion(exclude: tuple[str, ...], folder: str) -> str | None:
    """Return the pattern that excludes this folder or one above it.

    Return None if no pattern does. The result is cached, because a listing yields all files of a folder in a
    row.
    """
    # A key in a bucket can have more than 500 folders, too many for a function that calls itself.
    ends = [0, *(end for end, character in enumerate(folder, 1) if character == "/")]
    found = (_match(exclude, folder[:end], start) for start, end in pairwise(ends))
    return next(filter(None, found), None)


def _match(exclude: tuple[str, ...], path: str, start: int) -> str | None:
    """Return the pattern that matches a path or its part from ``start``, if any."""
    is_folder, whole, part = path.endswith("/"), path.lower().rstrip("/"), path[start:].lower().rstrip("/")
    for rule in _compile(exclude):
        if (is_folder or not rule.is_folder) and rule.regex.match(whole if rule.is_anchored else part):
            return rule.pattern
    return None


@dataclass(frozen=True, slots=True)
class _Rule:
    """One pattern of ``exclude``, ready to compare with paths in lower case."""

    pattern: str
    regex: re.Pattern[str]
    is_folder: bool
    is_anchored: bool


@lru_cache(maxsize=64)
def _compile(exclude: tuple[str, ...]) -> tuple[_Rule, ...]:
    return tuple(
        _Rule(each, _join((each.strip("/"),)), each.endswith("/"), is_anchored="/" in each[:-1])
        for each in exclude
    )


@lru_cache(maxsize=1024)
def _join(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Return one regular expression for several shell patterns.

    It matches texts in lower case.
    """
    return re.compile("|".join(fnmatch.translate(pattern.lower()) for pattern in patterns))

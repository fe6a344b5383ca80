"""The places of stores and catalogs, parsed from their URLs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FolderPlace:
    """A store in a folder."""

    path: Path

    def spell(self) -> str:
        """Return a text that identifies the place; it ends with a slash."""
        return f"{self.path.resolve().as_posix().rstrip('/')}/"


@dataclass(frozen=True, slots=True)
class S3Place:
    """A store in a bucket, below a prefix."""

    bucket: str
    prefix: str

    def spell(self) -> str:
        """Return a text that identifies the place."""
        return f"s3://{self.bucket}/{self.prefix}"


def parse_store(url: str, directory: Path) -> FolderPlace | S3Place:
    """Return the place that a store's URL names.

    A relative folder in the URL starts at ``directory``.

    Raises:
        RuntimeError: The path begins with ``~`` and the name of an unknown user.

    """
    if match := re.fullmatch(r"s3://([^/]+)/?(.*)", url):
        prefix = match[2]
        return S3Place(match[1], f"{prefix}/" if prefix and not prefix.endswith("/") else prefix)
    return FolderPlace(directory / Path(url).expanduser())


def parse_catalog(url: str, directory: Path) -> Path | None:
    """Return the path of a catalog's file.

    A relative path in the URL starts at ``directory``. Return None if the catalog isn't a file.

    Raises:
        RuntimeError: The path begins with ``~`` and the name of an unknown user.

    """
    kind, _, path = url.partition(":")
    return directory / Path(path).expanduser() if kind == "sqlite" else None

"""Find the paths of stores and catalogs that the file system can't have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from renditions.errors import Problem
from renditions.model.pipeline import Pipeline
from renditions.model.places import FolderPlace, parse_catalog, parse_store

MOST_SHOWN = 60
"""How many characters of a path a problem shows."""


def find_unusable_paths(pipeline: Pipeline, directory: Path) -> Iterator[Problem]:
    """Yield a problem for each store or catalog with a path that no disk can have.

    A missing or forbidden path is no problem here: the function that opens it reports the error.
    """
    for place, url in (
        ("source.store", pipeline.source.store),
        ("output.store", pipeline.output.store),
        ("catalog.store", pipeline.catalog.store),
    ):
        try:
            path = _find_path(place, url, directory)
            if path:
                path.resolve().lstat()
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
        except (OSError, RuntimeError) as error:  # RuntimeError: an unknown user's home, or a circle of links
            shown = url if len(url) <= MOST_SHOWN else f"{url[:MOST_SHOWN]}…"
            why = getattr(error, "strerror", None) or error
            yield Problem(place, "a path that the file system can have", f"{shown!r} ({why})")


def _find_path(place: str, url: str, directory: Path) -> Path | None:
    """Return the path of a folder or of the catalog's file.

    Return None if the URL names a bucket or a table.
    """
    if place == "catalog.store":
        return parse_catalog(url, directory)
    store = parse_store(url, directory)
    return store.path if isinstance(store, FolderPlace) else None

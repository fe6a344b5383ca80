"""Find problems with the paths of stores and catalogs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from renditions.errors import Problem
from renditions.model.pipeline import Pipeline
from renditions.model.places import FolderPlace, parse_catalog, parse_store
from renditions.model.references import find_variables
from renditions.pipeline_file.warnings import PipelineWarning

MOST_SHOWN = 60
"""How many characters of a path a problem shows."""


def find_unusable_paths(pipeline: Pipeline, directory: Path) -> Iterator[Problem]:
    """Yield a problem for each store or catalog with a path that no disk can have.

    A missing or forbidden path is no problem here: the function that opens it reports the error.
    """
    for place, url in _urls_of(pipeline).items():
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


def find_path_warnings(pipeline: Pipeline) -> Iterator[PipelineWarning]:
    """Yield a warning for each store or catalog whose path has ``${NAME}`` in it."""
    for place, url in _urls_of(pipeline).items():
        if names := find_variables(url):
            yield PipelineWarning(
                place,
                f"{url!r} stays as it is written: ${{{names[0]}}} stands for an environment variable only in "
                "[[notify]]. Write the path itself",
            )


def _urls_of(pipeline: Pipeline) -> dict[str, str]:
    """Return the URLs of the stores and of the catalog by their places in the file."""
    return {
        "source.store": pipeline.source.store,
        "output.store": pipeline.output.store,
        "catalog.store": pipeline.catalog.store,
    }


def _find_path(place: str, url: str, directory: Path) -> Path | None:
    """Return the path of a folder or of the catalog's file.

    Return None if the URL names a bucket or a table.
    """
    if place == "catalog.store":
        return parse_catalog(url, directory)
    store = parse_store(url, directory)
    return store.path if isinstance(store, FolderPlace) else None

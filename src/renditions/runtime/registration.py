"""The registration of a catalog in the output store that it uses."""

from __future__ import annotations

import logging
from pathlib import Path
from socket import gethostname

from renditions.core.neighbours import Registration
from renditions.core.ports import Store
from renditions.errors import Failed
from renditions.model.pipeline import Pipeline
from renditions.model.places import FolderPlace, parse_catalog, parse_store

log = logging.getLogger(__name__)


def describe_catalog(pipeline: Pipeline, directory: Path, file: str) -> Registration:
    """Return the description of a pipeline's catalog for its registration."""
    database = parse_catalog(pipeline.catalog.store, directory)
    source = parse_store(pipeline.source.store, directory)
    machine = f"//{gethostname()}"  # the same path on another machine is another file
    return Registration(
        catalog=f"sqlite:{machine}{database.resolve()}" if database else pipeline.catalog.store,
        pipeline_file=file,
        source=f"{machine if isinstance(source, FolderPlace) else ''}{source.spell()}",
    )


def register(output: Store, catalog_id: str, registration: Registration) -> None:
    """Register a catalog in its output store; log a warning if the store fails."""
    try:
        output.register(catalog_id, registration.to_text())
    except Failed as error:  # if the fault lasts, writing the pictures reports it too
        log.warning(
            "%s. The output store may not list this catalog. Until it does, 'renditions strays' with another "
            "catalog reports this catalog's outputs as unknown. The next 'renditions sync' tries again.",
            error,
        )

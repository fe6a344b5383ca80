"""Check that outputs can't land in the source.

Two paths can lead to the same folder on this machine.
"""

from __future__ import annotations

from pathlib import Path

from renditions.errors import UsageError
from renditions.model.backends import OVERLAP
from renditions.model.pipeline import Pipeline
from renditions.model.places import FolderPlace, parse_store
from renditions.model.registry import resolve
from renditions.pipeline_file.checks import can_land_in


def check_apart(pipeline: Pipeline, directory: Path, catalog_id: str = "") -> None:
    """Raise UsageError if outputs could land in the source folder.

    Outputs in the source folder would become pictures. The checks of the pipeline file compare only paths.
    This function also reads the mounts. With the catalog's id, it also searches both folders for the files
    that Renditions writes about the catalog.
    """
    source = parse_store(pipeline.source.store, directory)
    output = parse_store(pipeline.output.store, directory)
    if not (isinstance(source, FolderPlace) and isinstance(output, FolderPlace)):
        return
    for part in resolve(OVERLAP)(source.path, output.path, catalog_id):
        if can_land_in(part, pipeline):
            here, there = output.path.absolute(), source.path.absolute()
            at = f" at {here / part}" if part else ""
            raise UsageError(
                f"[source] store {there} and [output] store {here} overlap{at}: two paths lead to the same "
                "files, for example through a link or a mount. So outputs would become pictures. Choose an "
                "[output] store outside of the source, or remove the link or the mount"
            )

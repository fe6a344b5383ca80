"""A storage in the pipeline's source folder.

Renditions follow what is saved and deleted.
"""

import logging
import time

from django.core.files.storage import FileSystemStorage

from gallery.pipeline import pipeline

log = logging.getLogger(__name__)


class RenditionStorage(FileSystemStorage):
    """Saves originals, and brings their renditions up to date."""

    def __init__(self) -> None:
        loaded = pipeline().pipeline
        super().__init__(location=loaded.directory / loaded.pipeline.source.store)

    def save(self, name, content, max_length=None):
        """Save an original and make its renditions.

        For many or large pictures, use a task queue.
        """
        name = super().save(name, content, max_length)
        self._process(name)
        return name

    def delete(self, name):
        """Delete an original and its renditions."""
        super().delete(name)
        self._process(name)

    def _process(self, name):
        outcome = pipeline().process(name)
        while outcome.result == "waiting":  # the file was written less than [source] settle ago
            time.sleep(outcome.again_after.total_seconds())
            outcome = pipeline().process(name)
        if outcome.result in ("failed", "rejected"):
            log.warning("%s: %s", name, outcome.reason)

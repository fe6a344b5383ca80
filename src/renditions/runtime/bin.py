"""Keep deleted originals in the source's bin for ``[source] keep_deleted``."""

from __future__ import annotations

import logging
from datetime import timedelta

from renditions.core.bin import empty
from renditions.errors import Failed
from renditions.runtime.parts import Parts, now

log = logging.getLogger(__name__)


def keeps_deleted(parts: Parts) -> bool:
    """Return whether an original that a person deletes goes to the bin."""
    return bool(parts.pipeline.source.keep_deleted and parts.bin and parts.bin.is_available())


def empty_bin(parts: Parts, most: int | None = None) -> None:
    """Delete originals whose time in the bin is over: all, or at most ``most``.

    If the bin fails, log a warning: the next run tries again.
    """
    if parts.bin:
        try:
            empty(parts.bin, now() - timedelta(seconds=parts.pipeline.source.keep_deleted), most)
        except Failed as error:
            log.warning("%s. The bin may still have expired originals. The next run tries again.", error)

"""Find out how a folder compares names: probes are made once, and stay in the store's own folder."""

from __future__ import annotations

import os
import unicodedata
from contextlib import suppress

from renditions.model.folding import Folding

_CASE = "case"
_FORM = unicodedata.normalize("NFC", "é")


def probe_folding(work: int) -> Folding:
    """Return how names are compared in a folder that is open, and so in those around it.

    Raises:
        OSError: A probe can't be made there.

    """
    return Folding(
        ignores_case=_is_one(work, _CASE, _CASE.upper()),
        ignores_form=_is_one(work, _FORM, unicodedata.normalize("NFD", _FORM)),
    )


def _is_one(work: int, name: str, other: str) -> bool:
    """Return whether a folder of the first name, the only one that is made, is found by the other name."""
    with suppress(FileExistsError):
        os.mkdir(name.encode(), dir_fd=work)
    with suppress(FileNotFoundError):
        os.stat(other.encode(), dir_fd=work)
        return True  # inodes prove nothing more: a FUSE file system may have one for each name
    return False

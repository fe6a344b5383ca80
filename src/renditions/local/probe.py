"""How a folder compares names, found with test folders inside it."""

from __future__ import annotations

import os
import unicodedata
from contextlib import suppress

from renditions.model.folding import Folding

_CASE = "case"
_FORM = unicodedata.normalize("NFC", "é")


def probe_folding(work: int) -> Folding:
    """Return how this open folder compares names.

    Raises:
        OSError: A test folder can't be created there, or can't be looked up.

    """
    return Folding(
        ignores_case=_is_one(work, _CASE, _CASE.upper()),
        ignores_form=_is_one(work, _FORM, unicodedata.normalize("NFD", _FORM)),
    )


def _is_one(work: int, name: str, other: str) -> bool:
    """Create a folder with the first name; return whether the other name finds it."""
    with suppress(FileExistsError):
        os.mkdir(name.encode(), dir_fd=work)
    with suppress(FileNotFoundError):
        os.stat(other.encode(), dir_fd=work)
        return True  # the inodes aren't compared: a FUSE file system may have one for each name
    return False

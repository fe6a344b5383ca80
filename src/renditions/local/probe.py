"""How a folder compares names."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress

from renditions.local.tree import Listings, is_there
from renditions.model.folding import Folding

_CASE = "case"
_FORM = unicodedata.normalize("NFC", "é")


def probe_folding(work: int) -> Folding:
    """Return how this open folder compares names, found with test folders inside it.

    This function doesn't remove the test folders.

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


_Swap = Callable[[Sequence[bytes]], Sequence[bytes] | None]


class Spellings:
    """Which spelling of a name a folder has.

    A disk may ignore case or Unicode forms.

    If a lookup finds a file under its own spelling, but not under a spelling with the other case, the folder
    distinguishes upper and lower case. In the same way, this class finds out whether the folder distinguishes
    Unicode forms. Until it knows, it compares with the folder's listings, which may be up to two seconds old.
    Threads may share one object.
    """

    def __init__(self) -> None:
        self._doubted: frozenset[_Swap] = frozenset((_swap_case, _swap_form))
        """The kinds of spelling that the folder may ignore."""
        self._listings = Listings()

    def may_differ(self, parts: Sequence[bytes]) -> bool:
        """Return whether the file at this path may have another spelling there."""
        return any(swap(parts) for swap in self._doubted)

    def have(self, root: int, parts: Sequence[bytes]) -> bool:
        """Return whether the file at this path has this spelling in the open folder.

        Raises:
            OSError: See :func:`~renditions.local.tree.open_folder`.

        """
        for swap in self._doubted:
            if other := swap(parts):
                # In this order: a file that was deleted meanwhile is found under neither spelling.
                if is_there(root, other) or not is_there(root, parts):
                    return self._listings.have(root, parts)
                self._doubted -= {swap}
        return True


def _swap_case(parts: Sequence[bytes]) -> Sequence[bytes]:
    """Return the path with upper and lower case swapped in its last part.

    Return the same path if the part has no ASCII letters: a lookup then shows nothing, and a listing decides.
    """
    return (*parts[:-1], parts[-1].swapcase())


def _swap_form(parts: Sequence[bytes]) -> Sequence[bytes] | None:
    """Return the path in another Unicode form.

    The result ends after the last part that has another form. Return None if no part has one.
    """
    for depth in range(len(parts), 0, -1):
        text = parts[depth - 1].decode()
        for form in ("NFD", "NFC"):
            if (other := unicodedata.normalize(form, text)) != text:
                return (*parts[: depth - 1], other.encode())
    return None

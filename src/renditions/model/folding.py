"""How an output store compares keys: some folders ignore the case of names, or of Unicode forms."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Folding:
    """Maps all keys that are one file to one text.

    It may map keys together that a file system keeps apart (``ß`` and ``ss`` on exFAT). A picture is then
    rejected without need, but no output ever overwrites another picture's.
    """

    ignores_case: bool = False
    """``IMG_1.jpg`` and ``img_1.jpg`` are one file, as on exFAT, and on most disks of macOS and Windows."""
    ignores_form: bool = False
    """``é`` as one code point and as ``e`` with an accent are one file, as on macOS."""

    def __call__(self, key: str) -> str:
        """Return the key's folded form."""
        if self.ignores_form:
            key = unicodedata.normalize("NFC", key)
        if self.ignores_case:
            key = key.casefold()
        # Folding the case can take a letter apart.
        return unicodedata.normalize("NFC", key) if self.ignores_form else key

    def are_apart(self, some: Iterable[str], others: Iterable[str]) -> bool:
        """Return whether no key of the first ones is the same file as one of the others."""
        return set(map(self, some)).isdisjoint(map(self, others))

    @property
    def name(self) -> str:
        """A short text that catalogs store."""
        names = ["case"] * self.ignores_case + ["form"] * self.ignores_form
        return " and ".join(names)


EXACT = Folding()
"""Every difference counts, as on S3 and on most disks of Linux."""

"""How an output store compares keys: it may ignore case or Unicode forms."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Folding:
    """A function that returns the same text for all keys that name the same file.

    It may also return the same text for two keys that a file system keeps apart (``ß`` and ``ss`` on exFAT).
    Renditions may then reject a picture without need.
    """

    ignores_case: bool = False
    """Whether ``IMG_1.jpg`` and ``img_1.jpg`` are one file, as on most disks of macOS and Windows."""
    ignores_form: bool = False
    """Whether ``é`` as one code point, and as ``e`` with an accent, are the same in names, as on macOS."""

    def __call__(self, key: str) -> str:
        """Return the key's folded form."""
        if self.ignores_form:
            key = unicodedata.normalize("NFC", key)
        if self.ignores_case:
            key = key.casefold()
        # casefold() can split a letter into several code points.
        return unicodedata.normalize("NFC", key) if self.ignores_form else key

    def are_apart(self, some: Iterable[str], others: Iterable[str]) -> bool:
        """Return whether no key in ``some`` names the same file as a key in ``others``."""
        return set(map(self, some)).isdisjoint(map(self, others))

    def describe(self) -> str:
        """Return a text for people about the differences that the store ignores.

        The result is empty if the store ignores none.
        """
        words = ["upper and lower case"] * self.ignores_case + ["Unicode forms"] * self.ignores_form
        return " and ".join(words)

    @property
    def name(self) -> str:
        """A short text that identifies this folding; catalogs store it."""
        names = ["case"] * self.ignores_case + ["form"] * self.ignores_form
        return " and ".join(names)

    @classmethod
    def named(cls, name: str) -> Self:
        """Return the folding of this name."""
        names = name.split(" and ")
        return cls("case" in names, "form" in names)


EXACT = Folding()
"""The folding of a store that ignores no difference, such as S3 or most disks of Linux."""

"""The values of the fields in a key template that depend on the picture."""

from __future__ import annotations

from renditions.model.fields import hash_of
from renditions.model.recipe import Rendition
from renditions.model.revisions import numbers_of, revisions_of_any

OF_CONTENT = ("hash", "version")
"""The fields whose values Renditions knows only after it has read the picture."""

DIGITS = 16
"""How many hexadecimal digits ``{hash}`` and ``{version}`` have: 64 bits."""

UNKNOWN = "\ud800"
"""Stands in a key for a value that is known after reading. No key has it, because it has no UTF-8 form."""


def template_values(name: str, etag: str, sha256: str = "") -> dict[str, str]:
    """Return the values of the fields that depend on the picture, except ``{version}``."""
    base = name.rpartition("/")[2]
    stem, _, _ = base.rpartition(".")
    return {
        "dir": name[: len(name) - len(base)],
        "name": base,
        "stem": stem or base,
        "etag": etag,
        "hash": sha256[:DIGITS] or UNKNOWN,
    }


def version_of(recipe: Rendition, sha256: str, engine: int | None) -> str:
    """Return the value of ``{version}``. It changes with the content, the recipe and the engine.

    The worker claims keys before it knows the picture's format, so the revisions of every format count.
    """
    fingerprint = recipe.fingerprint(numbers_of(revisions_of_any(recipe), engine))
    return hash_of([sha256, fingerprint])[:DIGITS] if sha256 else UNKNOWN


def is_known(key: str) -> bool:
    """Return whether the whole key is known."""
    return UNKNOWN not in key


def spell_key(key: str) -> str:
    """Return a key for people, with words in place of a value that isn't known yet."""
    return key.replace(UNKNOWN, "(known after reading)")

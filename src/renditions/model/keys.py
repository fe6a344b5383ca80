"""The values of the fields in a key template that depend on the picture."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, product

from renditions.model.fields import hash_of, parse_template

OF_CONTENT = ("hash", "version")
"""The fields whose values Renditions knows only after it has read the picture."""

DIGITS = 16
"""How many hexadecimal digits ``{hash}`` and ``{version}`` have: 64 bits."""

UNKNOWN = "\ud800"
"""Stands in a key for a value that isn't known until the picture is read.

No real key contains it, because it has no UTF-8 form.
"""


def template_values(name: str, etag: str, sha256: str = "") -> dict[str, str]:
    """Return the values of the fields that depend on the picture alone.

    They are ``{dir}``, ``{name}``, ``{stem}``, ``{etag}`` and ``{hash}``. Without ``sha256``, the value of
    ``{hash}`` is :data:`UNKNOWN`.
    """
    base = name.rpartition("/")[2]
    stem, _, _ = base.rpartition(".")
    return {
        "dir": name[: len(name) - len(base)],
        "name": base,
        "stem": stem or base,
        "etag": etag,
        "hash": sha256[:DIGITS] or UNKNOWN,
    }


def version_of(fingerprint: str, sha256: str) -> str:
    """Return the value of ``{version}``; :data:`UNKNOWN` if ``sha256`` is empty."""
    return hash_of([sha256, fingerprint])[:DIGITS] if sha256 else UNKNOWN


def find_sharing_names(template: str) -> tuple[str, str] | None:
    """Return two different names whose pictures get the same key from a template.

    Return None if no two names do. This function misses some templates that have several ``{dir}`` and more
    than four parts.

    If the template has a field of :data:`OF_CONTENT` or ``{etag}``, the two pictures get one key only if they
    have the same value in this field.

    Args:
        template: A key template as :meth:`~renditions.model.recipe.Rendition.key_template` returns it.

    """
    pairs = (("a.jpg", "b.jpg"), ("a/photo.jpg", "b/photo.jpg"), ("photo.jpg", "photo.jpeg"))
    for one, other in chain(pairs, _shift(template)):
        if _fill(template, one) == _fill(template, other):
            return one, other
    return None


def _shift(template: str) -> Iterator[tuple[str, str]]:
    """Yield pairs of names: one has in its folder what the other has in its base.

    Both can get the same key if no slash stands between the base name and ``{dir}``, as in ``{name}{dir}x``.
    """
    folder = "a"
    literals = [literal.rpartition("/")[2] for literal, _ in parse_template(template)]
    for base, more in product(("photo.tif", "photo"), filter(None, ("f", ".tif", *literals))):
        before = _before_folder(template, base)
        longer = base + before.partition(base)[2] + more
        moved = _before_folder(template, longer).removeprefix(before)
        yield f"{moved}{folder}/{base}", f"{folder}/{longer}"


def _before_folder(template: str, base: str) -> str:
    """Return what stands before the first ``{dir}`` in its part of the key."""
    return _fill(template, base, dir="\0").partition("\0")[0].rpartition("/")[2]


def _fill(template: str, name: str, **others: str) -> str:
    return template.format_map(template_values(name, "etag", "hash") | {"version": "version"} | others)


def advise_on_shared_key(template: str) -> str:
    """Return advice for two pictures that get the same key from a template."""
    used = fields_of(template)
    if find_sharing_names(template) is None:
        return "Rename one of the two pictures"
    if used & {"name", "stem"}:
        return "Rename one of the two pictures, or put {key} into the rendition's key"
    if "dir" in used:
        return "Move one of the two pictures to another folder, or put {key} into the rendition's key"
    return "Put {key} into the rendition's key, or delete one of the two pictures"


def fields_of(template: str) -> frozenset[str]:
    """Return the names of the fields in a template."""
    return frozenset(field for _, field in parse_template(template) if field)


def is_known(key: str) -> bool:
    """Return whether the whole key is known."""
    return UNKNOWN not in key


def spell_key(key: str) -> str:
    """Return a key for people.

    A text in brackets replaces a part that isn't known yet.
    """
    return key.replace(UNKNOWN, "(known after reading)")

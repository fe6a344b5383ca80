"""The values of the fields in a key template that depend on the picture."""

from __future__ import annotations

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
    """Return two different names whose pictures can get the same key from a template.

    Return None if the template has ``{key}``, or ``{dir}`` and ``{name}``. If the template has a field of
    :data:`OF_CONTENT` or ``{etag}``, the two pictures get one key only if they have the same value in this
    field.
    """
    used = fields_of(template)
    if "key" in used or {"dir", "name"} <= used:
        return None
    if "dir" not in used:
        return ("a/photo.jpg", "b/photo.jpg") if used & {"name", "stem"} else ("a.jpg", "b.jpg")
    return ("photo.jpg", "photo.jpeg") if "stem" in used else ("a.jpg", "b.jpg")


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

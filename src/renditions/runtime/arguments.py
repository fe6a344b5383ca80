"""Check the names, prefixes and paths that a program passes to the Python API."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from renditions.errors import UsageError


def check_text(value: Any, what: str = "a name") -> str:
    """Return the value if it is a text.

    Raises:
        UsageError: It is something else, such as a path or bytes.

    """
    if not isinstance(value, str):
        raise UsageError(f"expected {what} as a text (str), found {value!r}")
    return value


def check_path(value: Any, what: str) -> str | os.PathLike[str]:
    """Return the value if it is a path; ``what`` describes what is expected.

    Raises:
        UsageError: It is something else, such as an open file.

    """
    if not isinstance(value, (str, os.PathLike)):
        raise UsageError(f"expected {what}, found {type(value).__name__}")
    return value


def list_names(names: Iterable[str] | None) -> list[str] | None:
    """Return the names as a list. A single text is one name; None gives None.

    Raises:
        UsageError: A name isn't a text.

    """
    if names is None:
        return None
    is_single = isinstance(names, (str, bytes)) or not isinstance(names, Iterable)
    return [check_text(each) for each in ([names] if is_single else names)]


def choose_pictures(names: Iterable[str] | None, prefix: str | None) -> list[str] | None:
    """Return the names and the prefix in one list, like a command's arguments.

    An empty result means all pictures. Return None, which means no picture, if ``names`` is an empty list and
    there is no prefix.

    Raises:
        UsageError: A name or the prefix isn't a text.

    """
    given = list_names(names)
    if given == [] and prefix is None:
        return None
    return (given or []) if prefix is None else [*(given or []), to_folder(prefix) or "/"]


def to_folder(prefix: str) -> str:
    """Return the prefix of a folder with its slash; empty for the whole source.

    Raises:
        UsageError: The prefix isn't a text.

    """
    trimmed = check_text(prefix, "a prefix").strip("/")
    return f"{trimmed}/" if trimmed else ""

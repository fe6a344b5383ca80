"""Check values in JSON from an untrusted process against their type annotations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from renditions.local.workers.wire import MalformedError
from renditions.model.plain import hints_of

MOST_CHARACTERS = 10_000
"""The most characters of one text."""
MOST_ELEMENTS = 10_000
"""The most elements of one list or mapping."""
MOST_WHOLE = 2**53
"""The largest whole number; the smallest is 0. All readers of JSON represent these numbers exactly."""
_LARGEST, _SMALLEST = 1e15, 1e-100
"""The largest and the smallest absolute value of a float other than 0. Every catalog can hold these."""


def read(hint: Any, value: Any) -> Any:
    """Return the value as this type.

    The type can be a dataclass, a text, a choice of texts, a number, a truth value, a tuple, a mapping with
    texts as keys, or None.

    Raises:
        MalformedError: The value isn't of this type, or exceeds a limit of this module.

    """
    choices = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if value is None and NoneType in choices:
        return None
    (base,) = (choice for choice in choices if choice is not NoneType)
    if is_dataclass(base) and isinstance(base, type):
        return _read_dataclass(base, value)
    if get_origin(base) is tuple and isinstance(value, list) and len(value) <= MOST_ELEMENTS:
        return tuple(read(get_args(base)[0], element) for element in value)
    if get_origin(base) is Mapping and isinstance(value, dict) and len(value) <= MOST_ELEMENTS:
        return {read(str, key): read(get_args(base)[1], element) for key, element in value.items()}
    if get_origin(base) is Literal and isinstance(value, str) and value in get_args(base):
        return value
    if _is_plain(base, value):
        return float(value) if base is float else value
    name = getattr(base, "__name__", str(base))
    raise MalformedError(
        f"expected a valid {name} within the limits, found an invalid {type(value).__name__}"
    )


def _read_dataclass(kind: type, value: Any) -> Any:
    hints = hints_of(kind)
    if not isinstance(value, dict) or not value.keys() <= hints.keys():
        raise MalformedError(f"expected the fields of {kind.__name__}")
    for spec in fields(kind):
        is_needed = spec.default is MISSING and spec.default_factory is MISSING
        if is_needed and spec.name not in value:
            raise MalformedError(f"expected {kind.__name__}.{spec.name}, found nothing")
    return kind(**{name: read(hints[name], element) for name, element in value.items()})


def _is_plain(kind: Any, value: Any) -> bool:
    """Return whether a value is a text, number or bool of this type within limits."""
    if kind is str:
        return type(value) is str and len(value) <= MOST_CHARACTERS and not _has_surrogates(value)
    if kind is bool:
        return type(value) is bool
    if kind is int:
        return type(value) is int and 0 <= value <= MOST_WHOLE
    if kind is float and type(value) in (int, float):
        # An int of a thousand digits has no float, so it is compared as it is.
        return value == 0 or (math.isfinite(value) and _SMALLEST <= abs(value) <= _LARGEST)
    return False


def _has_surrogates(text: str) -> bool:
    """Return whether a text has surrogates, which UTF-8 can't hold."""
    return any("\ud800" <= character <= "\udfff" for character in text)

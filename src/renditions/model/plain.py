"""Convert the model's values to plain data for JSON, and back without a check.

Fields at their default are left out, except those with a ``default_factory``. JSON has no form for bytes, so
callers choose one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from renditions.model.fields import declared_in, unwrap


def to_plain(value: Any, write_bytes: Callable[[bytes], Any]) -> Any:
    """Return dataclasses, tuples and mappings as dicts and lists.

    Fields of a dataclass that have their default are left out, except those with a ``default_factory``.
    ``write_bytes`` converts bytes. Other values stay unchanged.
    """
    if is_dataclass(value):
        return {name: to_plain(field, write_bytes) for name, field in declared_in(value).items()}
    if isinstance(value, tuple):
        return [to_plain(element, write_bytes) for element in value]
    if isinstance(value, Mapping):
        return {name: to_plain(field, write_bytes) for name, field in value.items()}
    return write_bytes(value) if isinstance(value, bytes) else value


def from_plain(hint: Any, value: Any, read_bytes: Callable[[Any], bytes]) -> Any:
    """Return the value that :func:`to_plain` turned into plain data.

    ``hint`` is the type of the value. This function checks nothing.
    """
    base, _ = unwrap(hint)
    if is_dataclass(base) and isinstance(base, type):
        hints = hints_of(base)
        return base(**{name: from_plain(hints[name], field, read_bytes) for name, field in value.items()})
    if get_origin(base) is tuple:
        return tuple(from_plain(get_args(base)[0], element, read_bytes) for element in value)
    if get_origin(base) is Mapping:
        element_hint = get_args(base)[1]
        return {name: from_plain(element_hint, element, read_bytes) for name, element in value.items()}
    return read_bytes(value) if base is bytes and value is not None else value


@cache
def hints_of(kind: type) -> Mapping[str, Any]:
    """Return the annotations of a dataclass's fields.

    They are cached, because evaluating them takes far longer than using them.
    """
    return get_type_hints(kind, include_extras=True)

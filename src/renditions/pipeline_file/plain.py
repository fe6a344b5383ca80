"""Convert a checked pipeline to plain data for JSON, and back without a validator.

A function's bundle contains its pipeline in this form. The build checks it, so reading it needs only the
standard library. People write TOML, see ``pipeline_file``.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

from renditions.model.fields import declared_in, unwrap
from renditions.model.pipeline import Pipeline


def to_plain(pipeline: Pipeline) -> dict[str, Any]:
    """Return the pipeline as dicts, lists, texts (files in Base64) and numbers, without defaults."""
    plain: dict[str, Any] = _to_plain(pipeline)
    return plain


def _to_plain(value: Any) -> Any:
    if is_dataclass(value):
        return {name: _to_plain(field) for name, field in declared_in(value).items()}
    if isinstance(value, tuple):
        return [_to_plain(element) for element in value]
    if isinstance(value, Mapping):
        return {name: _to_plain(field) for name, field in value.items()}
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def from_plain(plain: Mapping[str, Any]) -> Pipeline:
    """Return the pipeline from the form that :func:`to_plain` returns, without checks."""
    pipeline: Pipeline = _from_plain(Pipeline, plain)
    return pipeline


def _from_plain(hint: Any, value: Any) -> Any:
    base, _ = unwrap(hint)
    if is_dataclass(base) and isinstance(base, type):
        hints = get_type_hints(base, include_extras=True)
        return base(**{name: _from_plain(hints[name], field) for name, field in value.items()})
    if get_origin(base) is tuple:
        return tuple(_from_plain(get_args(base)[0], element) for element in value)
    if get_origin(base) is Mapping:
        return {name: _from_plain(get_args(base)[1], element) for name, element in value.items()}
    return base64.b64decode(value) if base is bytes else value

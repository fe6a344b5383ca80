"""Read the annotations in ``model``: each field's type, limits and description."""

from __future__ import annotations

from dataclasses import MISSING, Field
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from renditions.model.fields import (
    Duration,
    Glob,
    NotEmpty,
    OneOf,
    Pattern,
    Proportion,
    Quantity,
    Range,
    RangeOr,
    Template,
)

_FACTORS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_PROPORTION = r"^[1-9][0-9]{0,2}:[1-9][0-9]{0,2}(?!\n)$"
_DURATION = rf"[0-9]{{1,6}}(\.[0-9]{{1,3}})? ?({'|'.join(Duration.units)})(?!\n)$"
_EXAMPLES = {"B": '"50 MB"', "P": '"100 MP"'}


def is_needed(marks: list[Any]) -> bool:
    """Return whether an array or table must have an element."""
    return any(isinstance(mark, NotEmpty) for mark in marks)


def leaf_type(base: Any, marks: list[Any]) -> Any:
    """Return the type with which msgspec checks a single value."""
    for mark in marks:
        match mark:
            case Range(low, high):
                return Annotated[base, msgspec.Meta(ge=low, le=high)]
            case OneOf(words):
                return Literal[words]
            case RangeOr(low, high, word):
                return Annotated[int, msgspec.Meta(ge=low, le=high)] | Literal[word]
            case Pattern(regex=regex) | Template(regex=regex) | Glob(regex=regex):
                return Annotated[str, msgspec.Meta(pattern=regex)]
            case Proportion(low, high):
                number = Annotated[float, msgspec.Meta(ge=low, le=high)]
                return number | Annotated[str, msgspec.Meta(pattern=_PROPORTION)]
            case Duration(may_be_zero=may_be_zero):
                above_zero = "" if may_be_zero else "(?=[0-9.]*[1-9])"
                return Annotated[str, msgspec.Meta(pattern=f"^{above_zero}{_DURATION}")]
            case Quantity(unit):
                whole = Annotated[int, msgspec.Meta(ge=1)]
                return whole | Annotated[str, msgspec.Meta(pattern=_quantity_regex(unit))]
    return base


def _quantity_regex(unit: str) -> str:
    """Return a regular expression for sizes of at least 1.

    Only units with a prefix allow a fraction.
    """
    factors = "Ki|Mi|Gi|k|M|G" if unit == "B" else "k|M|G"
    return (
        rf"^(?=[0-9.]*[1-9])([0-9]{{1,15}} ?{unit}|[0-9]{{1,15}}(\.[0-9]{{1,3}})? ?({factors}){unit})(?!\n)$"
    )


def parse_value(value: Any, base: Any, marks: list[Any]) -> Any:
    """Convert a value that :func:`leaf_type` accepts to the pipeline's value."""
    for mark in marks:
        match mark:
            case Quantity():
                return _parse_quantity(value)
            case Duration():
                return _parse_duration(value)
            case Proportion():
                return _parse_proportion(value)
    return float(value) if base is float else value  # 2 and 2.0 must give the same recipe


def _parse_quantity(value: int | str) -> int:
    """Convert a size such as ``50 MB`` to its number of bytes or pixels."""
    if isinstance(value, int):
        return value
    digits = value.rstrip("BPkKMGi ")
    factor = value[len(digits) :].strip()[:-1]
    whole, _, part = digits.partition(".")
    return int(f"{whole}{part:0<3}") * _FACTORS[factor] // 1000


def _parse_duration(value: str) -> float:
    """Convert a duration such as ``7 d`` to seconds."""
    number = value.rstrip("sminhd ")
    return float(number) * Duration.units[value[len(number) :].strip()]


def _parse_proportion(value: float | str) -> float:
    """Convert a proportion such as ``16:9`` to a number."""
    if not isinstance(value, str):
        return float(value)
    across, _, down = value.partition(":")
    return int(across) / int(down)


def words_of(base: Any, marks: list[Any]) -> tuple[Any, ...]:
    """Return the words or numbers that a field can have.

    The result is empty if the field's type isn't a choice of a few values.
    """
    if get_origin(base) is Literal:
        return get_args(base)
    return next((mark.words for mark in marks if isinstance(mark, OneOf)), ())


def describe(base: Any, marks: list[Any]) -> str:
    """Return a description of the allowed values."""
    for mark in marks:
        match mark:
            case Range(low, high):
                kind = "a whole number" if base is int else "a number"
                return f"{kind} from {low:,g} to {high:,g}" if high < 1e6 else f"{kind} of at least {low:g}"
            case RangeOr(low, high, word):
                return f"a whole number from {low:,} to {high:,} or {word!r}"
            case Pattern(expected=expected) | Template(expected=expected) | Glob(expected=expected):
                return expected
            case Proportion(low, high):
                return f'a number from {low:g} to {high:,g} or a proportion such as "16:9"'
            case Duration():
                return 'a duration such as "30 s", "15 min", "6 h" or "7 d"'
            case Quantity(unit):
                return f"a whole number of at least 1, or a size such as {_EXAMPLES[unit]}"
    if words := words_of(base, marks):
        return f"one of {', '.join(map(repr, words))}"
    return {bool: "true or false", str: "a text", int: "a whole number", float: "a number"}[base]


def is_required(spec: Field[Any]) -> bool:
    """Return whether a dataclass's field has no default."""
    return spec.default is MISSING and spec.default_factory is MISSING

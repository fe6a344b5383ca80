"""Make frozen dataclasses quickly.

``@frozen`` makes the same class as ``@dataclass(frozen=True, slots=True)``, in a quarter of the time.
``dataclass`` compiles six methods for each class, and a function on Lambda makes some hundred classes at each
cold start. Here only ``__init__`` is compiled for each class. The other methods are closures over the names
of the fields. ``fields``, ``replace``, ``asdict`` and ``astuple`` of :mod:`dataclasses` work as usual.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from reprlib import recursive_repr
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")


class _Made:
    """The default of a parameter whose field has a ``default_factory``."""

    def __repr__(self) -> str:
        return "<factory>"


_MADE = _Made()


@overload
def frozen(cls: type[T]) -> type[T]: ...
@overload
def frozen(*, slots: bool = True, kw_only: bool = False) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T] | None = None, *, slots: bool = True, kw_only: bool = False) -> Any:
    """Make the class a frozen dataclass.

    Args:
        cls: The class with its annotated fields.
        slots: Whether the objects have slots. Turn it off for a class with a ``cached_property``.
        kw_only: Whether the fields are passed by name only.

    """

    def make(cls: type[T]) -> type[T]:
        made = dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(cls)
        own = vars(cls)
        for name, method in _make_methods(fields(made)).items():  # type: ignore[arg-type]
            if name not in own:
                setattr(made, name, method)
        return made

    return make if cls is None else make(cls)


def _make_methods(all_fields: tuple[Field[Any], ...]) -> dict[str, Callable[..., Any]]:
    """Return the methods of a class with these fields, by their names."""
    names = [each.name for each in all_fields]
    compared = _make_getter([each.name for each in all_fields if each.compare])
    shown = [each.name for each in all_fields if each.repr]

    def equal(self: object, other: object) -> bool:
        return (
            bool(compared(self) == compared(other)) if other.__class__ is self.__class__ else NotImplemented
        )

    @recursive_repr("...")
    def show(self: object) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    return {
        "__init__": _compile_init(all_fields),
        "__eq__": equal,
        "__hash__": lambda self: hash(compared(self)),
        "__repr__": show,
        "__setattr__": _refuse_to_set,
        "__delattr__": _refuse_to_delete,
        "__reduce__": lambda self: (_make_again, (type(self), {name: getattr(self, name) for name in names})),
    }


def _make_getter(names: list[str]) -> Callable[[object], object]:
    """Return a function that returns an object's attributes of these names."""
    return attrgetter(*names) if names else lambda _: ()


def _compile_init(all_fields: tuple[Field[Any], ...]) -> Callable[..., None]:
    """Return the ``__init__`` of these fields, as ``dataclass`` would make it."""
    names: dict[str, Any] = {"_set": object.__setattr__, "_MADE": _MADE}
    positional, by_name, body = ["self"], list[str](), list[str]()
    for each in all_fields:
        parameter = given = each.name
        if each.default is not MISSING:
            names[f"_default_{each.name}"] = each.default
            parameter += f"=_default_{each.name}"
        elif each.default_factory is not MISSING:
            names[f"_make_{each.name}"] = each.default_factory
            parameter += "=_MADE"
            given = f"_make_{each.name}() if {given} is _MADE else {given}"
        (by_name if each.kw_only else positional).append(parameter)
        body.append(f" _set(self, {each.name!r}, {given})\n")
    signature = ", ".join([*positional, *(["*", *by_name] if by_name else [])])
    exec(f"def __init__({signature}):\n{''.join(body) or ' pass'}", names)  # noqa: S102 - as dataclass does it
    init: Callable[..., None] = names["__init__"]
    init.__annotations__ = {each.name: each.type for each in all_fields} | {"return": None}
    return init


def _refuse_to_set(_: object, name: str, __: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_: object, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _make_again(cls: type[T], values: dict[str, Any]) -> T:
    """Return the object with these values, for ``copy`` and ``pickle``."""
    return cls(**values)

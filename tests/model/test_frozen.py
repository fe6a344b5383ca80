"""``frozen`` makes classes like those of ``dataclass(frozen=True)``."""

import copy
import dataclasses
import inspect
import pickle
import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

import renditions
from renditions.model.frozen import frozen

Decorator = Callable[[type], type]
DATACLASS: Decorator = dataclass(frozen=True, slots=True)
BY_NAME: Decorator = dataclass(frozen=True, slots=True, kw_only=True)


def make_size(decorator: Decorator) -> Any:
    class Size:
        """A size with fields of every kind."""

        width: int
        height: int = 4
        tags: list[str] = field(default_factory=list)
        note: str = field(default="", compare=False)
        secret: str = field(default="s", repr=False)

        def area(self) -> int:
            return self.width * self.height

    return decorator(Size)


def make_named(decorator: Decorator) -> Any:
    class Named:
        """Fields that are passed by name."""

        first: int = 1
        last: int

    return decorator(Named)


def make_base_and_child(decorator: Decorator) -> tuple[Any, Any]:
    class Base:
        """The parent."""

        a: int

    base: Any = decorator(Base)

    class Child(base):  # type: ignore[misc]
        """Adds a field."""

        b: int = 2

    return base, decorator(Child)


@frozen
class Point:
    """A class of this module, as ``pickle`` needs it."""

    x: int
    marks: tuple[str, ...] = ()


@frozen(slots=False)
class Counted:
    """A class with a cached property."""

    numbers: tuple[int, ...]

    @cached_property
    def total(self) -> int:
        return sum(self.numbers)


@frozen
class Nothing:
    """A class without fields."""


def pickle_and_load(made: object) -> object:
    return pickle.loads(pickle.dumps(made))  # noqa: S301 - its own bytes


OURS, THEIRS = make_size(frozen), make_size(DATACLASS)


def test_the_signature_is_that_of_a_dataclass() -> None:
    for ours, theirs in ((OURS, THEIRS), (make_named(frozen(kw_only=True)), make_named(BY_NAME))):
        assert str(inspect.signature(ours)) == str(inspect.signature(theirs))
        assert ours.__match_args__ == theirs.__match_args__


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"width": 1}, {"width": 1}),
        ({"width": 1}, {"width": 2}),
        ({"width": 1, "note": "a"}, {"width": 1, "note": "b"}),
        ({"width": 1, "tags": ["a"]}, {"width": 1, "tags": ["a"]}),
        ({"width": 1, "secret": "a"}, {"width": 1, "secret": "b"}),
    ],
)
def test_objects_are_equal_where_those_of_a_dataclass_are(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    assert (OURS(**first) == OURS(**second)) is (THEIRS(**first) == THEIRS(**second))
    assert (OURS(**first) != OURS(**second)) is (THEIRS(**first) != THEIRS(**second))


def test_an_object_never_equals_one_of_another_class() -> None:
    base, child = make_base_and_child(frozen)

    tupled: object = (1, ())
    assert Point(1) != tupled
    assert OURS(1) != THEIRS(1)
    assert base(1) != child(1)


def test_the_representation_is_that_of_a_dataclass() -> None:
    assert repr(OURS(1, tags=["a"])) == repr(THEIRS(1, tags=["a"])).replace("DATACLASS", "frozen")
    assert repr(Nothing()) == "Nothing()"


def test_equal_objects_have_one_hash() -> None:
    assert len({Point(1, ("a",)), Point(1, ("a",)), Point(2)}) == 2
    assert len({Nothing(), Nothing()}) == 1


def test_an_object_with_a_list_has_no_hash() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(OURS(1))


def test_each_object_gets_a_list_of_its_own() -> None:
    first, second = OURS(1), OURS(1)
    first.tags.append("a")

    assert second.tags == []


@pytest.mark.parametrize("made", [OURS(1), Counted((1, 2))])
def test_a_field_can_be_neither_set_nor_deleted(made: Any) -> None:
    name = dataclasses.fields(made)[0].name

    with pytest.raises(FrozenInstanceError, match=f"cannot assign to field '{name}'"):
        setattr(made, name, 3)
    with pytest.raises(FrozenInstanceError, match=f"cannot delete field '{name}'"):
        delattr(made, name)
    with pytest.raises(FrozenInstanceError):
        made.other = 3


def test_objects_have_slots_unless_declared_otherwise() -> None:
    assert not hasattr(Point(1), "__dict__")
    assert Counted((1, 2)).total == 3


def test_wrong_arguments_are_refused() -> None:
    for arguments in ({}, {"width": 1, "depth": 2}):
        with pytest.raises(TypeError):
            OURS(**arguments)
    with pytest.raises(TypeError):
        make_named(frozen(kw_only=True))(1, 2)


def test_a_child_has_its_parents_fields_too() -> None:
    _, child = make_base_and_child(frozen)

    assert repr(child(1)).endswith("Child(a=1, b=2)")
    assert child(1) == child(1, 2)


def test_the_functions_of_dataclasses_take_an_object() -> None:
    made = OURS(1, tags=["a"])

    assert dataclasses.replace(made, width=2) == OURS(2, tags=["a"])
    assert dataclasses.asdict(made) == dataclasses.asdict(THEIRS(1, tags=["a"]))
    assert dataclasses.astuple(made) == (1, 4, ["a"], "", "s")


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, pickle_and_load])
@pytest.mark.parametrize("made", [Point(1, ("a",)), Counted((1, 2)), Nothing()])
def test_an_object_survives_copy_and_pickle(again: Callable[[Any], Any], made: object) -> None:
    assert again(made) == made
    assert type(again(made)) is type(made)


def test_a_deep_copy_shares_nothing_that_changes() -> None:
    made = OURS(1, tags=["a"])
    copy.deepcopy(made).tags.append("b")

    assert made.tags == ["a"]


def test_a_class_keeps_its_own_methods() -> None:
    @frozen
    class Word:
        text: str

        def __repr__(self) -> str:
            return f"<{self.text}>"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Word) and self.text.lower() == other.text.lower()

        def __hash__(self) -> int:
            return hash(self.text.lower())

    assert repr(Word("a")) == "<a>"
    assert Word("a") == Word("A")


def test_no_other_module_makes_frozen_dataclasses_itself() -> None:
    """``errors`` is below ``model``, so it can't import ``frozen``."""
    pattern = re.compile(r"^ *@dataclass\(.*frozen=True", re.MULTILINE)
    package = Path(renditions.__file__).parent
    own = {package / "errors.py", package / "model" / "frozen.py"}
    found = [
        str(file.relative_to(package))
        for file in package.rglob("*.py")
        if file not in own and pattern.search(file.read_text("utf-8"))
    ]

    assert found == []

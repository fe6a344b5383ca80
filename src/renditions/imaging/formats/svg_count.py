"""Count the elements that a drawing draws.

Each element counts once, and once more for each reference to it or to an element around it. References are
``use``, ``feImage``, the templates of patterns, and ``url(#id)`` in attributes and style sheets. A style
sheet's reference counts once for each element that its selector can match.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from renditions.errors import NotAccepted

MAX_ELEMENTS = 100_000
"""How many elements may be drawn. librsvg needs about ten seconds for this many."""
MAX_EXPANDED = 1_000_000
"""How many characters entities may add to a drawing."""
TOO_EXPANDED = f"the drawing's entities add more than {MAX_EXPANDED:,} characters"
MAX_DEPTH = 200
"""How deep elements and references may be nested. librsvg's parser allows more."""
SIMPLIFY = "Simplify the drawing"


class Budget:
    """What a drawing, together with the drawings that it embeds, may still have."""

    def __init__(self) -> None:
        self._elements = MAX_ELEMENTS
        self._characters = MAX_EXPANDED

    def add_file(self, content: bytes) -> None:
        """Allow the characters of a drawing's file; the others come from entities."""
        self._characters += len(content)

    def take_element(self, attributes: Mapping[str, str]) -> None:
        """Count an element; raise ``NotAccepted`` if it is one too many."""
        self._elements -= 1
        if self._elements < 0:
            raise NotAccepted(f"the drawing has more than {MAX_ELEMENTS:,} elements", SIMPLIFY)
        for value in attributes.values():
            self.take_text(value)

    def take_text(self, text: str) -> None:
        """Count the characters of a text; raise ``NotAccepted`` if they are too many."""
        self._characters -= len(text)
        if self._characters < 0:
            raise NotAccepted(TOO_EXPANDED, SIMPLIFY)


@dataclass(slots=True, eq=False)
class _Part:
    """An element with all its children."""

    outer: _Part | None
    selectors: tuple[str, ...] = ()
    """The parts of selectors that match the element: ``*``, its name, its classes and its id."""
    elements: int = 1
    references: Counter[str] = field(default_factory=Counter)
    """How often the element refers to each id, or follows each rule of a style sheet."""


class _Drawn(NamedTuple):
    """The elements that librsvg draws for one reference."""

    elements: int
    depth: int
    """How deep the references of these elements are nested."""
    is_fixed: bool
    """Whether ``elements`` is the same for every place of the reference."""


class References:
    """The elements of a document and their references, in the document's order."""

    def __init__(self) -> None:
        self._root = _Part(None, elements=0)
        self._last = self._root
        self._all: list[_Part] = []
        self._by_id: dict[str, _Part] = {}
        self._rules: dict[str, _Part] = {}
        """For each selector, the references of its rules."""
        self._drawn: dict[str, _Drawn] = {}
        self._steps = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Add an element within the last one that hasn't ended."""
        own_id = attributes.get("id")
        classes = (f".{each}" for each in attributes.get("class", "").split())
        selectors = ("*", name, *classes, *((f"#{own_id}",) if own_id else ()))
        self._last = _Part(self._last, selectors)
        self._all.append(self._last)
        if own_id:
            self._by_id.setdefault(own_id, self._last)

    def end(self) -> None:
        """End the last element that hasn't ended."""
        assert self._last.outer is not None  # noqa: S101 - the XML is well-formed
        self._last = self._last.outer

    def refer(self, ids: Iterable[str]) -> None:
        """Add references of the last open element, each as often as it occurs."""
        self._last.references.update(ids)

    def add_drawn(self, elements: int) -> None:
        """Count the elements of a drawing that the last open element embeds."""
        self._last.elements += elements

    def add_rule(self, selector: str, ids: Counter[str]) -> None:
        """Add a rule of a style sheet."""
        rule = self._rules.setdefault(selector, _Part(None, elements=0))
        rule.references.update(ids)

    def check(self) -> int:
        """Return how many elements are drawn.

        Raise ``NotAccepted`` if the drawing is too complex: if it draws too many elements, or if its
        references are nested too deeply or form a circle. A circle that a style sheet closes is allowed.
        Call this method only once, after the last element: it changes the counts.
        """
        rules = {_rule(selector): part for selector, part in self._rules.items()}
        for part in reversed(self._all):
            if rules:
                part.references.update(_rule(each) for each in part.selectors if each in self._rules)
            assert part.outer is not None  # noqa: S101 - only the root has none
            part.outer.elements += part.elements
            part.outer.references.update(part.references)
        self._by_id |= rules
        return self._count(self._root, ()).elements

    def _count(self, part: _Part, within: tuple[str, ...]) -> _Drawn:
        """Count the elements that librsvg draws for this part.

        The count includes the elements that the part refers to. A style sheet often closes a circle, because
        it also matches the elements that it refers to. librsvg cuts such a circle, so the drawn elements
        depend on where the circle begins.
        """
        self._steps += 1
        total, depth, is_fixed = part.elements, 0, True
        for target, times in part.references.items():
            if target in within:
                self._check_circle(target, within)
                is_fixed = False
            elif target in self._by_id:
                drawn = self._drawn.get(target)
                if drawn is None:
                    _check_depth(len(within))
                    drawn = self._count(self._by_id[target], (*within, target))
                if drawn.is_fixed:
                    self._drawn[target] = drawn
                total += times * drawn.elements
                depth = max(depth, drawn.depth + 1)
                is_fixed = is_fixed and drawn.is_fixed
        _check_depth(depth)
        found = max(total, self._steps)
        if found > MAX_ELEMENTS:
            raise NotAccepted(
                f"the drawing draws {found:,} elements (each reference counts as what it draws), more than "
                f"the {MAX_ELEMENTS:,} that are allowed. {SIMPLIFY}"
            )
        return _Drawn(total, depth, is_fixed)

    def _check_circle(self, target: str, within: tuple[str, ...]) -> None:
        """Raise ``NotAccepted`` unless a style sheet closes the circle."""
        circle = within[within.index(target) :]
        if not any(each.startswith(_RULE) for each in circle):
            raise NotAccepted(
                f"the drawing's references form a circle at {target[:100]!r}. Remove one of these references"
            )


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise NotAccepted(f"the drawing's references are nested more than {MAX_DEPTH} deep. {SIMPLIFY}")


_RULE = "\0"
"""The start of a rule's name. No id can start with it."""


def _rule(selector: str) -> str:
    return _RULE + selector

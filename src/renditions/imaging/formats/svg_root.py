"""Find the size and transform of a drawing's first element, as browsers do.

Attributes, the ``style`` attribute and style sheets can declare them (CSS Cascade 4, 6). librsvg knows no CSS
variables, and applies a transform in another way than browsers, see :mod:`.svg_transform`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from renditions.imaging.formats.svg_size import own_size, with_size
from renditions.imaging.formats.svg_style import rules_of, unsupported_in_attribute, with_values
from renditions.imaging.formats.svg_transform import ORIGIN, TRANSFORM, take_transform

_SIZES = ("width", "height")
_HANDLED = (*_SIZES, TRANSFORM, ORIGIN)
_DECLARATION = re.compile(
    rf"(?:(?<=;)|^)\s*+(--[\w-]++|{'|'.join(_HANDLED)})\s*+:([^;]*+)(?:;|$)", re.IGNORECASE
)
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_SIMPLE = re.compile(r"[.#:]?[\w-]+|\*")
_MARK = "data-root"
"""An attribute for the rule that overrides the drawing's own style sheets."""
_Priority = tuple[bool, bool, int, int, int]
"""Whether a declaration is important, whether it stands in ``style``, and its selector's specificity."""
_IN_STYLE = (True, 0, 0, 0)


class Frame(NamedTuple):
    """The first element for librsvg, and what surrounds its content."""

    before: str
    attributes: dict[str, str]
    inside: str
    """What comes first in the element."""
    after: str


class Root:
    """The first element of a drawing."""

    def __init__(self, attributes: Mapping[str, str]) -> None:
        self._own = {name: text for name, text in attributes.items() if name in _HANDLED}
        self.others = {name: text for name, text in attributes.items() if name not in _HANDLED}
        """The attributes without what this class handles."""
        classes = (f".{each}" for each in attributes.get("class", "").split())
        self.selectors = (":root", "*", "svg", *classes, f"#{attributes.get('id')}")
        """The simple selectors that match the element."""
        self._declared: dict[str, tuple[_Priority, str]] = {}
        self._is_in_sheet = False
        if "style" in attributes:
            style = _COMMENT.sub("", attributes["style"])
            self._declare(style, _IN_STYLE)
            self.others["style"] = _DECLARATION.sub(_without_handled, style)

    def add_sheet(self, text: str) -> None:
        """Add the declarations of a style sheet."""
        for prelude, body, is_default in rules_of(text):
            if is_default and _DECLARATION.search(body):
                for selector in prelude.split(","):
                    if specificity := self._match(selector.strip()):
                        self._is_in_sheet |= self._declare(body, (False, *specificity))

    def unsupported(self) -> Iterator[str]:
        """Yield a warning for each declaration that is ignored."""
        for name, text in self._values().items():
            if name != ORIGIN:
                yield from unsupported_in_attribute(name, text)

    def frame(self, others: Mapping[str, str]) -> Frame:
        """Return the element for librsvg, with the attributes ``others``.

        Raises:
            NotAccepted: A number in the drawing's size is too large.
        """
        values = self._values()
        sizes = {name: text for name, text in values.items() if name in _SIZES}
        attributes = with_size({**others, **self._own}, sizes)
        before, after, mark = "", "", {_MARK: ""} if self._is_in_sheet else {}
        if TRANSFORM in attributes or TRANSFORM in values:
            attributes, before, after = take_transform(attributes, values, mark)
        if not mark:
            return Frame(before, attributes, "", after)
        width, height = own_size(attributes)
        rule = (
            f'<style xmlns="http://www.w3.org/2000/svg">[{_MARK}]{{width:{width:.9g}px!important;'
            f"height:{height:.9g}px!important;transform:none!important}}</style>"
        )
        return Frame(before, attributes | mark, rule, after)

    def _match(self, selector: str) -> tuple[int, int, int] | None:
        """Return the specificity of a selector that matches the element.

        It is the numbers of ids, of classes and of names. Return None for other selectors, and for
        combinations that this class doesn't know.
        """
        parts = _SIMPLE.findall(selector)
        if "".join(parts) != selector or not parts or not all(part in self.selectors for part in parts):
            return None
        kinds = [part[0] for part in parts]
        classes = kinds.count(".") + kinds.count(":")
        return kinds.count("#"), classes, len(kinds) - kinds.count("#") - classes - kinds.count("*")

    def _declare(self, body: str, where: tuple[bool, int, int, int]) -> bool:
        """Take the declarations of the handled properties and of variables.

        Return whether there are any of the properties.
        """
        found = False
        for written, text in _DECLARATION.findall(body):
            name = written if written.startswith("--") else written.lower()
            value, mark, rest = text.rpartition("!")
            is_important = bool(mark) and rest.strip().lower() == "important"
            priority = (is_important, *where)
            if name not in self._declared or priority >= self._declared[name][0]:
                self._declared[name] = priority, (value if is_important else text).strip()
            found = found or name in _HANDLED
        return found

    def _values(self) -> dict[str, str]:
        """Return the values of the handled properties, with variables replaced."""
        declared = {name: text for name, (_, text) in self._declared.items()}
        return {name: with_values(declared[name], declared) for name in _HANDLED if name in declared}


def _without_handled(match: re.Match[str]) -> str:
    return match[0] if match[1].startswith("--") else ";"

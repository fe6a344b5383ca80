"""Read a drawing's style sheets: drop outside references, find references within.

The grammar is CSS Syntax 3, as far as references need it. If this module misses an outside reference, librsvg
can't load it either, because it has no base URL. The regular expressions are written so that the time is
proportional to the length of the text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator

_STRING = r"\"[^\"]*+\"?|'[^']*+'?"
_URL = re.compile(rf"url\(\s*+({_STRING}|[^)\"']*+)\s*+\)?", re.IGNORECASE)
_IMPORT = re.compile(rf"@import\s*+((?:{_URL.pattern}|{_STRING})?)[^;{{}}]*+;?", re.IGNORECASE)
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_COMBINATOR = re.compile(r"[\s>+~]+")
_SIMPLE = re.compile(r"[.#]?[\w-]+|\*")
_VARIABLE = re.compile(r"(?<![\w-])var\(\s*+(--[\w-]++)")
_BACKGROUND = re.compile(r"(?:(?<=;)|^)\s*+background(?:-color)?\s*+:([^;]*+)", re.IGNORECASE)
_MOST_BACKGROUNDS = 8
"""How many of the last declared backgrounds are tried. Each costs two small drawings."""
_COLOUR = re.compile(r"[#\w%.,()/\s-]{1,100}")
_TWO_SCHEMES = "light-dark("
"""Programs that write this also write a plain attribute beside the style, which librsvg then uses."""
_NOWHERE = "url(#-outside-)"
"""The replacement of an outside reference. It refers to an element that doesn't exist."""


def without_outside(text: str, drop: Callable[[str], None]) -> str:
    """Return the CSS without outside references; call ``drop`` with each of them."""

    def replace_import(match: re.Match[str]) -> str:
        drop(_unquoted(_URL.sub(r"\1", match[1])) or "@import")
        return ""

    def replace_url(match: re.Match[str]) -> str:
        target = _unquoted(match[1])
        if not target or target.startswith("#") or target[:5].lower() == "data:":
            return match[0]
        drop(target)
        return _NOWHERE

    if "@" in text:
        text = _IMPORT.sub(replace_import, text)
    return _URL.sub(replace_url, text) if "(" in text else text


def variables_in(text: str) -> list[str]:
    """Return the names of the CSS variables that decide how something is drawn.

    librsvg ignores a declaration with such a variable (CSS Custom Properties 1). The result is empty for a
    text with ``light-dark(``, see ``_TWO_SCHEMES``.
    """
    return [] if _TWO_SCHEMES in text else _VARIABLE.findall(text)


def backgrounds_in(style: str) -> tuple[str, ...]:
    """Return the colours that a ``style`` attribute declares for the background.

    The last one comes first. Only the last few are returned. The caller must check whether each is a colour.
    """
    values = (value.partition("!")[0].strip() for value in _BACKGROUND.findall(style))
    return tuple(value for value in values if _COLOUR.fullmatch(value))[: -_MOST_BACKGROUNDS - 1 : -1]


def references_in(text: str) -> Counter[str]:
    """Return how often the text refers to each id with ``url(#id)``."""
    targets = (_unquoted(target) for target in _URL.findall(text))
    return Counter(target[1:] for target in targets if target.startswith("#"))


def rules_in(text: str) -> Iterator[tuple[str, Counter[str]]]:
    """Yield each selector with the ids that its rule refers to.

    Only one part of a selector counts, the one that matches the fewest elements: a class, an id, a name or
    ``*``.
    """
    for rule in _COMMENT.sub("", text).split("}"):
        before, _, body = rule.rpartition("{")
        if references := references_in(body):
            for selector in before.rpartition("{")[2].split(","):
                last = _COMBINATOR.split(selector.strip())[-1]
                # An attribute or a pseudo-class alone counts for all elements.
                simple = _SIMPLE.findall(last) if _SIMPLE.match(last) else []
                yield max(simple, key=_rank, default="*"), references


def _rank(simple: str) -> int:
    return {"#": 3, ".": 2, "*": 0}.get(simple[0], 1)


def _unquoted(target: str) -> str:
    return target.strip("\"' \t\r\n")

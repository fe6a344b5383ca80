"""Read a drawing's CSS: its references, and what librsvg ignores.

This module drops references to the outside, and finds those within the drawing.

The grammar is CSS Syntax 3, as far as references need it. If this module misses an outside reference, librsvg
can't load it either, because it has no base URL. The regular expressions are written so that the time is
proportional to the length of the text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping

from renditions.imaging.formats.svg_unsupported import ANIMATED

_STRING = r"\"[^\"]*+\"?|'[^']*+'?"
_URL = re.compile(rf"url\(\s*+({_STRING}|[^)\"']*+)\s*+\)?", re.IGNORECASE)
_IMPORT = re.compile(rf"@import\s*+((?:{_URL.pattern}|{_STRING})?)[^;{{}}]*+;?", re.IGNORECASE)
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_COMBINATOR = re.compile(r"[\s>+~]+")
_SIMPLE = re.compile(r"[.#]?[\w-]+|\*")
_UNSUPPORTED = {
    text: re.compile(pattern, re.IGNORECASE)
    for text, pattern in {
        "the CSS variable {} isn't supported, so default values replace it": (
            r"(?<![\w-])var\(\s*+(--[\w-]++)"
        ),
        "the CSS function {}() isn't supported, so its declaration is ignored": (
            r"(?<![\w-])(calc|min|max|clamp|lab|lch|oklab|oklch|color|color-mix"
            r"|(?:repeating-)?(?:linear|radial|conic)-gradient|circle|ellipse|inset|polygon|path"
            r"|(?:translate|scale|rotate|matrix)3d|(?:translate|scale|rotate)z|rotate[xy]|perspective)"
            r"\((?!\s*+0(?:px)?\s*+(?:,\s*+0(?:px)?\s*+)*+\))"  # programs write translateZ(0) for speed
        ),
        "percentages in the CSS function {}() aren't supported, so its declaration is ignored": (
            r"(?<![\w-])(translate[xy]?)\([^)%]*+(?<=[\d.])%"
        ),
        "the CSS unit {} isn't supported, so its declaration is ignored": (
            r"(?<![\w.#-])[+-]?[\d.]++(rem|[sld]?v(?:[wh]|min|max))\b"
        ),
        "the CSS property {} isn't supported, so it is ignored": (
            r"(?:^|;)\s*+(translate|rotate|scale|transform-origin|transform-box|offset-path"
            r"|alignment-baseline)\s*+:(?!\s*+(?:none|auto|alphabetic|baseline|inherit)\b)"
        ),
        ANIMATED: (
            r"(?:^|;)\s*+((?:-webkit-)?animation(?:-name)?)\s*+:(?!\s*+(?:none|inherit|initial|unset)\b)"
        ),
        "CSS rules with {} aren't supported, so they are ignored": (
            r"(@(?:media|supports|layer|container|scope))\b|(?<!:)(:(?:is|where|has))\("
        ),
    }.items()
}
"""The CSS that browsers apply and librsvg ignores: a pattern for each text of a warning.

The pattern's group that matches is the name for the ``{}`` in the text.
"""
_NO_DECLARATIONS = ("d", "points", "id", "class", "rotate", "scale", "translate")
"""The attributes of SVG that aren't CSS, although their names or values may look like it."""
_OTHER_TIMES = re.compile(
    r"@media\b.*\b(?:dark|print|reduce)\b|@(?:-\w++-)?keyframes\b", re.IGNORECASE | re.DOTALL
)
"""Matches rules that browsers don't apply by default, and the steps of animations."""
_INTERACTIVE = re.compile(r":(?:active|focus|hover|target|visited)\b", re.IGNORECASE)
"""Matches a selector that matches nothing until a person acts."""
_TRANSFORM = re.compile(r"(?:^|;)\s*+transform\s*+:", re.IGNORECASE)
_ORIGIN = re.compile(r"(?:^|;)\s*+transform-(?:origin|box)\s*+:[^;]*+", re.IGNORECASE)
NO_COLOURS = ("none", "transparent", "initial", "inherit", "unset")
_BACKGROUND = re.compile(r"(?:(?<=;)|^)\s*+background(?:-color)?\s*+:([^;]*+)", re.IGNORECASE)
_MOST_BACKGROUNDS = 8
"""How many of the last declared backgrounds are tried. Each costs two small drawings."""
_COLOUR = re.compile(r"[#\w%.,()/\s-]{1,100}")
_DECLARED = re.compile(rb"(--[\w\x80-\xff-]++)\s*+:")
_VARIABLE = re.compile(r"(?<![\w-])var\(\s*+(--[\w-]++)\s*+(?:,((?:[^()]|\([^()]*+\))*+))?\)", re.IGNORECASE)
_MOST_NESTED = 8
"""How deep values of variables may be nested."""
_MOST_CHARACTERS = 1000
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


def variables_in(content: bytes) -> frozenset[str]:
    """Return the names of the CSS variables that a document may declare."""
    # In UTF-16, a NUL stands beside each ASCII character.
    names = _DECLARED.findall(content.replace(b"\0", b""))
    return frozenset(name.decode(errors="replace") for name in names)


def with_defaults(text: str, declared: Container[str]) -> str:
    """Return the CSS with the default value of each variable that isn't declared.

    A page may set such a variable in a drawing that it contains. In a drawing alone, browsers take the
    default value, and ignore a declaration without one.
    """

    def replace(match: re.Match[str]) -> str:
        return match[0] if match[1] in declared else (match[2] or "").strip()

    for _ in range(_MOST_NESTED if "--" in text else 0):
        text = _VARIABLE.sub(replace, text)
    return text


def with_values(text: str, values: Mapping[str, str]) -> str:
    """Return the CSS with the value of each variable, or with its default value.

    Return an empty text if the result would be very long.
    """
    for _ in range(_MOST_NESTED if "--" in text else 0):
        if len(text) > _MOST_CHARACTERS:
            return ""
        text = _VARIABLE.sub(lambda match: values.get(match[1], match[2] or "")[:_MOST_CHARACTERS], text)
    return text.strip()


def unsupported_in_attribute(name: str, value: str) -> Iterator[str]:
    """Yield a warning for each part of an attribute's CSS that librsvg ignores."""
    if name == "style":
        yield from _unsupported_in(value)
    elif name not in _NO_DECLARATIONS and ":" not in name and not name.startswith(("data-", "aria-")):
        yield from _unsupported_in(f"{name}:{value}")


def unsupported_in_sheet(text: str, root: Container[str]) -> Iterator[str]:
    """Yield a warning for each part of a style sheet that librsvg ignores.

    ``root`` has the simple selectors that match the drawing's first element.
    """
    for prelude, body, is_default in rules_of(text):
        if not is_default or all(map(_INTERACTIVE.search, prelude.split(","))):
            continue
        yield from _unsupported_in(prelude)
        yield from _unsupported_in(body)
        values = set(backgrounds_in(body)).difference(NO_COLOURS)
        if values and any(selector.strip() in root for selector in prelude.split(",")):
            yield (
                "a background in a style sheet is ignored. To draw it, declare it in the style attribute of "
                "the first element"
            )


def _unsupported_in(text: str) -> Iterator[str]:
    """Yield a warning for each part of a CSS text that librsvg ignores.

    A text with ``light-dark(`` gets no warning, see ``_TWO_SCHEMES``. The origin of an animation's transforms
    gets none, because the drawing is drawn without its animations.
    """
    if _TWO_SCHEMES in text:
        return
    if "animation" in text and not _TRANSFORM.search(text):
        text = _ORIGIN.sub("", text)
    text = _URL.sub("", text) if "(" in text else text
    for warning, pattern in _UNSUPPORTED.items():
        for match in pattern.finditer(text):
            yield warning.format((match[1] or match[match.lastindex or 0])[:100])


def backgrounds_in(style: str) -> tuple[str, ...]:
    """Return the declared backgrounds that may be colours, the last one first.

    ``style`` is a ``style`` attribute or the body of a rule. At most the last ``_MOST_BACKGROUNDS`` are
    returned. Only their characters were checked, so the caller must check whether each is a colour.
    """
    values = (value.partition("!")[0].strip() for value in _BACKGROUND.findall(style))
    return tuple(value for value in values if _COLOUR.fullmatch(value))[: -_MOST_BACKGROUNDS - 1 : -1]


def references_in(text: str) -> Counter[str]:
    """Return how often the text refers to each id with ``url(#id)``."""
    targets = (_unquoted(target) for target in _URL.findall(text))
    return Counter(target[1:] for target in targets if target.startswith("#"))


def rules_in(text: str) -> Iterator[tuple[str, Counter[str]]]:
    """Yield the selectors of rules that refer to ids, with the count of each id.

    Only one part of a selector is yielded: of the id, the classes, the name and ``*`` that its last element
    has, the one that matches the fewest elements.
    """
    for prelude, body, _ in rules_of(text):
        if references := references_in(body):
            for selector in prelude.split(","):
                last = _COMBINATOR.split(selector.strip())[-1]
                # An attribute or a pseudo-class alone counts for all elements.
                simple = _SIMPLE.findall(last) if _SIMPLE.match(last) else []
                yield max(simple, key=_rank, default="*"), references


def rules_of(text: str) -> Iterator[tuple[str, str, bool]]:
    """Yield each rule's prelude and body, and whether browsers apply it by default.

    The prelude is the text before the body, such as selectors. The body of a rule around others is the text
    after them.
    """
    open_rules: list[tuple[str, bool]] = []
    for piece in _COMMENT.sub("", text).split("}"):
        *preludes, body = piece.split("{")
        for prelude in preludes:
            is_default = not open_rules or open_rules[-1][1]
            own = prelude.rpartition(";")[2]
            open_rules.append((own, is_default and not _OTHER_TIMES.match(own.strip())))
        if open_rules:
            prelude, is_default = open_rules.pop()
            yield prelude, body, is_default


def _rank(simple: str) -> int:
    return {"#": 3, ".": 2, "*": 0}.get(simple[0], 1)


def _unquoted(target: str) -> str:
    return target.strip("\"' \t\r\n")

"""Find what librsvg doesn't draw of a drawing, and what it ignores in texts.

The sources are SVG 2, chapter 11, and SVG Animations 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_PLACES = ("x", "y", "dx", "dy", "rotate")
"""The attributes of a text with a number for each letter. librsvg reads one number."""
_ANIMATIONS = ("animate", "animateColor", "animateMotion", "animateTransform", "set")
_BY_HAND = re.compile(
    r"\s*(?:indefinite|(?:[\w-]+\.)?(?:accesskey|activate|click|dblclick|focus|key|mouse|pointer|touch))",
    re.IGNORECASE,
)
"""Matches the beginning of an animation that only a person or a script starts."""
ANIMATED = "animations are left out"


def unsupported_in_element(local: str, attributes: Mapping[str, str], *, is_text: bool) -> Iterator[str]:
    """Yield a warning for each part of an element that librsvg ignores."""
    if is_text:
        yield from _unsupported_in_text(local, attributes)
    if local in _ANIMATIONS and not all(map(_BY_HAND.match, attributes.get("begin", "0").split(";"))):
        yield ANIMATED


def _unsupported_in_text(local: str, attributes: Mapping[str, str]) -> Iterator[str]:
    if local == "textPath":
        yield "text along a path (textPath) is left out"
    if "textLength" in attributes:
        yield "the length of a text (textLength) is ignored"
    if any(len(attributes.get(each, "").replace(",", " ").split()) > 1 for each in _PLACES):
        yield (
            "single letters aren't placed: only the first number in x, y, dx, dy or rotate of a text is used"
        )

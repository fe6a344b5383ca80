"""Apply the transform of a drawing's first element as browsers do.

Browsers transform the first element like a box of CSS: around its centre, in CSS pixels (SVG 2, 8.5 and CSS
Transforms 1). librsvg transforms it around the upper left corner, in pixels of the output.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import quoteattr

from renditions.imaging.formats.svg_size import own_size, to_pixels

TRANSFORM, ORIGIN = "transform", "transform-origin"
_LEFT_OUT = (TRANSFORM, ORIGIN, "x", "y")
"""The attributes that this module applies, and those that browsers ignore in a first element."""
_SIDES = {"left": 0.0, "top": 0.0, "center": 0.5, "right": 1.0, "bottom": 1.0}
"""The keywords of an origin as shares of the box."""


def take_transform(
    attributes: Mapping[str, str], styled: Mapping[str, str], mark: Mapping[str, str]
) -> tuple[dict[str, str], str, str]:
    """Return the first element without its transform, and what surrounds it.

    The first value has the element's attributes. The others are the start and the end of an outer drawing of
    the same size, with the transform in a group.

    Args:
        attributes: The attributes of the first element, with a size that librsvg can scale.
        styled: The transform and its origin in CSS, which override the attributes.
        mark: Further attributes of the outer drawing.

    """
    width, height = own_size(attributes)
    across, down = _find_origin(styled.get(ORIGIN, attributes.get(ORIGIN, "")), width, height)
    applied = {"style": f"transform:{styled[TRANSFORM]}"} if TRANSFORM in styled else {}
    applied = applied or {TRANSFORM: attributes[TRANSFORM]}
    kept = {name: text for name, text in attributes.items() if name not in _LEFT_OUT}
    own = {"width": f"{width:.9g}", "height": f"{height:.9g}", "viewBox": f"0 0 {width:.9g} {height:.9g}"}
    before = (
        f'<svg xmlns="http://www.w3.org/2000/svg"{_spell({**own, **mark})}>'
        f'<g transform="translate({across:.9g} {down:.9g})"><g{_spell(applied)}>'
        f'<g transform="translate({-across:.9g} {-down:.9g})">'
    )
    return kept, before, "</g></g></g></svg>"


def _spell(attributes: Mapping[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())


def _find_origin(text: str, width: float, height: float) -> tuple[float, float]:
    """Return the point of a ``transform-origin`` (CSS Transforms 1, 6).

    Return the centre if it isn't valid.
    """
    words = [*text.lower().split(), "center", "center"][:2] if text.strip() else ["center", "center"]
    if words[0] in ("top", "bottom") or words[1] in ("left", "right"):
        words.reverse()
    across, down = _to_length(words[0], width), _to_length(words[1], height)
    return (width / 2, height / 2) if across is None or down is None else (across, down)


def _to_length(word: str, side: float) -> float | None:
    if word in _SIDES:
        return _SIDES[word] * side
    if word.endswith("%"):
        share = to_pixels(word[:-1])
        return None if share is None else share / 100 * side
    return to_pixels(word)

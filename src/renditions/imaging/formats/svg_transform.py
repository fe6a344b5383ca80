"""Apply the transform of a drawing's first element as browsers do.

Browsers transform the first element like a box of CSS: around its centre, in CSS pixels (SVG 2, 8.5 and CSS
Transforms 1). librsvg transforms it around the upper left corner, in pixels of the output.
"""

from __future__ import annotations

import re
from xml.sax.saxutils import quoteattr

from renditions.imaging.formats.svg_size import own_size

_STYLED = re.compile(r"(?:(?<=;)|^)\s*(transform(?:-origin)?)\s*:([^;]*)(?:;|$)", re.IGNORECASE)
_CENTRES = ("", "center", "center center", "50%", "50% 50%")
"""The values of ``transform-origin`` that mean the box's centre."""
_LEFT_OUT = ("transform", "transform-origin", "x", "y")
"""The attributes that this module applies, and those that browsers ignore in a first element."""


def take_transform(attributes: dict[str, str]) -> tuple[dict[str, str], str, str]:
    """Return the first element without its transform, and what surrounds it.

    The first value has the element's attributes. The others are the start and the end of an outer drawing of
    the same size, with the transform in a group. If there is no transform, or one around another point than
    the centre, the attributes are unchanged, and the other values are empty.

    Args:
        attributes: The attributes of the first element, with a size that librsvg can scale.

    """
    styled = {name.lower(): value.strip() for name, value in _STYLED.findall(attributes.get("style", ""))}
    origin = styled.get("transform-origin", attributes.get("transform-origin", "")).strip()
    applied = {"style": f"transform:{styled['transform']}"} if "transform" in styled else {}
    if not applied and "transform" in attributes:
        applied = {"transform": attributes["transform"]}
    if not applied or origin not in _CENTRES:
        return attributes, "", ""
    kept = {name: text for name, text in attributes.items() if name not in _LEFT_OUT}
    if styled:
        kept["style"] = _STYLED.sub(";", attributes["style"])
    width, height = own_size(attributes)
    ((name, value),) = applied.items()
    before = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.9g}" height="{height:.9g}" '
        f'viewBox="0 0 {width:.9g} {height:.9g}"><g transform="translate({width / 2:.9g} {height / 2:.9g})">'
        f'<g {name}={quoteattr(value)}><g transform="translate({-width / 2:.9g} {-height / 2:.9g})">'
    )
    return kept, before, "</g></g></g></svg>"

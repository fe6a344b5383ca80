"""Find the size of a drawing as CSS does (CSS Images 3, SVG 2)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from renditions.errors import NotAccepted

_MAX_LENGTH = 1_000_000
"""The largest absolute value of a number in the root's size. Far larger numbers overflow in librsvg."""
_DEFAULTS = {"width": 300.0, "height": 150.0}
"""The size in CSS pixels of a drawing that declares no size (CSS 2.2, 10.3.2 and 10.6.2)."""
_PIXELS = {
    "": 1.0, "px": 1.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, "q": 96 / 101.6, "pt": 96 / 72,
    "pc": 16.0, "em": 16.0, "rem": 16.0, "ex": 8.0, "ch": 8.0,
}  # fmt: skip
"""The CSS pixels in each unit, with the browsers' font size of 16 pixels."""
_UNKNOWN_UNITS = ("rem", "q")
"""The units that librsvg doesn't know."""
_NUMBER = re.compile(r"[-+]?(?:\d++\.?+\d*+|\.\d++)(?:e[-+]?\d++)?", re.IGNORECASE)
_LENGTH = re.compile(rf"({_NUMBER.pattern})\s*([a-z]*)", re.IGNORECASE)


def with_size(attributes: dict[str, str], styled: Mapping[str, str]) -> dict[str, str]:
    """Return the root's attributes with a size and a viewBox that librsvg can scale.

    Attributes that librsvg can scale are returned unchanged.

    Args:
        attributes: The attributes. Their ``style`` has no size.
        styled: The width and the height in CSS. If one of them isn't a length, such as ``100%``, the
            attribute of this name counts, as in browsers that show the drawing in a page.

    Raises:
        NotAccepted: A number in ``width``, ``height`` or ``viewBox`` is too large.
    """
    styled = {name: text for name, text in styled.items() if to_pixels(text) is not None}
    sized = {**attributes, **styled}
    for attribute in ("width", "height", "viewBox"):
        for number in _NUMBER.findall(sized.get(attribute, "")):
            if abs(float(number)) > _MAX_LENGTH:
                raise NotAccepted(
                    f"the drawing's {attribute} attribute has the number {number[:30]}, but only numbers "
                    f"from -{_MAX_LENGTH:,} to {_MAX_LENGTH:,} are allowed. Export the drawing with smaller "
                    "numbers"
                )
    declared = {name: sized.get(name, "").strip() for name in _DEFAULTS}
    sides = {name: to_pixels(text) for name, text in declared.items()}
    has_box = len(_NUMBER.findall(attributes.get("viewBox", ""))) == 4
    is_sized = has_box or None not in sides.values()
    is_known = not any(text.lower().endswith(_UNKNOWN_UNITS) for text in declared.values())
    if is_sized and is_known and not styled:
        return attributes
    sized = {name: text for name, text in attributes.items() if name not in _DEFAULTS}
    if not has_box:
        sides = {name: _DEFAULTS[name] if side is None else side for name, side in sides.items()}
        sized["viewBox"] = f"0 0 {sides['width']:.9g} {sides['height']:.9g}"
    return sized | {name: f"{side:.9g}" for name, side in sides.items() if side is not None}


def own_size(attributes: Mapping[str, str]) -> tuple[float, float]:
    """Return the width and height of a root for librsvg, in CSS pixels.

    The attributes are those of :func:`with_size`, so the root has a view box, or both sides.
    """
    width, height = (to_pixels(attributes.get(each, "").strip()) for each in _DEFAULTS)
    box = [float(number) for number in _NUMBER.findall(attributes.get("viewBox", ""))][2:]
    across, down = box if len(box) == 2 and min(box) > 0 else (width or 1.0, height or 1.0)
    if width is None:
        width = across if height is None else height * across / down
    return width, down * width / across if height is None else height


def to_pixels(text: str) -> float | None:
    """Return the length in CSS pixels.

    Return None if it is a percentage, ``auto`` or invalid.
    """
    match = _LENGTH.fullmatch(text)
    unit = _PIXELS.get(match[2].lower()) if match else None
    if match is None or unit is None or float(match[1]) < 0:
        return None
    return float(match[1]) * unit

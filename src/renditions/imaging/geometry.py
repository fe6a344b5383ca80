"""How a picture goes into a rendition's box: numbers in, numbers out.

The words are those of CSS ``object-fit``, with ``inside`` and ``outside`` for the two ways to keep the
proportions without a fixed result. All of it is exact integer arithmetic, halves rounded up: 1920 by
1080 in a box of 200 is 200 by 113 on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from renditions.recipe import Rendition

SMART_GRAVITIES = ("attention", "entropy")
"""Gravities that only the pixels can tell; the plan has the centre in their place."""


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels, each at least 1."""

    width: int
    height: int

    def transposed(self) -> Size:
        """Return the size with width and height changed over."""
        return Size(self.height, self.width)

    def covers(self, other: Size, times: Fraction = Fraction(1)) -> bool:
        """Tell whether both sides are at least ``times`` those of the other."""
        return self.width >= times * other.width and self.height >= times * other.height


@dataclass(frozen=True, slots=True)
class Offset:
    """Where a rectangle's upper left corner is, in pixels."""

    left: int
    top: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done with the upright picture, in this order: resize, rotate and flip, crop, pad."""

    resized: Size
    """The whole picture, resized and not yet turned: a size that renditions turned otherwise share."""
    output: Size
    crop_at: Offset | None = None
    """Where ``output`` is cut out of the turned picture; None where nothing is cut off."""
    pad_at: Offset | None = None
    """Where the turned picture is put on a canvas of ``output``; None where nothing is padded."""


def plan(source: Size, recipe: Rendition) -> Plan:
    """Return how an upright picture of this size becomes the rendition.

    Without ``enlarge`` no side grows: ``cover`` is then cut to what the picture has of the box, ``fill``
    is limited side by side, and ``contain`` still pads to the whole box. With one side only, the other
    follows from the proportions. The box is that of the picture as turned.
    """
    if recipe.rotate not in (90, 270):
        return _plan_turned(source, recipe)
    turned = _plan_turned(source.transposed(), recipe)
    return replace(turned, resized=turned.resized.transposed())


def _plan_turned(source: Size, recipe: Rendition) -> Plan:
    """Return the plan for a picture of this size once it is turned."""
    if recipe.width is None and recipe.height is None:
        return Plan(source, source)
    if recipe.width is None or recipe.height is None:
        resized = _scale(source, _one_side_scale(source, recipe), enlarge=recipe.enlarge)
        return Plan(resized, resized)
    box = Size(_multiplied(recipe.width, recipe), _multiplied(recipe.height, recipe))
    return _plan_box(source, box, recipe)


def _multiplied(side: int, recipe: Rendition) -> int:
    """Return a declared side times the pixel ratio."""
    return round_half_up(side * Fraction(str(recipe.pixel_ratio)))


def _plan_box(source: Size, box: Size, recipe: Rendition) -> Plan:
    """Return the plan for a box that has both sides."""
    if recipe.fit == "fill":
        resized = (
            box if recipe.enlarge else Size(min(box.width, source.width), min(box.height, source.height))
        )
        return Plan(resized, resized)
    scales = Fraction(box.width, source.width), Fraction(box.height, source.height)
    scale = max(scales) if recipe.fit in ("cover", "outside") else min(scales)
    resized = _scale(source, scale, enlarge=recipe.enlarge)
    if recipe.fit == "cover":
        output = Size(min(box.width, resized.width), min(box.height, resized.height))
        crop_at = None if output == resized else place(output, resized, recipe.gravity)
        return Plan(resized, output, crop_at=crop_at)
    if recipe.fit == "contain":
        pad_at = None if box == resized else place(resized, box, recipe.gravity)
        return Plan(resized, box, pad_at=pad_at)
    return Plan(resized, resized)


def _one_side_scale(source: Size, recipe: Rendition) -> Fraction:
    """Return the scale that the one declared side asks for."""
    if recipe.width is not None:
        return Fraction(_multiplied(recipe.width, recipe), source.width)
    return Fraction(_multiplied(recipe.height or source.height, recipe), source.height)


def _scale(source: Size, scale: Fraction, *, enlarge: bool) -> Size:
    """Return the size times the scale, rounded half up, at least one pixel."""
    if not enlarge:
        scale = min(scale, Fraction(1))
    return Size(round_half_up(source.width * scale), round_half_up(source.height * scale))


def round_half_up(length: Fraction) -> int:
    """Return the nearest whole number of pixels, halves up, at least 1."""
    return max(1, int(length + Fraction(1, 2)))


def place(inner: Size, outer: Size, gravity: str) -> Offset:
    """Return where the smaller rectangle is in the larger one; odd pixels go to the right and below."""
    across = 0 if gravity.endswith("west") else 2 if gravity.endswith("east") else 1
    down = 0 if gravity.startswith("north") else 2 if gravity.startswith("south") else 1
    return Offset((outer.width - inner.width) * across // 2, (outer.height - inner.height) * down // 2)

"""Compute how a picture fits a rendition's box.

This module handles only numbers, not pixels. The names of the fits come from CSS ``object-fit``, except two
that keep the proportions: ``inside`` gives the largest size inside the box, and ``outside`` the smallest size
that covers the box. All arithmetic is exact, and sizes are rounded with halves up: 1920 by 1080 in a box of
200 by 200 becomes 200 by 113 on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from renditions.model.recipe import Focus, Region, Rendition

SMART_GRAVITIES = ("attention", "entropy")
"""Gravities that depend on pixels. A plan uses the centre instead of them."""


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels, each at least 1."""

    width: int
    height: int

    def transposed(self) -> Size:
        """Return the size with width and height swapped."""
        return Size(self.height, self.width)

    def covers(self, other: Size, times: Fraction = Fraction(1)) -> bool:
        """Return whether each side is at least ``times`` the same side of the other size."""
        return self.width >= times * other.width and self.height >= times * other.height


@dataclass(frozen=True, slots=True)
class Offset:
    """The position of a rectangle's upper left corner, in pixels."""

    left: int
    top: int


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A part of a picture, in pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def size(self) -> Size:
        """The rectangle's width and height."""
        return Size(self.width, self.height)

    @property
    def right(self) -> int:
        """The position of the right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """The position of the bottom edge."""
        return self.top + self.height


@dataclass(frozen=True, slots=True)
class Plan:
    """The operations on the upright picture.

    Their order is: resize, rotate and flip, cut, pad to the box, add the padding.
    """

    resized: Size
    """The size after resizing, and before rotating and cutting."""
    fitted: Size
    """The size of the rotated picture after cutting or padding it to the box."""
    crop_at: Offset | None = None
    """The position in the rotated picture at which ``fitted`` is cut out; None without a cut."""
    pad_at: Offset | None = None
    """The position of the rotated picture on a canvas of ``fitted``; None without padding to the box."""
    padding: int = 0
    """How many pixels are added on each side at the end."""

    @property
    def output(self) -> Size:
        """The rendition's size."""
        return Size(self.fitted.width + 2 * self.padding, self.fitted.height + 2 * self.padding)


def region_of(source: Size, region: Region | None) -> Rectangle:
    """Return the declared part of an upright picture of this size, in whole pixels.

    The part has at least one pixel. This function rounds each edge to the nearest edge of a pixel, with
    halves rounded up.
    """
    if region is None:
        return Rectangle(0, 0, source.width, source.height)
    left, width = _span(source.width, region.left, region.width)
    top, height = _span(source.height, region.top, region.height)
    return Rectangle(left, top, width, height)


def _span(length: int, start_percent: float, percent: float) -> tuple[int, int]:
    """Return the start and the length of a part of a side, in pixels."""
    start, extent = (Fraction(str(value)) * length / 100 for value in (start_percent, percent))
    begin = min(_nearest(start), length - 1)
    return begin, max(1, _nearest(start + extent) - begin)


def rescaled(part: Rectangle, grid: Size, other: Size) -> Rectangle:
    """Convert a part of a picture to the pixel grid of another size.

    This function rounds edges to the nearest pixel. The result is at least one pixel wide and high.
    """
    if grid == other:
        return part
    across, down = Fraction(other.width, grid.width), Fraction(other.height, grid.height)
    left, right = min(_nearest(part.left * across), other.width - 1), _nearest(part.right * across)
    top, bottom = min(_nearest(part.top * down), other.height - 1), _nearest(part.bottom * down)
    return Rectangle(left, top, max(1, right - left), max(1, bottom - top))


def whole_for(grid: Size, part: Rectangle, wanted: Size) -> Size:
    """Return the size of the whole picture at which the part has the wanted size."""
    return Size(
        round_half_up(Fraction(grid.width * wanted.width, part.width)),
        round_half_up(Fraction(grid.height * wanted.height, part.height)),
    )


def stored_at(part: Rectangle, displayed: Size, orientation: int) -> Rectangle:
    """Return a part of the upright picture in the coordinates of the stored pixels.

    ``orientation`` is EXIF's (CIPA DC-008): the corner at which the stored rows and columns begin.
    """
    across = displayed.width - part.right if orientation in (2, 3, 6, 7) else part.left
    down = displayed.height - part.bottom if orientation in (3, 4, 7, 8) else part.top
    if orientation >= 5:
        return Rectangle(down, across, part.height, part.width)
    return Rectangle(across, down, part.width, part.height)


def plan(source: Size, recipe: Rendition) -> Plan:
    """Return the plan for an upright picture of this size.

    The picture is already cropped and trimmed.

    Without ``enlarge``, no side grows: ``cover`` cuts to the part of the box that the picture fills, ``fill``
    limits each side on its own, and ``contain`` still pads to the whole box. If only one side is declared,
    the other follows from the proportions. The box applies to the rotated picture.
    """
    padding = recipe.multiplied(recipe.padding)
    if recipe.rotate not in (90, 270):
        return replace(_plan_turned(source, recipe), padding=padding)
    turned = _plan_turned(source.transposed(), recipe)
    return replace(turned, resized=turned.resized.transposed(), padding=padding)


def _plan_turned(source: Size, recipe: Rendition) -> Plan:
    """Return the plan for a rotated picture of this size."""
    if recipe.width is None and recipe.height is None:
        return Plan(source, source)
    if recipe.width is None or recipe.height is None:
        resized = _scale(source, _one_side_scale(source, recipe), enlarge=recipe.enlarge)
        return Plan(resized, resized)
    box = Size(recipe.multiplied(recipe.width), recipe.multiplied(recipe.height))
    return _plan_box(source, box, recipe)


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
        cut = Size(min(box.width, resized.width), min(box.height, resized.height))
        return Plan(resized, cut, crop_at=None if cut == resized else _place_cut(cut, resized, recipe))
    if recipe.fit == "contain":
        pad_at = None if box == resized else place(resized, box, recipe.gravity)
        return Plan(resized, box, pad_at=pad_at)
    return Plan(resized, resized)


def _one_side_scale(source: Size, recipe: Rendition) -> Fraction:
    """Return the scale if only one side is declared."""
    if recipe.width is not None:
        return Fraction(recipe.multiplied(recipe.width), source.width)
    return Fraction(recipe.multiplied(recipe.height or source.height), source.height)


def _scale(source: Size, scale: Fraction, *, enlarge: bool) -> Size:
    """Return the size times the scale, halves rounded up, at least one pixel."""
    if not enlarge:
        scale = min(scale, Fraction(1))
    return Size(round_half_up(source.width * scale), round_half_up(source.height * scale))


def round_half_up(length: Fraction) -> int:
    """Return the nearest whole number, with halves rounded up, but at least 1."""
    return max(1, _nearest(length))


def _nearest(length: Fraction) -> int:
    return int(length + Fraction(1, 2))


def _place_cut(inner: Size, outer: Size, recipe: Rendition) -> Offset:
    return place(inner, outer, recipe.gravity) if recipe.focus is None else centre(inner, outer, recipe.focus)


def centre(inner: Size, outer: Size, focus: Focus) -> Offset:
    """Return the inner rectangle's position in the outer one.

    The middle of the inner rectangle is at the focus, or as near to it as the outer one allows. The position
    is in whole pixels, rounded down.
    """
    left, top = (
        min(max(int(Fraction(str(percent)) * whole / 100 - Fraction(part, 2)), 0), whole - part)
        for percent, whole, part in (
            (focus.x, outer.width, inner.width),
            (focus.y, outer.height, inner.height),
        )
    )
    return Offset(left, top)


def place(inner: Size, outer: Size, gravity: str) -> Offset:
    """Return the inner rectangle's position in the outer one.

    If the free space can't be halved, the extra pixel is on the right or below.
    """
    across = 0 if gravity.endswith("west") else 2 if gravity.endswith("east") else 1
    down = 0 if gravity.startswith("north") else 2 if gravity.startswith("south") else 1
    return Offset((outer.width - inner.width) * across // 2, (outer.height - inner.height) * down // 2)

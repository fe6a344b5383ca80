"""A decoded picture -> renditions, each resized from the smallest larger one that is large enough.

Steps of two or more lose nothing that can be seen, and cost a fraction of starting from the whole picture
each time. Every level is the whole picture; crops and padding are each rendition's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from renditions.errors import Unrenderable
from renditions.imaging.decode import (
    HEADROOM,
    SHRINKS,
    Frames,
    decode_animation,
    decode_still,
    resize,
)
from renditions.imaging.document import make_pdf
from renditions.imaging.effects import adjust, find_crop, flatten, pad, parse_colour, turn
from renditions.imaging.encode import encode
from renditions.imaging.geometry import SMART_GRAVITIES, Plan, Size, plan
from renditions.imaging.probe import Header, keeps_animation, output_format
from renditions.imaging.vips import translated
from renditions.ports import Rendered
from renditions.recipe import FORMATS, Rendition

_STEP = Fraction(2)
"""How much larger a level must be than what is made from it."""


@dataclass(frozen=True, slots=True)
class _Task:
    """One rendition to make."""

    name: str
    recipe: Rendition
    format: str
    plan: Plan


def make(
    content: bytes, header: Header, recipes: Mapping[str, Rendition]
) -> tuple[dict[str, Rendered], dict[str, str]]:
    """Return what could be made, and why the rest couldn't.

    Raises:
        Undecodable: the picture is damaged.

    """
    made: dict[str, Rendered] = {}
    errors: dict[str, str] = {}
    animated: list[_Task] = []
    still: list[_Task] = []
    for name, recipe in recipes.items():
        task = _Task(name, recipe, output_format(recipe, header.format), plan(header.displayed, recipe))
        try:
            _check_limits(task)
        except Unrenderable as error:
            errors[name] = str(error)
        else:
            (animated if keeps_animation(recipe, header) else still).append(task)
    if still:
        base = decode_still(content, header, _base_size(header, still))
        _make_from(base, still, made, errors)
    if animated:
        _make_from(decode_animation(content, header), animated, made, errors)
    return made, errors


def _check_limits(task: _Task) -> None:
    """Raise ``Unrenderable`` if the format can't hold a picture of the planned size."""
    limit, output = FORMATS[task.format].max_side, task.plan.output
    if max(output.width, output.height) > limit:
        raise Unrenderable(
            f"expected sides of at most {limit:,} pixels for {task.format}, "
            f"found {output.width} by {output.height}"
        )


def _base_size(header: Header, tasks: list[_Task]) -> Size:
    """Return the size to decode to: one of the picture's own proportions that all can be made from.

    It is the largest rendition's own, so that nothing is resized twice for that one, unless another is
    nearly as large: a step that small would show, so both are made from something larger.
    """
    whole = header.displayed
    needs = [
        Size(min(task.plan.resized.width, whole.width), min(task.plan.resized.height, whole.height))
        for task in tasks
    ]
    largest = Size(max(need.width for need in needs), max(need.height for need in needs))
    is_proportional = any(task.plan.resized == largest and task.recipe.fit != "fill" for task in tasks)
    if is_proportional and all(need == largest or largest.covers(need, HEADROOM) for need in needs):
        return largest
    for shrink in SHRINKS:
        shrunk = Size(max(1, whole.width // shrink), max(1, whole.height // shrink))
        is_exact = whole.width % shrink == whole.height % shrink == 0
        if is_exact and shrunk.covers(largest, HEADROOM):
            return shrunk
    return whole


def _make_from(base: Frames, tasks: list[_Task], made: dict[str, Rendered], errors: dict[str, str]) -> None:
    """Make the renditions, the largest first, so that the smaller ones find a level to start from."""
    levels = [base]
    for task in sorted(tasks, key=lambda task: -_area(task.plan.resized)):
        try:
            with translated(Unrenderable, "a picture that can be resized"):
                level = _find_level(levels, task)
                picture = _finish(level, task)
            made[task.name] = _encode(picture, task)
        except Unrenderable as error:
            errors[task.name] = str(error)


def _find_level(levels: list[Frames], task: _Task) -> Frames:
    """Return the whole picture in the size that is needed, and keep it where others can start from it."""
    base, size = levels[0], task.plan.resized
    for level in levels:
        if level.size == size:
            return level
    large_enough = [level for level in levels if level.size.covers(size, _STEP)]
    source = min(large_enough, key=lambda level: _area(level.size), default=base)
    images = tuple(resize(image, size) for image in source.images)
    if task.recipe.fit == "fill" or not base.size.covers(size):
        # Stretched or enlarged: no start for others. Not held, so that a crop computes only what it keeps.
        return Frames(images, size, source.timing)
    level = Frames(tuple(image.copy_memory() for image in images), size, source.timing)
    levels.append(level)
    return level


def _finish(level: Frames, task: _Task) -> Frames:
    """Return the level turned, cropped, adjusted, padded and flattened."""
    images, output = tuple(turn(image, task.recipe) for image in level.images), task.plan.output
    background = parse_colour(task.recipe.background)
    if task.plan.crop_at:
        at = task.plan.crop_at
        if task.recipe.gravity in SMART_GRAVITIES:
            at = find_crop(images[0], output, task.recipe.gravity)
        images = tuple(image.crop(at.left, at.top, output.width, output.height) for image in images)
    images = tuple(adjust(image, task.recipe) for image in images)
    if task.plan.pad_at:
        images = tuple(pad(image, task.plan.pad_at, output, background) for image in images)
    if not FORMATS[task.format].transparency:
        images = tuple(flatten(image, background) for image in images)
    return Frames(images, output, level.timing)


def _encode(picture: Frames, task: _Task) -> Rendered:
    content = _build(picture, task, task.recipe)
    limit = task.recipe.max_bytes
    if limit is not None and len(content) > limit:
        content = _fit(picture, task, limit, len(content))
    return Rendered(content, task.format, picture.size.width, picture.size.height)


def _build(picture: Frames, task: _Task, recipe: Rendition) -> bytes:
    if task.format == "pdf":
        return make_pdf(encode(picture, "jpeg", recipe))
    return encode(picture, task.format, recipe)


def _fit(picture: Frames, task: _Task, limit: int, found: int) -> bytes:
    """Return the file of the best quality, below the declared one, that has no more than ``limit`` bytes.

    Files hardly ever grow with a lower quality, so bisection finds it; whatever it finds fits.
    """
    declared = task.recipe.quality or FORMATS[task.format].default_quality
    best = None
    low, high = 1, 0 if FORMATS[task.format].default_quality is None else (declared or 1) - 1
    while low <= high:
        quality = (low + high) // 2
        content = _build(picture, task, replace(task.recipe, quality=quality))
        if len(content) <= limit:
            best, low = content, quality + 1
        else:
            found, high = min(found, len(content)), quality - 1
    if best is None:
        raise Unrenderable(f"expected at most {limit:,} bytes, found {found:,} at the lowest quality")
    return best


def _area(size: Size) -> int:
    return size.width * size.height

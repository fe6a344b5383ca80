"""The operations on a picture between resizing and encoding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from renditions.imaging.decode import Frames
from renditions.imaging.depth import in_8_bits
from renditions.imaging.effects import (
    adjust,
    blur,
    find_crop,
    flatten,
    flip,
    lay,
    pad,
    parse_colour,
    pixelate,
    rotate,
    round_corners,
    sharpen,
    tint,
)
from renditions.imaging.geometry import SMART_GRAVITIES, Offset, Size
from renditions.imaging.tasks import Task
from renditions.imaging.watermark import draw
from renditions.model.formats import OUTPUT_FORMATS
from renditions.model.recipe import OPERATIONS

_MOST_SEARCHED = 64_000_000
"""The most pixels of an enlarged image that a smart gravity measures."""

Images = tuple[Any, ...]
"""libvips images of one size: a single one, or every frame of an animation."""


def walk(level: Frames, task: Task) -> Images:
    """Return the resized images after the recipe's remaining operations.

    The operations have the order of ``OPERATIONS``.
    """
    images = level.images
    for operation in OPERATIONS:
        if operation.name == "cut":
            images = _cut(images, task, level.smaller)
        elif operation.name in _STEPS and operation.is_used(task.recipe):
            images = _STEPS[operation.name](images, task)
    return images


def _each(step: Callable[[Any, Task], Any]) -> Callable[[Images, Task], Images]:
    return lambda images, task: tuple(step(image, task) for image in images)


def _each_in_8_bits(step: Callable[[Any, Task], Any]) -> Callable[[Images, Task], Images]:
    """Return an operation that first converts each image to 8 bits."""
    return _each(lambda image, task: step(in_8_bits(image), task))


def _cut(images: Images, task: Task, smaller: Any | None) -> Images:
    """Crop every frame to the box.

    A smart gravity chooses the part in the first frame. For that, libvips measures each pixel. If the frame
    was enlarged to very many pixels, libvips measures ``smaller``, the frame before enlarging.
    """
    at, fitted = task.plan.crop_at, task.plan.fitted
    if at is None:
        return images
    if task.recipe.gravity in SMART_GRAVITIES:
        whole = Size(images[0].width, images[0].height)
        if smaller is not None and whole.width * whole.height > _MOST_SEARCHED:
            turned = flip(rotate(smaller, task.recipe.rotate), task.recipe.flip)
            at = _find_crop_in(turned, whole, fitted, task.recipe.gravity)
        else:
            at = find_crop(images[0], fitted, task.recipe.gravity)
    return tuple(image.crop(at.left, at.top, fitted.width, fitted.height) for image in images)


def _find_crop_in(smaller: Any, whole: Size, fitted: Size, gravity: str) -> Offset:
    """Return the upper left corner of the best part of ``whole``.

    The search uses a smaller image of the same picture.
    """
    size = Size(smaller.width, smaller.height)
    window = Size(
        max(1, round(fitted.width * size.width / whole.width)),
        max(1, round(fitted.height * size.height / whole.height)),
    )
    found = find_crop(smaller, window, gravity)
    return Offset(
        min(round(found.left * whole.width / size.width), whole.width - fitted.width),
        min(round(found.top * whole.height / size.height), whole.height - fitted.height),
    )


def _tint(image: Any, task: Task) -> Any:
    return tint(image, parse_colour(task.recipe.tint or ""))


def _pad(image: Any, task: Task) -> Any:
    if task.plan.pad_at is None:
        return image
    return pad(in_8_bits(image), task.plan.pad_at, task.plan.fitted, parse_colour(task.recipe.background))


def _add_padding(image: Any, task: Task) -> Any:
    background = parse_colour(task.recipe.background)
    at = Offset(task.plan.padding, task.plan.padding)
    return pad(lay(image, background), at, task.plan.output, background)


def _draw_watermark(images: Images, task: Task) -> Images:
    if task.recipe.watermark is None:
        return images
    return draw(tuple(map(in_8_bits, images)), task.recipe.watermark, task.name)


def _flatten(image: Any, task: Task) -> Any:
    if OUTPUT_FORMATS[task.format].has_transparency:
        return image
    return flatten(in_8_bits(image), parse_colour(task.recipe.background))


_STEPS: Mapping[str, Callable[[Images, Task], Images]] = {
    "rotate": _each(lambda image, task: rotate(image, task.recipe.rotate)),
    "flip": _each(lambda image, task: flip(image, task.recipe.flip)),
    "adjust": _each_in_8_bits(lambda image, task: adjust(image, task.recipe)),
    "tint": _each_in_8_bits(_tint),
    "blur": _each_in_8_bits(lambda image, task: blur(image, task.recipe.blur * task.recipe.pixel_ratio)),
    "sharpen": _each_in_8_bits(lambda image, task: sharpen(image, task.recipe.sharpen)),
    "pixelate": _each(lambda image, task: pixelate(image, task.recipe.multiplied(task.recipe.pixelate))),
    "pad": _each(_pad),
    "corners": _each_in_8_bits(lambda image, task: round_corners(image, task.recipe)),
    "padding": _each_in_8_bits(_add_padding),
    "watermark": _draw_watermark,
    "flatten": _each(_flatten),
}
"""The functions of the operations on resized pixels, by name.

:func:`walk` itself does the operation ``cut``. The picture is already upright, cropped, trimmed and resized.
"""

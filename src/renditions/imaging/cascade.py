"""Make renditions, each from the smallest level that is large enough.

A level is the whole of one region of the picture at one size. Resizing from a level that is at least twice as
large has no visible loss, and costs far less than starting from the whole picture each time. Renditions of
another region (``crop``, ``trim``) have their own levels, and except in an animation their own decode, since
a small region needs a larger scale. Each rendition is cut to its box and padded on its own.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import get_args

from renditions.errors import NotAccepted, Unrenderable
from renditions.imaging.analysis.analyze import Study
from renditions.imaging.colour import Kept
from renditions.imaging.decode import Frames, decode_animation, decode_still, resize
from renditions.imaging.encode import encode, encode_near, stack
from renditions.imaging.geometry import Rectangle, Size, region_of, rescaled
from renditions.imaging.measure import measure
from renditions.imaging.memory import Memory, check_memory
from renditions.imaging.original import smaller
from renditions.imaging.probe import Header, keeps_animation
from renditions.imaging.registry import find_code
from renditions.imaging.steps import walk
from renditions.imaging.tasks import Plans, Task, on_page, plan_bases, plan_task, plan_tasks
from renditions.imaging.vips import translated
from renditions.model.formats import OUTPUT_FORMATS
from renditions.model.original import Analysis
from renditions.model.reason import Reason
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendered

_STEP = Fraction(2)
"""The smallest ratio of a level's size to a rendition's size if the rendition is resized from the level.

If no level is large enough, the rendition is resized from the decoded one."""

_Page = tuple[Frames, float]
"""A finished page, and how many seconds it took to make it from the decoded page."""


def make(
    content: bytes,
    header: Header,
    recipes: Mapping[str, Rendition],
    study: Study,
    max_pixels: int,
    most_pages: int,
    memory: Memory,
) -> tuple[dict[str, Rendered], Plans, Analysis | None]:
    """Return the renditions, the plans and the analysis.

    The plans have the reason for each rendition that can't be made. The analysis is None if none is declared,
    or if it found nothing.

    Raises:
        Undecodable: The picture is damaged.
        NotAccepted: The way to store the pixels isn't supported, or the analysis needs more pixels or memory
            than the limits allow, or the analysis shows that the picture breaks a rule.
        Failed: Memory ran out, an optional library isn't installed, a bundled font is damaged, or this
            process has drawn text with other fonts than the declared ones.

    """
    made: dict[str, Rendered] = {}
    plans = plan_tasks(content, header, recipes, max_pixels, most_pages, memory)
    tasks, errors = plans.tasks, plans.errors
    whole = region_of(header.grid, None)
    study_task = plan_task("", study.level, header, whole, (header.page,)) if study.level else None
    analysis: Analysis | None = None
    finished: dict[str, dict[int, _Page]] = {}
    # The analysis is in sRGB, so sRGB comes first: the analysis can still reject the picture.
    for kept in get_args(Kept):
        alike = [task for task in tasks if task.kept == kept]
        animated = [task for task in alike if keeps_animation(task.recipe, header)]
        still = [task for task in alike if not keeps_animation(task.recipe, header)]
        look = study_task if kept == "nothing" else None
        bases, refused = plan_bases(still, look, max_pixels, memory)
        errors |= refused
        for part, size in bases.items():
            own = [task for task in still if task.part == part and task.name not in errors]
            is_analyzed = look is not None and part == look.part
            if not (own or is_analyzed):
                continue
            try:
                with on_page(part[0].page, header):
                    base = decode_still(content, *part, size, kept)
            except Unrenderable as error:
                errors |= dict.fromkeys((task.name for task in own), Reason.of(error))
                continue
            if is_analyzed:
                analysis = study.run(content, header, base)
            _make_from(base, own, finished, made, errors)
        _make_animated(content, header, animated, kept, memory, made, errors)
    for task in tasks:
        if task.name in made:
            made[task.name] = smaller(made[task.name], content, header, task)
    return made, plans, analysis


def _make_animated(
    content: bytes,
    header: Header,
    tasks: list[Task],
    kept: Kept,
    memory: Memory,
    made: dict[str, Rendered],
    errors: dict[str, Reason],
) -> None:
    if not tasks:
        return
    try:
        check_memory([], header, memory)
    except NotAccepted as error:
        errors |= dict.fromkeys((task.name for task in tasks), Reason.of(error))
        return
    frames = decode_animation(content, header, kept)
    for region, own in _group(tasks).items():
        _make_from(_cut(frames, region), own, {}, made, errors)


def _group(tasks: list[Task]) -> dict[Rectangle, list[Task]]:
    groups: dict[Rectangle, list[Task]] = {}
    for task in tasks:
        groups.setdefault(task.region, []).append(task)
    return groups


def _cut(frames: Frames, region: Rectangle) -> Frames:
    if region.size == frames.size:
        return frames
    images = (image.crop(region.left, region.top, region.width, region.height) for image in frames.images)
    return replace(frames, images=tuple(images), size=region.size)


def _make_from(
    base: Frames,
    tasks: list[Task],
    finished: dict[str, dict[int, _Page]],
    made: dict[str, Rendered],
    errors: dict[str, Reason],
) -> None:
    """Make one page of each rendition.

    The largest size comes first, and smaller sizes can be made from it. ``made`` gets complete renditions,
    and ``errors`` the reasons why others can't be made. ``finished`` collects the pages of
    renditions that still need more pages.
    """
    levels = [base]
    for task in sorted(tasks, key=lambda task: -_area(task.plan.resized)):
        try:
            started = time.perf_counter()
            with translated(Unrenderable, "the picture can't be resized", "Declare another size"):
                level = _find_level(levels, task)
                picture = Frames(walk(level, task), task.plan.output, level.timing, dpi=_dpi_of(task))
            pages = finished.setdefault(task.name, {})
            pages[task.page.page] = picture, time.perf_counter() - started
            if len(pages) == len(task.pages):
                del finished[task.name]
                made[task.name] = _encode([pages[page] for page in task.pages], task)
        except Unrenderable as error:
            errors[task.name] = Reason.of(error)


def _find_level(levels: list[Frames], task: Task) -> Frames:
    """Return the whole region at the size that the task needs.

    If other renditions can start from this level, add it to ``levels``.
    """
    base, size = levels[0], task.plan.resized
    for level in levels:
        if level.size == size:
            return level
    large_enough = [level for level in levels if level.size.covers(size, _STEP)]
    source = min(large_enough, key=lambda level: _area(level.size), default=base)
    images = tuple(resize(image, size) for image in source.images)
    if task.recipe.fit == "fill" or not base.size.covers(size):
        # Other renditions can't start from a stretched or enlarged picture. So it isn't kept in memory, and a
        # crop computes only the pixels that it keeps.
        return Frames(images, size, source.timing, source.images[0])
    level = Frames(tuple(image.copy_memory() for image in images), size, source.timing)
    levels.append(level)
    return level


def _encode(finished: Sequence[_Page], task: Task) -> Rendered:
    """Return the finished rendition."""
    started = time.perf_counter()
    pages = [picture for picture, _ in finished]
    content, quality = _build_as_declared(pages, task)
    limit = task.recipe.max_bytes
    if limit is not None and len(content) > limit:
        content, quality = _fit(pages, task, quality, len(content))
    size, encoding = pages[0].size, time.perf_counter() - started
    seconds = encoding + sum(resizing for _, resizing in finished)
    made = Rendered(content, task.format, size.width, size.height, seconds)
    return measure(made, pages, None if task.recipe.lossless else quality)


def _build_as_declared(pages: Sequence[Frames], task: Task) -> tuple[bytes, int | None]:
    """Return the file with the declared or default quality, and this quality.

    The quality is None for a format without a quality. With ``quality = "auto"``, the pages of a document can
    have different qualities; this function then returns the highest.
    """
    facts, declared = OUTPUT_FORMATS[task.format], task.recipe.quality
    if facts.quality is None:
        return _build(pages, task, None), None
    if declared == "auto" and facts.searched:
        found = [encode_near(page, facts.searched, task.recipe) for page in pages]
        contents = [content for content, _ in found]
        quality = max(quality for _, quality in found)
        return (_bind(contents, pages, task) if facts.binder else contents[0]), quality
    chosen = declared if isinstance(declared, int) else facts.quality.default
    return _build(pages, task, chosen), chosen


def _build(pages: Sequence[Frames], task: Task, quality: int | None) -> bytes:
    if OUTPUT_FORMATS[task.format].binder:
        contents = [encode(page, task.format, task.recipe, quality) for page in pages]
        return _bind(contents, pages, task)
    return encode(stack(pages) if len(pages) > 1 else pages[0], task.format, task.recipe, quality)


def _bind(contents: list[bytes], pages: Sequence[Frames], task: Task) -> bytes:
    bind = find_code(OUTPUT_FORMATS[task.format].binder or "")
    return bytes(bind(contents, task.recipe, [page.dpi for page in pages]))


def _dpi_of(task: Task) -> float | None:
    page = task.page
    if page.dpi is None:
        return None
    return page.dpi * task.plan.resized.width / rescaled(task.region, page.grid, page.displayed).width


def _fit(pages: Sequence[Frames], task: Task, declared: int | None, found: int) -> tuple[bytes, int]:
    """Return the best file that has at most ``max_bytes``, and its quality.

    The file with the quality ``declared`` is too large: it has ``found`` bytes. None means a format without a
    quality. This function searches the
    lower qualities by bisection, since a lower quality hardly ever makes a larger file. Raise
    ``Unrenderable`` if no file is small enough.
    """
    limit = task.recipe.max_bytes or found
    best: tuple[bytes, int] | None = None
    low, high = 1, (declared or 1) - 1
    while low <= high:
        quality = (low + high) // 2
        content = _build(pages, task, quality)
        if len(content) <= limit:
            best, low = (content, quality), quality + 1
        else:
            found, high = min(found, len(content)), quality - 1
    if best is None:
        where = "" if declared is None else " at the lowest quality"
        raise Unrenderable(
            f"the file has {found:,} bytes{where}, more than the {limit:,} that max_bytes "
            "allows. Raise max_bytes, or declare a smaller size"
        )
    return best


def _area(size: Size) -> int:
    return size.width * size.height

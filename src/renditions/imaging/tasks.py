"""Plan the work for one picture.

This module makes a task for each page of each rendition, and chooses the sizes to decode to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache, partial
from typing import Any

from renditions.errors import NotAccepted, Undecodable, Unrenderable
from renditions.imaging.colour import Kept
from renditions.imaging.decode import HEADROOM, SHRINKS, decode_animation, inspect_still, read_header
from renditions.imaging.effects import find_content
from renditions.imaging.geometry import (
    Plan,
    Rectangle,
    Size,
    plan,
    region_of,
    rescaled,
    round_half_up,
    whole_for,
)
from renditions.imaging.memory import Memory, check_memory, check_output, estimate
from renditions.imaging.pages import choose_pages
from renditions.imaging.probe import Header, advised, keeps_animation, output_format
from renditions.model.counting import count_of
from renditions.model.families import widths_of
from renditions.model.formats import OUTPUT_FORMATS
from renditions.model.reason import Reason
from renditions.model.recipe import Rendition


@dataclass(frozen=True, slots=True)
class Task:
    """One page of one rendition to make."""

    name: str
    recipe: Rendition
    format: str
    plan: Plan
    page: Header
    """The header of the page. If the picture has no pages, this is the picture's header."""
    region: Rectangle
    """The part of the upright page that is used, on the page's grid."""
    pages: tuple[int, ...]
    """The numbers of all pages of the rendition."""

    @property
    def part(self) -> tuple[Header, Rectangle]:
        """The page and the region.

        Still tasks with the same part and the same ``kept`` share one decode.
        """
        return self.page, self.region

    @property
    def kept(self) -> Kept:
        """The declarations of colours that the rendition keeps."""
        if self.recipe.profile == "srgb":
            return "nothing"
        return "code" if self.page.has_code and OUTPUT_FORMATS[self.format].has_code else "profile"


@dataclass(frozen=True, slots=True)
class Plans:
    """The planned work for one picture."""

    tasks: list[Task] = field(default_factory=list)
    errors: dict[str, Reason] = field(default_factory=dict)
    """For each rendition that can't be made: the reason."""
    stand_ins: dict[str, str] = field(default_factory=dict)
    """See ``Rendering.stand_ins``: a rendition that has the file of another rendition needs no task."""


Bases = dict[tuple[Header, Rectangle], Size]
"""The parts that are decoded, each with the size that it is decoded to."""
_PIXEL = Size(1, 1)
_Trim = Callable[[Header, Rectangle, int, bool], Rectangle]
"""A function that returns a region without its borders, for a page or for all frames of an animation."""


def plan_tasks(
    content: bytes,
    header: Header,
    recipes: Mapping[str, Rendition],
    max_pixels: int,
    most_pages: int,
    memory: Memory,
) -> Plans:
    """Return the tasks, the stand-ins, and why some renditions can't be made.

    A rendition can't be made, for example, if it exceeds a limit on pages, pixels or memory, or needs a
    damaged page. The limits on pages and pixels count over all renditions, in the order in which they are
    declared.

    Raises:
        Undecodable: The picture itself, or a document's first page, must be trimmed and is damaged.
        Failed: Memory ran out, an optional library isn't installed, a bundled font is damaged, or this
            process has drawn text with other fonts than the declared ones.

    """
    plans = Plans()
    pages: dict[int, Header] = {}
    trim = cache(partial(_trim, content, memory))
    for name, recipe in recipes.items():
        try:
            chosen = choose_pages(recipe, header)
            pages = _with_pages(content, header, pages, chosen, max_pixels, most_pages)
            parts = []
            for number in chosen:
                with on_page(number, header):
                    parts.append((pages[number], _find_region(recipe, pages[number], trim)))
            plans.stand_ins.update(_find_stand_ins(name, recipe, parts))
            if plans.stand_ins.get(name, name) == name:
                tasks = [plan_task(name, recipe, *part, chosen) for part in parts]
                for task in tasks:
                    # max_pixels limits the drawn pixels, but not the padding around them.
                    if not task.page.drawing or task.plan.output != task.plan.resized:
                        check_output(task.plan.output, task.page, task.format, memory)
                plans.tasks.extend(tasks)
        except (Unrenderable, NotAccepted) as error:
            plans.errors[name] = Reason.of(error)
    return plans


def _with_pages(
    content: bytes,
    header: Header,
    pages: dict[int, Header],
    chosen: tuple[int, ...],
    max_pixels: int,
    most_pages: int,
) -> dict[int, Header]:
    """Return the headers of the pages so far and of the chosen pages, by number.

    Raise ``NotAccepted`` if these pages are too many or have too many pixels, and ``Unrenderable`` if a
    chosen page is damaged.
    """
    numbers = sorted({*pages, *chosen})
    if len(numbers) > most_pages:
        raise NotAccepted(
            f"the renditions need {count_of(len(numbers), 'page')}, more than the {most_pages:,} that "
            "[limits] pages allows. Declare fewer pages, or raise the limit"
        )
    together = {number: pages.get(number) or _read_page(content, header, number) for number in numbers}
    if not header.drawing:
        _check_pixels([page.displayed for page in together.values()], max_pixels, "page", "fewer pages")
    return together


def _read_page(content: bytes, header: Header, number: int) -> Header:
    if number == header.page:
        return header
    with on_page(number, header):
        return replace(read_header(content, header.format, number), is_lenient=header.is_lenient)


@contextmanager
def on_page(number: int, header: Header) -> Iterator[None]:
    """Turn damage on a page other than the header's into ``Unrenderable``.

    An unsupported page counts as damaged. So only the renditions with this page fail: the other pages can
    still be valid.
    """
    try:
        yield
    except (Undecodable, NotAccepted) as error:
        if number == header.page:
            raise
        raise Unrenderable(f"page {number + 1:,}: {advised(error)}") from error


def _find_stand_ins(name: str, recipe: Rendition, parts: list[tuple[Header, Rectangle]]) -> dict[str, str]:
    """Return the narrowest member with the same pixels for each member of a family.

    The result has the names of the members. It is empty for a rendition without ``widths``. These members
    differ only in width, so members with the same plan have the same pixels.
    """
    narrowest: dict[tuple[Plan, ...], str] = {}
    return {
        member: narrowest.setdefault(tuple(_plan(*part, wider) for part in parts), member)
        for member, wider in widths_of(name, recipe).items()
    }


def _check_pixels(decoded: list[Size], max_pixels: int, unit: str, remedy: str) -> None:
    pixels = sum(size.width * size.height for size in decoded)
    if pixels > max_pixels:
        where = f" in {len(decoded):,} {unit}s" if len(decoded) > 1 else ""
        found = f"{pixels:,} pixels ({decoded[0].width} by {decoded[0].height}{where})"
        raise NotAccepted(
            f"rendering needs {found}, more than the {max_pixels:,} that [accept] max_pixels allows. Declare "
            f"{remedy}, or raise the limit"
        )


def plan_task(name: str, recipe: Rendition, page: Header, region: Rectangle, pages: tuple[int, ...]) -> Task:
    """Return the task for one page of a rendition.

    Raise ``Unrenderable`` if the format can't hold a picture of the planned size.
    """
    actual_format = output_format(recipe, page.format)
    task = Task(name, recipe, actual_format, _plan(page, region, recipe), page, region, pages)
    limit, output = OUTPUT_FORMATS[task.format].max_side, task.plan.output
    if max(output.width, output.height) > limit:
        raise Unrenderable(
            f"the rendition would have {output.width} by {output.height} pixels, but {task.format} allows "
            f"sides of at most {limit:,} pixels. Declare a smaller size or another format"
        )
    return task


def _find_region(recipe: Rendition, page: Header, trim: _Trim) -> Rectangle:
    region = region_of(page.grid, recipe.crop)
    if recipe.trim is None:
        return region
    return trim(page, region, recipe.trim, keeps_animation(recipe, page))


def _trim(
    content: bytes, memory: Memory, page: Header, region: Rectangle, tolerance: int, is_animated: bool
) -> Rectangle:
    check_memory([(page, _PIXEL)], page if is_animated else None, memory)
    if is_animated:
        return find_content(decode_animation(content, page, "nothing").images, region, tolerance)

    def look(image: Any) -> Rectangle:
        size = Size(image.width, image.height)
        return rescaled(find_content((image,), rescaled(region, page.grid, size), tolerance), size, page.grid)

    return inspect_still(content, page, look)


def _plan(page: Header, region: Rectangle, recipe: Rendition) -> Plan:
    if page.drawing and (recipe.width or recipe.height):
        # A drawing has no size of its own, so it can be drawn larger without loss.
        return plan(region.size, replace(recipe, enlarge=True))
    return plan(rescaled(region, page.grid, page.displayed).size, recipe)


def plan_bases(
    tasks: list[Task], look: Task | None, max_pixels: int, memory: Memory
) -> tuple[Bases, dict[str, Reason]]:
    """Return the parts to decode, and the reasons for renditions that are too large.

    Such a rendition needs too many pixels or bytes. The largest renditions are left out until the others can
    be made.

    Raises:
        NotAccepted: Even the analysis needs too many pixels or bytes.

    """
    errors: dict[str, Reason] = {}
    while True:
        bases = _plan_bases([task for task in tasks if task.name not in errors], look)
        try:
            _check_drawn(bases, max_pixels)
            check_memory([(page, size) for (page, _), size in bases.items()], None, memory)
        except NotAccepted as error:
            left = [task for task in tasks if task.name not in errors]
            if not left:
                raise
            largest = max(left, key=lambda task: task.plan.resized.width * task.plan.resized.height)
            errors[largest.name] = Reason.of(error)
        else:
            return bases, errors


def estimate_memory(
    content: bytes, header: Header, recipes: Mapping[str, Rendition], level: Rendition | None
) -> int:
    """Return how many bytes of memory the picture takes at most, without decoding it.

    The pages of a document count as large as the header's page. A rendition with ``trim`` counts as if
    nothing were trimmed, with a whole decode to find the borders.

    Args:
        content: The file.
        header: Its header.
        recipes: The renditions.
        level: The recipe of the analysis, if there is one.

    """
    tasks, trimmed = [], []
    for name, recipe in recipes.items():
        with suppress(Unrenderable):
            region = region_of(header.grid, recipe.crop)
            tasks.append(plan_task(name, recipe, header, region, choose_pages(recipe, header)))
            if recipe.trim is not None:
                trimmed.append((header, header.stored))
    animated = [task for task in tasks if keeps_animation(task.recipe, header)]
    still = [task for task in tasks if not keeps_animation(task.recipe, header)]
    whole = region_of(header.grid, None)
    look = plan_task("", level, header, whole, (header.page,)) if level else None
    bases = [(page, size) for (page, _), size in _plan_bases(still, look).items()]
    outputs = [(header, task.plan.output, task.format, len(task.pages)) for task in tasks]
    return estimate(len(content), [*bases, *trimmed], outputs, header if animated else None)


def _check_drawn(bases: Bases, max_pixels: int) -> None:
    """Raise ``NotAccepted`` if drawings have too many pixels in total."""
    drawn = {(page, region): size for (page, region), size in bases.items() if page.drawing}
    pages = {page for page, _ in drawn}
    _check_pixels(
        [
            size if page.draws_parts else whole_for(page.grid, region, size)
            for (page, region), size in drawn.items()
        ],
        max_pixels,
        "page" if len(pages) == len(drawn) else "part",
        "fewer pages or smaller renditions" if len(pages) > 1 else "smaller renditions",
    )


def _plan_bases(tasks: list[Task], look: Task | None) -> Bases:
    """Return the decoded size for each region of each page.

    The region of ``look``, the task of the analysis, comes first. The analysis can use the size that this
    task plans, or any larger size.
    """
    bases = {
        part: _base_size(part, [task for task in tasks if task.part == part])
        for part in dict.fromkeys(task.part for task in tasks)
    }
    if look:
        size = bases.pop(look.part, None)
        if size is None or not size.covers(look.plan.resized):
            size = _base_size(look.part, [look, *(task for task in tasks if task.part == look.part)])
        bases = {look.part: size} | bases
    return bases


def _base_size(part: tuple[Header, Rectangle], tasks: list[Task]) -> Size:
    """Return the size to decode to.

    It is large enough for all tasks that don't enlarge. If possible, this is the size of the largest
    rendition, so that the largest rendition needs no resize. But if another rendition is nearly as large, its
    resize from that size would be visible. Then this function chooses a larger size for both.
    """
    page, whole = part[0], part[1].size
    if page.drawing:
        return _drawn_size(whole, tasks)
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


def _drawn_size(proportions: Size, tasks: list[Task]) -> Size:
    """Return the size at which to draw a drawing.

    It is at least as wide and as high as the resized picture of every task.
    """
    needs = [task.plan.resized for task in tasks]
    largest = Size(max(need.width for need in needs), max(need.height for need in needs))
    is_alone = all(need == largest or largest.covers(need, HEADROOM) for need in needs)
    if is_alone and any(task.plan.resized == largest and task.recipe.fit != "fill" for task in tasks):
        return largest
    scale = max(Fraction(largest.width, proportions.width), Fraction(largest.height, proportions.height))
    if not is_alone:
        scale *= HEADROOM
    return Size(round_half_up(proportions.width * scale), round_half_up(proportions.height * scale))

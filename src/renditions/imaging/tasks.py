"""What is to be made of one picture: a task for each page of each rendition, and the sizes to decode to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from renditions.errors import NotAccepted, Unrenderable
from renditions.imaging.decode import HEADROOM, SHRINKS, read_header
from renditions.imaging.geometry import Plan, Size, plan, round_half_up
from renditions.imaging.pages import choose_pages
from renditions.imaging.probe import Header, output_format
from renditions.recipe import FORMATS, Rendition


@dataclass(frozen=True, slots=True)
class Task:
    """One page of one rendition to make."""

    name: str
    recipe: Rendition
    format: str
    plan: Plan
    page: Header
    """The page that it is made of; of a picture that has none, the picture's own header."""
    pages: tuple[int, ...]
    """The numbers of all the pages that the rendition is made of."""


def plan_tasks(
    content: bytes, header: Header, recipes: Mapping[str, Rendition], max_pages: int
) -> tuple[list[Task], dict[str, str]]:
    """Return the tasks, and why some renditions have none.

    Raises:
        NotAccepted: more pages are wanted than may be decoded.
        Undecodable: a page's header is damaged.

    """
    wanted: dict[str, tuple[int, ...]] = {}
    errors: dict[str, str] = {}
    for name, recipe in recipes.items():
        try:
            wanted[name] = choose_pages(recipe, header)
        except Unrenderable as error:
            errors[name] = str(error)
    pages = {page for chosen in wanted.values() for page in chosen}
    if len(pages) > max_pages:
        raise NotAccepted(f"expected at most {max_pages:,} pages, found {len(pages):,}")
    headers = {
        page: header if page == header.page else read_header(content, header.format, page)
        for page in sorted(pages)
    }
    tasks: list[Task] = []
    for name, chosen in wanted.items():
        try:
            tasks += [plan_task(name, recipes[name], headers[page], chosen) for page in chosen]
        except Unrenderable as error:
            errors[name] = str(error)
    return tasks, errors


def plan_task(name: str, recipe: Rendition, page: Header, pages: tuple[int, ...]) -> Task:
    """Return the task; raise ``Unrenderable`` if the format can't hold a picture of the planned size."""
    task = Task(name, recipe, output_format(recipe, page.format), _plan(page, recipe), page, pages)
    limit, output = FORMATS[task.format].max_side, task.plan.output
    if max(output.width, output.height) > limit:
        raise Unrenderable(
            f"expected sides of at most {limit:,} pixels for {task.format}, "
            f"found {output.width} by {output.height}"
        )
    return task


def _plan(page: Header, recipe: Rendition) -> Plan:
    if page.drawing and (recipe.width or recipe.height):
        # It has no size that it could be enlarged from.
        return plan(page.drawing, replace(recipe, enlarge=True))
    return plan(page.displayed, recipe)


def plan_bases(tasks: list[Task], max_pixels: int) -> dict[Header, Size]:
    """Return the size that each page is decoded to.

    Raises:
        NotAccepted: the pages have more pixels in all than may be decoded.

    """
    bases = {
        page: _base_size(page, [task for task in tasks if task.page == page])
        for page in dict.fromkeys(task.page for task in tasks)
    }
    decoded = [size if page.drawing else page.displayed for page, size in bases.items()]
    pixels = sum(size.width * size.height for size in decoded)
    if pixels > max_pixels:
        where = f" in {len(bases):,} pages" if len(bases) > 1 else ""
        found = f"{pixels:,}: {decoded[0].width} by {decoded[0].height}{where}"
        raise NotAccepted(f"expected at most {max_pixels:,} pixels, found {found}")
    return bases


def _base_size(page: Header, tasks: list[Task]) -> Size:
    """Return the size to decode to: one of the picture's own proportions that all can be made from.

    It is the largest rendition's own, so that nothing is resized twice for that one, unless another is
    nearly as large: a step that small would show, so both are made from something larger.
    """
    if page.drawing:
        return _drawn_size(page.drawing, tasks)
    whole = page.displayed
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
    """Return the size to draw at: the largest rendition's own, or more by the rule of ``_base_size``."""
    needs = [task.plan.resized for task in tasks]
    largest = Size(max(need.width for need in needs), max(need.height for need in needs))
    is_alone = all(need == largest or largest.covers(need, HEADROOM) for need in needs)
    if is_alone and any(task.plan.resized == largest and task.recipe.fit != "fill" for task in tasks):
        return largest
    scale = max(Fraction(largest.width, proportions.width), Fraction(largest.height, proportions.height))
    if not is_alone:
        scale *= HEADROOM
    return Size(round_half_up(proportions.width * scale), round_half_up(proportions.height * scale))

"""The pages of a document that a rendition shows."""

from __future__ import annotations

from collections.abc import Iterator

from renditions.errors import Unrenderable
from renditions.imaging.probe import Header
from renditions.model.formats import SOURCE_FORMATS
from renditions.model.recipe import Rendition


def choose_pages(recipe: Rendition, header: Header) -> tuple[int, ...]:
    """Return the numbers, from 0, of the rendition's pages, in its own order, each once.

    Missing pages of a range are left out; a picture that isn't a document has one page.

    Raises:
        Unrenderable: it has none of them.

    """
    count = header.frames if SOURCE_FORMATS[header.format].has_pages else 1
    chosen = tuple(dict.fromkeys(_parse(recipe.pages, count)))
    if not chosen:
        raise Unrenderable(f"expected pages {recipe.pages}, found {count:,} in all")
    return chosen


def _parse(pages: str, count: int) -> Iterator[int]:
    if pages == "first":
        yield 0
    elif pages == "all":
        yield from range(count)
    else:
        for part in pages.split(","):
            first, _, last = part.partition("-")
            start, end = int(first), int(last or first)
            step = 1 if start <= end else -1
            yield from (page - 1 for page in range(start, end + step, step) if page <= count)

"""Choose the pages of a document that a rendition shows."""

from __future__ import annotations

from collections.abc import Iterator

from renditions.errors import Unrenderable
from renditions.imaging.probe import Header
from renditions.model.formats import SOURCE_FORMATS
from renditions.model.recipe import Rendition


def choose_pages(recipe: Rendition, header: Header) -> tuple[int, ...]:
    """Return the numbers of the rendition's pages, starting at 0.

    Each number occurs once, in the recipe's order. The result leaves out pages that the document doesn't
    have. A picture that isn't a document has one page.

    Raises:
        Unrenderable: The document has none of the pages.

    """
    count = header.frames if SOURCE_FORMATS[header.format].has_pages else 1
    chosen = tuple(dict.fromkeys(_parse(recipe.pages, count)))
    if not chosen:
        raise Unrenderable(
            f'pages = "{recipe.pages}" selects no page of this picture (it has {count:,}). Declare other '
            "pages"
        )
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

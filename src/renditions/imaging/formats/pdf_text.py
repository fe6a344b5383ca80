"""Find the text of a PDF's page that PDFium can't draw.

PDFium's own fonts have Latin letters and a few symbols. If a page doesn't embed a font with other characters,
PDFium leaves out the text without a message. The bounds of such a text are a line. Spaces can also have such
bounds, so this module asks PDFium for the characters of the text.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterator
from itertools import compress
from typing import Any

from renditions.imaging.extras import import_extra

_MOST_OBJECTS = 20_000
"""How many objects of a page are checked."""
_MOST_DEPTH = 8
"""How many levels of a page are checked: the page itself, then each level of nested forms."""
_MOST_NAME = 100
_FLAT = 1e-4
"""A text is a line if its shorter side is less than this part of its longer side."""
_DIAGONAL = math.sqrt(0.5)
"""The sine and the cosine of 45 degrees."""
_INVISIBLE = (3, 7)
"""The text rendering modes that paint nothing (ISO 32000-1, table 106). Scans have their text like that."""


def find_missing_fonts(page: Any, load_again: Callable[[], Any]) -> list[str]:
    """Return the names of the fonts whose text PDFium leaves out on a page.

    PDFium gives no characters of a line that goes straight up or down. So this function asks for them again
    on a copy of the page, from ``load_again``. On this copy, it first turns the lines by 45 degrees.
    """
    raw = import_extra("pypdfium2.raw", "pdf")
    lost = [_is_lost(raw, text) for text in _texts(raw, page)]
    if not any(lost):
        return []
    turned = load_again()
    for text in compress(_texts(raw, turned), lost):
        raw.FPDFPageObj_Transform(text, _DIAGONAL, _DIAGONAL, -_DIAGONAL, _DIAGONAL, 0, 0)
    names: dict[str, None] = {}
    for each in (page, turned):
        words = raw.FPDFText_LoadPage(each)
        try:
            found = [text for text in compress(_texts(raw, each), lost) if _read(raw, text, words).strip()]
            names |= dict.fromkeys(_name_font(raw, text) for text in found)
        finally:
            raw.FPDFText_ClosePage(words)
    return list(names)


def _texts(raw: Any, page: Any) -> Iterator[Any]:
    """Yield the text objects of a page and of the forms in it."""
    left = _MOST_OBJECTS
    open_lists = [(page, raw.FPDFPage_GetObject, iter(range(raw.FPDFPage_CountObjects(page))))]
    while open_lists and left:
        container, get, numbers = open_lists[-1]
        number = next(numbers, None)
        if number is None:
            open_lists.pop()
            continue
        left -= 1
        each = get(container, number)
        kind = raw.FPDFPageObj_GetType(each)
        if kind == raw.FPDF_PAGEOBJ_TEXT:
            yield each
        elif kind == raw.FPDF_PAGEOBJ_FORM and len(open_lists) < _MOST_DEPTH:
            open_lists.append(
                (each, raw.FPDFFormObj_GetObject, iter(range(raw.FPDFFormObj_CountObjects(each))))
            )


def _is_lost(raw: Any, text: Any) -> bool:
    """Return whether PDFium seems to draw nothing of the text.

    The result can also be true for spaces. It is false for text that the PDF declares as invisible.
    """
    if raw.FPDFFont_GetIsEmbedded(raw.FPDFTextObj_GetFont(text)) != 0:
        return False
    corners = raw.FS_QUADPOINTSF()
    if not raw.FPDFPageObj_GetRotatedBounds(text, corners):
        return False
    # In writing from top to bottom, the line is a height without a width.
    sides = (
        math.hypot(corners.x2 - corners.x1, corners.y2 - corners.y1),
        math.hypot(corners.x3 - corners.x2, corners.y3 - corners.y2),
    )
    # A text of the size 0 is a point.
    is_flat = min(sides) < _FLAT * max(sides)
    return is_flat and raw.FPDFTextObj_GetTextRenderMode(text) not in _INVISIBLE


def _read(raw: Any, text: Any, words: Any) -> str:
    """Return the characters of a text object."""
    size = raw.FPDFTextObj_GetText(text, words, None, 0)
    buffer = ctypes.create_string_buffer(size)
    raw.FPDFTextObj_GetText(text, words, ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR)), size)
    return buffer.raw[:size].decode("utf-16-le", errors="replace").rstrip("\0")


def _name_font(raw: Any, text: Any) -> str:
    buffer = ctypes.create_string_buffer(_MOST_NAME)
    raw.FPDFFont_GetBaseFontName(raw.FPDFTextObj_GetFont(text), buffer, _MOST_NAME)
    return buffer.value.decode(errors="replace") or "without a name"

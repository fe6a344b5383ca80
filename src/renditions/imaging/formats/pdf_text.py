"""Find the text of a PDF's page that PDFium can't draw.

PDFium's own fonts have Latin letters and a few symbols. If a page doesn't embed a font with other characters,
PDFium leaves out the text without a message. The bounds of such a text have a width, but no height. Spaces
also have such bounds, so this module asks PDFium for the characters of the text. PDFium doesn't give the
characters of text that isn't horizontal, so this module doesn't find such text.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

from renditions.imaging.extras import import_extra

_MOST_OBJECTS = 20_000
"""How many objects of a page are checked."""
_MOST_DEPTH = 8
"""How many levels of a page are checked: the page itself, and the forms within each other."""
_MOST_NAME = 100
_INVISIBLE = (3, 7)
"""The text rendering modes that paint nothing (ISO 32000-1, table 106). Scans have their text like that."""


def find_missing_fonts(page: Any) -> list[str]:
    """Return the names of the fonts whose text PDFium leaves out."""
    raw = import_extra("pypdfium2.raw", "pdf")
    lost = [text for text in _texts(raw, page) if _is_lost(raw, text)]
    if not lost:
        return []
    words = raw.FPDFText_LoadPage(page)
    try:
        return list(dict.fromkeys(_name_font(raw, text) for text in lost if _read(raw, text, words).strip()))
    finally:
        raw.FPDFText_ClosePage(words)


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
    """Return whether PDFium draws nothing of the text. This is also true for spaces."""
    if raw.FPDFFont_GetIsEmbedded(raw.FPDFTextObj_GetFont(text)) != 0:
        return False
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    has_bounds = raw.FPDFPageObj_GetBounds(text, left, bottom, right, top)
    # A text of the size 0 has neither a width nor a height.
    is_flat = top.value == bottom.value and right.value != left.value
    return bool(has_bounds and is_flat) and raw.FPDFTextObj_GetTextRenderMode(text) not in _INVISIBLE


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

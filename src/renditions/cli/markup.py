"""Escape texts for rich, which would read square brackets as markup."""

from __future__ import annotations

import rich.markup

from renditions.model.hidden import reveal


def escape(text: str) -> str:
    """Return the text so that rich prints its brackets unchanged.

    Hidden characters, such as control characters, become visible escapes.
    """
    return rich.markup.escape(reveal(text))


def escape_lines(text: str) -> str:
    """Return a text of several lines like :func:`escape`, with its line breaks."""
    return rich.markup.escape(reveal(text, keep_lines=True))

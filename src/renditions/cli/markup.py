"""Text for rich's markup."""

from __future__ import annotations

import rich.markup

from renditions.model.hidden import reveal


def escape(text: str) -> str:
    """Return the text so that rich prints it unchanged.

    Hidden characters are revealed.
    """
    return rich.markup.escape(reveal(text))


def escape_lines(text: str) -> str:
    """Return a text of several lines so that rich prints it unchanged.

    Hidden characters are revealed.
    """
    return rich.markup.escape(reveal(text, keep_lines=True))

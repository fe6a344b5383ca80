"""The warnings about a picture: what renditions lack, what the renderer assumed.

:data:`WARNINGS` has the meaning of each code. Warnings don't change a picture's status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

WarningCode = Literal[
    "animation-dropped",
    "profile-ignored",
    "damaged",
    "reference-dropped",
    "html-dropped",
    "not-drawn",
    "glyph-missing",
]

WARNINGS: Mapping[WarningCode, str] = {
    "animation-dropped": 'The recipe has `animation = "keep"`, but the rendition has only the first frame.',
    "profile-ignored": "The colour profile is broken or for another colour space, so it is ignored.",
    "damaged": 'The picture is damaged, and `[accept] damaged = "lenient"` renders what can be decoded.',
    "reference-dropped": "A drawing refers to something outside of it, which is never loaded.",
    "html-dropped": "A drawing contains HTML (`foreignObject`), which isn't drawn.",
    "not-drawn": "A drawing has placed letters, text along a path, or CSS that only browsers draw, such as "
    "variables, `calc()` and `@media`.",
    "glyph-missing": "A drawing, a PDF or a watermark has characters that no font has. In a PDF they are "
    "left out; otherwise \ufffd stands in for each.",
}
"""The meaning of each code, in the order of ``docs/errors.md``."""

assert WARNINGS.keys() == set(get_args(WarningCode))  # noqa: S101 - the table and its type agree

MOST_WARNINGS = 12
"""How many warnings one rendering reports. Texts have a limit too, so a record stays small."""

MOST_TEXT = 300


@dataclass(frozen=True, slots=True)
class PictureWarning:
    """One warning about a picture: a code for programs, and a text for people."""

    code: str
    """One of :data:`WARNINGS`, or a code of a newer version."""
    text: str

    def __str__(self) -> str:
        """Return the text, with the code in brackets."""
        return f"{self.text} [{self.code}]"

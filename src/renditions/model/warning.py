"""The warnings about a picture: what renditions lack, what the renderer assumed.

:data:`WARNINGS` has the meaning of each code. Warnings don't change a picture's status.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, get_args

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
    "not-drawn": "A drawing has positions of single letters, lengths of texts, text along a path, an "
    "animation, or CSS that only browsers draw, such as variables, `calc()` and `@media`.",
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
    renditions: tuple[str, ...] = ()
    """The renditions that the warning is about; empty if it is about the picture."""

    def __str__(self) -> str:
        """Return the text, with the renditions and the code in brackets."""
        about = f" ({', '.join(self.renditions)})" if self.renditions else ""
        return f"{self.text}{about} [{self.code}]"

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form of the warning."""
        about = {"renditions": list(self.renditions)} if self.renditions else {}
        return {"code": self.code, "text": self.text} | about

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Return the warning that :meth:`to_item` turned into ``item``."""
        return cls(item["code"], item["text"], tuple(item.get("renditions", ())))


def combine(warnings: Iterable[PictureWarning]) -> tuple[PictureWarning, ...]:
    """Return one warning for each code and text.

    The warning in the result is about the renditions of all warnings with its code and text. If one of those
    warnings is about the picture, the result is about the picture, too.
    """
    combined: dict[tuple[str, str], PictureWarning] = {}
    for warning in warnings:
        known = combined.setdefault((warning.code, warning.text), warning)
        names = dict.fromkeys((*known.renditions, *warning.renditions))
        is_about_picture = not (known.renditions and warning.renditions)
        combined[warning.code, warning.text] = replace(
            known, renditions=() if is_about_picture else tuple(names)
        )
    return tuple(combined.values())


def narrow(warnings: Iterable[PictureWarning], renditions: Collection[str]) -> tuple[PictureWarning, ...]:
    """Return the warnings about the picture or one of these renditions.

    The result names no other renditions.
    """
    narrowed = (
        (warning, tuple(name for name in warning.renditions if name in renditions)) for warning in warnings
    )
    return tuple(
        replace(warning, renditions=left) for warning, left in narrowed if left or not warning.renditions
    )

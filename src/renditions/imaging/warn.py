"""Collect the warnings about the picture that this process renders.

Any function of this package may call :func:`warn`. Warnings come from deep inside decoders and encoders, so
they aren't passed back through every function in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from renditions.model.warning import MOST_TEXT, MOST_WARNINGS, PictureWarning, WarningCode, combine

_collected: ContextVar[list[PictureWarning] | None] = ContextVar("warnings", default=None)


def warn(code: WarningCode, text: str, *renditions: str) -> None:
    """Report what the engine leaves out of the renditions, or assumes.

    The warning is about these renditions; without any, it is about the picture. A repeated warning is
    reported once, for all of its renditions. A warning after ``MOST_WARNINGS`` others, and one outside
    :func:`collected`, are dropped. ``text`` says what is wrong, without the names of the picture and the
    renditions: "the colour profile can't be used, so the colours count as sRGB".
    """
    warnings = _collected.get()
    if warnings is not None:
        every = combine((*warnings, PictureWarning(code, text[:MOST_TEXT], renditions)))
        warnings[:] = every[:MOST_WARNINGS]


def has_warned(code: WarningCode) -> bool:
    """Return whether there is a warning with this code about the picture."""
    return any(warning.code == code for warning in _collected.get() or ())


@contextmanager
def collected() -> Iterator[list[PictureWarning]]:
    """Yield a list that gets the warnings of the ``with`` block."""
    warnings: list[PictureWarning] = []
    token = _collected.set(warnings)
    try:
        yield warnings
    finally:
        _collected.reset(token)

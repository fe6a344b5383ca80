"""Collect the warnings about the picture that this process renders.

Any function of this package may call :func:`warn`. Warnings come from deep inside decoders and encoders, so
they aren't passed back through every function in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from renditions.model.warning import MOST_TEXT, MOST_WARNINGS, PictureWarning, WarningCode

_collected: ContextVar[list[PictureWarning] | None] = ContextVar("warnings", default=None)


def warn(code: WarningCode, text: str) -> None:
    """Report what the engine leaves out or assumes about the picture.

    A repeated warning, one after ``MOST_WARNINGS`` others, and one outside :func:`collected` are dropped.
    ``text`` says what is wrong, without the picture's name: "the colour profile can't be used, so the colours
    count as sRGB".
    """
    warnings, warning = _collected.get(), PictureWarning(code, text[:MOST_TEXT])
    if warnings is not None and warning not in warnings and len(warnings) < MOST_WARNINGS:
        warnings.append(warning)


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

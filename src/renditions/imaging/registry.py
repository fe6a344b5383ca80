"""The code of each format, found by the name that its entry in the tables has for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any


@cache
def find_code(name: str) -> Callable[..., Any]:
    """Return the function that ``"module:function"`` names in ``renditions.imaging.formats``.

    Imported only now: most pipelines need few of the formats, and checking one needs none.
    """
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(import_module(f"renditions.imaging.formats.{module}"), function)
    return found

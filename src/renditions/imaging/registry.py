"""Find the functions of a format by the names in its table entry."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from renditions.model.registry import resolve


@cache
def find_code(name: str) -> Callable[..., Any]:
    """Return the function with this name, ``"module:function"``.

    The module is in ``renditions.imaging.formats``.
    """
    found: Callable[..., Any] = resolve(f"renditions.imaging.formats.{name}")
    return found

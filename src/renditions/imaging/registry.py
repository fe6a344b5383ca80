"""The code of each format, found by the name that its entry in the tables has for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from renditions.model.registry import resolve


@cache
def find_code(name: str) -> Callable[..., Any]:
    """Return the function that ``"module:function"`` names in ``renditions.imaging.formats``."""
    found: Callable[..., Any] = resolve(f"renditions.imaging.formats.{name}")
    return found

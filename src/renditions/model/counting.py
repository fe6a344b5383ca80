"""Numbers of things in texts for people."""

from __future__ import annotations


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 picture``, ``2 pictures``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")

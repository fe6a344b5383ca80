"""Warnings about a pipeline file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PipelineWarning:
    """A warning about an allowed but surprising value at one place of a file."""

    place: str
    text: str

    def __str__(self) -> str:
        """Return ``place: text``."""
        return f"{self.place}: {self.text}"

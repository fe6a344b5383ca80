"""What comes of rendering one picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from renditions.model.record import Original


@dataclass(frozen=True, slots=True)
class Rendered:
    """One rendition, made."""

    content: bytes
    format: str
    """What it really is, where the recipe said ``auto``."""
    width: int | None = None
    """Pixels, of one frame or page; None where no pixel was looked at."""
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Rendering:
    """What became of one picture. A refusal is a result, not an exception."""

    original: Original
    made: Mapping[str, Rendered] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    """Why each rendition that isn't in ``made`` could not be made of this sound picture."""
    rejected: str | None = None
    """Why the picture as a whole is refused; nothing is made then."""

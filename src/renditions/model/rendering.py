"""The result of rendering one picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from renditions.model.original import Original


@dataclass(frozen=True, slots=True)
class Rendered:
    """One finished rendition."""

    content: bytes
    format: str
    """The actual format, also if the recipe said ``auto``."""
    width: int | None = None
    """Pixels, of one frame or page; None if the pixels weren't read."""
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Rendering:
    """The result of one picture. A rejection is a result, not an exception."""

    original: Original
    made: Mapping[str, Rendered] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    """Why each rendition that isn't in ``made`` could not be made of this valid picture."""
    rejected: str | None = None
    """Why the picture as a whole is rejected; nothing is made then."""

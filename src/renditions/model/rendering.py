"""The result of rendering one picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from renditions.model.original import Original
from renditions.model.reason import Reason
from renditions.model.warning import PictureWarning


@dataclass(frozen=True, slots=True)
class Rendered:
    """One finished rendition."""

    content: bytes
    format: str
    """The actual format, even if the recipe says ``auto``."""
    width: int | None = None
    """The width of one frame or page in pixels; None if the renderer didn't read the pixels."""
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Rendering:
    """The result of one picture. A rejection is a result, not an exception."""

    original: Original
    made: Mapping[str, Rendered] = field(default_factory=dict)
    errors: Mapping[str, Reason] = field(default_factory=dict)
    """For each rendition that isn't in ``made``: the reason why it can't be made from this valid picture."""
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    """For each member of a family, the member whose file it uses.

    This is the member itself, or a narrower one with the same pixels. The mapping has every width of
    each wanted rendition. The worker makes only the files that renditions use.
    """
    rejected: Reason | None = None
    """Why the whole picture is rejected; ``made`` is then empty. None if it isn't rejected."""
    warnings: tuple[PictureWarning, ...] = ()
    """The warnings: parts that the renditions lack, and assumptions about the picture."""

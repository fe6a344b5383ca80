"""The result of rendering one picture."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

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
    seconds: float | None = field(default=None, compare=False)
    """How long it took to make the file from the decoded picture.

    None for a format that holds the picture's file.
    """
    measured: Measured | None = None
    """The measurements of a trial; None if the rendition wasn't made in a trial."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The measurements of one finished rendition in a trial."""

    quality: int | None = None
    """The encoder's quality.

    None for a lossless file, for a format without a quality, and for a copy of the source's file.
    """
    score: float | None = None
    """How similar the file looks to the pixels before encoding, as ``quality = "auto"`` scores it.

    100 is identical. None for an animation, for several pages, for a format that browsers don't show, and for
    a copy of the source's file.
    """


@dataclass(frozen=True, slots=True)
class Rendering:
    """The result of one picture. A rejection is a result, not an exception."""

    original: Original
    made: Mapping[str, Rendered] = field(default_factory=dict)
    errors: Mapping[str, Reason] = field(default_factory=dict)
    """The reason for each rendition that can't be made from this valid picture."""
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    """For each member of a family with ``widths``, the member whose file it uses.

    This is the member itself, or a narrower one with the same pixels. The mapping has every width of
    each wanted rendition. The worker makes only the files that renditions use.
    """
    rejected: Reason | None = None
    """Why the whole picture is rejected; ``made`` is then empty. None if it isn't rejected."""
    warnings: tuple[PictureWarning, ...] = ()
    """The warnings: parts that the renditions lack, and assumptions about the picture."""

    def without(self, names: Collection[str]) -> Rendering:
        """Return the rendering without the files and errors of these renditions.

        ``stand_ins`` is unchanged.
        """
        made = {name: each for name, each in self.made.items() if name not in names}
        errors = {name: each for name, each in self.errors.items() if name not in names}
        return replace(self, made=made, errors=errors)

"""Facts about a source object: its format, its dimensions, and the analysis."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from renditions.model.items import Unknown, decode_unknown, split_known, without_empty


@dataclass(frozen=True, slots=True)
class Exif:
    """The camera's data in EXIF."""

    make: str | None = None
    model: str | None = None
    lens: str | None = None
    taken: str | None = None
    """When the picture was taken, by the camera's clock.

    In ISO 8601, with the offset from UTC if EXIF has it.
    """
    exposure_seconds: float | None = None
    f_number: float | None = None
    iso: int | None = None
    focal_length_mm: float | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Where the picture was taken, in WGS 84."""

    latitude: float
    """In degrees; north is positive."""
    longitude: float
    """In degrees; east is positive."""
    altitude_m: float | None = None
    """In metres above sea level."""


@dataclass(frozen=True, slots=True)
class DominantColour:
    """One of the picture's dominant colours."""

    colour: str
    """``#rrggbb``"""
    share: float
    """Its share of the pixels that are at least half opaque, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """The results of a picture's analysis.

    A field is empty if the pipeline file doesn't declare it, or if the picture has no such value.
    """

    exif: Exif | None = None
    position: Position | None = None
    colours: tuple[DominantColour, ...] = ()
    """The dominant colours, the largest share first."""
    thumbhash: str | None = None
    """The ThumbHash in Base64."""
    blurhash: str | None = None
    perceptual_hash: str | None = None
    """The pHash: 64 bits in hexadecimal."""
    sharpness: float | None = None
    transparency: bool | None = None
    alt_text: str | None = None
    """The text for people who can't see the picture."""
    unknown: Unknown = ()

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form without empty fields, but with a newer version's fields."""
        item = dataclasses.asdict(self) | {"colours": [dataclasses.asdict(colour) for colour in self.colours]}
        return without_empty(
            {name: without_empty(part) if isinstance(part, dict) else part for name, part in item.items()},
            "unknown",
        ) | decode_unknown(self.unknown)

    @classmethod
    def from_item(cls, item: dict[str, Any]) -> Analysis:
        """Return the analysis that :meth:`to_item` turned into ``item``."""
        exif, position = item.get("exif"), item.get("position")
        parts = {
            "exif": Exif(**split_known(exif, Exif)[0]) if exif else None,
            "position": Position(**split_known(position, Position)[0]) if position else None,
            "colours": tuple(
                DominantColour(**split_known(colour, DominantColour)[0]) for colour in item.get("colours", ())
            ),
        }
        known, unknown = split_known({**item, **parts}, cls)
        return cls(**known, unknown=unknown)


@dataclass(frozen=True, slots=True)
class Original:
    """The facts about one source object."""

    size_bytes: int
    format: str | None = None
    """``jpeg``, ``png``, …, identified by the content; None if the format is unknown."""
    width: int | None = None
    """In pixels, as displayed after EXIF orientation; None if Renditions didn't read the header."""
    height: int | None = None
    frames: int | None = None
    analysis: Analysis | None = None
    """None if no analysis is declared, if the analysis found nothing, or if the picture is rejected."""

    def completed_from(self, earlier: Original | None) -> Original:
        """Return these facts, with missing dimensions and frames from an earlier reading.

        ``earlier`` must be a reading of the same bytes; None: there is no such reading.
        """
        if self.width is not None or earlier is None:
            return self
        return dataclasses.replace(self, width=earlier.width, height=earlier.height, frames=earlier.frames)

    def to_item(self) -> dict[str, Any]:
        """Return the attributes of a record's JSON form that hold these facts."""
        return {
            "original_format": self.format,
            "original_width": self.width,
            "original_height": self.height,
            "original_frames": self.frames,
            "original_size_bytes": self.size_bytes,
            "analysis": self.analysis.to_item() if self.analysis else None,
        }

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Original | None:
        """Return the facts in a record's JSON form; None if the record has none."""
        if "original_size_bytes" not in item:
            return None
        return cls(
            size_bytes=item["original_size_bytes"],
            format=item.get("original_format"),
            width=item.get("original_width"),
            height=item.get("original_height"),
            frames=item.get("original_frames"),
            analysis=Analysis.from_item(item["analysis"]) if "analysis" in item else None,
        )

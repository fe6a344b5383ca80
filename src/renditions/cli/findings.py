"""Describe the analysis of a picture in a form for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from renditions.model.original import Analysis, Exif, Position


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the description.

    ``swatch`` is the colour of the sample that is printed before the text.
    """

    name: str
    text: str
    swatch: str | None = None


def describe(analysis: Analysis) -> Iterator[Finding]:
    """Yield the lines of the description."""
    if analysis.exif:
        yield from _describe_exif(analysis.exif)
    if analysis.position:
        yield Finding("position", _describe_position(analysis.position))
    for colour in analysis.colours:
        yield Finding("colour", f"{colour.colour} {colour.share:.0%}", colour.colour)
    for name in ("thumbhash", "blurhash", "perceptual_hash", "sharpness"):
        if (value := getattr(analysis, name)) is not None:
            yield Finding(name, str(value))
    if analysis.transparency is not None:
        yield Finding("transparency", "yes" if analysis.transparency else "no")
    if analysis.alt_text:
        yield Finding("alt text", analysis.alt_text)


def _describe_exif(exif: Exif) -> Iterator[Finding]:
    # Models often begin with their maker's name.
    included = exif.make and exif.model and exif.model.lower().startswith(exif.make.lower())
    if camera := " ".join(part for part in (None if included else exif.make, exif.model) if part):
        yield Finding("camera", camera)
    if exif.lens:
        yield Finding("lens", exif.lens)
    if exif.taken:
        yield Finding("taken", exif.taken.replace("T", " "))
    parts = (
        _describe_seconds(exif.exposure_seconds) if exif.exposure_seconds else None,
        f"f/{exif.f_number:g}" if exif.f_number else None,
        f"ISO {exif.iso}" if exif.iso else None,
        f"{exif.focal_length_mm:g} mm" if exif.focal_length_mm else None,
    )
    if exposure := ", ".join(part for part in parts if part):
        yield Finding("exposure", exposure)


def _describe_seconds(seconds: float) -> str:
    """Return an exposure as photographers write it: ``1/250 s``, ``2 s``."""
    return f"1/{1 / seconds:.0f} s" if seconds <= 0.25 else f"{seconds:g} s"


def _describe_position(position: Position) -> str:
    north = f"{abs(position.latitude):.6f}° {'S' if position.latitude < 0 else 'N'}"
    east = f"{abs(position.longitude):.6f}° {'W' if position.longitude < 0 else 'E'}"
    height = f", {position.altitude_m:g} m" if position.altitude_m is not None else ""
    return f"{north}, {east}{height}"

"""Find the mistakes in watermarks, and the characters that no font can draw."""

from __future__ import annotations

from collections.abc import Iterator

from renditions.errors import Problem, Undecodable
from renditions.imaging.font_choice import choose_fonts
from renditions.imaging.probe import sniff
from renditions.imaging.typeface import read_faces
from renditions.model.fields import Attachment
from renditions.model.pipeline import Accept
from renditions.model.recipe import Watermark
from renditions.pipeline_file.warnings import PipelineWarning


def find_watermark_problems(watermark: Watermark, place: str) -> Iterator[Problem]:
    """Yield the mistakes in one watermark.

    A picture from the source is checked only after its content was read.

    Raises:
        Failed: The bundled font can't be read, or is damaged.

    """
    if (watermark.image is None) == (watermark.text is None):
        found = "neither" if watermark.text is None else "both"
        yield Problem(place, "either an image or a text", found)
    default = Watermark()
    if watermark.text is None:
        for field in ("font", "colour"):
            if getattr(watermark, field) != getattr(default, field):
                yield Problem(f"{place}.{field}", "a text if this field is set", "none")
    if watermark.font is None and watermark.face is not None:
        yield Problem(f"{place}.face", "a font if this field is set", "none")
    if watermark.gap != default.gap and not watermark.tile:
        yield Problem(f"{place}.gap", "tile = true if this field is set", "tile = false")
    if watermark.image and watermark.image.content is not None:
        found = sniff(watermark.image.content) or "bytes of no known format"
        if found not in Accept().formats:
            yield Problem(f"{place}.image", f"a picture ({', '.join(Accept().formats)})", found)
    if watermark.text is not None and watermark.font:
        yield from _check_font(watermark.text, watermark.font, watermark.face, place)


def _check_font(text: str, font: Attachment, number: int | None, place: str) -> Iterator[Problem]:
    try:
        count = len(read_faces(font.content or b""))
        if number is None or number < count:
            choose_fonts(text, font, number)
        else:
            expected = (
                f"a number from 0 to {count - 1}"
                if count > 1
                else "a collection of fonts if this field is set"
            )
            yield Problem(f"{place}.face", expected, f"{number} for {font.name!r}")
    except Undecodable as error:
        yield Problem(f"{place}.font", "a TrueType or OpenType font", f"{font.name!r} ({error})")


def find_watermark_warnings(watermark: Watermark, place: str) -> Iterator[PipelineWarning]:
    """Yield a warning about the characters of a valid watermark that no font has.

    Raises:
        Failed: The bundled font can't be read, or is damaged.

    """
    if watermark.text is None:
        return
    missing = choose_fonts(watermark.text, watermark.font, watermark.face).missing
    if missing:
        codes = ", ".join(f"{character!r} (U+{ord(character):04X})" for character in missing)
        fonts = f"neither {watermark.font.name} nor Open Sans has" if watermark.font else "Open Sans lacks"
        text = f"{fonts} {codes}, so \ufffd is drawn instead. Name another font"
        yield PipelineWarning(f"{place}.text", text)

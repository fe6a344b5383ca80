"""Reduce the fonts of watermarks to the glyphs that their texts need.

A function's bundle contains the reduced fonts. A font for Chinese, Japanese and Korean can have 30 MB. The
part of it that a text needs has a few kilobytes.
"""

from __future__ import annotations

import io
import logging
import unicodedata
from dataclasses import replace

from renditions.errors import UsageError
from renditions.imaging.font_choice import Letters, choose_fonts
from renditions.model.fields import Attachment
from renditions.model.pipeline import Pipeline
from renditions.model.recipe import Watermark

_OF_THE_SHAPER = " \u00a0\u2010\u2011\u25cc"
"""The characters that HarfBuzz may draw in place of others, or add: blanks, hyphens and a dotted circle."""
_COMPARED_PIXELS = 256
"""The font size, in pixels, for comparing the reduced font with the whole one."""


def with_small_fonts(pipeline: Pipeline) -> Pipeline:
    """Return the pipeline with watermarks' fonts reduced to what their texts need.

    The fingerprints of the pipeline's renditions stay the same.

    Raises:
        UsageError: fonttools isn't installed.
        Failed: The bundled font can't be read, or is damaged.

    """
    reduced: dict[Watermark, Watermark] = {}
    renditions = dict(pipeline.renditions)
    for name, rendition in renditions.items():
        mark = rendition.watermark
        if mark and mark.text and mark.font:
            if mark not in reduced:
                reduced[mark] = replace(mark, font=_reduce(mark.text, mark.font, mark.face))
            renditions[name] = replace(rendition, watermark=reduced[mark])
    return replace(pipeline, renditions=renditions) if reduced else pipeline


def _reduce(text: str, font: Attachment, number: int | None) -> Attachment:
    """Return the part of the font that the text needs.

    If the part draws other pixels, return the whole face instead.
    """
    letters = choose_fonts(text, font, number)
    assert letters.face is not None  # noqa: S101 - a font is declared
    whole = letters.face.as_file()
    part = Attachment(font.name, _find_part(whole, letters.of_face), font.digest)
    is_same = bool(letters.of_face) and _draw(choose_fonts(text, part)) == _draw(letters)
    return part if is_same else Attachment(font.name, whole, font.digest)


def _find_part(face: bytes, text: str) -> bytes:
    """Return the font with only the glyphs that the text needs.

    Return the font unchanged if fonttools can't read it.

    Raises:
        UsageError: fonttools isn't installed.
    """
    try:
        from fontTools import subset, ttLib  # noqa: PLC0415 - only bundles need it
    except ImportError:
        raise UsageError(
            "can't reduce the watermark's font for the bundle: fonttools isn't installed here. "
            "Run: pip install 'renditions[aws]'"
        ) from None
    options = subset.Options(
        layout_features=["*"], legacy_kern=True, name_IDs=["*"], notdef_outline=True, hinting=False
    )
    subsetter = subset.Subsetter(options)
    forms = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    subsetter.populate(text="".join((text, *forms, _OF_THE_SHAPER)))
    logging.getLogger("fontTools").setLevel(logging.ERROR)  # it reports each table that it drops
    target = io.BytesIO()
    try:
        font = ttLib.TTFont(io.BytesIO(face), recalcTimestamp=False, lazy=True)
        subsetter.subset(font)
        font.save(target)
    except Exception:  # noqa: BLE001 - fonttools raises errors of any kind for tables that it can't read
        return face
    return target.getvalue()


def _draw(letters: Letters) -> tuple[int, int, bytes]:
    from renditions.imaging.lettering import draw_letters  # noqa: PLC0415 - imports libvips

    image = draw_letters(letters, "#ffffff", _COMPARED_PIXELS)
    return image.width, image.bands, image.write_to_memory()

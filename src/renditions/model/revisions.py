"""The revisions of the engine: its deliberate changes since version 0.1.

If an output depends on a revision that is newer than the output, Renditions makes the output again. The
upgrade of a library isn't a revision. Otherwise the worker would make every output of a large catalog again
after each upgrade.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from renditions.model.formats import AUTO, OUTPUT_FORMATS, SOURCE_FORMATS
from renditions.model.recipe import OPERATIONS, Rendition


@dataclass(frozen=True, slots=True)
class Revision:
    """A deliberate change of the engine. Older outputs that depend on it are stale."""

    number: int
    kind: Literal["source", "output", "operation", "metadata", "text"]
    name: str
    """What changed: the format, the operation, the choice of ``metadata``, or the kind of fonts."""
    why: str
    """A sentence that says how outputs differ from earlier ones."""


MACHINE_FONTS = 0
"""The number in a fingerprint that stands for ``fonts = "system"``: the fonts of the machine."""
FIRST_ENGINE = 1
"""The engine of version 0.1."""

REVISIONS: tuple[Revision, ...] = (
    Revision(
        2,
        "source",
        "tiff",
        "Samples of every type keep their tones, pixels become square, and previews don't count as pages.",
    ),
    Revision(
        3,
        "source",
        "svg",
        "Text is drawn with letters, embedded GIF and WebP are drawn, and every drawing is scaled.",
    ),
    Revision(4, "source", "png", "Colours follow cICP, or gAMA and cHRM; HDR becomes sRGB."),
    Revision(5, "source", "avif", "Colours follow CICP; HDR becomes sRGB."),
    Revision(6, "source", "heic", "Colours follow CICP; HDR becomes sRGB."),
    Revision(7, "source", "png", "EXIF that follows the pixels is read, including its orientation."),
    Revision(8, "metadata", "copyright", "Names are kept in every script, byte for byte."),
    Revision(
        9, "metadata", "all", "Previews, and metadata that describes only the source's file, are left out."
    ),
    Revision(10, "source", "gif", "The canvas outside of the frames is transparent."),
    Revision(
        11, "output", "pdf", "Pages keep their size on paper, and two-tone pages are stored without loss."
    ),
    Revision(12, "text", "declared fonts", "Texts in a declared font aren't hinted."),
    Revision(13, "source", "pdf", "Text in a font that a page doesn't embed is the same everywhere."),
    Revision(14, "source", "tiff", "YCbCr that isn't compressed as JPEG has its correct colours."),
    Revision(
        15, "source", "heic", "The orientation in EXIF isn't applied again, in TIFF output and by trim."
    ),
    Revision(
        16, "operation", "pixelate", "Squares that an edge cuts off have the mean colour of their pixels."
    ),
    Revision(
        17,
        "source",
        "tiff",
        "Grey with extra samples isn't transparent, and grey samples in planes aren't mixed up.",
    ),
    Revision(18, "source", "dicom", "Without a window, the first VOI LUT decides the tones."),
    Revision(
        19,
        "source",
        "svg",
        "As in browsers, text without a size has 16 px, and a background colour in the root's style counts.",
    ),
    Revision(20, "source", "png", "In grey HDR with alpha, alpha no longer counts as the brightest value."),
    Revision(21, "source", "avif", "Colours that the file stores weighted by their alpha aren't too dark."),
    Revision(
        22,
        "source",
        "svg",
        "As in browsers, the root is transformed around its centre, and variables have their default values.",
    ),
    Revision(
        23,
        "source",
        "svg",
        "As in browsers, the root's size and transform can come from any CSS, and pictures keep proportions.",
    ),
    Revision(24, "source", "tiff", "L*a*b* has its correct colours."),
)
"""All revisions, numbered from 2. ``[output] engine`` names the last one that counts."""


def newest_engine() -> int:
    """Return the number of this engine, which is the number of the last revision."""
    return REVISIONS[-1].number if REVISIONS else FIRST_ENGINE


def revisions_of(recipe: Rendition, source_format: str | None) -> tuple[Revision, ...]:
    """Return the revisions that affect this recipe's outputs from this source format.

    ``source_format`` is None until Renditions has read the picture.
    """
    own = SOURCE_FORMATS.get(source_format or "")
    output = own.auto if recipe.format == AUTO and own else recipe.format
    counted = {("output", output)}
    if recipe.needs_pixels:
        counted |= {("source", source_format or ""), ("metadata", recipe.metadata)}
        counted |= {("operation", each.name) for each in OPERATIONS if each.is_used(recipe)}
        if recipe.watermark and recipe.watermark.font:
            counted.add(("text", "declared fonts"))
        if output in OUTPUT_FORMATS and OUTPUT_FORMATS[output].searched:
            # The pages of a PDF are encoded as JPEG.
            counted.add(("output", OUTPUT_FORMATS[output].searched or ""))
    return tuple(each for each in REVISIONS if (each.kind, each.name) in counted)


def numbers_of(revisions: Iterable[Revision], engine: int | None = None) -> list[int]:
    """Return the numbers of the revisions, without numbers above ``engine``.

    If ``engine`` is None, return all numbers.
    """
    return [each.number for each in revisions if engine is None or each.number <= engine]


def revisions_of_any(recipe: Rendition) -> tuple[Revision, ...]:
    """Return the revisions that this recipe's outputs can depend on, for any source."""
    of_formats = (revisions_of(recipe, source_format) for source_format in SOURCE_FORMATS)
    return tuple(sorted({each for some in of_formats for each in some}, key=lambda each: each.number))

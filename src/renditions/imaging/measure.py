"""Measure renditions while they are made, for a trial of a recipe.

A trial makes the same bytes as any other run, and measures them in addition.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

from renditions.errors import Unrenderable
from renditions.imaging.analysis.likeness import Likeness, planes_of
from renditions.imaging.decode import Frames
from renditions.imaging.depth import in_8_bits
from renditions.imaging.vips import load, translated
from renditions.model.formats import OUTPUT_FORMATS, SOURCE_FORMATS
from renditions.model.rendering import Measured, Rendered

_is_measuring: ContextVar[bool] = ContextVar("measuring", default=False)


@contextmanager
def measuring() -> Iterator[None]:
    """Measure the renditions that are encoded in the ``with`` block."""
    token = _is_measuring.set(True)
    try:
        yield
    finally:
        _is_measuring.reset(token)


def measure(made: Rendered, pages: Sequence[Frames], quality: int | None) -> Rendered:
    """Return the rendition; in a trial, with its measurements.

    Args:
        made: The finished file.
        pages: The pixels that were encoded.
        quality: The encoder's quality; None for a lossless file or a format without a quality.

    Raises:
        Unrenderable: In a trial, the finished file can't be read again.
        Failed: Memory ran out.

    """
    if not _is_measuring.get():
        return made
    return replace(made, measured=Measured(quality, _score(made, pages)))


def _score(made: Rendered, pages: Sequence[Frames]) -> float | None:
    facts = SOURCE_FORMATS.get(made.format)
    is_still = len(pages) == 1 and len(pages[0].images) == 1 and OUTPUT_FORMATS[made.format].browser_rank
    if not (facts and facts.loader and is_still):
        return None
    with (
        translated(Unrenderable, "the finished rendition can't be read again", "Declare another format"),
        ThreadPoolExecutor(1) as other,
    ):
        # Two threads, since each half takes about as long as encoding a large JPEG.
        likeness = other.submit(Likeness, in_8_bits(pages[0].images[0]))
        planes = planes_of(in_8_bits(load(made.format, made.content)))
        return round(likeness.result().score_planes(planes), 1)

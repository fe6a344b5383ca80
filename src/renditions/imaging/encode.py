"""Encode pictures as files, with the metadata that the recipe keeps.

By default, a recipe keeps none.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from renditions.errors import Unrenderable
from renditions.imaging.decode import Frames
from renditions.imaging.depth import in_8_bits
from renditions.imaging.metadata import encode_with
from renditions.imaging.registry import find_code
from renditions.imaging.search import encode_within
from renditions.imaging.vips import GValue, Image, load, translated
from renditions.model.formats import OUTPUT_FORMATS
from renditions.model.recipe import Rendition


def encode(frames: Frames, output_format: str, recipe: Rendition, quality: int | None) -> bytes:
    """Return the encoded file. For JPEG and PDF, the frames must have no alpha.

    Formats without a quality ignore ``quality``.

    Raises:
        Unrenderable: The encoder can't make the file.
        Failed: Memory ran out.

    """
    with _translated(output_format):
        return _encode(_join(frames), output_format, recipe, quality)


def _translated(output_format: str) -> AbstractContextManager[None]:
    failure = f"the picture can't be encoded as {output_format}"
    return translated(Unrenderable, failure, "Declare another size or format")


def encode_near(frames: Frames, output_format: str, recipe: Rendition) -> tuple[bytes, int]:
    """Return a file that just reaches the recipe's target, and its quality.

    See :func:`.encode_within` for the search. For an animation, the search encodes only the middle frame. If
    no quality reaches the target, the file has the highest quality.

    Raises:
        Unrenderable: The encoder can't make the file.
        Failed: Memory ran out.

    """
    with _translated(output_format):
        middle, scale = frames.images[len(frames.images) // 2], OUTPUT_FORMATS[output_format].quality
        content, quality = encode_within(
            in_8_bits(middle),
            recipe.target,
            encode=lambda quality: _encode(middle, output_format, recipe, quality),
            decode=lambda content: in_8_bits(load(output_format, content)),
            usual_quality=scale.default if scale else 1,
        )
        if frames.timing is not None:
            content = _encode(_join(frames), output_format, recipe, quality)
        return content, quality


def _encode(image: Any, output_format: str, recipe: Rendition, quality: int | None) -> bytes:
    encoder = find_code(OUTPUT_FORMATS[output_format].encoder)
    return encode_with(image, recipe.metadata, lambda image: bytes(encoder(image, recipe, quality)))


def stack(pages: Sequence[Frames]) -> Frames:
    """Return the pages, each of one frame, as the frames of one document.

    Raises:
        Unrenderable: The pages have different sizes, which libvips' TIFF doesn't allow.

    """
    sizes = dict.fromkeys(page.size for page in pages)
    if len(sizes) > 1:
        found = " and ".join(f"{size.width} by {size.height}" for size in list(sizes)[:2])
        raise Unrenderable(
            f"all pages must have the same size, but pages of {found} were found. Set width, height and "
            'fit = "contain"'
        )
    images = [page.images[0].colourspace("srgb") for page in pages]
    if any(image.hasalpha() for image in images):
        images = [image if image.hasalpha() else image.addalpha() for image in images]
    return Frames(tuple(images), pages[0].size)


def _join(frames: Frames) -> Any:
    """Return the frames as libvips needs them.

    A still picture of one frame stays unchanged. Otherwise the result is one tall image, which records the
    height of a frame and, for an animation, the timing.
    """
    if len(frames.images) == 1 and frames.timing is None:
        return frames.images[0]
    strip = Image.arrayjoin(list(frames.images), across=1).copy()
    strip.set_type(GValue.gint_type, "page-height", frames.size.height)
    if frames.timing is None:
        return strip
    strip.set_type(GValue.array_int_type, "delay", list(frames.timing.delays_ms))
    strip.set_type(GValue.gint_type, "loop", frames.timing.loop)
    return strip

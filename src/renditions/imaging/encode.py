"""Pictures -> files, with the metadata that the recipe keeps: by default, none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from renditions.errors import Unrenderable
from renditions.imaging.decode import Frames
from renditions.imaging.metadata import kept, select
from renditions.imaging.search import encode_within
from renditions.imaging.vips import GValue, Image, load, translated
from renditions.model.recipe import FORMATS, Rendition

_PALETTE_DEPTHS = (1, 2, 4, 8)
"""Bits of an index into PNG's palette."""
_SMALL_JPEG = {"interlace": True, "optimize_scans": True, "trellis_quant": True, "quant_table": 2}
"""What makes JPEG smallest at equal SSIMULACRA2 of all that the encoder (mozjpeg) offers.

The table is the one that was tuned to MS-SSIM; an encoder without these choices ignores them.
"""


def encode(frames: Frames, output_format: str, recipe: Rendition, quality: int | None) -> bytes:
    """Return the file; for JPEG the frames must be without alpha.

    The quality matters only where the format has one.

    Raises:
        Unrenderable: the encoder can't make it.

    """
    with translated(Unrenderable, f"a picture that fits into {output_format}"):
        return _encode(_join(frames), output_format, recipe, quality)


def encode_near(frames: Frames, output_format: str, recipe: Rendition) -> tuple[bytes, int]:
    """Return the smallest file that is as near to the picture as the recipe's target, and its quality.

    Of an animation, the frame in the middle stands for all.

    Raises:
        Unrenderable: the encoder can't make it.

    """
    with translated(Unrenderable, f"a picture that fits into {output_format}"):
        middle = frames.images[len(frames.images) // 2]
        content, quality = encode_within(
            middle,
            recipe.target,
            encode=lambda quality: _encode(middle, output_format, recipe, quality),
            decode=lambda content: load(output_format, content),
            usual_quality=FORMATS[output_format].default_quality or 1,
        )
        if frames.timing is not None:
            content = _encode(_join(frames), output_format, recipe, quality)
        return content, quality


def _encode(image: Any, output_format: str, recipe: Rendition, quality: int | None) -> bytes:
    encoders = {
        "jpeg": _encode_jpeg,
        "png": _encode_png,
        "webp": _encode_webp,
        "avif": _encode_avif,
        "gif": _encode_gif,
        "tiff": _encode_tiff,
    }
    return encoders[output_format](select(image, recipe.metadata), recipe, quality)


def stack(pages: Sequence[Frames]) -> Frames:
    """Return the pages, each of one frame, as one document.

    Raises:
        Unrenderable: they aren't of one size, as libvips' TIFF needs them.

    """
    sizes = dict.fromkeys(page.size for page in pages)
    if len(sizes) > 1:
        found = " and ".join(f"{size.width} by {size.height}" for size in list(sizes)[:2])
        raise Unrenderable(f'expected pages of one size, as fit = "contain" makes them, found {found}')
    images = [page.images[0].colourspace("srgb") for page in pages]
    if any(image.hasalpha() for image in images):
        images = [image if image.hasalpha() else image.addalpha() for image in images]
    return Frames(tuple(images), pages[0].size)


def _join(frames: Frames) -> Any:
    """Return libvips' form of an animation or document: one tall image, with a frame's height and timing."""
    if len(frames.images) == 1 and frames.timing is None:
        return frames.images[0]
    strip = Image.arrayjoin(list(frames.images), across=1).copy()
    strip.set_type(GValue.gint_type, "page-height", frames.size.height)
    if frames.timing is None:
        return strip
    strip.set_type(GValue.array_int_type, "delay", list(frames.timing.delays_ms))
    strip.set_type(GValue.gint_type, "loop", frames.timing.loop)
    return strip


def _effort(recipe: Rendition, output_format: str) -> int:
    facts = FORMATS[output_format]
    effort = facts.default_effort if recipe.effort is None else recipe.effort
    return min(effort or 0, facts.max_effort or 0)


def _encode_jpeg(image: Any, recipe: Rendition, quality: int | None) -> bytes:
    options: dict[str, Any] = {"interlace": True} if recipe.progressive else {}
    if recipe.quality == "auto":
        options = _SMALL_JPEG
    chroma = "off" if recipe.chroma == "444" else "on"
    return bytes(image.jpegsave_buffer(Q=quality, subsample_mode=chroma, keep=kept(recipe), **options))


def _encode_png(image: Any, recipe: Rendition, _: int | None) -> bytes:
    options: dict[str, Any] = {"interlace": True} if recipe.progressive else {}
    if recipe.palette:
        bits = max(depth for depth in _PALETTE_DEPTHS if 2**depth <= recipe.palette)
        options |= {"palette": True, "bitdepth": bits}
    return bytes(image.pngsave_buffer(keep=kept(recipe), **options))


def _encode_webp(image: Any, recipe: Rendition, quality: int | None) -> bytes:
    return bytes(
        image.webpsave_buffer(
            Q=quality,
            effort=_effort(recipe, "webp"),
            lossless=recipe.lossless,
            exact=recipe.lossless,
            keep=kept(recipe),
        )
    )


def _encode_avif(image: Any, recipe: Rendition, quality: int | None) -> bytes:
    # Without the choice libvips subsamples only below quality 90.
    options = {"subsample_mode": "off"} if recipe.chroma == "444" else {}
    return bytes(
        image.heifsave_buffer(
            compression="av1",
            Q=quality,
            effort=_effort(recipe, "avif"),
            lossless=recipe.lossless,
            keep=kept(recipe),
            **options,
        )
    )


def _encode_gif(image: Any, _: Rendition, __: int | None) -> bytes:
    # It has no place for any of it.
    return bytes(image.gifsave_buffer(keep="none"))


def _encode_tiff(image: Any, recipe: Rendition, _: int | None) -> bytes:
    return bytes(image.tiffsave_buffer(compression="deflate", predictor="horizontal", keep=kept(recipe)))

"""Pillow, or Pillow-SIMD if installed, in its common use and in its best use."""

from __future__ import annotations

import math
import sys
import warnings
from contextlib import suppress
from io import BytesIO

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError, __version__, features

from benchmarks.worker import Job, Size, UnsupportedError, cascade, serve

with suppress(ImportError):  # Pillow-SIMD's environment has none
    import pillow_heif

    pillow_heif.register_heif_opener()

_HEADROOM = 1.6
_ORIENTATION = 0x0112
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", "image file could not be identified")


def make_full(content: bytes, job: Job) -> list[bytes]:
    """Decode the whole picture; return each rendition, made from it."""
    return [encode(picture, job) for picture in resize_full(content, job.sizes)]


def make_best(content: bytes, job: Job) -> list[bytes]:
    """Return the renditions; make small ones from larger ones.

    The decoder shrinks JPEGs while it decodes.
    """
    image = _open(content)
    width, height = (math.ceil(side * _HEADROOM) for side in job.sizes[0])
    is_sideways = image.getexif().get(_ORIENTATION, 1) >= 5
    image.draft(None, (height, width) if is_sideways else (width, height))
    whole = _upright_srgb(image)
    pictures: list[Image.Image] = []
    for size, source in zip(job.sizes, cascade(job.sizes), strict=True):
        start = whole if source is None else pictures[source]
        pictures.append(start.resize(size, Image.Resampling.LANCZOS))
    return [encode(picture, job) for picture in pictures]


def resize_full(content: bytes, sizes: tuple[Size, ...]) -> list[Image.Image]:
    """Return each rendition's pixels by Lanczos from the whole picture.

    The benchmark compares every way with these pixels.
    """
    whole = _upright_srgb(_open(content))
    return [whole.resize(size, Image.Resampling.LANCZOS) for size in sizes]


def encode(picture: Image.Image, job: Job) -> bytes:
    """Return the picture as a file; chroma is halved, by Pillow's own default."""
    if job.format == "webp" and not features.check("webp"):
        raise UnsupportedError("built without WebP")
    output = BytesIO()
    picture.save(output, job.format, quality=job.quality)
    return output.getvalue()


def _open(content: bytes) -> Image.Image:
    try:
        return Image.open(BytesIO(content))
    except UnidentifiedImageError as error:
        raise UnsupportedError("built without this format") from error


def _upright_srgb(image: Image.Image) -> Image.Image:
    ImageOps.exif_transpose(image, in_place=True)
    profile = image.info.pop("icc_profile", None)
    if profile:
        if not features.check("littlecms2"):
            raise UnsupportedError("built without LittleCMS")
        converted = ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        assert converted  # noqa: S101 - it is None only where the image is converted in place
        return converted
    return image if image.mode in ("RGB", "RGBA") else image.convert("RGB")


if __name__ == "__main__":
    way = {"full": make_full, "best": make_best}[sys.argv[1]]
    serve(way, f"Pillow {__version__}, libjpeg-turbo {features.version('jpg')}")

"""The lowest possible cost: libjpeg-turbo, called directly.

It resizes with Pillow-SIMD's fast Lanczos. It has no colour management, no orientation and no limits, so it
shows the least that a picture costs.
"""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
import simplejpeg
from PIL import Image, __version__

from benchmarks.worker import Job, UnsupportedError, cascade, serve

_HEADROOM = 1.6
_START_OF_JPEG = b"\xff\xd8\xff"


def make(content: bytes, job: Job) -> list[bytes]:
    """Return the file of each rendition."""
    if job.format != "jpeg" or not content.startswith(_START_OF_JPEG):
        raise UnsupportedError("only from JPEG to JPEG")
    _, _, colours, _ = simplejpeg.decode_jpeg_header(content)
    if colours not in ("YCbCr", "RGB") or b"ICC_PROFILE" in content[:65_536]:
        raise UnsupportedError("no colour management")
    width, height = (int(side * _HEADROOM) for side in job.sizes[0])
    pixels = simplejpeg.decode_jpeg(content, min_width=width, min_height=height, min_factor=1)
    whole = Image.fromarray(pixels)
    pictures: list[Image.Image] = []
    for size, source in zip(job.sizes, cascade(job.sizes), strict=True):
        start = whole if source is None else pictures[source]
        pictures.append(start.resize(size, Image.Resampling.LANCZOS))
    return [
        simplejpeg.encode_jpeg(np.asarray(picture), quality=job.quality, colorsubsampling="420")
        for picture in pictures
    ]


if __name__ == "__main__":
    serve(make, f"simplejpeg {version('simplejpeg')}, Pillow {__version__}")

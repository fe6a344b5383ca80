"""Read a picture with Pillow, upright, in sRGB: ``pillow.py INPUT OUTPUT WIDTH``.

A width of 0 keeps the size. Without arguments, the program prints its versions.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from io import BytesIO

import pillow_heif
from PIL import Image, ImageCms, ImageOps, __version__


def read(source: str, target: str, width: int) -> None:
    """Shrink the picture to this width, and write it as a PNG."""
    image: Image.Image = Image.open(source)
    if width:
        size = width, round(width * image.height / image.width)
        image.draft(None, size)
        image.thumbnail(size)
    image = ImageOps.exif_transpose(image)
    with suppress(OSError, ImageCms.PyCMSError):  # a profile that can't be used
        if profile := image.info.get("icc_profile"):
            theirs, ours = ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB")
            image = ImageCms.profileToProfile(image, theirs, ours, outputMode="RGB") or image
    image = image.convert("RGBA")
    image.info.clear()
    image.save(target)


if __name__ == "__main__":
    pillow_heif.register_heif_opener()
    if len(sys.argv) == 1:
        print(f"Pillow {__version__} with pillow-heif {pillow_heif.__version__}")
    else:
        read(sys.argv[1], sys.argv[2], int(sys.argv[3]))

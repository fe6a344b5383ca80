"""Let libraries that draw text, such as librsvg, find the fonts in this package."""

from __future__ import annotations

from functools import cache

from renditions.imaging.typeface import own_fonts
from renditions.imaging.vips import Image


@cache
def add_own_fonts() -> None:
    """Add the package's fonts to fontconfig, once for each process.

    ``fonts.conf`` lets these fonts stand in for every family. To add a font, this function draws a text with
    the font's file: libvips has no other call for that.
    """
    for path in own_fonts():
        Image.text("x", font=str(path), fontfile=str(path)).avg()

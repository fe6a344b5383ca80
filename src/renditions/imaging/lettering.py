"""Draw a line of text with only the declared font and the bundled fonts.

By default, Pango chooses a font for each character, even one that an earlier text has loaded. So
:mod:`.font_choice` splits the text, and this module names the font of each piece.
"""

from __future__ import annotations

import atexit
import html
import os
import tempfile
from functools import cache
from hashlib import sha256
from typing import Any

from renditions.errors import Unrenderable
from renditions.imaging.font_choice import Letters
from renditions.imaging.machine_fonts import settle
from renditions.imaging.typeface import default_font_file, own_fonts, read_own_font
from renditions.imaging.vips import Image, translated

_OWN_FAMILY = "Renditions"
"""The family of the bundled fonts, see ``fonts.conf``."""
_PREFIX = "renditions-font-"
"""The prefix of a declared font's file on disk, for systems without files in memory; see ``fonts.conf``."""
_WEIGHT = 700
"""The weight of the letters if the font is variable: bold."""
_LANGUAGE = "en"
"""The language of texts. Without it, the forms of letters would depend on the machine's language."""


def add_own_fonts() -> None:
    """Let libraries that draw text, such as librsvg, find the bundled fonts.

    ``fonts.conf`` lets these fonts stand in for every family.

    Raises:
        Failed: A bundled font is damaged, or this process has drawn text with other fonts than the declared
            ones.

    """
    settle()
    _add_own_fonts()


@cache
def _add_own_fonts() -> None:
    """Add the fonts, by drawing a text with each font's file.

    libvips has no other call for that. It draws boxes, and reports nothing, if the font is damaged.
    """
    for path in own_fonts():
        read_own_font(path)
        Image.text("x", font=str(path), fontfile=str(path)).avg()


def draw_letters(letters: Letters, ink: str, font_pixels: int) -> Any:
    """Return the text as an image.

    The image is the text's alpha alone, or has colours if a font with colours draws a part of the text.

    Args:
        letters: The text.
        ink: The colour of glyphs without colours of their own, as ``#rrggbb``. It has no effect if the
            image is alpha alone.
        font_pixels: The font size.

    Raises:
        Unrenderable: The text can't be drawn, for example because the font is damaged.
        Failed: Memory ran out, a bundled font is damaged, or this process has drawn text with other fonts
            than the declared ones.

    """
    has_colours = letters.face is not None and letters.face.has_colours and letters.of_face != ""
    colour = f' foreground="{ink}"' if has_colours else ""
    # Pango also measures characters that the text lacks, in any font that it finds.
    add_own_fonts()
    file, family = _file_of(letters)
    with translated(Unrenderable, "the watermark's text can't be drawn", "Name another font"):
        pieces = "".join(
            f'<span face="{_OWN_FAMILY if piece.is_bundled else family}">{html.escape(piece.text)}</span>'
            for piece in letters.pieces
        )
        # At 72 dpi, a point is a pixel.
        return Image.text(
            f'<span fallback="false" weight="{_WEIGHT}" lang="{_LANGUAGE}"{colour}>{pieces}</span>',
            font=f"{family}, {font_pixels}",
            fontfile=file,
            dpi=72,
            rgba=has_colours,
        ).copy_memory()


def _file_of(letters: Letters) -> tuple[str, str]:
    """Return the path and family of the declared font, or else of the bundled one.

    A declared font's path also serves as its family name, by a rule in ``fonts.conf``.
    """
    if letters.face is None:
        return str(default_font_file()), _OWN_FAMILY
    content = letters.face.as_file()
    digest = sha256(content).digest()
    if digest not in _files:
        _files[digest] = _write_file(content)
    return _files[digest], _files[digest]


_files: dict[bytes, str] = {}
"""The paths of the fonts that texts were drawn with, by the SHA-256 of the font."""


def _write_file(content: bytes) -> str:
    """Return the path of a new file with this content.

    The file exists as long as this process. On Linux the file is in memory only, because a confined worker
    can't write any other file. The file stays open, so that no other font ever gets the same path.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("font")
        path = f"/proc/self/fd/{descriptor}"
    else:
        descriptor, path = tempfile.mkstemp(prefix=_PREFIX)
        atexit.register(os.unlink, path)
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(content)
    return path

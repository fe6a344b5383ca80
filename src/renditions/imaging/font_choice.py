"""Choose the declared or the bundled font for each character of a text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from renditions.imaging.typeface import Face, choose_face, default_font
from renditions.model.fields import Attachment

STAND_IN = "\ufffd"
"""Unicode's replacement character, which the bundled font has, for a character that no font has."""
_EMOJI_SELECTOR = "\ufe0f"
"""The character that requests the character before it as a colour emoji (Unicode Technical Standard 51)."""
_JOINED = ("Cf", "Mn", "Me")
"""Unicode's categories of characters that are drawn in the font of the character before them."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text that one font draws."""

    text: str
    is_bundled: bool
    """Whether the bundled font draws the text; otherwise the declared font does."""


@dataclass(frozen=True, slots=True)
class Letters:
    """A text, split by font."""

    face: Face | None
    """The declared font's face; None without a declared font."""
    pieces: tuple[Piece, ...]
    missing: str
    """The characters that stand-ins replace in ``pieces``, each once, sorted by code point."""

    @property
    def of_face(self) -> str:
        """The text that the declared font draws."""
        return "".join(piece.text for piece in self.pieces if not piece.is_bundled)


@lru_cache(maxsize=4)  # each member of a family has the same watermark
def choose_fonts(text: str, font: Attachment | None, number: int | None = None) -> Letters:
    """Split the text by font.

    The bundled font comes first if the declared one is for emoji: such a font also has digits and signs, but
    no letters.

    Args:
        text: The text.
        font: The declared font; None for the bundled one alone.
        number: The number of the declared font's face; see :func:`.typeface.choose_face`.

    Raises:
        Undecodable: The declared font isn't a font, is damaged, or has no face with this number.
        Failed: The bundled font can't be read, or is damaged.

    """
    bundled = _Coverage(choose_face(default_font(), ""), text)
    if font is None:
        return _split(text, None, [(True, bundled)])
    assert font.content is not None  # noqa: S101 - fonts are read with the pipeline file
    declared = _Coverage(choose_face(font.content, text, number), text)
    order = [(False, declared), (True, bundled)]
    is_for_emoji = declared.face.has_colours and not any(map(str.isalpha, declared.found))
    return _split(text, declared.face, order[::-1] if is_for_emoji else order)


class _Coverage:
    """The characters of a text that a face has."""

    def __init__(self, face: Face, text: str) -> None:
        self.face = face
        clusters = [_composed(cluster) for cluster in _clusters(text)]
        self._missing = set(face.find_missing("\n".join(clusters)))
        if not face.has_space:
            self._missing |= {each for each in text if unicodedata.category(each) == "Zs"}
        self.found = set("".join(clusters)) - self._missing

    def find_missing(self, cluster: str) -> set[str]:
        return self._missing.intersection(_composed(cluster))


def _split(text: str, face: Face | None, order: list[tuple[bool, _Coverage]]) -> Letters:
    """Split the text by font.

    Each cluster gets the first font in ``order`` that has all of its characters. For a cluster that requests
    an emoji, the declared font comes first. If no font has all of the characters, the bundled font draws the
    cluster with stand-ins.
    """
    bundled = dict(order)[True]
    missing: set[str] = set()
    chosen: list[Piece] = []
    for cluster in _clusters(text):
        shown = cluster
        fonts = sorted(order, key=lambda font: font[0]) if _EMOJI_SELECTOR in cluster else order
        is_bundled = next((own for own, coverage in fonts if not coverage.find_missing(cluster)), None)
        if is_bundled is None:
            lacked = bundled.find_missing(cluster)
            missing |= lacked
            shown = "".join(STAND_IN if each in lacked else each for each in _composed(cluster))
        chosen.append(Piece(shown, is_bundled is not False))
    pieces = (
        Piece("".join(piece.text for piece in group), is_bundled)
        for is_bundled, group in groupby(chosen, key=lambda piece: piece.is_bundled)
    )
    return Letters(face, tuple(pieces), "".join(sorted(missing)))


def _clusters(text: str) -> Iterator[str]:
    """Yield each character with its marks and format characters.

    The parts of a Hangul syllable count as one character.
    """
    start = 0
    for at in range(1, len(text)):
        longer = len(_composed(text[start : at + 1])) > len(_composed(text[start:at]))
        if longer and unicodedata.category(text[at]) not in _JOINED:
            yield text[start:at]
            start = at
    yield text[start:]


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)

"""Find the text that describes a picture to people who can't see it.

XMP's ``Iptc4xmpCore:AltTextAccessibility`` is such a text (IPTC Photo Metadata Standard 2021.1). Without it,
the caption is used: XMP's ``dc:description``, or IPTC-IIM's dataset 2:120. EXIF's ``ImageDescription`` isn't
used, since many cameras write their own name into it.
"""

from __future__ import annotations

import unicodedata
from xml.parsers import expat

from renditions.imaging.iptc import CHARACTER_SET, datasets

MAX_CHARACTERS = 500
"""The most characters of a text. The rest is cut off, so that records stay small."""
_CAPTION = (2, 120)
_UTF_8 = b"\x1b%G"
"""The sequence of ISO 2022 that declares UTF-8."""
_JOINERS = "\u200c\u200d"
"""Invisible characters that Persian, Indic scripts and emoji need."""
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_WANTED = {
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/ AltTextAccessibility": 0,
    "http://purl.org/dc/elements/1.1/ description": 1,
}
"""The wanted properties with their rank, the best first."""
_MAX_DEPTH = 200


def find_alt_text(packet: bytes, block: bytes) -> str | None:
    """Return the text in an XMP packet or an IPTC block; None if there is none."""
    return _find_in_xmp(packet) or _find_in_iptc(block)


def _find_in_xmp(packet: bytes) -> str | None:
    reader = _Reader()
    try:
        reader.read(packet.strip(b"\0 \r\n"))
    except (expat.ExpatError, LookupError, ValueError):
        return None
    texts = (_clean(reader.found[rank]) for rank in sorted(reader.found))
    return next(filter(None, texts), None)


class _Reader:
    """A reader of the wanted properties of an XMP packet.

    If a property has several languages, the reader takes the default one, or else the first.
    """

    def __init__(self) -> None:
        self.found: dict[int, str] = {}
        self._rank: int | None = None
        """The rank of the property that is open."""
        self._is_default = False
        self._depth = 0
        self._text: list[str] | None = None
        """The text of the open ``rdf:li``."""

    def read(self, packet: bytes) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._read_text
        parser.Parse(packet, True)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ValueError("the XMP is nested too deeply")
        if name in _WANTED:
            self._rank = _WANTED[name]
        elif name == f"{_RDF} li" and self._rank is not None:
            language = attributes.get("http://www.w3.org/XML/1998/namespace lang", "")
            self._is_default, self._text = language == "x-default", []

    def _end(self, name: str) -> None:
        self._depth -= 1
        if name in _WANTED:
            self._rank = None
        elif name == f"{_RDF} li" and self._text is not None and self._rank is not None:
            if self._is_default or self._rank not in self.found:
                self.found[self._rank] = "".join(self._text)
            self._text = None

    def _read_text(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)


def _refuse(*_: object) -> None:
    raise ValueError("the XMP has a document type")


def _find_in_iptc(block: bytes) -> str | None:
    is_utf_8 = False
    for record, number, dataset in datasets(block):
        value = dataset[5:]
        if (record, number) == CHARACTER_SET:
            is_utf_8 = value.startswith(_UTF_8)
        elif (record, number) == _CAPTION:
            try:
                return _clean(value.decode())
            except UnicodeDecodeError:
                return _clean(value.decode("utf-8" if is_utf_8 else "latin-1", errors="replace"))
    return None


def _clean(text: str) -> str | None:
    """Return the text on one line, without most invisible characters.

    Only ``_JOINERS`` are kept. Return None if nothing is left.
    """
    shown = "".join(
        sign if sign in _JOINERS or unicodedata.category(sign)[0] not in "CZ" else " " for sign in text
    )
    return " ".join(shown.split())[:MAX_CHARACTERS].strip() or None

"""Select the statements of an XMP packet.

The source is ISO 16684-1. A packet is RDF. The statements are the children and the attributes of the topmost
``rdf:Description``s.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DC = "http://purl.org/dc/elements/1.1/"
_RIGHTS = frozenset({(_DC, "rights"), (_DC, "creator"), ("http://ns.adobe.com/photoshop/1.0/", "Credit")})
_RIGHTS_SCHEMA = "http://ns.adobe.com/xap/1.0/rights/"
_UNTRUE = frozenset(
    {
        ("http://ns.adobe.com/tiff/1.0/", name)
        for name in (
            "Orientation", "ImageWidth", "ImageLength", "BitsPerSample", "Compression",
            "PhotometricInterpretation", "SamplesPerPixel", "PlanarConfiguration",
            "YCbCrSubSampling", "YCbCrPositioning", "XResolution", "YResolution", "ResolutionUnit",
            "TransferFunction", "WhitePoint", "PrimaryChromaticities", "YCbCrCoefficients",
            "ReferenceBlackWhite",
        )
    }
    | {
        ("http://ns.adobe.com/exif/1.0/", name)
        for name in (
            "PixelXDimension", "PixelYDimension", "ColorSpace", "CompressedBitsPerPixel", "SubjectArea",
            "SubjectLocation", "MakerNote",
        )
    }
    | {("http://ns.adobe.com/photoshop/1.0/", name) for name in ("ColorMode", "ICCProfile")}
    | {("http://ns.adobe.com/xap/1.0/", "Thumbnails"), ("http://ns.adobe.com/xap/1.0/mm/", "Pantry")}
    | {("http://ns.adobe.com/xmp/note/", "HasExtendedXMP")}
)  # fmt: skip
"""Statements about the source's file, and the file's previews."""
_UNTRUE_SCHEMAS = (
    "http://ns.adobe.com/xap/1.0/g/img/",
    "http://ns.adobe.com/hdr-gain-map/",
    "http://ns.apple.com/HDRGainMap/",
    "http://ns.apple.com/pixeldatainfo/",
    "http://ns.google.com/photos/",
    "http://ns.google.com/photos/1.0/container/",
    "http://www.metadataworkinggroup.com/schemas/regions/",
    "http://ns.microsoft.com/photo/1.2/",
)
"""Schemas about previews, gain maps, videos, other parts of the file, or positions in the picture.

Google's schemas describe depth, panoramas, cameras and containers.
"""
_IMAGE_DATA = re.compile(r"\s*(?:/9j/|iVBORw0KGgo|R0lGOD|UklGR|SUkqA|TU0AK)[A-Za-z0-9+/\s]{100}")
"""How JPEG, PNG, GIF, WebP and TIFF begin in Base64."""
_WRAPPER = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>{}<?xpacket end="w"?>'

_PREFIX = re.compile(r"[< ]([^\s:<>=\"']+):")
_DECLARATION = re.compile(r" xmlns:([^\s:<>=\"']+)=(?:\"[^\"]*\"|'[^']*')")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_MAX_DEPTH = 200
_Wanted = Callable[[str, str], bool]
"""Returns whether to keep a statement, by its schema and its name."""


def rights_of(packet: bytes) -> bytes:
    """Return the packet with only its statements on rights.

    The result is empty if the packet has no such statement or is invalid.
    """
    return _select(packet, lambda schema, name: (schema, name) in _RIGHTS or schema == _RIGHTS_SCHEMA)


def true_part_of(packet: bytes) -> bytes:
    """Return the packet without previews and without statements that may be wrong.

    A statement may be true for the original but wrong for a rendition. The result is empty if nothing is
    left, or if the packet is invalid, because its previews can't be found then.
    """
    return _select(
        packet,
        lambda schema, name: (schema, name) not in _UNTRUE and not schema.startswith(_UNTRUE_SCHEMAS),
    )


def _select(packet: bytes, wanted: _Wanted) -> bytes:
    try:
        return _Selection(wanted).read(packet if packet.startswith(_UTF_16) else packet.strip(b"\0 \r\n"))
    except (expat.ExpatError, LookupError, ValueError):
        return b""


class _Selection:
    """A reader of one packet, which writes the packet's wanted parts."""

    def __init__(self, wanted: _Wanted) -> None:
        self._wanted = wanted
        self._written: list[str] = []
        self._open: list[tuple[tuple[str, str], ChainMap[str, str], int]] = []
        """The elements that haven't ended: the name, the namespaces by prefix, and where each begins."""
        self._dropped = 0
        """How many open elements are left out: the outermost one, and the elements within it."""
        self._statements = 0

    def read(self, packet: bytes) -> bytes:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._read_text
        parser.Parse(packet, True)
        if not self._statements:
            return b""
        tags = (each for each in self._written if each.startswith("<"))
        used = {prefix for tag in tags for prefix in _PREFIX.findall(tag)}
        parts = (
            _DECLARATION.sub(lambda match: match[0] if match[1] in used else "", part)
            if part.startswith("<")
            else part
            for part in self._written
        )
        return _WRAPPER.format("".join(parts)).encode()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= _MAX_DEPTH:
            raise ValueError("the XMP is nested too deeply")
        outer: ChainMap[str, str] = self._open[-1][1] if self._open else ChainMap()
        declared = {
            each.partition(":")[2]: value
            for each, value in attributes.items()
            if each == "xmlns" or each.startswith("xmlns:")
        }
        spaces = outer.new_child(declared) if declared else outer
        is_statement = self._is_in_description()
        own = _resolve(name, spaces, is_attribute=False)
        self._open.append((own, spaces, len(self._written)))
        if self._dropped or (is_statement and not self._wanted(*own)) or own[0].startswith(_UNTRUE_SCHEMAS):
            self._dropped += 1
            return
        self._statements += is_statement
        is_description = self._is_in_description()
        kept = {
            each: value
            for each, value in attributes.items()
            if self._keeps(_resolve(each, spaces, is_attribute=True), value, is_description=is_description)
        }
        self._written.append(f"<{name}{''.join(f' {each}={quoteattr(kept[each])}' for each in kept)}>")

    def _keeps(self, name: tuple[str, str], value: str, *, is_description: bool) -> bool:
        schema, local = name
        if schema in ("", "xmlns", "xml", _RDF):
            return True
        if schema.startswith(_UNTRUE_SCHEMAS) or _IMAGE_DATA.match(value):
            return False
        if is_description:
            is_kept = self._wanted(schema, local)
            self._statements += is_kept
            return is_kept
        return True

    def _is_in_description(self) -> bool:
        """Return whether the last open element is a topmost description."""
        names = [name for name, _, _ in self._open[-2:]]
        return names == [(_RDF, "RDF"), (_RDF, "Description")]

    def _end(self, name: str) -> None:
        _, _, begin = self._open.pop()
        if self._dropped:
            self._dropped -= 1
            return
        self._written.append(f"</{name}>")
        if any(_IMAGE_DATA.match(text) for text in self._written[begin + 1 : begin + 2]):
            del self._written[begin:]

    def _read_text(self, text: str) -> None:
        if not self._dropped:
            self._written.append(escape(text, {"\r": "&#13;"}))


def _refuse(*_: object) -> None:
    raise ValueError("the XMP has a document type")


def _resolve(name: str, spaces: ChainMap[str, str], *, is_attribute: bool) -> tuple[str, str]:
    """Return the schema and the local name.

    ``xmlns`` and ``xml`` stand for themselves.
    """
    prefix, _, local = name.rpartition(":")
    if prefix in ("xmlns", "xml") or name == "xmlns":
        return prefix or "xmlns", local
    return ("" if is_attribute and not prefix else spaces.get(prefix, prefix)), local

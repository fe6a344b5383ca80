"""Select the metadata of a file: EXIF, XMP and IPTC. A recipe keeps all of it, only the rights, or none.

The names come from EXIF 2.32 (4.6.4), from XMP part 1 with its Dublin Core and rights schemas, and from
IPTC-IIM 4.2 inside Photoshop's image resource blocks.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

from renditions.imaging.vips import GValue, Keep
from renditions.model.recipe import Rendition

_ORIENTATION = ("orientation", "exif-ifd0-Orientation")
_PREVIEW = "jpeg-thumbnail-data"
"""The embedded thumbnail of the whole original. It would show parts that a crop has cut off."""
_EXIF_RIGHTS = ("exif-ifd0-Copyright", "exif-ifd0-Artist")
_XMP_RIGHTS = (
    "{http://purl.org/dc/elements/1.1/}rights",
    "{http://purl.org/dc/elements/1.1/}creator",
    "{http://ns.adobe.com/xap/1.0/rights/}",
    "{http://ns.adobe.com/photoshop/1.0/}Credit",
)
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_IPTC_RESOURCE = 0x0404
_IPTC_RIGHTS = (80, 110, 116)
"""The datasets of record 2 for by-line, credit and copyright notice."""


def kept(recipe: Rendition) -> Any:
    """Return the kinds of metadata that the encoder writes."""
    profile = Keep.ICC if recipe.profile == "keep" else Keep.NONE
    return profile if recipe.metadata == "none" else profile | Keep.EXIF | Keep.XMP | Keep.IPTC


def select(image: Any, metadata: str) -> Any:
    """Return the image with the metadata that the policy keeps, without the applied orientation."""
    if metadata == "none":
        return image
    image = image.copy()
    rights = {name: _ascii(image.get(name)) for name in _EXIF_RIGHTS if image.get_typeof(name)}
    unwanted = [*_ORIENTATION, _PREVIEW]
    if metadata == "copyright":
        # Without the block itself, the encoder writes a new one with the remaining fields.
        unwanted += [name for name in image.get_fields() if name.startswith("exif-")]
    for name in unwanted:
        image.remove(name)
    if metadata == "copyright":
        for name, text in rights.items():
            if text:
                # libvips takes the last parenthesis for a remark of its own, and drops it.
                image.set_type(GValue.gstr_type, name, f"{text} (text)")
        _replace(image, "xmp-data", _xmp_rights)
        _replace(image, "iptc-data", _iptc_rights)
    return image


def _replace(image: Any, name: str, reduce: Any) -> None:
    if not image.get_typeof(name):
        return
    reduced = reduce(image.get(name))
    image.remove(name)
    if reduced:
        image.set_type(GValue.blob_type, name, reduced)


def _ascii(field: str) -> str:
    """Extract the text from libvips' form of an EXIF field: ``TEXT (TEXT, ASCII, n components, n bytes)``."""
    match = re.search(r" \(.*, ASCII, \d+ components, (\d+) bytes\)$", field, re.DOTALL)
    size = int(match[1]) if match else 0
    return field.encode()[:size].decode(errors="ignore").rstrip(" \0")


def _xmp_rights(packet: bytes) -> bytes:
    """Return an XMP packet with only its statements on rights; empty if it has none or is invalid."""
    packet = packet.strip(b"\0 \r\n")
    if b"<!DOCTYPE" in packet or b"<!ENTITY" in packet:
        return b""
    try:
        source = ET.fromstring(packet)  # noqa: S314 (no entities can be in it)
    except (ET.ParseError, ValueError):
        return b""
    told = ET.Element(f"{_RDF}Description", {f"{_RDF}about": ""})
    for description in source.iter(f"{_RDF}Description"):
        told.attrib |= {
            name: text for name, text in description.attrib.items() if name.startswith(_XMP_RIGHTS)
        }
        told.extend(part for part in description if part.tag.startswith(_XMP_RIGHTS))
    if len(told) == 0 and len(told.attrib) == 1:
        return b""
    meta = ET.Element("{adobe:ns:meta/}xmpmeta")
    ET.SubElement(meta, f"{_RDF}RDF").append(told)
    return ET.tostring(meta)


def _iptc_rights(block: bytes) -> bytes:
    """Return Photoshop's block with only the IPTC datasets on rights; empty if there are none.

    A resource consists of "8BIM", its number, a padded Pascal string, a length of four bytes and padded data.
    A dataset consists of 0x1C, a record number, its own number, a length of two bytes and data.
    """
    datasets = b""
    at = block.find(b"8BIM")
    while at >= 0 and block[at : at + 4] == b"8BIM" and at + 12 <= len(block):
        number = int.from_bytes(block[at + 4 : at + 6], "big")
        at += 6 + (block[at + 6] + 2) // 2 * 2
        size = int.from_bytes(block[at : at + 4], "big")
        if number == _IPTC_RESOURCE:
            datasets += _iptc_datasets(block[at + 4 : at + 4 + size])
        at += 4 + (size + 1) // 2 * 2
    if not datasets:
        return b""
    padding = b"\0" * (len(datasets) % 2)
    start = b"Photoshop 3.0\0" + b"8BIM" + _IPTC_RESOURCE.to_bytes(2, "big") + b"\0\0"
    return start + len(datasets).to_bytes(4, "big") + datasets + padding


def _iptc_datasets(data: bytes) -> bytes:
    """Return the dataset that names the character set, and the datasets on rights."""
    found = []
    told = False
    at = 0
    while data[at : at + 1] == b"\x1c" and at + 5 <= len(data):
        record, number = data[at + 1], data[at + 2]
        end = at + 5 + int.from_bytes(data[at + 3 : at + 5], "big")
        if (record, number) == (1, 90) or (record == 2 and number in _IPTC_RIGHTS):
            found.append(data[at:end])
            told = told or record == 2
        at = end
    return b"".join(found) if told else b""

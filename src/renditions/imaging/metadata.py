"""Select the metadata of a file: EXIF, XMP and IPTC.

A recipe keeps all of it, the rights, or none. No recipe keeps statements about the source's file that may be
wrong for the rendition: its orientation, dimensions and samples, previews (which would show parts that a crop
has cut off), gain maps and videos, and positions in the picture. The names come from EXIF 2.32 (4.6).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from renditions.imaging import iptc, xmp
from renditions.imaging.exif_names import fillers, read_names, write_names
from renditions.imaging.vips import GValue, Keep
from renditions.model.recipe import Rendition

_EXIF, _XMP, _IPTC = "exif-data", "xmp-data", "iptc-data"
_EXIF_BYTES = range(4, 2**23 + 1)
"""The lengths of EXIF blocks that libvips' encoders accept."""
_UNTRUE_TAGS = (
    "Orientation", "ImageWidth", "ImageLength", "BitsPerSample", "Compression",
    "PhotometricInterpretation", "NewSubfileType", "SubIFDs", "StripOffsets", "RowsPerStrip",
    "StripByteCounts", "SamplesPerPixel", "PlanarConfiguration", "JPEGInterchangeFormat",
    "JPEGInterchangeFormatLength", "TransferFunction", "WhitePoint", "PrimaryChromaticities",
    "YCbCrCoefficients", "YCbCrSubSampling", "YCbCrPositioning", "ReferenceBlackWhite", "XMLPacket",
    "IPTC/NAA", "ImageResources", "InterColorProfile", "ColorSpace", "CompressedBitsPerPixel",
    "SubjectArea", "SubjectLocation", "RelatedImageWidth", "RelatedImageLength",
    "RelatedImageFileFormat", "MakerNote",
)  # fmt: skip
"""Tags about the source's file, and the maker's note, which can have previews and file offsets."""
_UNTRUE_FIELD = re.compile(
    rf"orientation|jpeg-thumbnail-data|exif-ifd1-.*|exif-ifd\d-(?:{'|'.join(_UNTRUE_TAGS)})", re.DOTALL
)
"""Matches libvips' names of ``_UNTRUE_TAGS``, the orientation and the previews (``ifd1``)."""


def kept(recipe: Rendition) -> Any:
    """Return the kinds of metadata that the encoder writes."""
    profile = Keep.ICC if recipe.profile == "keep" else Keep.NONE
    return profile if recipe.metadata == "none" else profile | Keep.EXIF | Keep.XMP | Keep.IPTC


def encode_with(image: Any, metadata: str, encode: Callable[[Any], bytes]) -> bytes:
    """Return the encoded image with the metadata that the recipe keeps."""
    if metadata == "none":
        return encode(image)
    image = image.copy()
    block: bytes = image.get(_EXIF) if image.get_typeof(_EXIF) else b""
    names = read_names(block)
    if block and len(block) not in _EXIF_BYTES:
        image.remove(_EXIF)
    is_copyright = metadata == "copyright"
    for field in image.get_fields():
        if _UNTRUE_FIELD.fullmatch(field) or (is_copyright and field.startswith("exif-")):
            image.remove(field)
    for field, text in fillers(names).items():
        # Where the block itself is missing, the encoder writes a new one with these fields. libvips takes the
        # last parenthesis for a remark of its own, and drops it.
        image.set_type(GValue.gstr_type, field, f"{text} (text)")
    _replace(image, _XMP, xmp.rights_of if is_copyright else xmp.true_part_of)
    _replace(image, _IPTC, iptc.rights_of if is_copyright else iptc.true_part_of)
    return write_names(encode(image), names)


def _replace(image: Any, field: str, select: Callable[[bytes], bytes]) -> None:
    if image.get_typeof(field):
        selected = select(image.get(field))
        image.remove(field)
        if selected:
            image.set_type(GValue.blob_type, field, selected)

"""AVIF input and output (AV1 in an ISO base media file), by libheif.

This module reads only the primary picture of a sequence.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from renditions.imaging.declared import cicp_of, declare
from renditions.imaging.formats.iso_media import count_frames, is_weighted, read_code, with_code
from renditions.imaging.formats.loaded import load_header, load_pixels
from renditions.imaging.metadata import kept
from renditions.imaging.probe import Header
from renditions.model.formats import OUTPUT_FORMATS
from renditions.model.recipe import Rendition

_DEEP = 10
"""The bits of a sample if 8 are too few. HDR needs at least 10 (ITU-R BT.2100)."""


def read_header(content: bytes, page: int) -> Header:
    """Return the header, without decoding pixels.

    See :func:`.load_header` for the errors.
    """
    header = load_header("avif", content, page)
    code = read_code(content)
    return replace(
        header,
        frames=max(header.frames, count_frames(content)),
        has_code=code is not None and code.can_be_kept,
    )


def decode(content: bytes, header: Header, **options: Any) -> Any:
    """Return a lazy image of the primary picture, with its colour code.

    An ICC profile takes precedence over this code.
    """

    def load_again() -> Any:
        return _load(content, header, access="sequential")

    return declare(_load(content, header, **options), read_code(content), load_again)


def _load(content: bytes, header: Header, **options: Any) -> Any:
    """Return the image with colours that alpha doesn't weight.

    libvips leaves weighted colours as they are.
    """
    image = load_pixels(content, header, **options)
    if not (image.hasalpha() and is_weighted(content)):
        return image
    return image.unpremultiply().rint().cast(image.format)


def is_animated(content: bytes, header: Header) -> bool:
    """Return whether the file holds a sequence.

    A sequence has several frames, or the major brand for sequences.
    """
    return header.frames > 1 or content[8:12] == b"avis"


def encode(image: Any, recipe: Rendition, quality: int | None) -> bytes:
    """Encode an image as a file, and declare its colour code if it has one.

    Raises:
        Unrenderable: The file has no place for the colour code.

    """
    # By default, libvips reduces the resolution of colours only below quality 90.
    options: dict[str, Any] = {"subsample_mode": "off"} if recipe.chroma == "444" else {}
    if image.format == "ushort":
        options["bitdepth"] = _DEEP
    made = bytes(
        image.heifsave_buffer(
            compression="av1",
            Q=quality,
            effort=OUTPUT_FORMATS["avif"].effort_of(recipe.effort),
            lossless=recipe.lossless,
            keep=kept(recipe),
            **options,
        )
    )
    cicp = cicp_of(image)
    return with_code(made, cicp) if cicp else made

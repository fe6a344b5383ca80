"""Base64 output: the picture's own file as text."""

from __future__ import annotations

import base64

from renditions.model.recipe import Rendition


def encode(content: bytes, media_type: str, recipe: Rendition) -> bytes:
    """Return the file as Base64 (RFC 4648, section 4).

    The result is ASCII, padded, without newlines. With ``data_uri``, it is a ``data:`` URI (RFC 2397) with
    this media type.
    """
    start = f"data:{media_type};base64,".encode() if recipe.data_uri else b""
    return start + base64.b64encode(content)

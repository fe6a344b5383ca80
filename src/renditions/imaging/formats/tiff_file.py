"""Recognise TIFF files. This module needs no imaging library."""

from __future__ import annotations

from renditions.imaging.tiff_tags import is_camera_raw


def is_rendered(content: bytes) -> bool:
    """Return whether the file has no data of a camera's sensor."""
    return not is_camera_raw(content)

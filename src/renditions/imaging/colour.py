"""Convert any picture's colours to 8-bit sRGB or 8-bit grey."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from renditions.imaging.vips import Error, GValue, Image

_PROFILE = "icc-profile-data"
_MAX_PROBED_BYTES = 65_536
"""A larger profile is a table for a device, never sRGB."""
_GREYS = ("b-w", "grey16")
_RGBS = ("srgb", "rgb16")
# Pure colours, greys and a few tones between. A profile that changes none of them is the same as sRGB.
_PROBES = [
    *([level] * 3 for level in (0, 16, 48, 96, 128, 176, 224, 255)),
    *([255 if channel == lit else 0 for channel in range(3)] for lit in range(3)),
    *([160 if channel == lit else 64 for channel in range(3)] for lit in range(3)),
]


def to_8_bits(image: Any, profile: str) -> Any:
    """Return the image with 1 (grey) or 3 (RGB) bands of 8 bits, and one more if it has alpha.

    With ``"srgb"``, colours are converted by the embedded ICC profile, relative colorimetric with black point
    compensation. With ``"keep"``, RGB and grey stay in the profile's own colours. Without a profile, RGB and
    grey count as sRGB, and CMYK as the colours of libvips' own CMYK profile.
    """
    is_grey = image.interpretation in _GREYS
    is_kept = profile == "keep" and image.interpretation in (*_GREYS, *_RGBS)
    if image.get_typeof(_PROFILE) and not is_kept and not _is_srgb(image):
        image = _follow_profile(image)
    target = "b-w" if is_grey else "srgb"
    if image.interpretation != target or image.format != "uchar":
        image = image.colourspace(target).cast("uchar")
    colours = 1 if is_grey else 3
    return image[: colours + 1] if image.bands > colours + 1 else image


def _follow_profile(image: Any) -> Any:
    try:
        converted = image.icc_transform(
            "srgb", embedded=True, intent="relative", black_point_compensation=True
        )
    except Error:
        # Browsers also ignore a profile that is broken or for another colour space.
        return image
    return converted


def _is_srgb(image: Any) -> bool:
    """Return whether the picture's profile changes sRGB values by at most one."""
    profile = image.get(_PROFILE)
    is_rgb = image.interpretation in _RGBS
    return is_rgb and len(profile) <= _MAX_PROBED_BYTES and _is_srgb_profile(profile)


@lru_cache(maxsize=32)
def _is_srgb_profile(profile: bytes) -> bool:
    pixels = bytes(value for probe in _PROBES for value in probe)
    probes = Image.new_from_memory(pixels, len(_PROBES), 1, 3, "uchar").copy(interpretation="srgb")
    probes.set_type(GValue.blob_type, _PROFILE, profile)
    difference = (_follow_profile(probes).cast("short") - probes.cast("short")).abs().max()
    return bool(difference <= 1)

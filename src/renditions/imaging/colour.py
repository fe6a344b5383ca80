"""Convert colours to sRGB or grey, or keep them together with their declaration."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

from renditions.imaging.declared import cicp_of, follow, is_declared, undeclared
from renditions.imaging.vips import Error, GValue, Image, warnings_of_libraries
from renditions.imaging.warn import warn

Kept = Literal["nothing", "profile", "code"]
"""Which declaration of its colours a rendition keeps.

``nothing``: none. ``profile``: an ICC profile. ``code``: an ICC profile or CICP.
"""
_PROFILE = "icc-profile-data"
_UNUSABLE = ("corrupt profile", "profile incompatible", "profile does not support")
"""How libvips' warnings about an unusable profile begin."""
_MAX_PROBED_BYTES = 65_536
"""The most bytes of a profile that is compared with sRGB. Larger ones are usually tables for a device."""
_GREYS = ("b-w", "grey16")
_RGBS = ("srgb", "rgb16")
_SPACES = {**dict.fromkeys(_GREYS, b"GRAY"), **dict.fromkeys(_RGBS, b"RGB "), "cmyk": b"CMYK"}
"""The colour space in the header of a profile (ICC.1, 7.2.6) for images of each interpretation."""
_SPACE_AT = slice(16, 20)
# Pure colours, greys and a few tones between. A profile that changes none of them is the same as sRGB.
_PROBES = [
    *([level] * 3 for level in (0, 16, 48, 96, 128, 176, 224, 255)),
    *([255 if channel == lit else 0 for channel in range(3)] for lit in range(3)),
    *([160 if channel == lit else 64 for channel in range(3)] for lit in range(3)),
]


def manage(image: Any, kept: Kept) -> Any:
    """Return the image with its colours converted or kept.

    The result has 1 band (grey) or 3 bands (RGB), and another band if it has alpha. Its values have 8 bits,
    or 16 in some kept colours.

    If ``kept`` is ``"nothing"``, this function converts colours to sRGB by the embedded ICC profile, relative
    colorimetric with black point compensation. Without a profile, it converts RGB and grey as the file
    declares them in another way; if the file declares nothing, they count as sRGB. It converts CMYK without a
    profile by libvips' own CMYK profile. A profile that can't be used counts as missing, with a warning.

    If ``kept`` is ``"profile"``, RGB and grey with a profile keep the colours of this profile. If ``kept`` is
    ``"code"``, RGB and grey also keep the colours that CICP declares. Their values then have 16 bits if the
    decoder returns more than 8.
    """
    is_grey = image.interpretation in _GREYS
    is_kept = kept != "nothing" and image.interpretation in (*_GREYS, *_RGBS)
    is_usable = bool(image.get_typeof(_PROFILE))
    if is_usable and not _is_srgb(image):
        followed, is_usable = _follow_profile(image)
        if not is_usable:
            image = _without_profile(image)
        elif not is_kept:
            image = followed
    colours = 1 if is_grey else 3
    if is_usable:
        image = undeclared(image)
    elif is_kept and kept == "code" and cicp_of(image):
        return image[: colours + 1] if image.bands > colours + 1 else image
    elif is_declared(image):
        image = follow(image)
    target = "b-w" if is_grey else "srgb"
    if image.interpretation != target or image.format != "uchar":
        image = image.colourspace(target).cast("uchar")
        if not is_usable:
            # When libvips converts CMYK, it attaches its own CMYK profile, whose memory it frees too early.
            image = image.copy()
            image.remove(_PROFILE)
    return image[: colours + 1] if image.bands > colours + 1 else image


def _follow_profile(image: Any) -> tuple[Any, bool]:
    """Return the image converted to sRGB, and whether its profile can be used.

    If the profile can't be used, the caller must not use the returned image. Browsers also ignore a profile
    that is broken or for another colour space. For a broken profile, libvips takes the default for the
    image's colour space, and only logs why. libvips accepts a profile for another colour space that has as
    many channels, such as L*a*b*.
    """
    space = _SPACES.get(image.interpretation)
    if space and image.get(_PROFILE)[_SPACE_AT] != space:
        return image, False
    with warnings_of_libraries() as warnings:
        try:
            converted = image.icc_transform(
                "srgb", embedded=True, intent="relative", black_point_compensation=True
            )
        except Error:
            return image, False
    return converted, not any(warning.startswith(_UNUSABLE) for warning in warnings)


def _without_profile(image: Any) -> Any:
    meaning = "count as CMYK without a profile" if image.interpretation == "cmyk" else "count as sRGB"
    meaning = "are read as the rest of the file declares them" if is_declared(image) else meaning
    warn("profile-ignored", f"the colour profile can't be used, so the colours {meaning}")
    image = image.copy()
    image.remove(_PROFILE)
    return image


def _is_srgb(image: Any) -> bool:
    """Return whether an RGB picture has a small profile that is practically sRGB.

    Such a profile changes pure colours, greys and a few other tones by at most one.
    """
    profile = image.get(_PROFILE)
    is_rgb = image.interpretation in _RGBS
    return is_rgb and len(profile) <= _MAX_PROBED_BYTES and _is_srgb_profile(profile)


@lru_cache(maxsize=32)
def _is_srgb_profile(profile: bytes) -> bool:
    pixels = bytes(value for probe in _PROBES for value in probe)
    probes = Image.new_from_memory(pixels, len(_PROBES), 1, 3, "uchar").copy(interpretation="srgb")
    probes.set_type(GValue.blob_type, _PROFILE, profile)
    followed, is_usable = _follow_profile(probes)
    difference = (followed.cast("short") - probes.cast("short")).abs().max()
    return bool(is_usable and difference <= 1)

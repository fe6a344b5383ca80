"""Analyze a picture.

The analysis shares the decode of the renditions that show the whole picture in sRGB, so it costs little. It
covers only the first frame, upright and in sRGB. The sharpness and the perceptual hash come from the frame's
luma (Rec. 601) on white.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from renditions.errors import NotAccepted, Undecodable
from renditions.imaging.analysis.caption import find_alt_text
from renditions.imaging.analysis.cosines import sum_cosines
from renditions.imaging.analysis.exif import Tags, find_exif, find_position, read_tags
from renditions.imaging.analysis.palette import find_colours
from renditions.imaging.analysis.placeholder import SmallPicture, make_blurhash, make_thumbhash
from renditions.imaging.decode import Frames, has_transparent_pixel, resize
from renditions.imaging.effects import flatten, parse_colour
from renditions.imaging.geometry import Size, plan
from renditions.imaging.probe import Header
from renditions.imaging.vips import Image, translated
from renditions.model.formats import SOURCE_FORMATS
from renditions.model.original import Analysis, DominantColour
from renditions.model.pipeline import Analyze
from renditions.model.recipe import Rendition

_SHARPNESS_SIDE = 512
_SMALL_SIDE = 128
"""The longer side, in pixels, of the analyzed picture if its sharpness isn't needed."""
_HEADROOM = 2
"""The smallest ratio of the level's size to the analyzed picture's size. In a picture from a smaller level,
the coarse filter of the decoder would be visible."""
_PICKED_SIDE = 48
_PLACEHOLDER_SIDE = 32
"""The longer side, in pixels, of the picture for a placeholder."""
_HASHED_SIDE = 32
_HASHED_FREQUENCIES = 8
_WHITE = parse_colour("white")
_LUMA = [[0.299, 0.587, 0.114]]
_LAPLACIAN = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
_OPAQUE, _NEARLY_OPAQUE, _HALF_OPAQUE = 255, 250, 128
_EXIF, _XMP, _IPTC = "exif-data", "xmp-data", "iptc-data"


@dataclass(frozen=True, slots=True)
class Study:
    """The analysis that the pipeline file declares, and its rule ``min_sharpness``.

    ``min_sharpness`` is the only rule of ``[accept]`` that needs pixels.
    """

    analyze: Analyze
    min_sharpness: float | None

    @property
    def level(self) -> Rendition | None:
        """A recipe with the size that :meth:`run` needs; None if nothing is declared."""
        side = _HEADROOM * self._side
        return Rendition(width=side, height=side) if side else None

    @property
    def _side(self) -> int:
        """The longer side of the analyzed picture, in pixels; 0 if nothing is declared."""
        if self.analyze.sharpness or self.min_sharpness is not None:
            return _SHARPNESS_SIDE
        return _SMALL_SIDE if self.analyze.is_wanted else 0

    def run(self, content: bytes, header: Header, base: Frames) -> Analysis | None:
        """Return the declared analysis, or None if it is empty.

        Args:
            content: The picture's file.
            header: Its header.
            base: The whole first frame, at the size that :attr:`level` gives it, or larger.

        Raises:
            NotAccepted: The picture is less sharp than the rule allows, or the way to store its pixels isn't
                supported.
            Undecodable: The picture is damaged.
            Failed: Memory ran out.

        """
        with translated(Undecodable, "the picture can't be analyzed"):
            image = base.images[0]
            small = resize(image, _fit(image, self._side)).copy_memory()
            analyze, tags = self.analyze, self._read_tags(content, header, image)
            found = Analysis(
                exif=find_exif(tags) if analyze.exif else None,
                position=find_position(tags) if analyze.position else None,
                colours=_find_colours(image, analyze.colours) if analyze.colours else (),
                thumbhash=_make_thumbhash(small) if analyze.placeholder == "thumbhash" else None,
                blurhash=_make_blurhash(small) if analyze.placeholder == "blurhash" else None,
                perceptual_hash=_hash(small) if analyze.perceptual_hash else None,
                sharpness=self._check_sharpness(small),
                transparency=_is_transparent(content, header, base) if analyze.transparency else None,
                alt_text=_find_alt_text(image) if analyze.alt_text else None,
            )
            return found if found != Analysis() else None

    def _read_tags(self, content: bytes, header: Header, image: Any) -> Tags:
        """Return the EXIF tags of the file.

        If the format itself has EXIF's structure, this method reads the tags from the file. Otherwise it
        reads them from the file's EXIF block.
        """
        if not (self.analyze.exif or self.analyze.position):
            return read_tags(b"")
        if SOURCE_FORMATS[header.format].is_exif:
            return read_tags(content)
        return read_tags(bytes(image.get(_EXIF)) if image.get_typeof(_EXIF) else b"")

    def _check_sharpness(self, small: Any) -> float | None:
        """Return the sharpness; None if the analysis doesn't include it.

        Raise ``NotAccepted`` if the sharpness is below ``min_sharpness``.
        """
        if not self.analyze.sharpness and self.min_sharpness is None:
            return None
        sharpness = _measure_sharpness(small)
        if self.min_sharpness is not None and sharpness < self.min_sharpness:
            raise NotAccepted(
                f"the sharpness is {sharpness:g}, but [accept] min_sharpness requires at least "
                f"{self.min_sharpness:g}. Upload a sharper picture, or lower the limit"
            )
        return sharpness if self.analyze.sharpness else None


def _find_alt_text(image: Any) -> str | None:
    packet, block = (bytes(image.get(field)) if image.get_typeof(field) else b"" for field in (_XMP, _IPTC))
    return find_alt_text(packet, block)


def _make_thumbhash(small: Any) -> str:
    return make_thumbhash(_shrink(small))


def _make_blurhash(small: Any) -> str:
    return make_blurhash(_shrink(flatten(small, _WHITE)))


def _shrink(image: Any) -> SmallPicture:
    """Return the picture with at most 32 pixels on a side."""
    size = _fit(image, _PLACEHOLDER_SIDE)
    small = resize(image, size).colourspace("srgb")
    small = small if small.hasalpha() else small.addalpha()
    return SmallPicture(size.width, size.height, bytes(small.write_to_memory()))


def _fit(image: Any, side: int) -> Size:
    """Return the image's size after shrinking its sides to at most ``side`` pixels."""
    return plan(Size(image.width, image.height), Rendition(width=side, height=side)).resized


def _luma(small: Any) -> Any:
    """Return the picture's luma on white, in 8 bits."""
    opaque = flatten(small, _WHITE)
    return opaque.recomb(Image.new_from_array(_LUMA)).rint().cast("uchar") if opaque.bands == 3 else opaque


def _measure_sharpness(small: Any) -> float:
    """Return the variance of the Laplacian of the picture's luma.

    Source: Pech-Pacheco and others, 2000. The Laplacian uses the four neighbours of a pixel. The picture has
    at most 512 pixels on a side, so that more pixels don't make a picture less sharp.
    """
    edges = _luma(small).cast("short").conv(Image.new_from_array(_LAPLACIAN), precision="integer")
    variance = (edges * edges).avg() - edges.avg() ** 2
    return float(round(max(variance, 0), 2))


def _hash(small: Any) -> str:
    """Return the pHash of the picture's luma, 64 bits in hexadecimal.

    Each bit stands for one of the 64 lowest frequencies. It is set if the frequency of the picture at 32 by
    32 pixels is above the median of all 64. The bits have the same order as in the Python package ImageHash:
    row by row, the mean first.
    """
    values = _luma(resize(small, Size(_HASHED_SIDE, _HASHED_SIDE))).write_to_memory()
    sums = sum_cosines(bytes(values), _HASHED_SIDE, _HASHED_FREQUENCIES)
    # Rounding turns frequencies that should be zero into exact zeros.
    frequencies = [round(value, 3) for row in sums for value in row]
    middle = median(frequencies)
    bits = "".join(str(int(value > middle)) for value in frequencies)
    return f"{int(bits, 2):016x}"


def _find_colours(image: Any, most: int) -> tuple[DominantColour, ...]:
    """Return the dominant colours.

    They come from single pixels of the picture that are at least half opaque. A mean of pixels at an edge
    could be a colour that the picture doesn't have.
    """
    size = _fit(image, _PICKED_SIDE)
    picked = image.resize(
        size.width / image.width, vscale=size.height / image.height, kernel="nearest"
    ).colourspace("srgb")
    picked = picked if picked.hasalpha() else picked.addalpha()
    values = bytes(picked.write_to_memory())
    pixels = zip(values[::4], values[1::4], values[2::4], values[3::4], strict=True)
    return find_colours(
        ((red, green, blue) for red, green, blue, alpha in pixels if alpha >= _HALF_OPAQUE), most
    )


def _is_transparent(content: bytes, header: Header, base: Frames) -> bool:
    """Return whether any pixel of the picture is transparent.

    If the resized picture has no transparent pixel, this function also checks the picture at its full size,
    unless it is a drawing.
    """
    image = base.images[0]
    if not image.hasalpha():
        return False
    least = image[image.bands - 1].min()
    if header.drawing or base.size == header.displayed:
        return bool(least < _OPAQUE)
    # Resizing turns some values of 255 into 253.
    return bool(least < _NEARLY_OPAQUE) or has_transparent_pixel(content, header)

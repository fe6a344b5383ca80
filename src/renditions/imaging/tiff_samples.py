"""Turn a TIFF's samples of any type into 8 or 16 bits.

The source is TIFF 6.0, section 19, SampleFormat. TIFF doesn't say which value is white for floating point,
signed and 32-bit samples. One convention holds for grey and colour: black is 0, and white is 1 for floating
point and the type's largest value for whole numbers. Files often hold values of another scale, for example 0
to 255 as floating point, so the values found decide: see :func:`_find_range`. The values are encoded as in
sRGB, unless a profile says otherwise.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from renditions.errors import NotAccepted, Undecodable
from renditions.imaging import tiff_lab, tiff_tags, tiff_ycbcr

_USUAL = ("uchar", "ushort")
_BITS = {"char": 8, "short": 16, "int": 32, "uint": 32}
_FLOATS = ("float", "double")
_MAX_OVERSHOOT = 16
"""If all floating point values lie between -16 and 16, white is 1, and values above 1 are highlights."""
_NO_VALUE = 1e30
"""A larger value, infinity or NaN means that a pixel has no value. This module takes 0 instead."""
_LEAST_USE = 0.25
"""Signed values that use a smaller share of their type's range than this are measurements."""
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
"""Values of SampleFormat."""
_MOST_DOUBLES = 32_767
"""The most doubles of one pixel: a SHORT must be able to count twice as many 32-bit numbers."""
_DOUBLE_BITS = 64
_WHOLE_BYTES = (8, 16, 32)
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _CMYK = 0, 1, 2, 5
"""Values of PhotometricInterpretation."""
_READ_COLOURS = (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, 3, 4, _CMYK, 6, 8, 32_845)
"""The values of PhotometricInterpretation that libvips reads.

The values without a name are a palette, a mask, YCbCr, L*a*b* and LogLuv. libvips takes all other values for
RGB.
"""
_COLOUR_NAMES = {
    0: "grey with 0 as white", 1: "grey", 3: "a palette", 6: "YCbCr", 8: "L*a*b*", 9: "ICC L*a*b*",
    10: "ITU L*a*b*", 32_844: "LogL",
}  # fmt: skip
_APART = 2
"""The value of PlanarConfiguration for samples in planes of their own."""
_WEIGHTED_ALPHA = 1
"""A value of ExtraSamples: the colours are multiplied by this alpha."""
_ALPHAS = (_WEIGHTED_ALPHA, 2)
_CHOICES = {
    tiff_tags.FILL_ORDER: (range(1, 3), 1),
    tiff_tags.ORIENTATION: (range(1, 9), 1),
    tiff_tags.RESOLUTION_UNIT: (range(1, 4), 2),
}
"""The possible values of tags that libtiff can do without, and the default."""
_DESCRIPTION = (tiff_tags.BITS, tiff_tags.SAMPLES, tiff_tags.SAMPLE_FORMAT, tiff_tags.EXTRA_SAMPLES)
_COLOURS = {"cmyk": 4, "scrgb": 3, "srgb": 3, "rgb16": 3, "b-w": 1, "grey16": 1, "multiband": 1}


@dataclass(frozen=True, slots=True)
class _Range:
    black: float
    white: float


@dataclass(frozen=True, slots=True)
class Samples:
    """The facts about a page's samples that libvips doesn't report or can't read."""

    is_double: bool = False
    is_swapped: bool = False
    """Whether the halves of each double must be swapped: the file's byte order isn't this machine's."""
    is_weighted: bool = False
    """Whether the colours of doubles are multiplied by alpha."""
    is_white_zero: bool = False
    """Whether 0 is white; false for unsigned samples."""
    conversion: tiff_ycbcr.Conversion | tiff_lab.Lab | None = None
    """How YCbCr or L*a*b* becomes RGB; None if the samples need no conversion."""
    bands: tuple[int, ...] = ()
    """The samples to keep: the colours and alpha. Empty to keep all samples."""
    is_grey_apart: bool = False
    """Whether the page is grey with a plane for each sample.

    The file that :func:`describe` returns then declares RGB.
    """

    def restore(self, image: Any) -> Any:
        """Return the image's colours and alpha, with doubles put together.

        libvips reads doubles as pairs of numbers.

        Raises:
            Undecodable: The image of doubles has an odd number of samples for each pixel.

        """
        if self.is_double:
            image = self._join_doubles(image)
        if self.conversion:
            image = self.conversion.apply(image)
        if not self.bands or image.bands <= max(self.bands):
            return image
        chosen = [image[band] for band in self.bands]
        joined = chosen[0].bandjoin(chosen[1:]) if chosen[1:] else chosen[0]
        grey = "grey16" if image.format == "ushort" else "b-w"
        return joined.copy(interpretation=grey if self.is_grey_apart else image.interpretation)

    def _join_doubles(self, image: Any) -> Any:
        bands, rest = divmod(image.bands, 2)
        if rest:
            raise Undecodable("the TIFF's pixels don't have as many samples as the file declares")
        if self.is_swapped:
            order = [band ^ 1 for band in range(image.bands)]
            image = image[order[0]].bandjoin([image[band] for band in order[1:]])
        colours = "scrgb" if bands >= 3 else "b-w"
        image = image.copy(format="double", bands=bands, interpretation=colours)
        return image.unpremultiply(max_alpha=1) if self.is_weighted else image


def describe(content: bytes, page: int) -> tuple[bytes, Samples]:
    """Return a file that libvips can read, and what to do with the page's samples.

    This function changes entries of the page's directory in four cases:

    - libvips can't read doubles. The directory of a page with doubles declares pairs of 32-bit numbers
      instead.
    - libvips mixes up the rows of grey samples that have a plane each. The directory of such a page declares
      RGB instead.
    - libvips reads no L*a*b* of 8 bits. The directory of such a page declares RGB instead.
    - libvips reads no page with impossible values of certain tags (``_CHOICES``). This function replaces an
      impossible value by the tag's default.

    Raises:
        Undecodable: The page has doubles in an arrangement that can't be read as pairs, or YCbCr with other
            than 8 bits that libvips can't convert.
        NotAccepted: libvips would read the page's colours wrongly.

    """
    tags = (*_DESCRIPTION, tiff_tags.PHOTOMETRIC, tiff_tags.PLANAR, tiff_tags.PREDICTOR, *tiff_ycbcr.TAGS)
    fields = tiff_tags.read_page(content, page, (*tags, *_CHOICES))
    content = _with_possible_values(content, fields)
    found = {tag: field.first for tag, field in fields.items()}
    kind, colours = found.get(tiff_tags.SAMPLE_FORMAT, _UNSIGNED), found.get(tiff_tags.PHOTOMETRIC)
    samples = found.get(tiff_tags.SAMPLES, 0)
    is_white_zero = colours == _WHITE_IS_ZERO and kind != _UNSIGNED
    extra = fields[tiff_tags.EXTRA_SAMPLES].values if tiff_tags.EXTRA_SAMPLES in fields else ()
    bands = _choose_bands(colours, extra)
    _check_colours(found)
    is_double = found.get(tiff_tags.BITS) == _DOUBLE_BITS and kind == _FLOAT
    is_apart = found.get(tiff_tags.PLANAR) == _APART and samples > 1
    if is_apart and colours == _BLACK_IS_ZERO and not is_double:
        return _as_rgb(content, fields), Samples(bands=bands or (0, 1), is_grey_apart=True)
    if not is_double:
        if lab := tiff_lab.find_lab(colours, found.get(tiff_tags.BITS), samples):
            content = _as_rgb(content, fields) if lab.is_whole else content
            return content, Samples(conversion=lab, bands=_choose_bands(_RGB, extra))
        conversion = tiff_ycbcr.find_conversion(fields)
        return content, Samples(is_white_zero=is_white_zero, conversion=conversion, bands=bands)
    has_predictor = found.get(tiff_tags.PREDICTOR, 1) != 1
    if not 0 < samples <= _MOST_DOUBLES or is_apart or has_predictor or colours not in (0, 1, 2):
        raise Undecodable(
            "64-bit samples are supported only in grey or RGB, stored by pixel and without a predictor",
            "Save the picture in another way",
        )
    weighted = found.get(tiff_tags.EXTRA_SAMPLES) == _WEIGHTED_ALPHA
    order = "<" if content.startswith(b"II") else ">"
    patched = bytearray(content)
    new = {
        tiff_tags.BITS: 32, tiff_tags.SAMPLES: 2 * samples, tiff_tags.SAMPLE_FORMAT: _UNSIGNED,
        tiff_tags.PHOTOMETRIC: max(colours, 1), tiff_tags.EXTRA_SAMPLES: 0,
    }  # fmt: skip
    for tag, value in new.items():
        if tag in fields:
            tiff_tags.set_short(patched, fields[tag].at, value)
    is_swapped = (order == "<") != (sys.byteorder == "little")
    return bytes(patched), Samples(
        is_double=True, is_swapped=is_swapped, is_weighted=weighted, is_white_zero=is_white_zero, bands=bands
    )


def _as_rgb(content: bytes, fields: Mapping[int, tiff_tags.Field]) -> bytes:
    """Return the file with a directory that declares RGB."""
    patched = bytearray(content)
    tiff_tags.set_short(patched, fields[tiff_tags.PHOTOMETRIC].at, _RGB)
    return bytes(patched)


def _with_possible_values(content: bytes, fields: Mapping[int, tiff_tags.Field]) -> bytes:
    """Return the file with the default in place of impossible values."""
    wrong = {
        fields[tag].at: default
        for tag, (possible, default) in _CHOICES.items()
        if tag in fields and fields[tag].first not in possible
    }
    if not wrong:
        return content
    patched = bytearray(content)
    for at, default in wrong.items():
        tiff_tags.set_short(patched, at, default)
    return bytes(patched)


def _check_colours(found: Mapping[int, int]) -> None:
    """Raise ``NotAccepted`` if libvips would read the page's colours wrongly."""
    colours, bits = found.get(tiff_tags.PHOTOMETRIC), found.get(tiff_tags.BITS)
    is_lab = tiff_lab.find_lab(colours, bits, found.get(tiff_tags.SAMPLES, 1)) is not None
    if colours is not None and colours not in _READ_COLOURS and not is_lab:
        raise _unsupported(_name(colours))
    if bits == _DOUBLE_BITS and found.get(tiff_tags.SAMPLE_FORMAT, _UNSIGNED) in (_UNSIGNED, _SIGNED):
        raise _unsupported("whole numbers of 64 bits")
    is_apart = found.get(tiff_tags.PLANAR) == _APART and found.get(tiff_tags.SAMPLES, 1) > 1
    is_read = colours in (_RGB, _CMYK) or (colours == _BLACK_IS_ZERO and bits in _WHOLE_BYTES)
    if is_apart and not is_read and bits != _DOUBLE_BITS:
        raise _unsupported(f"{_name(colours)} with samples in separate planes")


def _name(colours: int | None) -> str:
    return _COLOUR_NAMES.get(colours or 0, f"PhotometricInterpretation {colours}")


def _unsupported(what: str) -> NotAccepted:
    return NotAccepted(f"this way to store pixels isn't supported ({what}). Save the picture in another way")


def _choose_bands(colours: int | None, extra: Sequence[int]) -> tuple[int, ...]:
    """Return the samples that are colours or alpha.

    The result is empty if all samples are colours or alpha, or if this isn't known. Extra samples of the type
    0 have no declared meaning (TIFF 6.0, section 18): they are no alpha.
    """
    counts = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _CMYK: 4}
    count = counts.get(colours, 0) if colours is not None else 0
    alpha = next((index for index, kind in enumerate(extra) if kind in _ALPHAS), None)
    if not count or not extra or (alpha == 0 and len(extra) == 1):
        return ()
    return (*range(count), *(() if alpha is None else (count + alpha,)))


def to_whole(image: Any, samples: Samples, load_again: Callable[[], Any]) -> Any:
    """Return the image with samples of 8 or 16 bits; other types become 16 bits.

    An image in other colours than grey, RGB or CMYK keeps its type. ``load_again`` returns the image for
    another pass over its pixels, which finds the range of its values.

    Raises:
        Undecodable: The image of doubles has an odd number of samples for each pixel.

    """
    image = samples.restore(image)
    if image.format in _USUAL or image.interpretation not in _COLOURS:
        return image
    colours = _COLOURS[image.interpretation]
    found = _measure(samples.restore(load_again()), colours)
    chosen = _find_range(image.format, found)
    scale = 65_535 / ((chosen.white - chosen.black) or 1)
    whole = ((_clean(image) - chosen.black) * scale).rint().cast("ushort")
    if samples.is_white_zero:
        first, alpha = 65_535 - whole[0], [whole[band] for band in range(1, whole.bands)]
        whole = first.cast("ushort").bandjoin(alpha) if alpha else first.cast("ushort")
    return whole.copy(interpretation={4: "cmyk", 3: "rgb16"}.get(colours, "grey16"))


def _measure(image: Any, colours: int) -> _Range:
    """Return the lowest and the highest value of the colours."""
    # The first row of the statistics is about all bands.
    statistics = _clean(image.extract_band(0, n=min(colours, image.bands))).stats()
    return _Range(statistics.getpoint(0, 0)[0], statistics.getpoint(1, 0)[0])


def _clean(image: Any) -> Any:
    """Return floating point values with 0 for pixels that have no value."""
    return (image.abs() < _NO_VALUE).ifthenelse(image, 0) if image.format in _FLOATS else image


def _find_range(kind: str, found: _Range) -> _Range:
    """Return black's and white's values: the first usual range that fits.

    A range fits if it holds all values found. For floating point, the range from 0 to 1 also fits values
    from -16 to 16. If no usual range fits, or if signed values use little of the range, this function
    returns the range found, as viewers for measurements do.
    """
    if kind in _FLOATS and max(-found.black, found.white) <= _MAX_OVERSHOOT:
        return _Range(0, 1)
    for usual in _usual_ranges(kind):
        if usual.black <= found.black and found.white <= usual.white:
            is_used = found.white - found.black >= _LEAST_USE * (usual.white - usual.black)
            return usual if usual.black == 0 or is_used else found
    return found


def _usual_ranges(kind: str) -> Iterator[_Range]:
    bits = _BITS.get(kind, 32)
    for white in (255, 65_535):
        if white < 2 ** (bits - 1):
            yield _Range(0, white)
    if kind in ("uint", *_FLOATS):
        yield _Range(0, 2**32 - 1)
    else:
        yield _Range(0, 2 ** (bits - 1) - 1)
        yield _Range(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)

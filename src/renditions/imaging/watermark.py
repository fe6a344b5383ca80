"""Draw watermarks: a picture or a text over a rendition.

Each worker keeps the last few marks that it has read or drawn, and the last few sizes of them, since most
renditions of a pipeline have one of a few sizes.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

from renditions.errors import NotAccepted, Rejected, Undecodable, Unrenderable
from renditions.imaging.decode import decode_still, read_header, resize
from renditions.imaging.effects import Rgba, parse_colour
from renditions.imaging.font_choice import Letters, choose_fonts
from renditions.imaging.geometry import Offset, Size, place, region_of, round_half_up
from renditions.imaging.lettering import draw_letters
from renditions.imaging.probe import check_end, check_file, sniff
from renditions.imaging.vips import Image
from renditions.imaging.warn import warn
from renditions.model.fields import Attachment
from renditions.model.pipeline import Accept
from renditions.model.recipe import Watermark

_MAX_BYTES = 50_000_000
"""The largest file of a watermark's picture."""
_MAX_PIXELS = 25_000_000
"""The most pixels of a watermark's picture."""
_OPAQUE = 255
_PAPER, _INK = Rgba(255, 255, 255, 255), Rgba(0, 0, 0, 255)
_TEXT_PIXELS = 64
"""The smallest font size for drawing a text. Larger sizes are this one times a power of two."""
_MAX_TEXT_PIXELS = 16_000_000
"""The most pixels of a drawn text. A text that needs more pixels is resized instead of drawn again."""
_OUTLINE = 1 / 9
"""An outline's width, relative to the font size."""


def draw(images: tuple[Any, ...], watermark: Watermark, rendition: str) -> tuple[Any, ...]:
    """Return the images, all of one size, with the mark over them.

    An image without alpha stays without alpha. ``rendition`` is the rendition's name, for warnings.

    Raises:
        Unrenderable: The mark is too large, is damaged or can't be drawn.
        Failed: Memory ran out, an optional library isn't installed, a bundled font is damaged, or this
            process has drawn text with other fonts than the declared ones.

    """
    if watermark.text and (missing := _lay_out(watermark.text, watermark.font, watermark.face).missing):
        text = f"no font has a glyph for these characters of the watermark: {missing}"
        warn("glyph-missing", text, rendition)
    canvas = Size(images[0].width, images[0].height)
    mark = _prepare(watermark, canvas)
    at = _place(Size(mark.width, mark.height), canvas, watermark)
    if watermark.tile:
        gap = _share(min(canvas.width, canvas.height), watermark.gap)
        mark, at = _repeat(mark, at, gap, canvas), Offset(0, 0)
    return tuple(_blend(image, mark, at) for image in images)


def _share(length: int, percent: float) -> int:
    """Return a percentage of the length in whole pixels, with halves rounded up.

    The result can be 0.
    """
    return int(length * Fraction(str(percent)) / 100 + Fraction(1, 2))


def _place(mark: Size, canvas: Size, watermark: Watermark) -> Offset:
    """Return the mark's position, as far from the edges as declared if it fits."""
    offset = _share(min(canvas.width, canvas.height), watermark.offset)
    across = min(offset, (canvas.width - mark.width) // 2)
    down = min(offset, (canvas.height - mark.height) // 2)
    inner = Size(canvas.width - 2 * across, canvas.height - 2 * down)
    at = place(mark, inner, watermark.gravity)
    return Offset(across + at.left, down + at.top)


@lru_cache(maxsize=8)
def _prepare(watermark: Watermark, canvas: Size) -> Any:
    """Return the mark for a canvas of this size, with its opacity in its alpha.

    The mark is in memory.
    """
    whole = _find_whole(watermark, canvas)
    size = _scale(whole, canvas, watermark)
    return _fade(resize(whole, size), watermark.opacity / 100).copy_memory()


def _scale(whole: Any, canvas: Size, watermark: Watermark) -> Size:
    """Return the mark's size: as wide as declared, but no higher than the canvas."""
    across = canvas.width * Fraction(str(watermark.size)) / 100 / whole.width
    scale = min(across, Fraction(canvas.height, whole.height))
    return Size(round_half_up(whole.width * scale), round_half_up(whole.height * scale))


def _find_whole(watermark: Watermark, canvas: Size) -> Any:
    """Return the mark with alpha.

    A picture has its own size, a text usually at least twice the needed size.
    """
    if watermark.image is not None:
        return _read(watermark.image)
    font_pixels = _TEXT_PIXELS
    while True:
        text = _write(watermark.text or "", watermark.font, watermark.face, watermark.colour, font_pixels)
        is_enough = text.width >= 2 * _scale(text, canvas, watermark).width
        if is_enough or 4 * text.width * text.height > _MAX_TEXT_PIXELS:
            return text
        font_pixels *= 2


@lru_cache(maxsize=4)
def _read(picture: Attachment) -> Any:
    """Return a mark's picture with alpha, in memory."""
    content = picture.content
    assert content is not None  # noqa: S101 - the entry points read attachments first
    try:
        _check_size(len(content), "bytes", _MAX_BYTES)
        picture_format = check_file(content, sniff(content), Accept())
        check_end(content, picture_format)
        header = read_header(content, picture_format)
        _check_size(header.displayed.width * header.displayed.height, "pixels", _MAX_PIXELS)
        whole = region_of(header.grid, None)
        image = decode_still(content, header, whole, header.displayed, "nothing").images[0]
    except Undecodable as error:
        raise Unrenderable(f"the watermark {picture.name!r}: {error.why}. Name another picture") from error
    except Rejected as error:
        raise Unrenderable(f"the watermark {picture.name!r}: {error}") from error
    # This rebuilds the image from its pixels, so that no metadata of the mark gets into the rendition.
    pixels, interpretation = image.write_to_memory(), image.interpretation
    image = Image.new_from_memory(pixels, image.width, image.height, image.bands, "uchar")
    image = image.copy(interpretation=interpretation)
    return image if image.hasalpha() else image.bandjoin(_OPAQUE)


def _check_size(found: int, unit: str, most: int) -> None:
    if found > most:
        raise NotAccepted(
            f"it has {found:,} {unit}, more than the {most:,} that are allowed. Name a smaller picture"
        )


def _lay_out(text: str, font: Attachment | None, face: int | None) -> Letters:
    try:
        return choose_fonts(text, font, face)
    except Undecodable as error:
        name = font.name if font else ""
        raise Unrenderable(f"the watermark's font {name!r}: {error}. Name another font or face") from error


@lru_cache(maxsize=8)
def _write(text: str, font: Attachment | None, face: int | None, colour: str, font_pixels: int) -> Any:
    """Return an image of the text, with a soft outline of the opposite tone.

    The image has alpha, and its pixels are in memory. Raises the errors of :func:`draw_letters`.
    """
    ink = parse_colour(colour)
    letters = draw_letters(_lay_out(text, font, face), ink.spell(), font_pixels)
    radius = font_pixels * _OUTLINE
    margin = round(1.5 * radius)
    letters = letters.embed(margin, margin, letters.width + 2 * margin, letters.height + 2 * margin)
    alpha = letters[letters.bands - 1]
    # Blurring and then clipping makes letters with a soft edge around them.
    grown = (alpha.gaussblur(radius / 2, precision="float") * 3).cast("uchar")
    outline = _paint(grown, _INK if ink.is_light else _PAPER)
    mark = _over(letters if letters.bands > 1 else _paint(alpha, ink), outline)
    return _fade(mark, ink.alpha / _OPAQUE).copy_memory()


def _paint(alpha: Any, colour: Rgba) -> Any:
    """Return an image of one colour with this alpha."""
    flat = alpha.new_from_image(list(colour[:3])).copy(interpretation="srgb")
    return flat.bandjoin(alpha)


def _fade(mark: Any, opacity: float) -> Any:
    """Return the mark with its alpha multiplied by the opacity."""
    count = mark.bands - 1
    return mark[:count].bandjoin((mark[count] * opacity).rint().cast("uchar"))


def _repeat(mark: Any, at: Offset, gap: int, canvas: Size) -> Any:
    """Return a canvas tiled with the mark.

    One tile is at ``at``, where a single mark would be.
    """
    width, height = mark.width + gap, mark.height + gap
    cell = mark.embed(0, 0, width, height)
    left, top = -at.left % width, -at.top % height
    sheet = cell.replicate(-(-(left + canvas.width) // width), -(-(top + canvas.height) // height))
    return sheet.crop(left, top, canvas.width, canvas.height)


def _over(top: Any, below: Any) -> Any:
    """Return the upper image over the lower one, both with alpha.

    Source: Porter and Duff's operator *over*.
    """
    count = top.bands - 1
    covering = top[count] / _OPAQUE
    uncovered = below[count] / _OPAQUE * (1 - covering)
    alpha = covering + uncovered
    # Division by an alpha of 0 gives 0.
    colours = (top[:count] * covering + below[:count] * uncovered) / alpha
    interpretation = top.interpretation
    return colours.bandjoin(alpha * _OPAQUE).rint().cast("uchar").copy(interpretation=interpretation)


def _blend(image: Any, mark: Any, at: Offset) -> Any:
    """Return the image with the mark over it. Compute only the pixels below the mark."""
    if image.bands < 3 <= mark.bands:
        image = image.colourspace("srgb")
    if mark.bands < 3 <= image.bands:
        mark = mark.colourspace("srgb")
    below = image.crop(at.left, at.top, mark.width, mark.height)
    count = mark.bands - 1
    if image.hasalpha():
        covered = _over(mark, below)
    else:
        covered = mark[count].ifthenelse(mark[:count], below, blend=True)
    return image.insert(covered, at.left, at.top)

"""Operations on a picture's pixels, such as padding, blurs and finding borders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from renditions.imaging.alpha import weighted
from renditions.imaging.geometry import Offset, Rectangle, Size
from renditions.imaging.resample import enlarge
from renditions.imaging.vips import Image
from renditions.model.recipe import Flip, Rendition, Rotation

_NAMED_COLOURS = {"white": "#ffffff", "black": "#000000", "transparent": "#00000000"}
_OPAQUE = 255
_MIDDLE = 127.5
# The weights of full grayscale() and sepia() in the W3C's Filter Effects Module Level 1, rounded.
_LUMINANCE = [[0.2126, 0.7152, 0.0722]]
_MIN_AMPLITUDE = 0.01
"""The height at which the blur's bell curve ends. With 0.2, libvips' default, the curve would be a box."""
_MAX_SIGMA = 3
"""The least standard deviation, in pixels, of a blur of a picture that was shrunk for it."""
_MAX_SHARPENED = 10
"""The most that sharpening changes a value from 0 to 255. More would look like a halo."""
_SEPIA = [[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]]


class Rgba(NamedTuple):
    """A colour in sRGB. Each value is from 0 to 255, and an alpha of 255 is opaque."""

    red: int
    green: int
    blue: int
    alpha: int

    @property
    def is_grey(self) -> bool:
        """Return whether a picture with one band can hold this colour."""
        return self.red == self.green == self.blue

    @property
    def is_light(self) -> bool:
        """Return whether the colour's luminance is above middle grey."""
        return sum(weight * value for weight, value in zip(_LUMINANCE[0], self[:3], strict=True)) > _MIDDLE

    def spell(self) -> str:
        """Return the colour without its alpha, as ``#rrggbb``."""
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"

    def on_white(self) -> Rgba:
        """Return the opaque colour that this colour shows on white paper."""
        red, green, blue = (
            (value * self.alpha + 255 * (255 - self.alpha) + 127) // 255 for value in self[:3]
        )
        return Rgba(red, green, blue, _OPAQUE)


def parse_colour(text: str) -> Rgba:
    """Return the colour that a recipe's text names.

    The reader of pipeline files has checked the text: ``#rgb``, ``#rrggbb``, ``#rrggbbaa`` or a name.
    """
    digits = _NAMED_COLOURS.get(text, text).removeprefix("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    return Rgba(*bytes.fromhex(digits.ljust(8, "f")))


def lay(image: Any, colour: Rgba) -> Any:
    """Return the image on a background of this colour.

    A translucent colour stays translucent.
    """
    if not image.hasalpha() or colour.alpha == 0:
        return image
    if colour.alpha == _OPAQUE:
        return flatten(image, colour)
    image = _with_bands_for(image, colour)
    ground = (image[:-1] * 0 + _values(colour, image.bands - 1)).bandjoin(colour.alpha)
    ground = ground.cast("uchar").copy(interpretation=image.interpretation)
    return ground.composite2(image, "over").cast("uchar")


def flatten(image: Any, colour: Rgba) -> Any:
    """Return the image without alpha, on a background of this colour.

    Under a translucent colour, the background is white.
    """
    if not image.hasalpha():
        return image
    ground = colour.on_white()
    image = _with_bands_for(image, ground)
    return image.flatten(background=_values(ground, image.bands - 1))


def pad(image: Any, at: Offset, canvas: Size, colour: Rgba) -> Any:
    """Return a canvas of this colour with the image on it.

    A translucent colour adds alpha.
    """
    image = _with_bands_for(image, colour)
    if colour.alpha != _OPAQUE and not image.hasalpha():
        image = image.bandjoin(_OPAQUE)
    background: list[int] = _values(colour, 1 if image.bands < 3 else 3)
    if image.hasalpha():
        background.append(colour.alpha)
    return image.embed(
        at.left, at.top, canvas.width, canvas.height, extend="background", background=background
    )


def _with_bands_for(image: Any, colour: Rgba) -> Any:
    """Return the image in RGB if it is grey and the colour isn't; else unchanged."""
    if image.bands >= 3 or colour.is_grey:
        return image
    return image.colourspace("srgb")


def _values(colour: Rgba, bands: int) -> list[int]:
    return list(colour[:bands])


def find_crop(image: Any, size: Size, interest: str) -> Offset:
    """Return the upper left corner of the best part of this size.

    The best part is the most striking one (``attention``) or the most detailed one (``entropy``).
    """
    cut = image.smartcrop(size.width, size.height, interesting=interest)
    # libvips stores here how far the upper left corner has moved.
    return Offset(-cut.xoffset, -cut.yoffset)


def find_content(images: Sequence[Any], region: Rectangle, tolerance: int) -> Rectangle:
    """Return the part of the region inside its borders.

    The borders are the rows and columns at the region's edges whose pixels are all like the region's upper
    left pixel in the first image. Two pixels are alike if neither their alpha nor their colours, weighted by
    alpha, differ by more than ``tolerance``, from 0 to 255. A region that is only border is returned
    whole. All images lose the same borders.
    """
    parts = [
        # libvips would first flatten an image with alpha.
        _premultiplied(image).crop(region.left, region.top, region.width, region.height)
        for image in images
    ]
    corner = parts[0].getpoint(0, 0)
    found = [part.find_trim(background=corner, threshold=tolerance, line_art=True) for part in parts]
    found = [each for each in found if each[2] and each[3]]
    if not found:
        return region
    left, top = (min(each[axis] for each in found) for axis in (0, 1))
    right, bottom = (max(each[axis] + each[axis + 2] for each in found) for axis in (0, 1))
    return Rectangle(region.left + left, region.top + top, right - left, bottom - top)


def _premultiplied(image: Any) -> Any:
    return image.premultiply().copy(interpretation="multiband") if image.hasalpha() else image


def rotate(image: Any, degrees: Rotation) -> Any:
    """Return the image rotated clockwise."""
    return image.rot(f"d{degrees}")


def flip(image: Any, direction: Flip) -> Any:
    """Return the image mirrored; unchanged for the direction ``none``."""
    if direction in ("horizontal", "both"):
        image = image.fliphor()
    if direction in ("vertical", "both"):
        image = image.flipver()
    return image


def tint(image: Any, colour: Rgba) -> Any:
    """Return the image in tones from black through the colour to white.

    Each pixel keeps its luminance. A pixel with the colour's own luminance becomes the colour. For a darker
    or lighter pixel, this function mixes the colour with black or white.
    """
    middle = sum(weight * value for weight, value in zip(_LUMINANCE[0], colour[:3], strict=True))
    tones = bytes(
        round(value * grey / middle if grey < middle else 255 - (255 - value) * (255 - grey) / (255 - middle))
        if grey < 255
        else 255
        for grey in range(256)
        for value in colour[:3]
    )
    table = Image.new_from_memory(tones, 256, 1, 3, "uchar")
    tinted = _rounded(_luminance(image)).maplut(table).copy(interpretation="srgb")
    return tinted.bandjoin(image[image.bands - 1]) if image.hasalpha() else tinted


def blur(image: Any, sigma: float) -> Any:
    """Return the image blurred by a Gaussian of this standard deviation in pixels.

    Beyond each edge, the edge's pixels count as repeated.
    """
    return weighted(image, lambda image: _convolve(image, sigma))


def _convolve(image: Any, sigma: float) -> Any:
    """Convolve every band with a Gaussian.

    A wide Gaussian is applied to a smaller image, for speed.
    """
    shrink = max(1, int(sigma / _MAX_SIGMA))
    small = image.shrink(shrink, shrink, ceil=True) if shrink > 1 else image
    # libvips' integer precision makes the picture up to 3 % darker.
    soft = small.gaussblur(sigma / shrink, min_ampl=_MIN_AMPLITUDE, precision="float")
    if shrink > 1:
        soft = enlarge(soft, shrink, shrink, Size(image.width, image.height), "bilinear")
    return soft if image.format == "float" else _rounded(soft).copy(interpretation=image.interpretation)


def sharpen(image: Any, sigma: float) -> Any:
    """Sharpen the image with an unsharp mask on its luminance.

    This function blurs a copy of the luminance by ``sigma``, the standard deviation in pixels. It limits the
    difference between the luminance and this copy, and adds the difference to all colours. So hues don't
    change.
    """
    grey = _luminance(image).copy(interpretation="b-w")
    alpha = image[image.bands - 1] if image.hasalpha() else None
    soft = blur(grey if alpha is None else grey.bandjoin(alpha), sigma)[0]
    detail = (grey - soft).clamp(min=-_MAX_SHARPENED, max=_MAX_SHARPENED)
    sharper = _rounded(_colours(image) + detail).copy(interpretation=image.interpretation)
    return sharper if alpha is None else sharper.bandjoin(alpha)


def pixelate(image: Any, side: int) -> Any:
    """Return the image as squares of this side, in the mean colours of their pixels.

    The first square is at the upper left. The squares at the right and lower edges can be cut off.
    """
    squares = weighted(image, lambda image: _shrink(image, side).rint().cast(image.format))
    return squares.zoom(side, side).crop(0, 0, image.width, image.height)


def _shrink(image: Any, side: int) -> Any:
    """Return the means of squares, also of those that an edge cuts off."""
    across, down = -(-image.width // side), -(-image.height // side)
    # Black pixels fill up the squares at the edges, and these are then made brighter by what is missing.
    filled = image.cast("float").embed(0, 0, across * side, down * side)
    means = filled.shrink(side, side)
    rows, columns = (
        [*[1.0] * (count - 1), side / (length - (count - 1) * side)]
        for count, length in ((down, image.height), (across, image.width))
    )
    wide, high = Image.new_from_array([columns]), Image.new_from_array([[row] for row in rows])
    return means * (wide.replicate(1, down) * high.replicate(across, 1)).cast("float")


def round_corners(image: Any, recipe: Rendition) -> Any:
    """Return the image with the declared round corners, transparent and soft-edged."""
    width, height = image.width, image.height
    shorter = min(width, height) / 2
    if recipe.corners == "circle":
        radius, inset_across, inset_down = shorter, 0.0, 0.0
    else:
        radius = min(float(recipe.multiplied(recipe.corners)), shorter)
        inset_across, inset_down = width / 2 - radius, height / 2 - radius
    # The distance of each pixel's middle from the rectangle, or point, that the radius surrounds.
    across = (Image.xyz(width, 1)[0].linear(1, 0.5 - width / 2).abs() - inset_across).clamp(min=0, max=width)
    down = (Image.xyz(1, height)[1].linear(1, 0.5 - height / 2).abs() - inset_down).clamp(min=0, max=height)
    distance = ((across**2).replicate(1, height) + (down**2).replicate(width, 1)) ** 0.5
    inside = (radius + 0.5 - distance).clamp(min=0, max=1)
    alpha = image[image.bands - 1] if image.hasalpha() else _OPAQUE
    return _colours(image).bandjoin((inside * alpha).rint().cast("uchar"))


def _colours(image: Any) -> Any:
    return image[: image.bands - 1] if image.hasalpha() else image


def _luminance(image: Any) -> Any:
    """Return the image's luminance, in floating point."""
    colours = _colours(image)
    return colours.recomb(Image.new_from_array(_LUMINANCE)) if colours.bands == 3 else colours.cast("float")


def adjust(image: Any, recipe: Rendition) -> Any:
    """Apply the recipe's adjustments to the colours; alpha stays unchanged."""
    colours = _colours(image)
    if recipe.grayscale and colours.bands == 3:
        colours = _mix(colours, _LUMINANCE, "b-w")
    if recipe.sepia:
        colours = colours if colours.bands == 3 else colours.bandjoin([colours, colours])
        colours = _mix(colours, _SEPIA, "srgb")
    if recipe.brightness != 1:
        colours = _rounded(colours * recipe.brightness)
    if recipe.contrast != 1:
        colours = _rounded(colours.linear(recipe.contrast, _MIDDLE * (1 - recipe.contrast)))
    if recipe.saturation != 1 and colours.bands == 3:
        colours = _mix(colours, _saturate(recipe.saturation), "srgb")
    if recipe.gamma != 1:
        colours = _rounded(255 * (colours / 255) ** (1 / recipe.gamma))
    if recipe.negate:
        colours = colours.invert()
    return colours.bandjoin(image[image.bands - 1]) if image.hasalpha() else colours


def _mix(colours: Any, matrix: list[list[float]], interpretation: str) -> Any:
    """Return new bands, each a sum of all bands weighted by a row of the matrix.

    The values are rounded, and limited to the range from 0 to 255.
    """
    mixed = colours.recomb(Image.new_from_array(matrix))
    return _rounded(mixed).copy(interpretation=interpretation)


def _saturate(amount: float) -> list[list[float]]:
    """Return the matrix for a saturation.

    0 gives grey of the same luminance, 1 leaves colours unchanged.
    """
    return [
        [
            weight * (1 - amount) + (amount if row == column else 0)
            for column, weight in enumerate(_LUMINANCE[0])
        ]
        for row in range(3)
    ]


def _rounded(values: Any) -> Any:
    """Return the nearest whole numbers from 0 to 255."""
    return values.rint().cast("uchar")

"""What is done to a resized picture's pixels before it is encoded."""

from __future__ import annotations

from typing import Any, NamedTuple

from renditions.imaging.geometry import Offset, Size
from renditions.imaging.vips import Image
from renditions.recipe import Rendition

_NAMED_COLOURS = {"white": "#ffffff", "black": "#000000", "transparent": "#00000000"}
_OPAQUE = 255
_MIDDLE = 127.5
# Of full grayscale() and sepia() in the W3C's Filter Effects Module Level 1, rounded.
_LUMINANCE = [[0.2126, 0.7152, 0.0722]]
_SEPIA = [[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]]


class Rgba(NamedTuple):
    """A colour in sRGB, 0 to 255 each; alpha 255 is opaque."""

    red: int
    green: int
    blue: int
    alpha: int

    @property
    def is_grey(self) -> bool:
        """Tell whether a picture of one band can hold it."""
        return self.red == self.green == self.blue

    @property
    def is_light(self) -> bool:
        """Tell whether its luminance is above middle grey."""
        return sum(weight * value for weight, value in zip(_LUMINANCE[0], self[:3], strict=True)) > _MIDDLE

    def on_white(self) -> Rgba:
        """Return what is seen of it on white paper."""
        red, green, blue = (
            (value * self.alpha + 255 * (255 - self.alpha) + 127) // 255 for value in self[:3]
        )
        return Rgba(red, green, blue, _OPAQUE)


def parse_colour(text: str) -> Rgba:
    """Return the colour of ``#rgb``, ``#rrggbb``, ``#rrggbbaa`` or a name that pipelines know."""
    digits = _NAMED_COLOURS.get(text, text).removeprefix("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    return Rgba(*bytes.fromhex(digits.ljust(8, "f")))


def flatten(image: Any, colour: Rgba) -> Any:
    """Return the image without alpha, lying on the colour (itself on white, where it is translucent)."""
    if not image.hasalpha():
        return image
    ground = colour.on_white()
    image = _with_bands_for(image, ground)
    return image.flatten(background=_values(ground, image.bands - 1))


def pad(image: Any, at: Offset, canvas: Size, colour: Rgba) -> Any:
    """Return a canvas of the colour with the image on it; a translucent colour gives it alpha."""
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
    """Return the image with bands that can hold the colour."""
    if image.bands >= 3 or colour.is_grey:
        return image
    return image.colourspace("srgb")


def _values(colour: Rgba, bands: int) -> list[int]:
    return list(colour[:bands])


def find_crop(image: Any, size: Size, interest: str) -> Offset:
    """Return where to cut this size out: what draws the eye (``attention``) or holds most (``entropy``)."""
    cut = image.smartcrop(size.width, size.height, interesting=interest)
    # libvips keeps in these how far the upper left corner has moved.
    return Offset(-cut.xoffset, -cut.yoffset)


def turn(image: Any, recipe: Rendition) -> Any:
    """Return the image rotated clockwise, and then mirrored."""
    if recipe.rotate:
        image = image.rot(f"d{recipe.rotate}")
    if recipe.flip in ("horizontal", "both"):
        image = image.fliphor()
    if recipe.flip in ("vertical", "both"):
        image = image.flipver()
    return image


def adjust(image: Any, recipe: Rendition) -> Any:
    """Return the image with its colours changed; alpha stays as it is."""
    count = image.bands - 1 if image.hasalpha() else image.bands
    colours = image[:count]
    if recipe.grayscale and count == 3:
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
    return colours.bandjoin(image[count]) if image.hasalpha() else colours


def _mix(colours: Any, matrix: list[list[float]], interpretation: str) -> Any:
    """Return each band as the matrix mixes it from all of them, cut off at 255."""
    mixed = colours.recomb(Image.new_from_array(matrix))
    return _rounded(mixed).copy(interpretation=interpretation)


def _saturate(amount: float) -> list[list[float]]:
    """Return the matrix between each colour's grey (amount 0) and the colour itself (1), and beyond."""
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

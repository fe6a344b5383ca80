"""Draw the demo's pictures, the same in every run.

``python -m renditions.demo.scenery FOLDER`` draws them into a folder.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from renditions.imaging.vips import GValue, Image

_Colour = Sequence[float]
_CELL_PIXELS = 4
"""The size of one noise cell before the noise is enlarged."""


def draw_pictures(directory: Path) -> list[Path]:
    """Create the folder, draw every picture into it and return the folder's files.

    Among the files are a rotated photo (EXIF orientation 6), a picture with transparency, an animation, a
    damaged file, and a text file with a picture's name.
    """
    directory.mkdir(parents=True, exist_ok=True)
    mountains = _develop(_mountains(1280, 960).resize(3.125, kernel="linear"), seed=1)
    mountains.jpegsave(str(directory / "mountains.jpg"), Q=92)
    _sea(1920, 1080).jpegsave(str(directory / "sea.jpg"), Q=92)
    _dunes(1500, 1000).jpegsave(str(directory / "dunes.jpg"), Q=92)
    lying = _lighthouse(1000, 1500).rot270().copy()
    lying.set_type(GValue.gint_type, "orientation", 6)
    lying.jpegsave(str(directory / "portrait.jpg"), Q=92)
    _leaf(1000).pngsave(str(directory / "leaf.png"))
    _aurora(1600, 900).webpsave(str(directory / "aurora.webp"), Q=90, effort=2)
    _waves(320, 200, 10).gifsave(str(directory / "waves.gif"))
    whole = (directory / "sea.jpg").read_bytes()
    (directory / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (directory / "notes.jpg").write_text("This is a text file with a picture's name.\n")
    return sorted(directory.iterdir())


def _mountains(width: int, height: int) -> Any:
    """Draw several rows of mountains at dusk. The farther ones are paler."""
    picture = _sky(width, height, (58, 78, 128), (255, 190, 140))
    picture = _glow(picture, 0.68, 0.42, 0.30, (255, 214, 160), 0.75)
    down = _places(1, height)[1]
    colours = ((176, 138, 150), (132, 107, 119), (99, 83, 96), (70, 62, 76), (42, 43, 56), (16, 24, 38))
    for number, colour in enumerate(colours):
        near = number / (len(colours) - 1)
        rise = 0.30 - 0.03 * number
        line = _ridge(width, height, seed=number + 11, base=0.42 + 0.11 * number, height_part=rise)
        shade = _rough(width, height, 220, seed=number + 31, octaves=5) * (8 + 22 * near)
        picture = _blend(picture, shade + colour, line)
        mist = _step(down - 0.55 - 0.10 * number, 0.10).replicate(width, 1) * (0.45 * (1 - near))
        picture = _blend(picture, (236, 190, 178), mist * line)
    return picture


def _sea(width: int, height: int) -> Any:
    """Draw a low sun and its reflection on the water."""
    horizon = 0.56
    picture = _sky(width, height, (36, 62, 110), (255, 176, 110))
    clouds = _rough(width, height, 180, seed=5, flat=4.0)
    picture = _blend(picture, (255, 226, 200), _limit(clouds * 0.9 - 0.15) * 0.6)
    picture = _glow(picture, 0.5, horizon - 0.05, 0.07, (255, 250, 220), 1.0)
    picture = _glow(picture, 0.5, horizon - 0.05, 0.40, (255, 190, 120), 0.6)
    across, down = _places(width, height)
    depth = _limit((down - horizon) / (1 - horizon))
    ripples = _rough(width, height, 26, seed=8, flat=7.0) + _rough(width, height, 60, seed=9, flat=9.0) * 0.7
    beside = (across - 0.5) / (depth * 0.28 + 0.06)
    near_sun = (beside * beside * -1.0).exp()
    water = _gradient((150, 104, 92), (14, 40, 66), depth**0.6) + ripples * 26
    glitter = _limit((ripples + near_sun * 0.9 - 0.55) * 2.2) * near_sun
    water = _blend(water, (255, 226, 164), glitter)
    return _develop(_blend(picture, water, _step(down - horizon, 0.002)), seed=2)


def _dunes(width: int, height: int) -> Any:
    """Draw dunes with ripples under a clear sky."""
    picture = _sky(width, height, (60, 124, 190), (206, 224, 236))
    colours = ((226, 178, 122), (213, 156, 101), (199, 134, 79), (186, 112, 58))
    for number, colour in enumerate(colours):
        line = _ridge(width, height, seed=number + 51, base=0.46 + 0.15 * number, height_part=0.20, octaves=2)
        light = _rough(width, height, 350 + 75 * number, seed=number + 61) * 40
        ripples = _rough(width, height, 14 + 7 * number, seed=number + 71, flat=5.0) * (4 + 4 * number)
        picture = _blend(picture, light + ripples + colour, line)
    return _develop(picture, seed=3)


def _lighthouse(width: int, height: int) -> Any:
    """Draw a striped lighthouse behind grassy hills."""
    picture = _sky(width, height, (84, 140, 196), (236, 232, 220))
    clouds = _rough(width, height, 320, seed=14, flat=2.0)
    picture = _blend(picture, (255, 255, 255), _limit(clouds - 0.1) * 0.8)
    across, down = _places(width, height)
    half = (down - 0.22) * 0.10 + 0.075
    inside = _step(half - (across - 0.5).abs(), 0.003) * _step(down - 0.24, 0.002)
    paint = _gradient((244, 240, 232), (190, 44, 38), _step(_sin(down * 40), 0.05))
    light = (across - 0.5) / half * -0.32 + 0.86
    picture = _blend(picture, paint * light, inside)
    lamp = _step(0.05 - (across - 0.5).abs(), 0.002) * _step(0.05 - (down - 0.205).abs(), 0.002)
    picture = _blend(picture, (54, 58, 66), lamp)
    picture = _glow(picture, 0.5, 0.205, 0.03, (255, 240, 180), 1.0)
    for number, colour in enumerate(((96, 112, 84), (62, 76, 58), (38, 48, 40))):
        line = _ridge(width, height, seed=number + 81, base=0.80 + 0.07 * number, height_part=0.10)
        grass = _rough(width, height, 120, seed=number + 91, octaves=5) * 30
        picture = _blend(picture, grass + colour, line)
    return _develop(picture, seed=4)


def _leaf(side: int) -> Any:
    """Draw a leaf on a transparent background, with soft edges."""
    across, down = _places(side, side)
    along = (across + down) / 2
    aside = (across - down + (_sin(along * 3.1) - 0.5) * 0.10).abs()
    width_there = _sin((along - 0.1) * 3.9) * 0.42
    alpha = _step(width_there - aside, 0.006) * _step(along - 0.1, 0.004) * _step(0.9 - along, 0.004)
    veins = _limit((_sin((aside * 0.6 + along) * 70) - 0.86) * 6)
    light = _rough(side, side, 240, seed=21) * 30 + _rough(side, side, 24, seed=22) * 10
    green = _gradient((62, 128, 40), (150, 190, 58), _limit(along))
    leaf = _blend(green + light, (196, 220, 120), veins * 0.5 + _step(0.010 - aside, 0.006))
    return leaf.bandjoin(alpha * 255).cast("uchar").copy(interpretation="srgb")


def _aurora(width: int, height: int) -> Any:
    """Draw northern lights over dark hills."""
    picture = _sky(width, height, (4, 8, 26), (16, 44, 66))
    down = _places(width, height)[1]
    for threshold, size, strength in ((3.1, 0.8, 1400.0), (3.9, 1.5, 9000.0)):
        stars = _limit(Image.gaussnoise(width, height, mean=0, sigma=1, seed=7) - threshold)
        picture = picture + stars.gaussblur(size) * (1 - down) * strength
    for number, (height_part, strength) in enumerate(((0.42, 0.8), (0.34, 1.1), (0.26, 1.6))):
        border = _wavy(width, width / 2.2, seed=41 + number, octaves=2) * 0.16 + 0.50 + 0.11 * number
        rays = _wavy(width, 60, seed=51 + number, octaves=4) * 0.8 + 0.6
        folds = _wavy(width, 420, seed=61 + number) * 0.9 + 0.7
        reach = (rays * 0.6 + 0.5) * height_part
        above = (border.replicate(1, height) - down) / reach.replicate(1, height)
        light = (_limit(above, 9) * -3.2).exp() * _limit(above * 8)
        light = light * _limit(rays * folds, 2).replicate(1, height) * strength
        picture = (picture + _gradient((70, 245, 150), (130, 70, 210), _limit(above)) * light).copy_memory()
    line = _ridge(width, height, seed=29, base=0.86, height_part=0.12, octaves=8)
    return _develop(_blend(picture, (3, 7, 11), line), seed=5)


def _waves(width: int, height: int, frames: int) -> Any:
    """Draw an animation of waves that repeats without a jump."""
    colours = ((92, 164, 190), (72, 134, 166), (51, 105, 141), (30, 76, 116), (10, 46, 92))
    across, down = _places(width, height)
    pictures = []
    for frame in range(frames):
        picture = _sky(width, height, (120, 178, 222), (246, 232, 214))
        for number, colour in enumerate(colours):
            shift = 360 * frame / frames * (1 if number % 2 else -1)
            swell = (across * (2.0 + 0.7 * number) * 360 + shift).sin() * 0.035  # in degrees
            line = _step(down - (0.36 + 0.13 * number) - swell, 0.01)
            picture = _blend(picture, colour, line)
        pictures.append(_limit(picture, 255).cast("uchar").copy(interpretation="srgb"))
    strip = Image.arrayjoin(pictures, across=1).copy()
    strip.set_type(GValue.gint_type, "page-height", height)
    strip.set_type(GValue.array_int_type, "delay", [90] * frames)
    strip.set_type(GValue.gint_type, "loop", 0)
    return strip


def _places(width: int, height: int) -> tuple[Any, Any]:
    """Return the x and y of each pixel, from 0 (left, top) up to almost 1."""
    xy = Image.xyz(width, height)
    return xy[0] * (1 / width), xy[1] * (1 / height)


def _sin(radians: Any) -> Any:
    return (radians * (180 / math.pi)).sin()


def _gradient(one: _Colour, other: _Colour, part: Any) -> Any:
    """Return an image: ``one`` where ``part`` is 0, ``other`` where it is 1."""
    return part * [b - a for a, b in zip(one, other, strict=True)] + list(one)


def _blend(one: Any, other: Any, part: Any) -> Any:
    """Return ``one`` where ``part`` is 0, and ``other`` where it is 1.

    ``other`` is an image or a colour.
    """
    # Compute the result now, because the next step uses it twice.
    return (one + (other - one) * part).cast("float").copy_memory()


def _limit(image: Any, top: float = 1.0) -> Any:
    return image.clamp(min=0, max=top)


def _step(image: Any, softness: float) -> Any:
    """Return an image that is 1 where the given image is positive, and 0 elsewhere.

    The edge between both parts is soft.
    """
    return _limit(image * (0.5 / softness) + 0.5)


def _sky(width: int, height: int, top: _Colour, low: _Colour) -> Any:
    down = _places(1, height)[1]  # one column, repeated
    return _gradient(top, low, _limit(down * 1.7) ** 1.3).copy_memory().replicate(width, 1)


def _glow(picture: Any, x: float, y: float, radius: float, colour: _Colour, strength: float) -> Any:
    width, height = picture.width, picture.height
    across, down = _places(width, height)
    beside, above = (across - x) * (width / height / radius), (down - y) * (1 / radius)
    light = ((beside * beside + above * above) * -1.0).exp() * strength
    return _blend(picture, colour, light)


def _rough(width: int, height: int, cell: float, seed: int, flat: float = 1.0, octaves: int = 1) -> Any:
    """Return noise from about -1 to 1 with features of ``cell`` pixels.

    The features are ``flat`` times as wide as high. Each further octave adds features of half the size and
    half the strength.
    """
    noise = None
    for octave in range(octaves):
        cells = (width / cell, height * flat / cell)
        sides = [math.ceil(n * 2**octave) * _CELL_PIXELS for n in cells]
        finer = Image.perlin(*sides, cell_size=_CELL_PIXELS, seed=seed + octave) * 0.5**octave
        noise = finer if noise is None else _enlarge(noise, *sides) + finer
    return _enlarge(noise, width, height)


def _enlarge(image: Any, width: int, height: int) -> Any:
    return image.resize(width / image.width, vscale=height / image.height, kernel="cubic").copy_memory()


def _wavy(width: int, cell: float, seed: int, octaves: int = 1) -> Any:
    """Return one row of noise, see ``_rough``."""
    return _rough(width, 1, cell, seed, octaves=octaves)


def _ridge(width: int, height: int, seed: int, base: float, height_part: float, octaves: int = 6) -> Any:
    """Return an image that is 1 below a ragged line and 0 above it."""
    line = _wavy(width, width / 3, seed * 17, octaves) * height_part
    down = _places(width, height)[1]
    return _step(down - base + line.replicate(1, height), 2 / height).copy_memory()


def _develop(picture: Any, seed: int) -> Any:
    """Return the picture in 8 bits, with the grain of a photo."""
    tile = Image.gaussnoise(512, 512, mean=0, sigma=5, seed=seed).gaussblur(0.6).copy_memory()
    times = math.ceil(picture.width / 512), math.ceil(picture.height / 512)
    grain = tile.replicate(*times).crop(0, 0, picture.width, picture.height)
    return _limit(picture + grain, 255).rint().cast("uchar").copy(interpretation="srgb")


if __name__ == "__main__":
    draw_pictures(Path(sys.argv[1]))

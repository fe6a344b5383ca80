"""The examples of a rendition's fields in ``fields.md``.

Each has pieces of a pipeline file, and a picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

View = Literal["whole", "detail", "half a file", "frames", "text", "key", "metadata", "paper"]
"""What is shown of the result.

    whole        the picture as it is
    detail       an eighth of it, enlarged, so that single pixels are seen
    half a file  what a browser shows of it when half of its bytes are there
    frames       some of an animation's frames
    text         how the file begins
    key          the keys of the outputs that are made with the picture
    metadata     what the file says of itself
"""


@dataclass(frozen=True, slots=True)
class Example:
    """Some renditions of one picture, side by side."""

    picture: str
    """One of ``scenery``'s."""
    lines: tuple[str, ...]
    """What each says in the pipeline file; only the first line is shown below it."""
    view: View = "whole"


_SMALL = "width = 220\nheight = 165"
_ON_GREY = 'background = "#8090a0"'

EXAMPLES: Mapping[str, Example] = {
    "key": Example("sea.jpg", ("", 'key = "{dir}thumb_{name}"', 'key = "{rendition}/{stem}.{ext}"'), "key"),
    "on_demand": Example("sea.jpg", ("on_demand = false", "on_demand = true"), "key"),
    "format": Example(
        "leaf.png",
        tuple(f'format = "{name}"\n{_SMALL}' for name in ("jpeg", "png", "webp", "avif")),
    ),
    "formats": Example(
        "sea.jpg", ('formats = ["avif", "jpeg"]', 'formats = ["avif", "webp", "jpeg"]'), "key"
    ),
    "width": Example("sea.jpg", ("width = 220", "width = 150", "width = 80")),
    "widths": Example("sea.jpg", ("widths = [480, 960]", "widths = [480, 960, 1600]"), "key"),
    "height": Example("sea.jpg", ("height = 120", "height = 80", "height = 40")),
    "fit": Example(
        "mountains.jpg",
        tuple(
            f'fit = "{fit}"\nwidth = 180\nheight = 180\n{_ON_GREY}'
            for fit in ("inside", "cover", "contain", "fill", "outside")
        ),
    ),
    "gravity": Example(
        "portrait.jpg",
        tuple(
            f'gravity = "{gravity}"\nfit = "cover"\nwidth = 160\nheight = 120'
            for gravity in ("center", "north", "southeast", "attention", "entropy")
        ),
    ),
    "focus": Example(
        "portrait.jpg",
        tuple(
            f'focus = {{ x = 50, y = {value} }}\nfit = "cover"\nwidth = 160\nheight = 120'
            for value in (15, 50, 85)
        ),
    ),
    "background": Example(
        "leaf.png",
        tuple(f'background = "{colour}"\nwidth = 150' for colour in ("white", "black", "#ffd060", "#3060c0")),
    ),
    "enlarge": Example("waves.gif", tuple(f"enlarge = {value}\nwidth = 440" for value in ("false", "true"))),
    "pixel_ratio": Example(
        "sea.jpg", tuple(f"pixel_ratio = {value}\nwidth = 110" for value in ("1", "1.5", "2"))
    ),
    "crop": Example(
        "portrait.jpg",
        tuple(
            f"{line}\nwidth = 180\nheight = 180"
            for line in (
                "",
                "crop = { left = 25, top = 10, width = 50, height = 30 }",
                "crop = { top = 60, width = 100, height = 40 }",
            )
        ),
    ),
    "trim": Example("leaf.png", tuple(f"{line}\nwidth = 160\n{_ON_GREY}" for line in ("", "trim = 10"))),
    "rotate": Example(
        "portrait.jpg", tuple(f"rotate = {value}\nwidth = 150\nheight = 150" for value in (0, 90, 180, 270))
    ),
    "flip": Example(
        "mountains.jpg",
        tuple(f'flip = "{value}"\nwidth = 180' for value in ("none", "horizontal", "vertical", "both")),
    ),
    "grayscale": Example(
        "leaf.png", tuple(f"grayscale = {value}\nwidth = 200" for value in ("false", "true"))
    ),
    "sepia": Example("mountains.jpg", tuple(f"sepia = {value}\nwidth = 220" for value in ("false", "true"))),
    "brightness": Example(
        "mountains.jpg", tuple(f"brightness = {value}\nwidth = 220" for value in (0.6, 1, 1.5))
    ),
    "contrast": Example(
        "mountains.jpg", tuple(f"contrast = {value}\nwidth = 220" for value in (0.5, 1, 1.6))
    ),
    "saturation": Example(
        "portrait.jpg", tuple(f"saturation = {value}\nwidth = 160" for value in (0.3, 1, 2))
    ),
    "gamma": Example("mountains.jpg", tuple(f"gamma = {value}\nwidth = 220" for value in (0.5, 1, 2))),
    "negate": Example("portrait.jpg", tuple(f"negate = {value}\nwidth = 160" for value in ("false", "true"))),
    "tint": Example(
        "mountains.jpg",
        tuple(f"{line}\nwidth = 220" for line in ("", 'tint = "#3060c0"', 'tint = "#c08040"')),
    ),
    "blur": Example("mountains.jpg", tuple(f"blur = {value}\nwidth = 220" for value in (0, 1.5, 6))),
    "sharpen": Example(
        "leaf.png", tuple(f"sharpen = {value}\nwidth = 480" for value in (0, 0.5, 1, 3)), "detail"
    ),
    "pixelate": Example("portrait.jpg", tuple(f"pixelate = {value}\nwidth = 160" for value in (1, 6, 20))),
    "corners": Example(
        "mountains.jpg",
        tuple(f'{line}\nformat = "png"\n{_SMALL}' for line in ("", "corners = 24", 'corners = "circle"')),
    ),
    "padding": Example(
        "mountains.jpg",
        tuple(f"{line}\n{_SMALL}\n{_ON_GREY}" for line in ("", "padding = 12", "padding = 24\ncorners = 24")),
    ),
    "watermark": Example(
        "sea.jpg",
        tuple(
            f'watermark = {{text = "© Ann"{more}}}\nwidth = 250'
            for more in ("", ", size = 50", ', gravity = "center", opacity = 100', ", tile = true")
        ),
    ),
    "quality": Example(
        "leaf.png", tuple(f"quality = {value}\nwidth = 480" for value in (20, 50, 82, 95)), "detail"
    ),
    "target": Example(
        "leaf.png",
        tuple(f'target = {value}\nquality = "auto"\nwidth = 480' for value in (40, 70, 90)),
        "detail",
    ),
    "effort": Example(
        "leaf.png", tuple(f'effort = {value}\nwidth = 480\nformat = "webp"' for value in (0, 4, 6)), "detail"
    ),
    "lossless": Example(
        "leaf.png",
        tuple(f'lossless = {value}\nwidth = 480\nformat = "webp"' for value in ("false", "true")),
        "detail",
    ),
    "animation": Example(
        "waves.gif",
        tuple(f'animation = "{value}"\nformat = "gif"\nwidth = 150' for value in ("first", "keep")),
        "frames",
    ),
    "pages": Example("album.tif", tuple(f'pages = "{value}"\nheight = 140' for value in ("first", "2", "3"))),
    "metadata": Example(
        "signed.jpg",
        tuple(f'metadata = "{value}"\nwidth = 220' for value in ("none", "copyright", "all")),
        "metadata",
    ),
    "profile": Example(
        "wide.jpg", tuple(f'profile = "{value}"\nwidth = 220' for value in ("srgb", "keep")), "metadata"
    ),
    "progressive": Example(
        "leaf.png", tuple(f"progressive = {value}\nwidth = 220" for value in ("false", "true")), "half a file"
    ),
    "chroma": Example(
        "portrait.jpg", tuple(f'chroma = "{value}"\nwidth = 300' for value in ("420", "444")), "detail"
    ),
    "palette": Example(
        "mountains.jpg",
        tuple(f'palette = {value}\nformat = "png"\nwidth = 220' for value in (4, 16, 256)),
    ),
    "dpi": Example(
        "sea.jpg",
        tuple(f'dpi = {value}\nformat = "pdf"\npage_size = "a5"\nwidth = 600' for value in (100, 200, 400)),
        "paper",
    ),
    "page_size": Example(
        "sea.jpg",
        tuple(f'page_size = "{value}"\nformat = "pdf"\nwidth = 600' for value in ("a5", "a4", "letter")),
        "paper",
    ),
    "data_uri": Example(
        "sea.jpg", tuple(f'data_uri = {value}\nformat = "base64"' for value in ("false", "true")), "text"
    ),
    "max_bytes": Example(
        "leaf.png",
        tuple(f'max_bytes = "{value}"\nwidth = 480' for value in ("6 kB", "9 kB", "14 kB")),
        "detail",
    ),
    "skip_if_larger": Example(
        "small.jpg", tuple(f"skip_if_larger = {value}\nquality = 95" for value in ("false", "true"))
    ),
}

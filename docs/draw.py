"""Draws the pictures in the documents, with the engine itself: ``make pictures``."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from renditions.imaging.render import render
from renditions.imaging.scenery import draw_pictures
from renditions.pipeline import Accept
from renditions.recipe import Rendition

IMAGES = Path(__file__).parent / "images"
PAPER = "#f6f6f4"
GAP_PIXELS = 16

SHEET_PICTURES = ("mountains.jpg", "portrait.jpg", "leaf.png", "sea.jpg")
SHEET_RECIPES = (
    Rendition(width=220, height=165),
    Rendition(width=220, height=220, fit="cover", gravity="attention"),
    Rendition(width=220, height=140, fit="contain", background="#20242c", sepia=True),
)


def main() -> None:
    """Draw every picture anew."""
    with tempfile.TemporaryDirectory() as folder:
        draw_pictures(Path(folder))
        rows = [
            [make(Path(folder, name).read_bytes(), recipe) for name in SHEET_PICTURES]
            for recipe in SHEET_RECIPES
        ]
    lay_out(rows).save(IMAGES / "renditions.webp", quality=86, method=6)


def make(content: bytes, recipe: Rendition) -> Image.Image:
    """Return what the recipe makes of the picture."""
    rendering = render(content, Accept(), {"it": recipe})
    return Image.open(io.BytesIO(rendering.made["it"].content)).convert("RGB")


def lay_out(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Return the pictures side by side on paper, each in the middle of its cell."""
    width = max(picture.width for row in rows for picture in row)
    heights = [max(picture.height for picture in row) for row in rows]
    columns = max(len(row) for row in rows)
    size = columns * (width + GAP_PIXELS) + GAP_PIXELS, sum(heights) + (len(rows) + 1) * GAP_PIXELS
    sheet = Image.new("RGB", size, PAPER)
    top = GAP_PIXELS
    for row, height in zip(rows, heights, strict=True):
        for number, picture in enumerate(row):
            left = GAP_PIXELS + number * (width + GAP_PIXELS) + (width - picture.width) // 2
            sheet.paste(picture, (left, top + (height - picture.height) // 2))
        top += height + GAP_PIXELS
    return sheet


if __name__ == "__main__":
    main()

"""Write a TIFF of three pages, as a scanner does: ``python scan.py FILE``."""

from __future__ import annotations

import sys

from PIL import Image, ImageDraw


def main(path: str) -> None:
    """Write a TIFF of three pages to this path."""
    pages = [Image.new("L", (827, 1169), "white") for _ in range(3)]
    for number, page in enumerate(pages, 1):
        ImageDraw.Draw(page).text((300, 500), f"Page {number}", fill="black", font_size=80)
    pages[0].save(path, save_all=True, append_images=pages[1:], dpi=(100, 100), compression="tiff_lzw")


if __name__ == "__main__":
    main(*sys.argv[1:])

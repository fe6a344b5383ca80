"""What Chromium draws on a canvas, and the files that it makes of a canvas."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from playwright.sync_api import Browser

_DRAW = """async ([data, type, points]) => {
    const image = new Image()
    image.src = `data:${type};base64,${data}`
    await image.decode()
    const canvas = document.createElement("canvas")
    canvas.width = image.naturalWidth
    canvas.height = image.naturalHeight
    const context = canvas.getContext("2d")
    context.drawImage(image, 0, 0)
    return points.map(([x, y]) => Array.from(context.getImageData(x, y, 1, 1).data).slice(0, 3))
}"""

_SAVE = """async ([colours, side, space, depth, type]) => {
    const canvas = document.createElement("canvas")
    canvas.width = side * colours.length
    canvas.height = side
    const context = canvas.getContext("2d", { colorSpace: space, colorType: depth })
    colours.forEach((colour, at) => {
        context.fillStyle = colour
        context.fillRect(side * at, 0, side, side)
    })
    const blob = await new Promise(done => canvas.toBlob(done, type, 1))
    const bytes = new Uint8Array(await blob.arrayBuffer())
    return [blob.type, btoa(String.fromCharCode(...bytes))]
}"""


class Drawn:
    """A page that draws pictures."""

    def __init__(self, browser: Browser) -> None:
        self._page = browser.new_page()

    def colours(self, content: bytes, media_type: str, points: Sequence[tuple[int, int]]) -> Any:
        """Return the red, green and blue of pixels, as rows of an array."""
        data = base64.b64encode(content).decode()
        return np.array(self._page.evaluate(_DRAW, [data, media_type, list(points)]), float)

    def saved(self, colours: Sequence[str], side: int, space: str, depth: str, media_type: str) -> bytes:
        """Return the file that Chromium makes of a canvas with a row of squares.

        The quality is the best one.

        Args:
            colours: The squares' colours, as CSS writes them.
            side: The squares' side in pixels.
            space: The canvas's colour space, as ``getContext`` names it.
            depth: The canvas's ``colorType``: ``unorm8`` or ``float16``.
            media_type: The file's type.

        """
        found, data = self._page.evaluate(_SAVE, [list(colours), side, space, depth, media_type])
        assert found == media_type
        return base64.b64decode(data)

"""What Chromium draws: the values of pixels on a canvas, in sRGB."""

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


class Drawn:
    """A page that draws pictures."""

    def __init__(self, browser: Browser) -> None:
        self._page = browser.new_page()

    def colours(self, content: bytes, media_type: str, points: Sequence[tuple[int, int]]) -> Any:
        """Return the red, green and blue of pixels, as rows of an array."""
        data = base64.b64encode(content).decode()
        return np.array(self._page.evaluate(_DRAW, [data, media_type, list(points)]), float)

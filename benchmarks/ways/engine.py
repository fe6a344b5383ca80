"""Renditions itself, called through :func:`renditions.imaging.render.render`."""

from __future__ import annotations

import pyvips

from benchmarks.worker import Job, UnsupportedError, serve
from renditions.imaging.render import render
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition

_ACCEPT = Accept(max_bytes=1_000_000_000)


def make(content: bytes, job: Job) -> list[bytes]:
    """Return the file of each rendition."""
    recipes = {
        str(box): Rendition(format=job.format, width=box, height=box, quality=job.quality)
        for box in job.boxes
    }
    rendering = render(content, _ACCEPT, recipes)
    if rendering.rejected or rendering.errors:
        raise UnsupportedError(rendering.rejected or str(rendering.errors))
    return [rendering.made[name].content for name in recipes]


if __name__ == "__main__":
    libvips = ".".join(str(pyvips.version(part)) for part in range(3))
    serve(make, f"pyvips {pyvips.__version__}, libvips {libvips}")

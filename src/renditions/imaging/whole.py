"""The renderer for a confined process, which can't write files.

A worker imports this module before it confines itself. This module imports nearly all modules that rendering
needs. A confined worker can't write the bytecode of modules to disk, so without stored bytecode each worker
would compile the modules again. Extras are still imported when a picture needs them.
"""

import os
from typing import Any

# libvips would decode a picture of more than 100 MB to a temporary file if its pixels aren't used in order.
os.environ["VIPS_DISC_THRESHOLD"] = "1000g"

from renditions.imaging import cascade, decode
from renditions.imaging.analysis import analyze
from renditions.imaging.measure import measuring
from renditions.imaging.registry import find_code
from renditions.imaging.render import render
from renditions.model.formats import OUTPUT_FORMATS, SOURCE_FORMATS
from renditions.model.rendering import Rendering

__all__ = ["analyze", "cascade", "decode", "render", "render_measured"]

for _source in SOURCE_FORMATS.values():
    find_code(_source.decoder)
for _output in OUTPUT_FORMATS.values():
    find_code(_output.encoder)


def render_measured(*arguments: Any, **options: Any) -> Rendering:
    """Call :func:`render`, with the same errors, and measure what is encoded."""
    with measuring():
        return render(*arguments, **options)

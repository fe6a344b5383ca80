"""The renderer for a process that confines itself.

It needs no other module later, and writes no file. A worker imports this module before it confines itself.
Afterwards it can write no bytecode of modules to disk, so an environment without bytecode would compile them
in each worker again. Only extras are still imported when a picture needs them.
"""

import os

# libvips would decode a picture of more than 100 MB to a temporary file if its pixels aren't used in order.
os.environ["VIPS_DISC_THRESHOLD"] = "1000g"

from renditions.imaging import cascade, decode
from renditions.imaging.analysis import analyze
from renditions.imaging.registry import find_code
from renditions.imaging.render import render
from renditions.model.formats import OUTPUT_FORMATS, SOURCE_FORMATS

__all__ = ["analyze", "cascade", "decode", "render"]

for _source in SOURCE_FORMATS.values():
    find_code(_source.decoder)
for _output in OUTPUT_FORMATS.values():
    find_code(_output.encoder)

"""Compute the scores: SSIMULACRA2 of each rendition.

The metric compares the rendition with the fully decoded original, resized with Lanczos and saved without
loss.

This is a worker like those of the ways, in an environment with the metric. It scores each file only once.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from ssimulacra2 import compute_ssimulacra2

from benchmarks.environments import CACHE
from benchmarks.ways.pillow import resize_full
from benchmarks.worker import Size

_REFERENCES = CACHE / "references"
_SCORES = CACHE / "scores"


def score(original: Path, size: Size, rendition: Path) -> float:
    """Return how similar the rendition is to the original at this size.

    100 means identical.
    """
    width, height = size
    reference = _REFERENCES / f"{original.stem}-{width}x{height}.png"
    if not reference.exists():
        part = reference.with_suffix(f".{os.getpid()}.png")
        resize_full(original.read_bytes(), (size,))[0].save(part)
        part.rename(reference)  # written as a whole: another scorer may read the same file
    digest = hashlib.sha256(reference.read_bytes() + rendition.read_bytes()).hexdigest()
    known = _SCORES / digest
    if not known.exists():
        known.write_text(str(compute_ssimulacra2(_open(reference), _open(rendition))))
    return float(known.read_text())


def _open(path: Path) -> BytesIO:
    """Return the picture on middle grey, without alpha.

    Otherwise the metric would also compare hidden colours.
    """
    opaque = BytesIO()
    with Image.open(path) as image:
        picture = image.convert("RGBA")
        grey = Image.new("RGBA", picture.size, (128, 128, 128, 255))
        Image.alpha_composite(grey, picture).convert("RGB").save(opaque, "BMP")
    opaque.seek(0)
    return opaque


def main() -> None:
    """Answer each line, ``[original, size, rendition]``, with its score."""
    for folder in (_REFERENCES, _SCORES):
        folder.mkdir(parents=True, exist_ok=True)
    for line in sys.stdin:
        original, size, rendition = json.loads(line)
        print(score(Path(original), tuple(size), Path(rendition)), flush=True)


if __name__ == "__main__":
    main()

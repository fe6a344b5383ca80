"""The benchmark's cases: kinds of pictures, their renditions, and rounds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.worker import Job

BOXES = (1200, 600, 300, 200)
SCORED_BOXES = (1200, 600, 300)
"""The boxes whose renditions get a score. Smaller pictures are too small for SSIMULACRA2's six scales."""
_HEIGHT_OF_WIDTH = 3 / 4


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of picture, made into four renditions."""

    kind: str
    """See ``inputs.derive``."""
    label: str
    format: str = "jpeg"
    quality: int = 85
    photographs: int = 2
    rounds: int = 5
    is_slow: bool = False
    """Whether a quick run leaves this case out."""

    def job(self, path: Path) -> Job:
        """Return the job that each way gets for this file."""
        sizes = tuple((box, round(box * _HEIGHT_OF_WIDTH)) for box in BOXES)
        return Job(str(path), self.format, self.quality, BOXES, sizes)


MAIN = Case("jpeg-12", "JPEG, 12 MP", photographs=4, rounds=15)
CASES = (
    MAIN,
    Case("jpeg-2", "JPEG, 2 MP", rounds=9),
    Case("jpeg-24", "JPEG, 24 MP"),
    Case("jpeg-100", "JPEG, 100 MP", rounds=3, photographs=1, is_slow=True),
    Case("progressive", "progressive JPEG"),
    Case("wide-gamut", "JPEG in Display P3, turned"),
    Case("cmyk", "JPEG in CMYK"),
    Case("png", "PNG", rounds=3),
    Case("png-alpha", "PNG with alpha to WebP", "webp", 80, rounds=3),
    Case("webp", "WebP", rounds=3),
    Case("avif", "AVIF", rounds=3),
    Case("heic", "HEIC", rounds=3),
)
MEMORY_KINDS = ("jpeg-12", "jpeg-24", "jpeg-100")

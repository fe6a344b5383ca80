"""The memory that a picture takes and the estimate of it: ``make test-memory``.

The test measures how much the memory of a process grows at most while it renders the picture. Each picture
has 12 megapixels, and each is rendered in a new process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from imaging.pictures import heic, opened
from renditions.imaging.decode import read_header
from renditions.imaging.probe import sniff
from renditions.imaging.tasks import estimate_memory
from renditions.imaging.vips import Image
from renditions.pipeline_file.plain import to_plain
from renditions.pipeline_file.reading import parse

WIDTH, HEIGHT = 4_000, 3_000
THUMB = "[renditions.thumb]\nwidth = 200\n"
STORES = '[source]\nstore = "./inbox"\n[output]\nstore = "./processed"\n[accept]\nmax_bytes = "500 MB"\n'
SLACK_BYTES = 100_000_000
MOST_TIMES = 3.5
"""The largest ratio of an estimate to the peak, apart from the slack. More would waste memory."""

CODE = """
import json, sys
from pathlib import Path
from renditions.imaging.render import render
from renditions.pipeline_file.plain import from_plain

def read(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(field)).split()[1])

pipeline = from_plain(json.loads(sys.argv[1]))
small, picture = sys.argv[2:]
render(Path(small).read_bytes(), pipeline.accept, pipeline.renditions)
Path("/proc/self/clear_refs").write_text("5")  # begin a new peak
before = read("VmRSS")
rendering = render(Path(picture).read_bytes(), pipeline.accept, pipeline.renditions)
assert rendering.made and not rendering.errors, rendering
print(read("VmHWM") - before)
"""


def large(output_format: str) -> str:
    return f'[renditions.large]\nwidth = {WIDTH}\nformat = "{output_format}"\n'


def draw() -> Image:
    """Return soft noise in RGB."""
    noise = Image.gaussnoise(WIDTH // 100, HEIGHT // 100, sigma=60, mean=128, seed=1)
    bands = noise.bandjoin([noise.rot180(), noise.fliphor()]).resize(100).cast("uchar")
    return bands.copy(interpretation="srgb")


def make_picture(kind: str) -> bytes:
    """Return a picture of this kind."""
    image = draw()
    match kind.split():
        case ["heic"]:
            return heic(opened(image.pngsave_buffer(compression=1)))
        case ["jpeg", "progressive"]:
            return bytes(image.jpegsave_buffer(Q=85, interlace=True, subsample_mode="off"))
        case ["png", "interlaced"]:
            return bytes(image.colourspace("rgb16").pngsave_buffer(compression=1, interlace=True))
        case ["webp", "lossless"]:
            return bytes(image.webpsave_buffer(lossless=True, effort=0))
        case ["avif"]:
            return bytes(image.heifsave_buffer(compression="av1", effort=0))
        case ["tiff", "tiled"]:
            return bytes(image.tiffsave_buffer(tile=True, compression="deflate"))
        case [plain]:
            return bytes(image.write_to_buffer(f".{plain}"))
    raise AssertionError(kind)


CASES = [
    *((kind, THUMB) for kind in (
        "jpeg", "jpeg progressive", "png", "png interlaced", "webp", "webp lossless", "avif", "heic", "gif",
        "tiff", "tiff tiled",
    )),
    *(("jpeg", large(each)) for each in ("jpeg", "png", "webp", "avif", "gif", "tiff", "pdf")),
    ("jpeg", "[renditions.thumb]\nwidth = 200\ntrim = 10\n"),
    ("jpeg", f'{THUMB}[analyze]\nplaceholder = "thumbhash"\ncolours = 3\ntransparency = true\n'),
]  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: the peak is read from /proc")
@pytest.mark.parametrize(("kind", "renditions"), CASES)
def test_a_picture_takes_no_more_memory_than_estimated(tmp_path: Path, kind: str, renditions: str) -> None:
    content = make_picture(kind)
    (tmp_path / "picture").write_bytes(content)
    (tmp_path / "small").write_bytes(Image.black(64, 64, bands=3).jpegsave_buffer())
    pipeline = parse(STORES + renditions, "test", tmp_path, {}).pipeline
    arguments: list[Any] = [json.dumps(to_plain(pipeline)), tmp_path / "small", tmp_path / "picture"]
    ended = subprocess.run(
        [sys.executable, "-c", CODE, *arguments], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    peak = int(ended.stdout)
    header = read_header(content, str(sniff(content)))
    estimated = estimate_memory(content, header, pipeline.renditions, None)
    print(f"{kind}: {peak:,} bytes at most, {estimated:,} estimated")
    assert peak <= estimated <= MOST_TIMES * peak + SLACK_BYTES

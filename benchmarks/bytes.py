"""Print the hashes of outputs: ``PYTHONPATH=tests python -m benchmarks.bytes``.

The benchmark writes pictures of every input format, the same ones each time. ``renditions sync`` makes
renditions of them with every preset, every operation and every output format. Each output gives a line: its
SHA-256, the pipeline and the key. If two versions print the same lines, they make the same bytes:

    PYTHONPATH=tests python -m benchmarks.bytes > before.txt    # and after.txt with the other version
    diff before.txt after.txt
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from commands import RENDITIONS
from fuzz.seeds import seeds
from imaging.dicoms import dicom
from imaging.pictures import encoded, heic, photo, stored
from imaging.test_colour import WIDE_GAMUT

PRESETS = ("thumbnail", "square", "base64", "gallery", "web", "shop")
FILE = "renditions.toml"
PLACES = """
[source]
store = "../inbox"
match = ["*"]
[output]
store = "./processed"
[accept]
formats = ["jpeg", "png", "webp", "avif", "gif", "tiff", "heic", "svg", "pdf"{}]
"""
SETTLED_SECONDS = 1.5
"""The pause before the first sync. Renditions doesn't read a file that changed less than a second ago."""

BOX = "width = 320\nheight = 200\n"
OPERATIONS: Mapping[str, str] = {
    "as-it-is": "",
    "inside": BOX,
    "outside": BOX + 'fit = "outside"',
    "fill": BOX + 'fit = "fill"',
    "contain": BOX + 'fit = "contain"\nbackground = "#336699"',
    "contain-corner": BOX + 'fit = "contain"\ngravity = "northwest"\nbackground = "transparent"',
    **{
        f"cover-{gravity}": f'{BOX}fit = "cover"\ngravity = "{gravity}"'
        for gravity in ("center", "north", "southeast", "attention", "entropy", "focus")
    },
    "cover-point": BOX + 'fit = "cover"\nfocus = { x = 20, y = 75 }',
    "enlarge": "width = 1800\nenlarge = true",
    "pixel-ratio": BOX + "pixel_ratio = 1.5\ncorners = 20\npadding = 5",
    "crop": BOX + "crop = { left = 10, top = 20, width = 50, height = 40 }",
    "trim": BOX + "trim = 20",
    "rotate": BOX + "rotate = 90",
    "flip": BOX + 'flip = "horizontal"',
    "rotate-flip": BOX + 'rotate = 270\nflip = "vertical"',
    "grayscale": BOX + "grayscale = true",
    "sepia": BOX + "sepia = true",
    "brightness": BOX + "brightness = 1.3",
    "contrast": BOX + "contrast = 0.7",
    "saturation": BOX + "saturation = 1.6",
    "gamma": BOX + "gamma = 2.2",
    "negate": BOX + "negate = true",
    "tint": BOX + 'tint = "#804020"',
    "blur": BOX + "blur = 3.5",
    "sharpen": BOX + "sharpen = 1.2",
    "pixelate": BOX + "pixelate = 12",
    "corners": BOX + "corners = 30",
    "circle": BOX + 'corners = "circle"',
    "padding": BOX + 'padding = 15\nbackground = "#ff000080"',
    "watermark-text": BOX + 'watermark = { text = "© Ours", colour = "#ffee00", gravity = "north" }',
    "watermark-tile": BOX + 'watermark = { text = "Draft", tile = true, opacity = 30, gap = 5 }',
    "watermark-image": BOX + 'watermark = { image = "logo.png", offset = 5 }',
    "everything": BOX + 'fit = "cover"\nrotate = 90\nflip = "both"\nsepia = true\nbrightness = 1.1\n'
    'contrast = 1.2\ngamma = 0.9\nsharpen = 0.8\ncorners = 25\npadding = 8\nwatermark = { text = "Ours" }',
}  # fmt: skip
"""Each operation on pixels, in PNG, which is lossless."""

ENCODINGS: Mapping[str, str] = {
    **{name: f'format = "{name}"' for name in ("jpeg", "png", "webp", "avif", "gif", "tiff", "pdf", "auto")},
    "jpeg-progressive": 'format = "jpeg"\nprogressive = true\nquality = 60',
    "jpeg-444": 'format = "jpeg"\nchroma = "444"\nquality = 95',
    "jpeg-auto": 'format = "jpeg"\nquality = "auto"\ntarget = 70',
    "jpeg-max-bytes": 'format = "jpeg"\nmax_bytes = "6 kB"',
    "jpeg-metadata": 'format = "jpeg"\nmetadata = "all"\nprofile = "keep"',
    "jpeg-copyright": 'format = "jpeg"\nmetadata = "copyright"',
    "png-interlaced": 'format = "png"\nprogressive = true',
    "png-palette": 'format = "png"\npalette = 16',
    "png-metadata": 'format = "png"\nmetadata = "all"\nprofile = "keep"',
    "webp-lossless": 'format = "webp"\nlossless = true',
    "webp-effort": 'format = "webp"\neffort = 6\nquality = 50',
    "webp-animated": 'format = "webp"\nanimation = "keep"\nmetadata = "all"',
    "gif-animated": 'format = "gif"\nanimation = "keep"',
    "avif-444": 'format = "avif"\nchroma = "444"\nquality = 80',
    "avif-lossless": 'format = "avif"\nlossless = true',
    "tiff-pages": 'format = "tiff"\npages = "all"\nfit = "contain"',
    "pdf-pages": 'format = "pdf"\npages = "all"',
    "auto-skip": 'format = "auto"\nskip_if_larger = true',
}
"""The output formats except Base64, with most of their options."""

TEXTS: Mapping[str, str] = {"base64": "", "data-uri": "data_uri = true"}
"""The renditions that contain the source file itself. DICOM is left out, because it contains patient data."""


def main() -> int:
    """Print a line for each output; return 1 if a pipeline made none."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_corpus(root / "inbox")
        for preset in PRESETS:
            folder = root / f"preset-{preset}"
            folder.mkdir()
            subprocess.run([RENDITIONS, "init", "--preset", preset], cwd=folder, check=True)
            text = (folder / FILE).read_text(encoding="utf-8")
            (folder / FILE).write_text(text.replace('"./inbox"', '"../inbox"'), encoding="utf-8")
        write_pipeline(root / "operations", OPERATIONS, 'format = "png"')
        write_pipeline(root / "encodings", ENCODINGS, BOX)
        write_pipeline(root / "texts", TEXTS, 'format = "base64"', more_formats="")
        (root / "operations" / "logo.png").write_bytes(encoded(photo(120, 60), "png"))
        for folder in sorted(path.parent for path in root.glob(f"*/{FILE}")):
            print(f"making {folder.name}", file=sys.stderr)
            # Some pictures break a preset's rules, so the exit code isn't always 0.
            subprocess.run([RENDITIONS, "sync"], cwd=folder, check=False, stdout=subprocess.DEVNULL)
            lines = list(hash_outputs(folder))
            if not lines:
                print(f"!! {folder.name} made nothing", file=sys.stderr)
                return 1
            print("\n".join(lines))
    return 0


def write_corpus(inbox: Path) -> None:
    """Write the pictures, and wait until they are old enough to be read."""
    inbox.mkdir()
    for name, content in (seeds() | dict(larger())).items():
        (inbox / f"{name.replace(' ', '-')}.{name.split()[0]}").write_bytes(content)
    time.sleep(SETTLED_SECONDS)


def larger() -> Iterator[tuple[str, bytes]]:
    """Yield pictures that no preset rejects as too small, and two animations.

    The still pictures are large enough for shrinking during decoding, too.
    """
    picture = photo(1600, 1200)
    alpha = photo(1000, 750)
    alpha.putalpha(photo(1000, 750).convert("L"))
    for orientation in (1, 6, 7):
        yield f"jpeg large turned {orientation}", stored(picture, "jpeg", orientation)
    yield "jpeg large cmyk", encoded(picture.convert("CMYK"), "jpeg", quality=90)
    yield "jpeg large grey", encoded(picture.convert("L"), "jpeg", quality=90)
    yield "jpeg large progressive", encoded(picture, "jpeg", quality=85, progressive=True)
    yield "jpeg large wide gamut", encoded(picture, "jpeg", quality=90, icc_profile=WIDE_GAMUT)
    yield "png large wide gamut alpha", encoded(alpha, "png", icc_profile=WIDE_GAMUT)
    yield "webp large alpha", encoded(alpha, "webp", quality=80)
    yield "avif large", encoded(picture, "avif", quality=60, speed=10)
    yield "heic large", heic(picture, quality=60)
    yield "tiff large", encoded(picture, "tiff", compression="tiff_lzw")
    frames = [photo(400, 300).rotate(angle) for angle in (0, 90, 180)]
    for animated in ("gif", "webp"):
        options = {"save_all": True, "append_images": frames[1:], "duration": [40, 80, 120]}
        yield f"{animated} large animated", encoded(frames[0], animated, **options)
    yield "dicom large", dicom(np.asarray(picture.convert("L")))


def write_pipeline(
    folder: Path, renditions: Mapping[str, str], common: str, more_formats: str = ', "dicom"'
) -> None:
    """Write a pipeline file with these renditions.

    Each rendition also gets the fields in ``common``.
    """
    folder.mkdir()
    text = PLACES.format(more_formats)
    for name, fields in renditions.items():
        text += f'[renditions.{name}]\nkey = "{{key}}/{name}"\n{common}\n{fields}\n\n'
    (folder / FILE).write_text(text, encoding="utf-8")


def hash_outputs(folder: Path) -> Iterator[str]:
    """Yield a line for each output of a folder's pipeline, in the order of keys."""
    root = folder / "processed"
    for path in sorted(root.rglob("*")):
        key = path.relative_to(root)
        if path.is_file() and key.parts[0] != ".renditions":
            yield f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {folder.name}  {key.as_posix()}"


if __name__ == "__main__":
    sys.exit(main())

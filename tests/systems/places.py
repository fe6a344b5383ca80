"""The folders of the examples, and the pictures that their pages use."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import hcl2
import numpy as np
from PIL import Image, ImageFilter

from imaging.dicoms import dicom

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("base64", "gallery", "platform", "square", "thumbnail")


def copy_example(name: str, target: Path) -> Path:
    """Copy an example; return the copy's folder.

    The presets that it links to become files.
    """
    return Path(shutil.copytree(EXAMPLES / name, target))


def read_module_call(name: str) -> dict[str, Any]:
    """Return the arguments that the example's Terraform root passes to the module."""
    (block,) = hcl2.loads((EXAMPLES / name / "main.tf").read_text())["module"]
    called: dict[str, Any] = _unquoted(block['"renditions"'])
    return called


def commands_of(name: str, heading: str) -> str:
    """Return the commands below a heading of the example's page."""
    page = (EXAMPLES / name / "README.md").read_text()
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return "\n".join(re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE))


def draw_photographs(folder: Path) -> None:
    """Draw the pictures that the pages use.

    These are photo.jpg, photo.png, tiny.png, blurred.jpg, scan.dcm and named.dcm.
    """
    folder.mkdir(parents=True)
    grain = np.random.default_rng(5).integers(0, 256, (135, 240, 3), dtype=np.uint8)
    photo = Image.fromarray(grain).resize((1920, 1080), Image.Resampling.BICUBIC)
    photo.save(folder / "photo.jpg", quality=90)
    photo.save(folder / "photo.png", compress_level=1)
    photo.resize((320, 180)).save(folder / "tiny.png")
    photo.filter(ImageFilter.GaussianBlur(40)).save(folder / "blurred.jpg")
    frames = grain[:, :, 0].astype("u2") * np.array([[[1]], [[7]]], "u2")
    (folder / "scan.dcm").write_bytes(dicom(frames, WindowCenter=400, WindowWidth=800))
    (folder / "named.dcm").write_bytes(dicom(frames, BurnedInAnnotation="YES"))


def _unquoted(value: Any) -> Any:
    """Return python-hcl2's value without its quotes."""
    match value:
        case dict():
            return {
                name.strip('"'): _unquoted(item) for name, item in value.items() if not name.startswith("__")
            }
        case list():
            return [_unquoted(item) for item in value]
        case str():
            return value.strip('"')
    return value

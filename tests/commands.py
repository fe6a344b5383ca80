"""Helpers that run a command, write a pipeline file or draw a picture."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

RENDITIONS = Path(sys.executable).with_name("renditions")


@dataclass(frozen=True)
class Ended:
    """The result of a command."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The JSON on stdout."""
        return json.loads(self.out)


def run(directory: Path, *arguments: str) -> Ended:
    """Run ``renditions`` in a folder until it ends; return the result."""
    ended = subprocess.run(
        [RENDITIONS, *arguments], cwd=directory, capture_output=True, text=True, timeout=300, check=False
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def write_pipeline(directory: Path, renditions: str, more: str = "") -> None:
    """Write a pipeline file with the folders ``inbox`` and ``processed``.

    The function also creates the inbox. A picture is complete after a millisecond without a change. With
    the default of a second, a command's result would depend on how fast it starts.
    """
    (directory / "inbox").mkdir(exist_ok=True)
    (directory / "renditions.toml").write_text(
        '[source]\nstore = "./inbox"\nsettle = "0.001 s"\n'
        f'[output]\nstore = "./processed"\n{renditions}\n{more}\n'
    )


def draw(path: Path, width: int = 320, height: int = 180, seed: int = 1, **options: Any) -> None:
    """Write a picture of soft noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grain = np.random.default_rng(seed).integers(0, 256, (9, 16, 3), dtype=np.uint8)
    picture = Image.fromarray(grain).resize((width, height), Image.Resampling.BICUBIC)
    # In one go: a server that watches the folder might read a half-written file.
    content = io.BytesIO()
    picture.save(
        content, options.pop("format", Image.registered_extensions()[path.suffix.lower()]), **options
    )
    path.write_bytes(content.getvalue())

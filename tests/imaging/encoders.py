"""Programs that encode pictures or write their metadata.

``.ci/run`` installs the missing ones if it runs as root.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

needs_avifenc = pytest.mark.skipif(shutil.which("avifenc") is None, reason="avifenc isn't installed")
needs_exiftool = pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool isn't installed")


def by_avifenc(*pictures: bytes, cicp: str = "1/13/6", options: tuple[str, ...] = ()) -> bytes:
    """Return PNGs as an AVIF made by libavif's encoder.

    One PNG becomes a picture, and several become a sequence. ``cicp`` are the declared numbers of primaries,
    transfer characteristics and matrix (ITU-T H.273). avifenc converts no colours to them.
    """
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for number, picture in enumerate(pictures):
            names.append(f"{number}.png")
            Path(folder, names[-1]).write_bytes(picture)
        quality = ("--min", "0", "--max", "4", "--yuv", "444", "--speed", "8", "--ignore-icc")
        run(folder, "avifenc", *quality, "--cicp", cicp, *options, *names, "out.avif")
        return Path(folder, "out.avif").read_bytes()


def by_exiftool(picture: bytes, suffix: str, *options: str, **files: bytes) -> bytes:
    """Return the picture after exiftool has changed its metadata by these options.

    Write ``files`` beside the picture, for options that name a file.
    """
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, f"it.{suffix}").write_bytes(picture)
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
        run(folder, "exiftool", "-q", "-overwrite_original", *options, f"it.{suffix}")
        return Path(folder, f"it.{suffix}").read_bytes()


def read_by_exiftool(picture: bytes, *tags: str) -> list[str]:
    """Return the sorted values that a picture has for these tags."""
    found = subprocess.run(
        ["exiftool", "-a", "-s3", *(f"-{tag}" for tag in tags), "-"],
        input=picture,
        capture_output=True,
        check=False,
    )
    return sorted(found.stdout.decode().splitlines())


def run(folder: str, *command: str) -> None:
    """Run a program in a folder; if it fails, fail with its messages."""
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr

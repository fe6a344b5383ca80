"""Compare how programs read unusual files: ``python -m benchmarks.formats``.

Set ``PYTHONPATH=tests``. Some of the files are damaged. Renditions, sharp, Pillow and ImageMagick each read
them, upright and in sRGB. A program that isn't available is left out. Without ``--dry`` the table goes into
``docs/formats.md``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from PIL import Image

from benchmarks.environments import ROOT, UnavailableError, peers_python, sharp_command
from benchmarks.report import replace_section, today
from benchmarks.unusual import Sample, samples
from renditions.imaging.colour import manage
from renditions.imaging.render import render
from renditions.imaging.vips import load
from renditions.model.formats import SOURCE_FORMATS
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition

PAGE = ROOT / "docs" / "formats.md"
_READERS = ROOT / "benchmarks" / "readers"
_EVERY = Accept(formats=tuple(SOURCE_FORMATS))
_TOLERANCE = 6
"""The largest allowed difference of a colour value, out of 255. Encoders and conversions differ by less."""
_SECONDS = 60
_OURS = ("FONTCONFIG_FILE", "PANGOCAIRO_BACKEND")
"""The variables that Renditions sets for its own fonts. The other programs use the machine's fonts."""


class RefusedError(Exception):
    """Raised if a program makes no picture. The message is the program's own."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that reads pictures."""

    label: str
    versions: str
    read: Callable[[Path, int], tuple[bytes, str]]
    """f(file, width): returns a PNG and what the program reports beside it; raises ``RefusedError``."""


def main() -> int:
    """Compare the programs and print the table.

    Without ``--dry`` write it into the document, too.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.formats", description=__doc__)
    parser.add_argument("--dry", action="store_true", help="print the table, and write nothing")
    arguments = parser.parse_args()
    programs = list(_programs())
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for sample in samples():
            path = Path(folder, sample.name)
            path.write_bytes(sample.content)
            outcomes = [_outcome(program, sample, path) for program in programs]
            rows.append([f"`{sample.name}`", sample.what, *outcomes])
    counts = (sum(row[at + 2].startswith("right") for row in rows) for at in range(len(programs)))
    rows.append([f"{len(rows)} files", "right", *map(str, counts)])
    head = ["file", "what is unusual", *(program.label for program in programs)]
    table = "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])
    versions = "\n".join(f"- {program.label}: {program.versions}" for program in programs)
    text = f"`make formats`, {today()}:\n\n{versions}\n\n{table}"
    print(text)
    if not arguments.dry:
        replace_section("comparison", text, PAGE)
    return 0


def _programs() -> Iterator[Program]:
    """Yield the programs that are installed or can be installed.

    The function prints why the other programs are left out.
    """
    libvips = ".".join(str(pyvips.version(part)) for part in range(3))
    yield Program("Renditions", f"{version('renditions')} with libvips {libvips}", _read_here)
    for label, prepare in {"sharp": _sharp, "Pillow": _pillow, "ImageMagick": _imagemagick}.items():
        try:
            versions, command = prepare()
        except UnavailableError as reason:
            print(f"!! LEFT OUT: {label}: {reason}", file=sys.stderr)
            continue
        yield Program(label, versions, partial(_read_by, command))


def _read_here(path: Path, width: int) -> tuple[bytes, str]:
    rendering = render(path.read_bytes(), _EVERY, {"it": Rendition(format="png", width=width or None)})
    if rendering.rejected or rendering.errors:
        raise RefusedError(str(rendering.rejected or rendering.errors))
    return rendering.made["it"].content, ", ".join(f"`{each.code}`" for each in rendering.warnings)


_Command = Callable[[Path, Path, int], Sequence[str]]
"""f(input, output, width): returns the command that makes a PNG."""


def _sharp() -> tuple[str, _Command]:
    start = sharp_command(_READERS / "sharp.mjs")
    return _ask(start), lambda source, target, width: (*start, str(source), str(target), str(width))


def _pillow() -> tuple[str, _Command]:
    start = (peers_python(), str(_READERS / "pillow.py"))
    return _ask(start), lambda source, target, width: (*start, str(source), str(target), str(width))


def _imagemagick() -> tuple[str, _Command]:
    convert = shutil.which("magick") or shutil.which("convert-im6")
    if convert is None:
        raise UnavailableError("it isn't installed (Debian has it in imagemagick)")

    def command(source: Path, target: Path, width: int) -> Sequence[str]:
        smaller = ["-thumbnail", str(width)] if width else []
        start = [convert, "-background", "none", f"{source}[0]", "-auto-orient", *smaller]
        return [*start, "-colorspace", "sRGB", f"PNG32:{target}"]

    return _ask((convert, "-version")).partition(" Q")[0].removeprefix("Version: "), command


def _ask(command: Sequence[str]) -> str:
    """Return what a command prints."""
    return _run(command).stdout.strip()


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in _OURS}
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=_SECONDS, env=environment
    )


def _read_by(command: _Command, path: Path, width: int) -> tuple[bytes, str]:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "made.png")
        ended = _run(command(path, target, width))
        if ended.returncode or not target.exists():
            raise RefusedError(ended.stderr.strip())
        return target.read_bytes(), ""


def _outcome(program: Program, sample: Sample, path: Path) -> str:
    """Return what the program made of the file, in a few words."""
    try:
        made, report = program.read(path, sample.width)
    except RefusedError as refused:
        print(f"{program.label}: {sample.name}: {str(refused)[-300:]}", file=sys.stderr)
        return "refused" if sample.right else "right: refused"
    wrong = _compare(made, sample)
    return ", ".join(filter(None, (wrong or "right", report)))


def _compare(made: bytes, sample: Sample) -> str:
    """Return what is wrong with a PNG; an empty text if nothing is."""
    pixels = manage(load("png", made), "nothing").colourspace("srgb").numpy()
    picture = Image.fromarray(pixels).convert("RGBA")
    size = f"{picture.width} × {picture.height}"
    if sample.right is None:
        return f"made: {size}"
    if picture.size != sample.right.size:
        return f"wrong size: {size}"
    for at, colour in sample.right.colours.items():
        found = tuple(int(value) for value in np.asarray(picture)[at[1], at[0]])
        # Where nothing is drawn, the colour doesn't count.
        same = found[3:] == (0,) if colour[3:] == (0,) else _is_near(found[: len(colour)], colour)
        if not same:
            return f"wrong colours: {_name(found)} for {_name(colour)}"
    return sample.check(picture) if sample.check else ""


def _name(colour: Sequence[int]) -> str:
    return "transparent" if tuple(colour[3:]) == (0,) else " ".join(map(str, colour[:3]))


def _is_near(found: Any, colour: tuple[int, ...]) -> bool:
    return bool(np.abs(np.subtract(found, colour)).max() <= _TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())

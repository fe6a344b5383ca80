"""Collect libraries for another platform from wheels.

This works on any machine, without Docker and without a compiler.

pip downloads the wheels from its configured index, in the versions that are installed here. So AWS
runs the same versions as this machine, and the same installation gives the same files. The lock must
list each wheel's SHA-256, so it doesn't matter which index or cache the wheel comes from. An environment that
uv made has no pip; there, ``uv tool run`` runs pip.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path
from typing import Final, Literal

from renditions.deploy.pins import Pins
from renditions.errors import Failed, UsageError
from renditions.local.failures import NO_SPACE

Architecture = Literal["arm64", "x86_64"]
ARCHITECTURE: Final = "arm64"
PYTHON: Final = "3.13"
"""The default target of a bundle. The Terraform module's variable ``function`` has the same defaults."""

GLIBC_MINORS = range(34, 16, -1)
"""The minor versions of glibc whose wheels pip may download. Amazon Linux 2023 has glibc 2.34.
https://docs.aws.amazon.com/linux/al2023/ug/compare-with-al2.html"""

SOURCE_ONLY = "pyvips"
"""A library without wheels on PyPI. The bundle gets its Python files from this installation, because they are
the same for every platform."""

BULK = re.compile(
    r"(^|/)(tests?|test_files|__pycache__|sboms)/"
    r"|\.(pyc|pyi|pyx|pxd|pxi|h|c)$"
    r"|/py\.typed$"
    r"|\.dist-info/(?!METADATA$|entry_points\.txt$|licenses/)"
)
"""Files that no library needs at run time. The bundle keeps the licences, and the entry points by which
libraries find each other."""


@dataclass(frozen=True, slots=True)
class Target:
    """The processor and the Python that a bundle runs on."""

    architecture: Architecture
    python: str
    """The version of Python, for example ``3.13``."""

    @property
    def platforms(self) -> list[str]:
        """The tags of platforms whose wheels run on the target, best first.

        Sources: PEP 600, PEP 599.
        """
        machine = {"arm64": "aarch64", "x86_64": "x86_64"}[self.architecture]
        return [f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS] + [f"manylinux2014_{machine}"]


@dataclass(frozen=True, slots=True)
class File:
    """One file of a bundle."""

    part: str
    """The library and its version, or ``renditions``."""
    path: str
    content: bytes


def collect_libraries(names: Sequence[str], target: Target, pins: Pins) -> Iterator[File]:
    """Yield the files of these libraries and their dependencies.

    Files that no library needs at run time are left out, see :data:`BULK`.

    Raises:
        UsageError: One of the libraries isn't installed here, so its version isn't known; a version or a
            wheel isn't in the lock; or there is neither pip nor uv.
        Failed: pip didn't find a wheel of that version for the target, or didn't reach the index; or there
            is no space for temporary files.

    """
    found = {name: _find_installed(name) for name in names}
    wheels = [name for name in names if name != SOURCE_ONLY]
    if SOURCE_ONLY in found:
        pins.insist_on(SOURCE_ONLY, found[SOURCE_ONLY].version)
        yield from _read_installed(found[SOURCE_ONLY])
        wheels += [re.split(r"[^A-Za-z0-9._-]", need)[0] for need in found[SOURCE_ONLY].requires or ()
                   if "extra ==" not in need]  # fmt: skip
    if wheels:
        with open_temporary() as folder:
            _download(wheels, target, folder)
            for wheel in sorted(folder.glob("*.whl")):
                pins.check(wheel)
                yield from _read_wheel(wheel)


@contextmanager
def open_temporary() -> Iterator[Path]:
    """Yield a temporary folder; raise Failed if it can't be created or written to.

    Other errors of the system in the block become Failed, too.
    """
    folder = ""
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    except OSError as error:
        is_about_folder = not folder or error.errno in NO_SPACE or str(error.filename).startswith(folder)
        if not is_about_folder:
            raise Failed(f"can't build the bundle ({error}). Remove the cause, and try again") from error
        raise Failed(
            f"can't build the bundle in the folder for temporary files ({error}). Free space there, or set "
            "TMPDIR to another folder"
        ) from error


def _find_installed(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        raise UsageError(
            f"The bundle needs {name}, which isn't installed here. Run: pip install 'renditions[all]'"
        ) from None


def _read_installed(library: Distribution) -> Iterator[File]:
    for file in library.files or ():
        if file.suffix == ".py" or file.name == "METADATA" or "licenses" in file.parts:
            content = Path(str(file.locate())).read_bytes()
            yield File(f"{library.name} {library.version}", file.as_posix(), content)


def _download(names: Sequence[str], target: Target, folder: Path) -> None:
    """Download the wheels of these libraries and their dependencies with pip.

    Raises:
        Failed: pip failed.
        UsageError: There is neither pip nor uv.
    """
    constraints = folder / "installed.txt"
    constraints.write_text("".join(f"{known.name}=={known.version}\n" for known in distributions()))
    command = [
        *(*_find_pip(), "download", "--quiet", "--no-input", "--disable-pip-version-check"),
        *("--dest", str(folder), "--constraint", str(constraints)),
        *("--only-binary", ":all:", "--implementation", "cp", "--python-version", target.python),
        *(part for platform in target.platforms for part in ("--platform", platform)),
        *names,
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no shell, our own words
    if ended.returncode:
        reasons = [line for line in ended.stderr.splitlines() if line.startswith("ERROR:")]
        raise Failed(
            f"pip can't download {', '.join(names)} and their dependencies for {target.architecture} and "
            f"Python {target.python} ({' '.join(reasons) or ended.stderr.strip()}). Check pip's index and "
            "the network, or choose another --arch or --python"
        )


def _find_pip() -> list[str]:
    """Return the command that runs pip.

    It is this Python's own pip, or a pip that uv runs with this Python. pip must run with this Python,
    because it evaluates the conditions of dependencies for the Python that it runs on.

    Raises:
        UsageError: There is neither pip nor uv.

    """
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    on_path = shutil.which("uv")
    uv = [on_path] if on_path else [sys.executable, "-m", "uv"] if importlib.util.find_spec("uv") else None
    if uv is None:
        raise UsageError(
            f"can't download the libraries: {sys.executable} has no pip, and uv isn't on the PATH. Install "
            f"uv (https://docs.astral.sh/uv/getting-started/installation/), "
            f"or run: {shlex.quote(sys.executable)} -m ensurepip"
        )
    return [*uv, "tool", "run", "--quiet", "--python", sys.executable, "pip"]


def _read_wheel(wheel: Path) -> Iterator[File]:
    """Yield the files of a wheel that belong into a bundle.

    These are the files that an installation puts into site-packages, without those of :data:`BULK`.
    https://packaging.python.org/en/latest/specifications/binary-distribution-format/
    """
    name, version = wheel.name.split("-")[:2]
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            path = re.sub(r"^[^/]+\.data/(purelib|platlib)/", "", info.filename)
            if not info.is_dir() and ".data/" not in path and not BULK.search(path):
                yield File(f"{name} {version}", path, archive.read(info))

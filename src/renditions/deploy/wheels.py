"""Libraries for another platform, from wheels: no Docker, no compiler, on any machine.

pip downloads them from the index that it is configured for, in exactly the versions that are installed
here: the versions tested on this machine are the ones deployed, and the same installation gives the same
    files.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path
from typing import Literal

from renditions.errors import Failed, UsageError

Architecture = Literal["arm64", "x86_64"]

GLIBC_MINORS = range(34, 16, -1)
"""The platform tags of glibc 2.34, which Amazon Linux 2023 has, and of older ones, whose wheels run there
too. https://docs.aws.amazon.com/linux/al2023/ug/compare-with-al2.html"""

SOURCE_ONLY = "pyvips"
"""It has no wheels on PyPI. Its Python files are the same for every platform and come from here."""

BULK = re.compile(
    r"(^|/)(tests?|test_files|__pycache__|sboms)/"
    r"|\.(pyc|pyi|pyx|pxd|pxi|h|c)$"
    r"|/py\.typed$"
    r"|\.dist-info/(?!METADATA$|entry_points\.txt$|licenses/)"
)
"""Files that nothing needs at run time. Licences stay, and so do the entry points by which libraries find
one another."""


@dataclass(frozen=True, slots=True)
class Target:
    """The processor and Python that a bundle runs on."""

    architecture: Architecture
    python: str
    """``3.13``"""

    @property
    def platforms(self) -> list[str]:
        """The platform tags whose wheels run there, the best first (PEP 600, PEP 599)."""
        machine = {"arm64": "aarch64", "x86_64": "x86_64"}[self.architecture]
        return [f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS] + [f"manylinux2014_{machine}"]


@dataclass(frozen=True, slots=True)
class File:
    """One file of a library."""

    part: str
    """The library and its version."""
    path: str
    content: bytes


def collect_libraries(names: Sequence[str], target: Target) -> Iterator[File]:
    """Yield the files of these libraries and their dependencies, without unneeded files.

    Raises:
        UsageError: One of them isn't installed here, so its version isn't known.
        Failed: pip found no wheel of that version for the target, or no index.

    """
    found = {name: _find_installed(name) for name in names}
    wheels = [name for name in names if name != SOURCE_ONLY]
    if SOURCE_ONLY in found:
        yield from _read_installed(found[SOURCE_ONLY])
        wheels += [re.split(r"[^A-Za-z0-9._-]", need)[0] for need in found[SOURCE_ONLY].requires or ()
                   if "extra ==" not in need]  # fmt: skip
    if wheels:
        with tempfile.TemporaryDirectory() as folder:
            _download(wheels, target, Path(folder))
            for wheel in sorted(Path(folder).glob("*.whl")):
                yield from _read_wheel(wheel)


def _find_installed(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        raise UsageError(
            f"{name} isn't installed here, and the pipeline needs it: pip install 'renditions[all]'"
        ) from None


def _read_installed(library: Distribution) -> Iterator[File]:
    for file in library.files or ():
        if file.suffix == ".py" or file.name == "METADATA" or "licenses" in file.parts:
            content = Path(str(file.locate())).read_bytes()
            yield File(f"{library.name} {library.version}", file.as_posix(), content)


def _download(names: Sequence[str], target: Target, folder: Path) -> None:
    """Have pip put the wheels of these libraries and their dependencies into the folder."""
    if importlib.util.find_spec("pip") is None:
        raise UsageError("this Python has no pip, which downloads the libraries: python -m ensurepip")
    constraints = folder / "installed.txt"
    constraints.write_text("".join(f"{known.name}=={known.version}\n" for known in distributions()))
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"),
        *("--dest", str(folder), "--constraint", str(constraints)),
        *("--only-binary", ":all:", "--implementation", "cp", "--python-version", target.python),
        *(part for platform in target.platforms for part in ("--platform", platform)),
        *names,
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no shell, our own words
    if ended.returncode:
        reasons = [line for line in ended.stderr.splitlines() if line.startswith("ERROR:")]
        raise Failed(
            f"pip can't download {', '.join(names)} and what they need for {target.architecture} and "
            f"Python {target.python}: " + (" ".join(reasons) or ended.stderr.strip())
        )


def _read_wheel(wheel: Path) -> Iterator[File]:
    """Yield the files that installing a wheel would put into site-packages.

    https://packaging.python.org/en/latest/specifications/binary-distribution-format/
    """
    name, version = wheel.name.split("-")[:2]
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            path = re.sub(r"^[^/]+\.data/(purelib|platlib)/", "", info.filename)
            if not info.is_dir() and ".data/" not in path and not BULK.search(path):
                yield File(f"{name} {version}", path, archive.read(info))

"""The compared ways to make renditions.

Most of them need an environment of their own, which is kept in the cache.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "benchmarks" / ".cache"

_PEERS = ("numpy==2.4.6", "pillow==13.0.0", "pillow-heif==1.8.0", "scipy==1.17.1", "ssimulacra2==0.3.0")
_SIMD = ("numpy==2.4.6", "pillow-simd==12.1.1.post0", "simplejpeg==1.9.0")
_SHARP = "sharp@0.35.5"


@dataclass(frozen=True, slots=True)
class Way:
    """A way to make renditions."""

    name: str
    label: str
    command: tuple[str, ...]
    """The command that starts its worker."""
    idle_command: tuple[str, ...] | None = None
    """The command of the same interpreter without work; None if memory isn't measured."""


class UnavailableError(Exception):
    """Raised if something that a benchmark needs isn't available here.

    It may be an environment, a program or a photo. The message is the reason.
    """


def scorer() -> tuple[str, ...]:
    """Return the command that starts the worker which measures quality.

    Raises:
        UnavailableError: Its environment can't be created.

    """
    return (peers_python(), "-m", "benchmarks.quality")


def boto3_python() -> str:
    """Return the interpreter of an environment with boto3.

    The environment has the version of botocore that is installed here.

    Raises:
        UnavailableError: The environment can't be created.

    """
    return _python("boto3", (f"boto3=={version('botocore')}", f"botocore=={version('botocore')}"))


def peers_python() -> str:
    """Return the interpreter of the environment with Pillow and pillow-heif.

    Raises:
        UnavailableError: The environment can't be created.

    """
    return _python("peers", _PEERS)


def sharp_command(script: Path) -> tuple[str, str, str]:
    """Return the command that runs a script with sharp.

    It consists of Node.js, the script, and the folder that sharp is in.

    Raises:
        UnavailableError: Node.js or npm is missing, or sharp can't be installed.

    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        raise UnavailableError("Node.js with npm isn't installed")
    folder = CACHE / "sharp"
    if not _is_ready(folder, _SHARP):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text("{}\n")
        _run([npm, "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder), _SHARP])
        _set_ready(folder, _SHARP)
    return node, str(script), str(folder)


def prepare() -> tuple[list[Way], dict[str, str]]:
    """Create the environments of the ways, as far as possible.

    Return the ways that can be measured, and for the others the reason why they are left out.
    """
    makers = {
        "Pillow": _pillow,
        "Pillow-SIMD and libjpeg-turbo alone": _pillow_simd,
        "sharp": _sharp,
        "vipsthumbnail": _vipsthumbnail,
    }
    ways = [_python_way("renditions", "Renditions", sys.executable, "engine")]
    missing: dict[str, str] = {}
    for name, make in makers.items():
        try:
            ways += make()
        except UnavailableError as reason:
            missing[name] = str(reason)
    return ways, missing


def _pillow() -> list[Way]:
    python = peers_python()
    return [
        _python_way("pillow-full", "Pillow, full decode", python, "pillow", "full"),
        _python_way("pillow-best", "Pillow at its best", python, "pillow", "best"),
    ]


def _pillow_simd() -> list[Way]:
    """Compile Pillow-SIMD, with AVX2 if the processor has it; return the ways."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    compiler = {"CC": "cc -mavx2"} if " avx2 " in flags else {}
    python = _python("simd", _SIMD, ("--no-binary=pillow-simd",), compiler)
    return [
        _python_way("simd-best", "Pillow-SIMD at its best", python, "pillow", "best"),
        _python_way("floor", "floor: libjpeg-turbo, SIMD Lanczos", python, "turbojpeg"),
    ]


def _sharp() -> list[Way]:
    command = sharp_command(ROOT / "benchmarks" / "ways" / "sharp.mjs")
    idle = (command[0], "-e", "console.log(fs.readFileSync('/proc/self/status', 'utf8'))")
    return [
        Way("sharp-each", "sharp, a pipeline per rendition", (*command, "each"), idle),
        Way("sharp-cascade", "sharp, cascaded by hand", (*command, "cascade"), idle),
    ]


def _vipsthumbnail() -> list[Way]:
    if not shutil.which("vipsthumbnail"):
        raise UnavailableError("it isn't installed (Debian has it in libvips-tools)")
    command = (sys.executable, "-m", "benchmarks.ways.vipsthumbnail")
    return [Way("vipsthumbnail", "vipsthumbnail, once per rendition", command)]


def _python_way(name: str, label: str, python: str, module: str, *arguments: str) -> Way:
    idle = (python, "-c", "print(open('/proc/self/status').read())")
    return Way(name, label, (python, "-m", f"benchmarks.ways.{module}", *arguments), idle)


def _python(
    name: str,
    requirements: Sequence[str],
    options: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> str:
    """Return the interpreter of an environment with these requirements.

    Create the environment if it is missing or outdated; if this fails, raise ``UnavailableError``.
    """
    folder = CACHE / name
    python = str(folder / "bin" / "python")
    wanted = "\n".join([sys.version, *requirements])
    if not _is_ready(folder, wanted):
        print(f"making benchmarks/.cache/{name}: {', '.join(requirements)}", flush=True)
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, *options, *requirements], variables)
        _set_ready(folder, wanted)
    return python


def _is_ready(folder: Path, wanted: str) -> bool:
    mark = folder / "ready"
    return mark.exists() and mark.read_text() == wanted


def _set_ready(folder: Path, wanted: str) -> None:
    (folder / "ready").write_text(wanted)


def _run(command: Sequence[str], variables: Mapping[str, str] | None = None) -> None:
    """Run a step of an installation.

    If the step fails, raise ``UnavailableError`` with the last lines of its output.
    """
    environment = {**os.environ, **(variables or {})}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        words = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise UnavailableError(" ".join(words[-2:]) or f"{command[0]} ended with {done.returncode}")

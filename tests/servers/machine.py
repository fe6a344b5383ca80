"""Helpers for servers: packages without root, free ports, processes that end."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


class UnavailableError(Exception):
    """A server can't be installed or started here; the message is the reason."""


def install_debian(packages: Sequence[str], folder: Path) -> Path:
    """Unpack Debian packages into the folder; return the folder.

    Their dependencies are unpacked too, if this machine lacks them.

    Raises:
        UnavailableError: ``apt-get`` or ``dpkg-deb`` is missing, or failed.

    """
    with _installing(folder, packages) as is_needed:
        if is_needed:
            told = run([_find("apt-get"), "-s", "-qq", "install", "--no-install-recommends", *packages])
            names = [line.split()[1] for line in told.splitlines() if line.startswith("Inst ")]
            archives = folder / "archives"
            archives.mkdir()
            # Don't warn that apt's sandbox user can't write here.
            run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *names], folder=archives)
            for archive in archives.iterdir():
                run([_find("dpkg-deb"), "-x", str(archive), str(folder)])
            shutil.rmtree(archives)
    return folder


def install_npm(package: str, folder: Path) -> Path:
    """Install a program from npm, and return the folder of its commands.

    Raises:
        UnavailableError: ``npm`` is missing, or failed.

    """
    with _installing(folder, [package]) as is_needed:
        if is_needed:
            run(
                [
                    _find("npm"),
                    "install",
                    "--no-audit",
                    "--no-fund",
                    "--silent",
                    "--prefix",
                    str(folder),
                    package,
                ]
            )
    return folder / "node_modules" / ".bin"


def install_wheel(requirement: str, folder: Path) -> Path:
    """Unpack one wheel without its dependencies into the folder; return the folder.

    Raises:
        UnavailableError: ``pip`` failed.

    """
    with _installing(folder, [requirement]) as is_needed:
        if is_needed:
            pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
            run([*pip, "download", "--no-deps", "--only-binary", ":all:", "--dest", str(folder), requirement])
            (wheel,) = folder.glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
            wheel.unlink()
    return folder


@contextmanager
def _installing(folder: Path, wanted: Sequence[str]) -> Iterator[bool]:
    """Yield whether the folder must still be filled.

    If so, the folder is empty.
    """
    mark = folder / "ready"
    if mark.exists() and mark.read_text() == "\n".join(wanted):
        yield False
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    print(f"installing {', '.join(wanted)} into {folder}", flush=True)
    yield True
    mark.write_text("\n".join(wanted))


def _find(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise UnavailableError(f"{program} isn't installed")
    return found


def run(command: Sequence[str], environ: Mapping[str, str] | None = None, folder: Path | None = None) -> str:
    """Run one step of installing or starting a server, and return its stdout.

    Raises:
        UnavailableError: The step failed. The message has the last lines of its output.

    """
    done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        words = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise UnavailableError(f"{command[0]}: " + (" ".join(words[-2:]) or f"ended with {done.returncode}"))
    return done.stdout


def find_port() -> int:
    """Return a free port of the loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def started(command: Sequence[str], environ: Mapping[str, str], log: Path) -> Iterator[None]:
    """Run a server during the block.

    Its output goes into the log.
    """
    with log.open("wb") as output, subprocess.Popen(
        command, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
    ) as process:  # fmt: skip
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def await_port(port: int, log: Path, seconds: float = 60.0) -> None:
    """Wait until a process listens on the port.

    Raises:
        UnavailableError: No process listened in time. The message has the end of the log.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise UnavailableError(
        f"no process listens after {seconds:.0f} s: " + " ".join(log.read_text().split()[-40:])
    )


def with_path(folder: Path) -> dict[str, str]:
    """Return the environment with the folder's programs first on the PATH."""
    return dict(os.environ) | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}

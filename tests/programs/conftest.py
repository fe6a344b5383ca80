"""The package as people install it: the wheel, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, install it without its libraries, and return the folder."""
    folder = tmp_path_factory.mktemp("installed")
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", folder / "dist", PROJECT], check=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    site = folder / "site"
    options = ["--quiet", "--no-deps", "--offline", "--target", str(site), "--python", sys.executable]
    subprocess.run([uv, "pip", "install", *options, wheel], check=True)
    return site


@pytest.fixture
def run(installed: Path) -> Run:
    """Return a function that runs Python with the installed wheel, in a folder."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(installed),
        "PATH": f"{installed}/bin:{os.environ['PATH']}",
    }

    def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run

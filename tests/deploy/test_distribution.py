"""The contents of the wheel that people install.

It is built from the source distribution, like the one on PyPI.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PACKAGE = PROJECT / "src" / "renditions"
NOT_NEEDED = ("__pycache__", ".terraform")


def files_of(package: Path) -> Iterator[str]:
    """Yield the files of a package, including those of the linked Terraform module."""
    for folder, folders, files in os.walk(package, followlinks=True):
        folders[:] = [name for name in folders if name not in NOT_NEEDED]
        yield from ((Path(folder) / file).relative_to(package.parent).as_posix() for file in files)


def test_the_wheel_contains_every_file_of_the_package(tmp_path: Path) -> None:
    """The wheel has the presets, the page and the Terraform module.

    It doesn't have the module's tests.
    """
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "build", "--quiet", "--out-dir", tmp_path, PROJECT], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if name.startswith("renditions/")}
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        page = archive.read(metadata).decode("utf-8").partition("\n\n")[2]
    module = "renditions/deploy/module/"
    expected = {name for name in files_of(PACKAGE) if not name.startswith(f"{module}tests/")}
    assert {f"{module}main.tf", "renditions/pipeline_file/presets/web.toml"} <= expected
    assert inside == expected
    assert page.startswith("# Renditions\n")
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert [link for link in links if not link.startswith("https://")] == [], "the index has no such page"

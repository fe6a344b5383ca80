"""The contents of the wheel that people install, and of the source distribution."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PACKAGE = PROJECT / "src" / "renditions"
NOT_NEEDED = ("__pycache__", ".terraform")
UV = Path(sys.executable).with_name("uv")


def files_of(package: Path) -> Iterator[str]:
    """Yield the files of a package, including those of the linked Terraform module."""
    for folder, folders, files in os.walk(package, followlinks=True):
        folders[:] = [name for name in folders if name not in NOT_NEEDED]
        yield from ((Path(folder) / file).relative_to(package.parent).as_posix() for file in files)


def read_wheel(folder: Path) -> Mapping[str, bytes]:
    """Return the contents of the only wheel in a folder, by their paths in it."""
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the source distribution, and the wheel from it; return their folder."""
    folder = tmp_path_factory.mktemp("built")
    subprocess.run([UV, "build", "--quiet", "--out-dir", folder, PROJECT], check=True)
    return folder


def test_the_wheel_contains_every_file_of_the_package(built: Path) -> None:
    """The wheel has the presets, the page and the Terraform module.

    It doesn't have the module's tests.
    """
    inside = {name for name in read_wheel(built) if name.startswith("renditions/")}
    module = "renditions/deploy/module/"
    expected = {name for name in files_of(PACKAGE) if not name.startswith(f"{module}tests/")}
    assert {f"{module}main.tf", "renditions/pipeline_file/presets/web.toml"} <= expected
    assert inside == expected
    (metadata,) = (
        content for name, content in read_wheel(built).items() if name.endswith(".dist-info/METADATA")
    )
    page = metadata.decode("utf-8").partition("\n\n")[2]
    assert page.startswith("# Renditions\n")
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert [link for link in links if not link.startswith("https://")] == [], "the index has no such page"


def test_a_wheel_built_through_a_source_distribution_has_the_same_files_as_a_wheel_built_directly(
    built: Path, tmp_path: Path
) -> None:
    subprocess.run([UV, "build", "--quiet", "--wheel", "--out-dir", tmp_path, PROJECT], check=True)
    assert read_wheel(tmp_path) == read_wheel(built)


def test_the_source_distribution_has_the_package_its_tests_and_its_documents(built: Path) -> None:
    (file,) = built.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    listed = subprocess.run(
        ["git", "ls-files", "src", "tests", "docs", "infra/terraform/*.tf"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    link = "src/renditions/deploy/module"
    expected = {
        re.sub("^infra/terraform/", f"{link}/", path) for path in listed.stdout.splitlines() if path != link
    }
    assert expected <= inside

"""Skipped tests: in CI, a skip that isn't allowed fails the run.

On other machines a skip only gives its reason.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from skips import is_allowed

TESTS = Path(__file__).parents[1]
SKIPPED = """
import pytest

@pytest.mark.skip(reason="no browser is installed")
def test_a_page(): ...
"""


@pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)])
def test_a_skip_that_is_not_allowed_fails_only_in_ci(tmp_path: Path, ci: str, code: int) -> None:
    (tmp_path / "conftest.py").write_text((TESTS / "conftest.py").read_text("utf-8"), "utf-8")
    (tmp_path / "test_one.py").write_text(SKIPPED, "utf-8")
    options = ("-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", ".")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "."],
        cwd=tmp_path,
        env=os.environ | {"CI": ci, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert ("no browser is installed. With CI=true" in ended.stdout) == (code == 1)


def test_a_skip_is_allowed_only_for_its_test_and_its_reason() -> None:
    name, reason = "tests/faults/test_disk.py::test_a_full_disk", "this user can't mount here"
    assert is_allowed(name, reason)
    assert not is_allowed(name, "no browser is installed")
    assert not is_allowed("tests/web/test_page.py::test_a_page", reason)

"""Tests that hang: they fail, also at their end, and the run goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
HANGING = """
import socket
import pytest

def wait(): socket.create_server(("127.0.0.1", 0)).accept()

@pytest.fixture
def at_the_end():
    yield
    wait()

@pytest.fixture
def at_the_start(): wait()

def test_start(at_the_start): ...

def test_twice(at_the_end):
    try: wait()
    finally: wait()

def test_fine(): ...
"""


def test_a_test_that_hangs_fails_in_each_phase_and_its_name_is_printed(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((TESTS / "conftest.py").read_text("utf-8"), "utf-8")
    (tmp_path / "test_one.py").write_text(HANGING, "utf-8")
    options = ("-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", ".", "--limit", "0.5")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "."],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    for failed in ("test_start: setup", "test_twice: call", "test_twice: teardown"):
        line = f"test_one.py::{failed} failed: Failed: this takes longer than 0.5 s"
        assert line in ended.stdout.partition("= ERRORS =")[0], ended.stdout + ended.stderr
    assert "1 failed, 1 passed, 2 errors" in ended.stdout

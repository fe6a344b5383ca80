"""A folder with a pipeline file, for the tests of the Python API."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import draw, write_pipeline

RENDITIONS = """
[renditions.thumb]
width = 100
[renditions.photo]
widths = [160, 640]
format = "webp"
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a folder with a pipeline file and two pictures."""
    write_pipeline(tmp_path, RENDITIONS)
    draw(tmp_path / "inbox" / "a.jpg", seed=1)
    draw(tmp_path / "inbox" / "more" / "b.png", seed=2)
    return tmp_path

"""A fixture of the tests of pictures."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="session")
def reference_thumbhash() -> Any:
    """Return another implementation of ThumbHash; skip the test if it is missing."""
    return pytest.importorskip(
        "fast_thumbhash", reason="NOT TESTED: fast-thumbhash has no wheel for this system and this Python"
    )

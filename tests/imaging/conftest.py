"""What several tests of pictures use."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="session")
def reference_thumbhash() -> Any:
    """Return another implementation of ThumbHash."""
    return pytest.importorskip(
        "fast_thumbhash", reason="NOT TESTED: fast-thumbhash has no wheel for this system and this Python"
    )

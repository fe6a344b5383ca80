"""Fixtures of the tests of the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from web.browser import CHROMIUM, open_browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start a browser for the tests of a module; skip them if there is none."""
    if CHROMIUM is None:
        pytest.skip("NOT TESTED: there is no chromium")
    with open_browser() as browser:
        yield browser

"""Fixtures of the tests of the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from web.browser import open_browser, open_page, served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield a browser for a module's tests; skip them if Chromium is missing."""
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Yield the URL of the served folder, which the test file's fixture prepares."""
    with served(folder) as address:
        yield address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """Yield the served page. A test file extends this fixture to wait for pictures."""
    with open_page(browser) as page:
        page.goto(address)
        yield page

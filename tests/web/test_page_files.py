"""The files that the page's HTML needs, and how long browsers keep them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from renditions.web import pages
from renditions.web.pages import FILES, STATIC
from web.test_api import open_client
from world import World


@pytest.fixture
def client() -> Iterator[TestClient]:
    with open_client(World()) as client:
        yield client


def test_every_file_that_a_page_needs_may_be_kept_for_ever(client: TestClient) -> None:
    linked = {
        link for path in ("/", "/docs") for link in re.findall(r'="(static/[^"]+)"', client.get(path).text)
    }
    assert linked == {
        f"{FILES}{name}" for name in ("app.js", "arrival.js", "docs.js", "icon.svg", "style.css")
    }
    for file in STATIC.iterdir():
        answer = client.get(f"/{FILES}{file.name}")
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    for path in ("/", "/docs"):
        assert client.get(path).headers["cache-control"] == "no-cache"


def test_a_change_of_one_file_changes_the_paths_of_all_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modules import each other by relative paths, so all need one version."""
    shutil.copytree(str(STATIC), tmp_path / "static")
    monkeypatch.setattr(pages, "STATIC", tmp_path / "static")
    before = pages._digest()
    assert f"static/renditions-page-{before}/" == FILES
    words = tmp_path / "static" / "words.js"
    words.write_text(words.read_text() + "\n")
    assert pages._digest() != before


def test_a_request_for_a_file_of_another_version_gets_status_404(client: TestClient) -> None:
    """A browser would keep the content of another version for ever."""
    for folder in ("static/", "static/renditions-page-0123456789abcdef/"):
        answer = client.get(f"/{folder}app.js")
        assert (answer.status_code, answer.headers["cache-control"]) == (404, "no-store")

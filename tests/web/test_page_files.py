"""The files that the page's HTML needs, and how long browsers keep them."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Request, Route, expect
from starlette.testclient import TestClient

from renditions.web import pages
from renditions.web.app import make_app
from renditions.web.pages import FILES, STATIC
from renditions.web.reach import Reach
from web.browser import answered, await_any, open_page
from web.test_api import open_client, open_service
from world import World


@pytest.fixture
def client() -> Iterator[TestClient]:
    with open_client(World()) as client:
        yield client


def test_browsers_may_keep_every_file_of_the_page_for_ever(client: TestClient) -> None:
    linked = {
        link for path in ("/", "/docs") for link in re.findall(r'="(static/[^"]+)"', client.get(path).text)
    }
    html = {file.name for file in STATIC.iterdir() if file.name.endswith(".html")}
    unlinked = {*html, "token.js", "cookies.js", "stream-worker.js"}
    assert linked == {f"{FILES}{file.name}" for file in STATIC.iterdir() if file.name not in unlinked}
    for file in STATIC.iterdir():
        answer = client.get(f"/{FILES}{file.name}")
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    for path in ("/", "/docs"):
        assert client.get(path).headers["cache-control"] == "no-cache"


def test_the_browser_requests_all_modules_of_the_page_at_once(browser: Browser) -> None:
    """On a slow line, each later request for a module would cost a round trip."""
    held: list[Route] = []
    asked: dict[str, list[Request]] = defaultdict(list)
    with (
        open_page(browser) as page,
        answered(make_app(open_service(World()), secret=b"s", reach=Reach())) as address,
    ):
        page.on("request", lambda request: asked[request.url.rpartition("/")[2]].append(request))
        page.route("**/app.js", lambda route: held.append(route))  # noqa: PLW0108 - it wants no builtin
        page.goto(address, wait_until="commit")
        await_any(page, held)
        modules = {file.name for file in STATIC.iterdir() if file.name.endswith(".js")}
        for name in modules - {"app.js", "docs.js", "trial.js", "token.js", "cookies.js", "stream-worker.js"}:
            await_any(page, asked[name])
        held[0].continue_()
        expect(page.locator("#connection")).to_have_text("live")


@pytest.mark.parametrize(
    ("formats", "choice"),
    [
        (("jpeg", "heic"), 'accept="image/*"'),
        (("jpeg", "pdf", "dicom"), 'accept="image/*,application/pdf,.pdf,application/dicom,.dcm"'),
    ],
)
def test_the_choice_of_files_offers_documents_that_the_pipeline_accepts(
    formats: tuple[str, ...], choice: str
) -> None:
    world = World()
    world.pipeline = replace(world.pipeline, accept=replace(world.pipeline.accept, formats=formats))
    with open_client(world) as client:
        (found,) = re.findall(r'id="choose" .*?(accept="[^"]*")', client.get("/").text)
    assert found == choice


def test_the_page_requests_its_first_list_once(browser: Browser) -> None:
    asked: list[str] = []
    with (
        open_page(browser) as page,
        answered(make_app(open_service(World()), secret=b"s", reach=Reach())) as address,
    ):
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        expect(page.locator("#note")).to_have_text("No pictures yet.")
    assert len([url for url in asked if "/pictures?limit" in url]) == 1


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

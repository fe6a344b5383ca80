"""What pages of other sites can request.

The tests use headers as browsers send them, and a real browser.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from starlette.testclient import TestClient

from commands import RENDITIONS, draw, write_pipeline
from renditions.model.recipe import Rendition
from renditions.web.app import make_app
from web.browser import served
from web.test_api import REACH, open_client, open_service, upload
from world import World

IMAGE = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
LINK = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
ZOOM = "/i/zoom/a/photo.jpg"


def make_world() -> World:
    """Return a world with a rendition that is made on demand."""
    world = World()
    zoom = Rendition(width=9, on_demand=True)
    world.pipeline = replace(world.pipeline, renditions={"thumb": Rendition(), "zoom": zoom})
    return world


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def client(world: World) -> Iterator[TestClient]:
    with open_client(world) as client:
        upload(client)
        yield client


def outputs_of(world: World) -> list[str]:
    return [found.key for found in world.output.list()]


@pytest.mark.parametrize(
    "headers",
    [
        IMAGE,
        IMAGE | {"sec-fetch-site": "same-site"},
        LINK,
        LINK | {"sec-fetch-dest": "iframe"},
        {"origin": "https://other.example"},
        {"referer": "https://other.example/page"},
        {"referer": "https://other.example/page", "accept": "text/html"},
    ],
)
def test_no_page_of_another_site_can_make_renditions(
    world: World, client: TestClient, headers: dict[str, str]
) -> None:
    before = outputs_of(world)
    answer = client.get(ZOOM, headers=headers)
    assert (answer.status_code, answer.headers["cache-control"]) == (403, "no-store")
    assert "expected a request from this site's own pages" in answer.json()["detail"]
    assert outputs_of(world) == before


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "same-origin", "referer": "https://behind-a-proxy.example/"},
        {"sec-fetch-site": "none"},
        {"referer": "http://testserver/"},
    ],
)
def test_pages_of_the_server_and_programs_can_make_renditions(
    client: TestClient, headers: dict[str, str]
) -> None:
    assert client.get(ZOOM, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "path", ["/plan", "/stats", "/originals/a/photo.jpg", "/renditions/thumb/a/photo.jpg"]
)
def test_pages_of_other_sites_cannot_embed_or_load_pictures_and_answers(
    client: TestClient, path: str
) -> None:
    for headers in (IMAGE, IMAGE | {"sec-fetch-mode": "cors"}, LINK | {"sec-fetch-dest": "iframe"}):
        assert client.get(path, headers=headers).status_code == 403


@pytest.mark.parametrize("headers", [LINK, {"referer": "http://other.example/", "accept": "text/html,*/*"}])
def test_a_person_who_follows_a_link_from_another_site_stays_logged_in(
    world: World, headers: dict[str, str]
) -> None:
    app = make_app(open_service(world), secret=b"secret", reach=REACH, token="right")  # noqa: S106 - the tests' own
    with TestClient(app, follow_redirects=False) as client:
        assert "SameSite=lax" in client.post("/login", data={"token": "right"}).headers["set-cookie"]
        for path in ("/", "/docs", "/pictures"):
            assert client.get(path, headers=headers).status_code == 200


class OtherSite(BaseHTTPRequestHandler):
    """Another site, with one page.

    The page embeds the picture that the query names, and links to it.
    """

    def do_GET(self) -> None:
        url = self.path.partition("?")[2]
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(
            f"<!doctype html><title>…</title><a href='{url}'>link</a>"
            f"<img src='{url}' onload='document.title=`shown`' onerror='document.title=`refused`'>".encode()
        )

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def other_site() -> Iterator[str]:
    """Serve another site than 127.0.0.1; yield its URL."""
    server = HTTPServer(("127.0.0.1", 0), OtherSite)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.context.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a picture, and a rendition that is made on demand."""
    write_pipeline(tmp_path, "[renditions.zoom]\nwidth = 90\non_demand = true\n")
    draw(tmp_path / "inbox" / "photo.jpg")
    return tmp_path


def embed(page: Page, url: str) -> str:
    """Show another site's page with this picture, and return "shown" or "refused"."""
    with other_site() as site:
        page.goto(f"{site}/?{url}")
        page.wait_for_function("document.title !== '…'")
        return page.title()


def test_a_page_of_another_site_cannot_make_a_rendition_by_embedding_it(page: Page, folder: Path) -> None:
    with served(folder) as address:
        url = f"{address}/i/zoom/photo.jpg"
        assert embed(page, url) == "refused"
        assert page.request.get(url.replace("/i/", "/renditions/")).status == 404
        assert page.request.get(url).status == 200


def test_a_browser_that_follows_a_link_from_another_site_is_still_logged_in(page: Page, folder: Path) -> None:
    with served(folder, "--token", "right") as address, other_site() as site:
        page.goto(address)
        page.fill("#token", "right")
        page.click("text=Log in")
        page.wait_for_selector("#gallery")
        page.goto(f"{site}/?{address}/")
        page.click("a")
        page.wait_for_selector("#gallery")
        page.click("text=Log out")
        page.wait_for_selector("#token")
        page.goto(address)
        page.wait_for_selector("#token")


@pytest.mark.parametrize("way", ["signed", "public"])
def test_a_browser_shows_signed_and_public_renditions_on_another_site(
    page: Page, folder: Path, way: str
) -> None:
    options = ["--public"] if way == "public" else []
    with served(folder, "--token", "right", *options) as address:
        path = "/i/zoom/photo.jpg"
        if way == "signed":
            assert embed(page, f"{address}{path}") == "refused"
            command = [str(RENDITIONS), "sign", "zoom", "photo.jpg"]
            ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
            path = ended.stdout.strip()
        assert embed(page, f"{address}{path}") == "shown"

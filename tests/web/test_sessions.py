"""Answers that need a token, which shared caches don't keep.

After a log-out, the browser must log in again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from renditions.web.app import make_app
from renditions.web.pages import FILES
from web.test_api import REACH, open_client, open_service, upload
from world import World

TOKEN = "right"  # noqa: S105 - the tests' own


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def client(world: World) -> Iterator[TestClient]:
    """Yield a client that is logged in."""
    app = make_app(open_service(world), secret=b"secret", reach=REACH, token=TOKEN)
    with TestClient(app, follow_redirects=False) as client:
        client.post("/login", data={"token": TOKEN})
        yield client


@pytest.mark.parametrize(
    "path",
    [
        "/", "/docs", "/pictures", "/stats", "/plan", "/openapi.json", "/originals/a/photo.jpg",
        "/renditions/thumb/a/photo.jpg", "/i/thumb/a/photo.jpg", "/nothing",
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_known", [True, False])
def test_shared_caches_may_not_keep_answers_that_depend_on_a_token(
    client: TestClient, path: str, *, is_known: bool
) -> None:
    upload(client)
    if not is_known:
        client.cookies.clear()
    headers = client.get(path).headers
    assert headers["cache-control"].startswith("private, no-")
    assert {"Cookie", "Authorization"} <= set(headers["vary"].split(", "))


@pytest.mark.parametrize(
    ("declared", "answered"),
    [
        (None, "private, max-age=31536000, immutable"),
        ("public, max-age=60, s-maxage=600", "private, max-age=60"),
        ("private, max-age=60", "private, max-age=60"),
    ],
)
def test_the_cache_header_of_the_pipeline_file_does_not_permit_shared_caches(
    world: World, declared: str | None, answered: str
) -> None:
    world.pipeline = replace(world.pipeline, output=replace(world.pipeline.output, cache_control=declared))
    app = make_app(open_service(world), secret=b"secret", reach=REACH, token=TOKEN)
    with TestClient(app, headers={"authorization": f"Bearer {TOKEN}"}) as client:
        upload(client)
        url = client.get("/pictures/a/photo.jpg").json()["links"]["renditions"]["thumb"]
        assert client.get(url).headers["cache-control"] == answered


def test_files_that_need_no_token_do_not_vary_by_authorization(client: TestClient) -> None:
    for path in (f"/{FILES}app.js", "/login", "/health"):
        assert client.get(path).headers.get("vary") in (None, "Accept-Encoding")


def test_after_a_log_out_the_browser_must_log_in_again(client: TestClient) -> None:
    assert "Log out" in client.get("/").text
    answer = client.post("/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert answer.headers["clear-site-data"] == '"cache"'
    assert client.get("/pictures").status_code == 401
    assert client.post("/logout").status_code == 303
    assert client.get("/logout").status_code == 405


def test_another_site_can_not_log_a_browser_out(client: TestClient) -> None:
    assert client.post("/logout", headers={"origin": "https://other.example"}).status_code == 403
    assert client.get("/pictures").status_code == 200


def test_the_page_of_a_server_without_a_token_has_no_log_out_button(world: World) -> None:
    with open_client(world) as client:
        assert "Log out" not in client.get("/").text

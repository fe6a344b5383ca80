"""Whose scripts may read public and signed pictures: ``[output] cors_origins``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from starlette.testclient import TestClient

from commands import draw, run, write_pipeline
from renditions.model.recipe import Rendition
from renditions.web.app import make_api, make_app
from renditions.web.cors import PICTURE_METHODS, PICTURE_READ, PICTURE_SENT, PREFLIGHT_SECONDS
from renditions.web.reach import Reach
from renditions.web.signing import SigningKeys
from renditions.web.uploads import LocalUploads
from web.browser import served
from web.test_api import open_service
from web.test_reach import upload
from web.test_sites import other_site
from world import World

SHOP, OTHER = "https://shop.example", "https://other.example"
BEARER = {"authorization": "Bearer right"}
KEYS = SigningKeys.parse("one:" + "x" * 40)
SIGNED = KEYS.sign("/originals/a/photo.jpg", expires_at_seconds=10**11)
PICTURES = ("/renditions/thumb/a/photo.jpg", "/i/thumb/a/photo.jpg", SIGNED)


@contextmanager
def opened(origins: tuple[str, ...], reach: Reach, **options: Any) -> Iterator[TestClient]:
    """Yield a client of a server with a picture and these ``cors_origins``."""
    world = World()
    output = replace(world.pipeline.output, cors_origins=origins)
    world.pipeline = replace(world.pipeline, output=output, renditions={"thumb": Rendition()})
    app = make_app(open_service(world), secret=b"secret", reach=reach, keys=KEYS, **options)
    with TestClient(app, "http://localhost", follow_redirects=False) as client:
        upload(client, headers=BEARER)
        yield client


def ask(origin: str) -> dict[str, str]:
    return {"origin": origin, "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}


def ask_before(origin: str, method: str = "GET", sent: str = "if-none-match") -> dict[str, str]:
    """Return the headers of a preflight request."""
    return ask(origin) | {
        "access-control-request-method": method, "access-control-request-headers": sent,
    }  # fmt: skip


def is_varied(answer: Any) -> bool:
    return [name.strip().lower() for name in answer.headers.get("vary", "").split(",")].count("origin") == 1


@pytest.mark.parametrize(
    ("declared", "origin", "allowed"),
    [
        ((), SHOP, None),
        ((SHOP,), SHOP, SHOP),
        ((SHOP,), OTHER, None),
        ((SHOP, OTHER), OTHER, OTHER),
        (("*",), OTHER, "*"),
    ],
)
@pytest.mark.parametrize("url", PICTURES)
def test_scripts_of_the_declared_origins_can_read_public_and_signed_pictures(
    url: str, declared: tuple[str, ...], origin: str, allowed: str | None
) -> None:
    with opened(declared, Reach(), token="right", is_public=True) as client:  # noqa: S106 - the tests' own
        answer = client.get(url, headers=ask(origin))
        assert answer.status_code == 200
        assert answer.headers.get("access-control-allow-origin") == allowed
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert "access-control-allow-credentials" not in answer.headers
        if allowed:
            assert answer.headers["access-control-expose-headers"] == ", ".join(PICTURE_READ)
        preflight = client.options(url, headers=ask_before(origin))
        assert (preflight.status_code == 200) is bool(allowed)
        assert preflight.headers.get("access-control-allow-origin") == allowed
        if allowed:
            assert preflight.headers["access-control-allow-methods"] == ", ".join(PICTURE_METHODS)
            sent = preflight.headers["access-control-allow-headers"].split(", ")
            assert set(PICTURE_SENT) <= set(sent)
            assert "Authorization" not in sent
            assert preflight.headers["access-control-max-age"] == str(PREFLIGHT_SECONDS)


@pytest.mark.parametrize("declared", [(SHOP,), ("*",)])
def test_answers_with_pictures_vary_by_origin(declared: tuple[str, ...]) -> None:
    """Without ``Vary``, a browser that has shown a picture hides it from scripts."""
    with opened(declared, Reach(), token="right", is_public=True) as client:  # noqa: S106 - the tests' own
        for url in PICTURES:
            for headers in ({}, ask(SHOP), ask(OTHER)):
                assert is_varied(client.get(url, headers=headers))
            assert is_varied(client.options(url, headers=ask_before(SHOP)))


def test_scripts_of_declared_origins_can_only_read_pictures() -> None:
    with opened((SHOP,), Reach(), token="right", is_public=True) as client:  # noqa: S106 - the tests' own
        for method, sent in (("DELETE", "if-none-match"), ("GET", "authorization")):
            asked = ask_before(SHOP, method, sent)
            assert client.options(PICTURES[0], headers=asked).status_code == 400
        for url in ("/pictures", "/originals/a/photo.jpg"):
            answer = client.get(url, headers=ask(SHOP) | BEARER)
            assert (answer.status_code, answer.headers.get("access-control-allow-origin")) == (403, None)
            assert client.options(url, headers=ask_before(SHOP)).status_code == 403


def test_scripts_of_declared_origins_can_not_read_pictures_that_are_neither_public_nor_signed() -> None:
    with opened(("*",), Reach()) as client:
        answer = client.get(PICTURES[0], headers=ask(SHOP))
        assert (answer.status_code, answer.headers.get("access-control-allow-origin")) == (403, None)


def test_origins_that_may_use_the_api_may_read_pictures_with_their_token() -> None:
    """The option ``--allow-origin`` applies to all paths, also to pictures."""
    with opened(("*",), Reach(allowed_origins=(SHOP,)), token="right", is_public=True) as client:  # noqa: S106 - the tests' own
        for url in PICTURES:
            answer = client.get(url, headers=ask(SHOP) | BEARER)
            assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, SHOP)
            assert is_varied(answer)
            assert client.options(url, headers=ask_before(SHOP, sent="authorization")).status_code == 200
            assert client.get(url, headers=ask(OTHER)).headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(("declared", "allowed"), [((), None), ((SHOP,), SHOP)])
def test_the_api_behind_a_gateway_answers_signed_urls_with_the_cors_headers(
    declared: tuple[str, ...], allowed: str | None
) -> None:
    world = World()
    world.pipeline = replace(
        world.pipeline,
        output=replace(world.pipeline.output, cors_origins=declared),
        renditions={"thumb": Rendition()},
    )
    service = open_service(world)
    with TestClient(make_api(service, LocalUploads(service, b"secret"), ())) as client:
        for url in ("/i/thumb/a/photo.jpg?signature=1", "/pictures"):
            headers = client.get(url, headers=ask(SHOP)).headers
            expected = allowed if "signature" in url else None
            assert headers.get("access-control-allow-origin") == expected


READ = """async (url) => {
  const image = new Image()
  image.src = url
  await image.decode()
  try {
    const answer = await fetch(url, { headers: { 'If-None-Match': '"other"' } })
    return [image.naturalWidth, answer.status, answer.headers.get('ETag') !== null]
  } catch (error) {
    return [image.naturalWidth, String(error)]
  }
}"""


@pytest.mark.parametrize("is_declared", [True, False])
def test_only_a_page_of_a_declared_origin_can_read_a_picture_that_it_already_shows(
    browser: Browser, tmp_path: Path, is_declared: bool
) -> None:
    """The first request has no origin, and the browser keeps its answer."""
    write_pipeline(tmp_path, "[renditions.zoom]\nwidth = 90\n")
    draw(tmp_path / "inbox" / "photo.jpg")
    with other_site() as site:
        origin = site if is_declared else "https://shop.example"
        file = tmp_path / "renditions.toml"
        text = file.read_text()
        headers = f'[output]\ncache_control = "public, max-age=3600"\ncors_origins = ["{origin}"]'
        file.write_text(text.replace("[output]", headers, 1))
        run(tmp_path, "sync")
        with served(tmp_path, "--public") as address:
            page = browser.new_page()
            page.goto(f"{site}/?data:,")
            found = page.evaluate(READ, f"{address}/renditions/zoom/photo.jpg")
            page.context.close()
    assert found == ([90, 200, True] if is_declared else [90, "TypeError: Failed to fetch"])

"""Signed URLs, and renditions that are public."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from commands import RENDITIONS as COMMAND
from commands import write_pipeline
from renditions.errors import UsageError
from renditions.web.app import make_app
from renditions.web.guard import Guard
from renditions.web.headers import Labelled
from renditions.web.signing import SIGNING_KEYS, SigningKeys
from web.test_api import REACH, open_service, upload
from web.test_sites import IMAGE, make_world
from world import World

NEW, OLD = "new:" + "n" * 32, "old:" + "o" * 32
KEYS = SigningKeys.parse(f"{NEW},{OLD}")
NOW = 1_800_000_000
NAME = "a/é b+c.jpg"
TOKEN = {"authorization": "Bearer right"}
STRANGER = IMAGE | {"host": "pictures.example"}
PATHS = [f"/{kind}/{quote(NAME)}" for kind in ("i/zoom", "renditions/thumb", "originals")]


@pytest.fixture
def world() -> World:
    return make_world()


def open_client(world: World, *, is_public: bool = False) -> TestClient:
    """Return a client without the token, for a server that has a picture."""
    service, token = open_service(world), TOKEN["authorization"].removeprefix("Bearer ")
    app = make_app(service, secret=b"secret", reach=REACH, token=token, keys=KEYS, is_public=is_public)
    assert isinstance(app, Labelled)
    assert isinstance(app.app, Guard)
    client = TestClient(replace(app, app=replace(app.app, clock_seconds=lambda: NOW)))
    client.headers |= TOKEN
    upload(client, name=NAME)
    del client.headers["authorization"]
    return client


@pytest.fixture
def client(world: World) -> Iterator[TestClient]:
    with open_client(world) as client:
        yield client


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("keys", [NEW, OLD, f"{OLD},{NEW}"])
def test_a_signed_url_needs_no_token_and_any_site_may_embed_it(
    client: TestClient, path: str, keys: str
) -> None:
    assert client.get(path).status_code == 401
    url = SigningKeys.parse(keys).sign(path, expires_at_seconds=NOW)
    answer = client.get(url, headers=STRANGER)
    assert answer.status_code == 200
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert client.head(url).status_code == 200


def test_a_signed_url_with_a_host_and_a_version_is_accepted(client: TestClient) -> None:
    item = client.get(f"/pictures/{quote(NAME)}", headers=TOKEN).json()
    url = KEYS.sign("https://pictures.example" + item["links"]["renditions"]["thumb"], expires_at_seconds=NOW)
    assert url.startswith("https://pictures.example/renditions/")
    answer = client.get(url.replace("https://pictures.example", ""))
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"


@pytest.mark.parametrize("path", PATHS)
def test_a_signed_url_that_was_changed_or_has_expired_is_refused(
    world: World, client: TestClient, path: str
) -> None:
    before = [found.key for found in world.output.list()]
    good = KEYS.sign(path, expires_at_seconds=NOW)
    other = SigningKeys.parse("new:" + "x" * 32).sign(path, expires_at_seconds=NOW)
    removed = SigningKeys.parse("gone:" + "o" * 32).sign(path, expires_at_seconds=NOW)
    for url in (
        KEYS.sign(path, expires_at_seconds=NOW - 1),
        good.replace(f"expires={NOW}", f"expires={NOW + 1}"),
        good.replace(f"expires={NOW}", "expires=never"),
        good.replace(f"expires={NOW}", "expires=%D9%A3"),
        good.replace("key=new", "key=old"),
        good.replace("/a/", "/b/"),
        good[:-1],
        good + "é",
        good + "&signature=",
        good.replace("expires=", "x="),
        good.replace("i/zoom", "i/thumb").replace("s/thumb", "s/zoom").replace("originals", "i/zoom"),
        path + "?signature",
        other,
        removed,
    ):
        answer = client.get(url, headers=TOKEN)
        assert (answer.status_code, answer.headers["cache-control"]) == (403, "private, no-store")
    assert [found.key for found in world.output.list()] == before


def test_a_signature_is_refused_for_other_paths_and_other_methods(client: TestClient) -> None:
    query = KEYS.sign(PATHS[0], expires_at_seconds=NOW).partition("?")[2]
    for path in ("/pictures", "/plan", "/events", f"/pictures/{quote(NAME)}"):
        assert client.get(f"{path}?{query}").status_code == 401
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert client.request(method, f"{PATHS[0]}?{query}").status_code == 401
    for path in ("/pictures/a.jpg", "/", "/i", "photo.jpg", "/i/../plan?signature=x", "/x/i/thumb/a.jpg"):
        with pytest.raises(UsageError, match="can't sign"):
            KEYS.sign(path, expires_at_seconds=NOW)


@pytest.mark.parametrize(
    "text",
    ["", "new", "new:short", f"{NEW},", f"{NEW},{NEW}", f"a b:{'n' * 32}", f":{'n' * 32}", f"{NEW} {OLD}"],
)
def test_invalid_keys_are_refused_without_printing_them(text: str) -> None:
    with pytest.raises(UsageError, match="can't read the keys in RENDITIONS_SIGNING_KEYS") as refused:
        SigningKeys.parse(text)
    assert "nnn" not in str(refused.value)


def test_the_representation_of_signing_keys_contains_no_secret() -> None:
    assert "nnn" not in repr(KEYS)


def test_a_program_that_signs_urls_loads_no_web_framework() -> None:
    code = (
        "import sys, renditions.web.signing; "
        "print(*{name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name for name in ended.stdout.split() if not name.startswith("_")} == {"renditions"}


def test_every_site_may_embed_the_renditions_of_a_public_server_and_every_cache_may_keep_them(
    world: World,
) -> None:
    with open_client(world, is_public=True) as client:
        for path in PATHS[:2]:
            answer = client.get(path, headers=STRANGER)
            assert answer.status_code == 200
            assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
            assert answer.headers["cache-control"] == "public, max-age=300"
            assert "vary" not in answer.headers
        item = client.get(f"/pictures/{quote(NAME)}", headers=TOKEN).json()
        fixed = client.get(item["links"]["renditions"]["thumb"])
        assert fixed.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert client.get("/i/thumb/nothing.jpg").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("declared", ["private, max-age=60", "public, max-age=60"])
def test_a_public_server_sends_the_cache_header_of_the_pipeline_file(world: World, declared: str) -> None:
    world.pipeline = replace(world.pipeline, output=replace(world.pipeline.output, cache_control=declared))
    with open_client(world, is_public=True) as client:
        item = client.get(f"/pictures/{quote(NAME)}", headers=TOKEN).json()
        assert client.get(item["links"]["renditions"]["thumb"]).headers["cache-control"] == declared


def test_a_public_server_still_protects_its_page_its_api_and_its_originals(world: World) -> None:
    with open_client(world, is_public=True) as client:
        for path in ("/", "/pictures", "/plan", "/stats", "/events", f"/pictures/{quote(NAME)}", PATHS[2]):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["cache-control"]) == (401, "private, no-store")
            assert client.get(path, headers=IMAGE | TOKEN).status_code == 403
        for method, path in (
            ("POST", "/retry"), ("DELETE", f"/pictures/{quote(NAME)}"), ("POST", "/uploads"),
            ("PUT", f"/pictures/{quote(NAME)}/focus"), ("POST", PATHS[0]), ("DELETE", PATHS[1]),
        ):  # fmt: skip
            assert client.request(method, path).status_code == 401


def test_the_command_line_signs_urls_for_the_server_with_the_same_keys(tmp_path: Path) -> None:
    write_pipeline(tmp_path, "[renditions.zoom]\nwidth = 90\n")
    name = "a/100% é?#+%2F.jpg"

    def sign(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(COMMAND), "sign", *arguments],
            cwd=tmp_path, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    signed = sign("zoom", name, **{SIGNING_KEYS: f"{NEW},{OLD}"})
    path, _, query = signed.stdout.strip().partition("?")
    assert path == f"/i/zoom/{quote(name)}"
    assert "key=new" in query
    assert KEYS.find_problem(f"/i/zoom/{name}", query, 0) is None
    assert "warning: there is no record of" in signed.stderr
    nameless = sign("zoom", "")
    assert (nameless.returncode, nameless.stdout) == (2, "")
    assert "the picture's name is empty" in " ".join(nameless.stderr.split())
    unknown = sign("poster", name)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "there is no rendition 'poster'. Choose one of zoom" in " ".join(unknown.stderr.split())

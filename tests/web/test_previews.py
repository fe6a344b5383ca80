"""Previews of originals that browsers can't show, with stores in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from hashing import expected_output, hash_render
from renditions.core.forget import Reach as Everything
from renditions.core.forget import forget
from renditions.core.neighbours import Neighbours
from renditions.core.ports import Stopped
from renditions.errors import UsageError
from renditions.local.previews import PreviewCache
from renditions.model.pipeline import Accept, Analyze
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendering
from renditions.web.app import make_app
from renditions.web.links import LocalLinks
from renditions.web.previews import RECIPE, Previews
from renditions.web.reach import Reach
from renditions.web.signing import SigningKeys
from web.test_api import open_service
from world import NAME, World

PATH = f"/previews/{NAME}"


class Site:
    """An API that makes previews, and what it rendered for them."""

    def __init__(self, folder: Path) -> None:
        self.world = World()
        self.cache = PreviewCache(folder / "previews")
        self.rendered: list[bytes] = []
        self.is_stopped = False

    def render(
        self, content: bytes, accept: Accept, recipes: Mapping[str, Rendition], analyze: Analyze
    ) -> Rendering:
        if self.is_stopped:
            raise Stopped
        self.rendered.append(content)
        return hash_render(content, accept, recipes, analyze)

    def add(self, content: bytes) -> str:
        """Put the picture into the source, and process it; return its ETag."""
        self.world.upload(NAME, content)
        self.world.processor().process(NAME)
        return self.world.record().etag

    def open(self, *, has_previews: bool = True, **options: Any) -> TestClient:
        service = replace(open_service(self.world), links=LocalLinks(has_previews=has_previews))
        previews = Previews(self.render, self.cache) if has_previews else None
        reach = Reach(allowed_hosts=("testserver",))
        return TestClient(make_app(service, secret=b"secret", reach=reach, previews=previews, **options))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def client(site: Site) -> Iterator[TestClient]:
    with site.open() as client:
        yield client


def test_a_preview_is_made_once_for_each_version_of_a_picture(site: Site, client: TestClient) -> None:
    etag = site.add(b"one")
    answer = client.get(f"{PATH}?v={etag}")
    assert answer.content == expected_output(b"one", RECIPE)
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert client.get(PATH).headers["cache-control"] == "no-cache"
    assert client.get(PATH, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert site.rendered == [b"one"]
    site.add(b"two")
    assert client.get(PATH).content == expected_output(b"two", RECIPE)
    assert site.rendered == [b"one", b"two"]


def test_a_picture_for_which_no_preview_is_possible_is_not_rendered_repeatedly(
    site: Site, client: TestClient
) -> None:
    site.add(b"half")
    assert [client.get(PATH).status_code for _ in range(3)] == [422] * 3
    assert site.rendered == [b"half"]
    assert client.get("/previews/none.jpg").status_code == 404


def test_an_ending_server_makes_no_preview_and_answers_503(site: Site, client: TestClient) -> None:
    site.add(b"one")

    site.is_stopped = True
    answer = client.get(PATH)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "The server is being stopped" in answer.json()["detail"]
    site.is_stopped = False
    assert client.get(PATH).status_code == 200


def test_no_record_or_total_counts_a_preview_as_a_rendition(site: Site, client: TestClient) -> None:
    site.add(b"one")
    before, stats = site.world.record(), client.get("/stats").json()
    assert client.get(PATH).status_code == 200
    assert site.world.record() == before
    assert client.get("/stats").json() == stats
    site.world.check_promise()


def test_previews_are_neither_public_nor_signed(site: Site) -> None:
    site.add(b"one")
    keys = SigningKeys.parse("own:0123456789abcdef0123456789abcdef")
    with site.open(token="token", is_public=True, keys=keys) as client:  # noqa: S106 - of this test
        assert client.get(f"/renditions/thumb/{NAME}").status_code == 200
        assert client.get(PATH).status_code == 401
        with pytest.raises(UsageError, match="/renditions/"):
            keys.sign(PATH, expires_at_seconds=2_000_000_000)
        answer = client.get(PATH, headers={"Authorization": "Bearer token"})
        assert answer.status_code == 200
        assert answer.headers["cache-control"].startswith("private")


def test_a_server_without_previews_offers_no_url_of_a_preview(site: Site) -> None:
    site.world.pipeline = replace(site.world.pipeline, renditions={"text": Rendition(format="base64")})
    site.add(b"one")
    with site.open(has_previews=False) as client:
        assert client.get(PATH).status_code == 404
        assert "/previews/" not in client.get(f"/pictures/{NAME}").text


def test_forget_deletes_the_previews_of_a_picture(site: Site, client: TestClient) -> None:
    site.add(b"one")
    assert client.get(PATH).status_code == 200
    world = site.world
    report = forget(
        NAME,
        Everything(
            world.pipeline, world.source, world.catalog, {"out": world.output}, world.processor().process,
            lambda _: Neighbours(frozenset(), {}), world.processor()._leases, drop_previews=site.cache.drop,
        ),
    )  # fmt: skip
    assert "preview" in [trace.what for trace in report.removed]
    assert not site.cache.drop(NAME)

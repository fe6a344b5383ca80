"""What the API does about missing and replaced outputs, and missing pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from renditions.core.binding import Claimant, bind, hold
from renditions.core.ports import IfMatch
from renditions.core.verify import MISSING, REPLACED
from renditions.model.binding import Held
from renditions.model.pipeline import Pipeline
from renditions.model.source import MaxRemovals, Source
from web.test_api import FORM, open_client, upload
from world import World

NAME = "a/photo.jpg"
THUMB = f"{NAME}/thumb.jpg"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def client(world: World) -> Iterator[TestClient]:
    with open_client(world) as client:
        yield client


def lose(world: World, key: str) -> None:
    there = world.output.head(key)
    assert there
    world.output.delete(key, IfMatch(there.etag))


def spoil(world: World, key: str) -> None:
    """Overwrite an output with other bytes of the same length."""
    there = world.output.head(key)
    assert there
    world.output.put(key, b"x" * there.size_bytes, IfMatch(there.etag), "image/jpeg")


@pytest.mark.parametrize("damage", [lose, spoil])
def test_a_request_to_process_a_picture_again_makes_lost_or_replaced_outputs_again(
    world: World, client: TestClient, damage: object
) -> None:
    upload(client)
    good = world.content(THUMB)
    address = f"/pictures/{NAME}/process?again=true"
    for _ in range(2):  # also when it is lost a second time
        assert callable(damage)
        damage(world, THUMB)
        assert client.post(address).json()["result"] == "done"
        assert world.content(THUMB) == good
        answer = client.post(address).json()
        assert (answer["result"], answer["reason"]) == ("unchanged", "it is up to date")
    history = client.get(f"/pictures/{NAME}").json()["history"]
    reasons = [event["reason"] for event in history if event["status"] == "processing"]
    assert len(reasons) == 3
    assert all(reason in (f"thumb {MISSING}", f"thumb {REPLACED}") for reason in reasons[1:])


@pytest.mark.parametrize("damage", [lose, spoil])
def test_a_request_for_a_lost_or_replaced_rendition_makes_it_again(
    world: World, client: TestClient, damage: object
) -> None:
    upload(client)
    good = world.content(THUMB)
    for _ in range(2):
        assert callable(damage)
        damage(world, THUMB)
        assert client.get(f"/renditions/thumb/{NAME}").status_code == 404
        answer = client.get(f"/i/thumb/{NAME}")
        assert (answer.status_code, answer.content) == (200, good)
        assert client.get(f"/renditions/thumb/{NAME}").content == good


def test_a_request_for_a_lost_rendition_of_a_missing_picture_gets_the_reason(
    world: World, client: TestClient
) -> None:
    upload(client)
    lose(world, THUMB)
    world.remove(NAME)
    answer = client.get(f"/i/thumb/{NAME}")
    assert answer.status_code == 422
    assert "it is gone from the source" in answer.json()["detail"]


def change_source(pipeline: Pipeline, source: Source) -> Pipeline:
    return Pipeline(**{field: getattr(pipeline, field) for field in ("output", "renditions")}, source=source)


def test_a_read_only_source_refuses_uploads_and_deletions(world: World) -> None:
    world.pipeline = change_source(world.pipeline, replace(world.pipeline.source, read_only=True))
    world.upload(NAME, b"one")
    world.upload("gone.jpg", b"two")
    with open_client(world) as client:
        assert client.get("/status").json()["read_only"] is True
        for name in (NAME, "gone.jpg"):
            assert client.post(f"/pictures/{name}/process").json()["result"] == "done"
        for answer in (
            client.post("/uploads", json=FORM),
            client.post("/uploads/file", data={}, files={"file": ("x", b"one")}),
            client.delete(f"/pictures/{NAME}"),
        ):
            assert answer.status_code == 403
            assert "[source] read_only" in answer.json()["detail"]
        assert world.source.head(NAME)
        world.remove("gone.jpg")
        assert client.delete("/pictures/gone.jpg").status_code == 204
        assert world.catalog.get("gone.jpg") is None
    world.check_promise()


def hold_some(world: World, client: TestClient, count: int) -> None:
    """Make pictures, delete them from the source, and hold back their removal."""
    bind(world.catalog, Claimant("renditions.toml", "in", "out", "g1"))
    for number in range(count):
        world.upload(f"{number}.jpg", b"%d" % number)
        client.post(f"/pictures/{number}.jpg/process")
        world.remove(f"{number}.jpg")
    hold(world.catalog, [Held("removals", count, "they are gone", world.now)])


def test_held_removals_are_shown_until_a_person_allows_them(world: World, client: TestClient) -> None:
    hold_some(world, client, 3)
    (held,) = client.get("/status").json()["held"]
    assert (held["what"], held["count"], held["why"]) == ("removals", 3, "they are gone")
    assert client.post("/pictures/0.jpg/process").json()["result"] == "removed"  # a person names it
    assert client.post("/removals/allow", json={"count": 3}).json() == {"allowed": 2}
    assert client.get("/status").json()["held"] == []
    assert list(world.catalog.list()) == []
    world.check_promise()


def test_a_permission_is_refused_if_more_pictures_are_missing_by_now(
    world: World, client: TestClient
) -> None:
    world.pipeline = change_source(
        world.pipeline, replace(world.pipeline.source, max_removals=MaxRemovals(pictures=0, percent=0))
    )
    hold_some(world, client, 3)
    hold(world.catalog, [Held("removals", 2, "they are gone", world.now)])
    answer = client.post("/removals/allow", json={"count": 2})
    assert answer.status_code == 409
    assert len(list(world.catalog.list())) == 3
    (held,) = client.get("/status").json()["held"]
    assert held["count"] == 3
    assert client.post("/removals/allow", json={}).status_code == 422

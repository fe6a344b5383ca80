"""Requests for pictures without a record, and for missing renditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from renditions.core.ask import PLAIN, Ask
from renditions.core.difference import RECHECK
from renditions.core.outcome import Outcome
from renditions.errors import StoreFailed
from renditions.web.app import make_app
from web.test_api import REACH, open_service
from world import NAME, World


def request(world: World, path: str, process: Callable[[str, Ask], Outcome]) -> Any:
    """Return the answer of a server that processes pictures with this function."""

    def run(name: str, ask: Ask = PLAIN) -> Outcome:
        return process(name, ask)

    service = replace(open_service(world), process=run)
    with TestClient(make_app(service, secret=b"secret", reach=REACH)) as client:
        return client.get(path)


def test_a_request_for_an_unknown_picture_gets_503_if_a_store_fails() -> None:
    def process(name: str, _: Ask) -> Outcome:
        return Outcome.failed(name, StoreFailed("the folder /srv/inbox is missing"))

    answer = request(World(), f"/i/thumb/{NAME}", process)
    assert (answer.status_code, answer.json()["code"]) == (503, "store-failed")
    assert "Check that the store is reachable and has space" in answer.json()["detail"]
    assert "/srv" not in answer.text


def test_a_request_for_the_record_of_an_unknown_picture_gets_503_if_the_source_can_not_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    path = f"/pictures/{NAME}"

    def process(name: str, ask: Ask) -> Outcome:
        return world.processor().process(name, ask)

    unknown = request(world, path, process)
    assert (unknown.status_code, unknown.json()["detail"]) == (404, f"there is no record of '{NAME}'")
    world.upload(NAME, b"one")
    waiting = request(world, path, process)
    assert (waiting.status_code, waiting.json()["code"]) == (404, "not-processed")
    assert "it waits to be processed" in waiting.json()["detail"]

    def fail(_: str) -> None:
        raise StoreFailed("the folder /srv/inbox is missing")

    monkeypatch.setattr(world.source, "head", fail)
    answer = request(world, path, process)
    assert (answer.status_code, answer.json()["code"]) == (503, "store-failed")
    assert "/srv" not in answer.text


def test_a_request_for_a_picture_that_an_ending_server_does_not_render_gets_503_after_one_attempt() -> None:
    world, calls = World(), list[str]()
    world.upload(NAME, b"one")

    def process(name: str, ask: Ask = PLAIN) -> Outcome:
        calls.append(name)
        return Outcome(name, "waiting", "processing stopped", timedelta())

    service = replace(open_service(world), process=process, is_ending=lambda: True)
    with TestClient(make_app(service, secret=b"secret", reach=REACH)) as client:
        answer = client.get(f"/i/thumb/{NAME}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "The server is being stopped" in answer.json()["detail"]
    assert calls == [NAME]


def test_a_request_for_a_picture_that_is_still_being_copied_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("renditions.web.demand._PAUSE_SECONDS", 0)
    world = World()
    world.upload(NAME, b"one")
    waits = [Outcome(NAME, "waiting", "the file is still being written", RECHECK)]

    def process(name: str, ask: Ask) -> Outcome:
        return waits.pop() if waits else world.processor().process(name, ask)

    answer = request(world, f"/i/thumb/{NAME}", process)
    assert (answer.status_code, answer.content) == (200, world.content("photo.jpg/thumb.jpg"))


def test_a_request_for_a_rendition_of_a_rejected_picture_makes_one_attempt_if_old_outputs_stay() -> None:
    world = World()
    world.upload(NAME, b"one")
    world.processor().process(NAME)
    world.upload(NAME, b"bad")
    attempts = []

    class Kept:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.output, name)

        def delete(self, *_: Any) -> None:
            raise StoreFailed("can't delete /srv/thumb.jpg")

    def process(name: str, ask: Ask) -> Outcome:
        attempts.append(name)
        return world.processor(output=Kept()).process(name, ask)

    assert process(NAME, PLAIN).again_after is not None, "the old outputs stay"
    attempts.clear()
    answer = request(world, f"/i/thumb/{NAME}", process)
    assert (answer.status_code, answer.json()["code"]) == (422, "source-unreadable")
    assert "/srv" not in answer.text
    assert attempts == [NAME]

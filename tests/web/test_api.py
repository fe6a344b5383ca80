"""The API as a client sees it, with stores and a catalog in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.testclient import TestClient

from renditions.core.ask import PLAIN, Ask
from renditions.core.outcome import Outcome
from renditions.core.ports import IfMatch
from renditions.errors import (
    Conflict,
    StoreFailed,
    StoreFull,
    StoreRefused,
    Superseded,
    Undecodable,
    UsageError,
)
from renditions.model.families import expand
from renditions.model.formats import SOURCE_FORMATS
from renditions.model.pipeline import Accept
from renditions.model.recipe import Focus, Rendition
from renditions.web.app import make_app
from renditions.web.causes import explain
from renditions.web.guard import MOST_WRONG_TOKENS, Guard
from renditions.web.headers import Labelled
from renditions.web.limits import Gate, Rate
from renditions.web.links import LocalLinks
from renditions.web.live import Announcements
from renditions.web.pages import FILES
from renditions.web.pictures import MOST_RETRIED
from renditions.web.problems import ApiError, answer_error
from renditions.web.reach import Reach
from renditions.web.server import SUPERSEDED
from renditions.web.service import Service
from world import World

REACH = Reach(allowed_hosts=("testserver",))
FORM = {"name": "a/photo.jpg", "type": "image/jpeg", "size_bytes": 3}


@pytest.fixture
def world() -> World:
    return World()


def void(_: object) -> None:
    """Return None for any argument."""


def open_service(world: World) -> Service:
    def process(name: str, ask: Ask = PLAIN) -> Outcome:
        return world.processor().process(name, ask)

    return Service(
        parts=world.parts(),
        process=process,
        hint=lambda name: void(process(name)),
        announcements=Announcements(),
        links=LocalLinks(),
    )


def open_client(world: World) -> TestClient:
    return TestClient(make_app(open_service(world), secret=b"secret", reach=REACH))


@pytest.fixture
def client(world: World) -> Iterator[TestClient]:
    with open_client(world) as client:
        yield client


def upload(client: TestClient, content: bytes = b"one", **changes: Any) -> Any:
    form = client.post("/uploads", json={**FORM, "size_bytes": len(content), **changes}).json()
    return client.post(form["url"], data=form["fields"], files={"file": ("x", content)})


def test_an_upload_becomes_a_picture_with_its_renditions(world: World, client: TestClient) -> None:
    answer = upload(client)
    assert answer.status_code == 204
    assert answer.headers["location"] == "/pictures/a/photo.jpg"
    picture = client.get("/pictures/a/photo.jpg").json()
    assert (picture["name"], picture["status"], list(picture["renditions"])) == (
        "a/photo.jpg", "done", ["thumb", "large"],
    )  # fmt: skip
    assert client.get("/renditions/thumb/a/photo.jpg").content == world.content("a/photo.jpg/thumb.jpg")
    assert client.get("/originals/a/photo.jpg").content == b"one"
    world.check_promise()


def test_a_second_upload_with_the_same_name_gets_a_number_unless_it_replaces_the_first(
    world: World, client: TestClient
) -> None:
    upload(client)
    assert upload(client, b"two").headers["location"] == "/pictures/a/photo-2.jpg"
    assert upload(client, b"new", replace=True).headers["location"] == "/pictures/a/photo.jpg"
    assert client.get("/originals/a/photo.jpg").content == b"new"
    world.check_promise()


def test_an_upload_is_refused_if_all_numbered_names_are_taken(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("renditions.web.uploads.MOST_NUMBERED", 3)
    for expected in ("photo.jpg", "photo-2.jpg", "photo-3.jpg"):
        assert upload(client).headers["location"] == f"/pictures/a/{expected}"
    form = {"name": "a/photo.jpg", "type": "image/jpeg", "size_bytes": 9}
    answer = client.post("/uploads", json=form)
    assert answer.status_code == 409
    assert (
        "'a/photo.jpg' exists, and so do its numbered variants up to 'a/photo-3.jpg'"
        in answer.json()["detail"]
    )


def test_the_answer_to_an_invalid_upload_request_lists_all_errors(client: TestClient) -> None:
    for size_bytes in (0, 60_000_000):
        wrong = {"name": "a.exe", "type": "text/html", "size_bytes": size_bytes}
        answer = client.post("/uploads", json=wrong)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert [error["part"] for error in answer.json()["errors"]] == ["name", "type", "size_bytes"]
    assert "found 60,000,000" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[]", 422), (b"{", 400), (b"[" * 100_001, 413), (b"[" * 90_000, 400), (b'{"name": 1}', 422),
        (b'{"name": "a.jpg", "type": "image/jpeg", "size_bytes": true}', 422),
    ],
)  # fmt: skip
def test_the_answer_to_an_invalid_request_has_a_reason(client: TestClient, body: bytes, status: int) -> None:
    answer = client.post("/uploads", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/batch", b'{"action": "retry", "names": ["\\ud800.jpg"]}'),
        ("/batch", b'{"\\udfff": 1}'),
        ("/retry", b'{"cursor": "1.\\ud800"}'),
        ("/uploads", b'{"name": "\\ud800.jpg", "type": "image/jpeg", "size_bytes": 1}'),
    ],
)
def test_a_json_body_with_half_a_surrogate_pair_is_an_invalid_request(
    client: TestClient, path: str, body: bytes
) -> None:
    """Neither a catalog nor an answer can hold such a text."""
    answer = client.post(path, content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert "expected Unicode text, found half a surrogate pair" in answer.json()["detail"]


def test_an_upload_whose_fields_or_file_differ_from_its_form_is_refused(
    world: World, client: TestClient
) -> None:
    form = client.post("/uploads", json=FORM).json()
    fields, files = form["fields"], {"file": ("x", b"one")}
    for change in (
        {"key": "b.jpg"},
        {"Content-Type": "image/png"},
        {"policy": "e30="},
        {"x-signature": "0"},
        {"x-signature": "é"},
    ):
        answer = client.post(form["url"], data={**fields, **change}, files=files)
        assert answer.status_code == 403
    assert client.post(form["url"], data=fields).status_code == 400
    assert client.post(form["url"], data=fields, files={"file": ("x", b"")}).status_code == 400
    assert [found.key for found in world.source.list()] == []
    assert client.post(form["url"], data=fields, files=files).status_code == 204
    assert client.post(form["url"], data=fields, files=files).status_code == 409


@pytest.mark.parametrize(
    ("replace", "why"),
    [
        (False, "the source has a file of this name by now. Choose another name"),
        (True, "this file was written or deleted meanwhile. Upload it again"),
    ],
)
def test_the_refusal_of_an_upload_says_why_the_file_was_not_stored(
    world: World, client: TestClient, monkeypatch: pytest.MonkeyPatch, *, replace: bool, why: str
) -> None:
    def conflict(*_: object) -> None:
        raise Conflict("it changed")

    monkeypatch.setattr(world.source, "put", conflict)
    answer = upload(client, replace=replace)
    assert answer.status_code == 409
    assert why in answer.json()["detail"]


def test_a_file_whose_size_differs_from_its_form_is_refused(world: World) -> None:
    world.pipeline = type(world.pipeline)(
        **{**world.pipeline.__dict__, "accept": Accept(max_bytes=10)}  # a cached property isn't a field
    )
    with TestClient(make_app(open_service(world), secret=b"secret", reach=REACH)) as client:
        form = client.post("/uploads", json=FORM).json()
        for size_bytes, status in ((2, 400), (4, 413), (50_000, 413)):
            files = {"file": ("x", bytes(size_bytes))}
            assert client.post(form["url"], data=form["fields"], files=files).status_code == status


def test_the_api_lists_pictures_newest_first_in_pages_and_filters_them_by_status_and_prefix(
    world: World, client: TestClient
) -> None:
    names = [f"{'ab'[number % 2]}/{number}.jpg" for number in range(7)]
    for name in names:
        world.upload(name, b"bad" if name == "b/3.jpg" else name.encode())
        world.processor().process(name)
    found, cursor = [], None
    while True:
        page = client.get("/pictures", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        found += [picture["name"] for picture in page["pictures"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == names[::-1]
    rejected = client.get("/pictures?status=rejected").json()["pictures"]
    assert [(picture["name"], picture["reason"]) for picture in rejected] == [("b/3.jpg", "it is bad")]
    assert [picture["code"] for picture in rejected] == ["source-unreadable"]
    assert len(client.get("/pictures?prefix=a/").json()["pictures"]) == 4
    totals = client.get("/stats").json()
    assert (totals["pictures"], totals["by_status"]["done"], totals["by_status"]["rejected"]) == (7, 6, 1)


def test_the_formats_resource_has_suffixes_types_and_the_order_of_formats(client: TestClient) -> None:
    formats = client.get("/formats").json()
    assert {
        "format": "heic",
        "suffixes": ["heic", "heif", "hif", "heics", "heifs"],
        "type": "image/heic",
    } in formats["sources"]
    assert [each["format"] for each in formats["sources"]] == list(SOURCE_FORMATS)
    assert formats["shown"][0] == {"format": "avif", "type": "image/avif"}
    assert formats["shown"][2] == {"format": "jpeg", "type": "image/jpeg"}


@pytest.mark.parametrize(
    "query",
    [
        "status=lost", "status=done&status=failed", "limit=0", "limit=201", "limit=x", "limit=%D9%A3",
        f"limit={'1' * 5_000}", "cursor=x", "cursor=", "cursor=1.", "cursor=-1.a",
    ],
)  # fmt: skip
def test_the_answer_to_an_invalid_query_has_a_reason(client: TestClient, query: str) -> None:
    answer = client.get(f"/pictures?{query}")
    assert answer.status_code == 400
    assert "expected" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "known"),
    [
        ("GET", "/pictures?statuss=done&limit=3", "status, prefix, cursor, limit, history"),
        ("HEAD", "/status?x=", "no query parameters"),
        ("POST", "/pictures/a/photo.jpg/process?agian=true", "again"),
        ("DELETE", "/pictures/a/photo.jpg?force=true", "no query parameters"),
        ("GET", "/renditions/thumb/a/photo.jpg?w=3", "v, expires, key, signature"),
        ("POST", "/retry?cursor=1", "no query parameters"),
    ],
)
def test_the_refusal_of_an_unknown_query_parameter_lists_the_known_parameters(
    client: TestClient, method: str, path: str, known: str
) -> None:
    upload(client)
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    if method != "HEAD":
        name = path.partition("?")[2].partition("=")[0]
        assert answer.json()["errors"] == [{"part": name, "detail": answer.json()["errors"][0]["detail"]}]
        assert known in answer.json()["detail"]
        assert repr(name) in answer.json()["detail"]
    assert client.get("/pictures/a/photo.jpg").status_code == 200
    assert client.get("/?picture=a.jpg&any=thing").status_code == 200


def test_lists_have_the_history_of_pictures_only_if_the_client_asks_for_it(client: TestClient) -> None:
    upload(client)
    (plain,), (whole,) = (
        client.get("/pictures", params=asked).json()["pictures"] for asked in ({}, {"history": "true"})
    )
    assert whole.pop("history")[-1]["status"] == "done"
    assert plain == whole
    assert client.get("/pictures/a/photo.jpg").json()["history"]


def test_long_json_the_page_and_its_scripts_are_compressed_and_images_are_not(client: TestClient) -> None:
    upload(client)
    for path, is_compressed in (
        ("/openapi.json", True), (f"/{FILES}app.js", True), ("/", True), ("/health", False),
        ("/originals/a/photo.jpg", False), (f"/{FILES}icon.svg", False),
    ):  # fmt: skip
        headers = client.get(path, headers={"accept-encoding": "gzip"}).headers
        assert (headers.get("content-encoding") == "gzip") == is_compressed, path
        assert "content-encoding" not in client.get(path, headers={"accept-encoding": "identity"}).headers
    tag = client.get(f"/{FILES}app.js", headers={"accept-encoding": "gzip"}).headers["etag"]
    assert tag.startswith('W/"')
    assert client.get(f"/{FILES}app.js", headers={"if-none-match": tag}).status_code == 304


def test_the_answer_to_a_batch_request_has_a_result_for_each_name(world: World) -> None:
    zoom = Rendition(width=9, on_demand=True)
    world.pipeline = replace(world.pipeline, renditions={"thumb": Rendition(), "zoom": zoom})
    with open_client(world) as client:
        for name, content in (("a/1.jpg", b"one"), ("a/2.jpg", b"two"), ("a/3.jpg", b"bad")):
            upload(client, content, name=name)

        def run(action: str, *names: str, **more: str) -> list[tuple[str, str | None]]:
            answer = client.post("/batch", json={"action": action, "names": names, **more})
            assert answer.status_code == 200
            results = answer.json()["results"]
            return [(each["name"], each["problem"] and each["problem"]["code"]) for each in results]

        found = run("demand", "a/1.jpg", "none.jpg", rendition="zoom")
        assert found == [("a/1.jpg", None), ("none.jpg", "not-found")]
        assert client.get("/renditions/zoom/a/1.jpg").status_code == 200
        assert client.get("/renditions/zoom/a/2.jpg").status_code == 404
        before = world.source.head("a/3.jpg")
        assert before
        world.source.put("a/3.jpg", b"good", IfMatch(before.etag), "image/jpeg")
        assert run("demand", "a/3.jpg") == [("a/3.jpg", "not-found")]
        assert run("retry", "a/3.jpg", "a/3.jpg") == [("a/3.jpg", None)]
        assert client.get("/pictures/a/3.jpg").json()["status"] == "done"
        assert run("delete", "a/1.jpg", "a/9.jpg", "a/2.jpg") == [
            ("a/1.jpg", None), ("a/9.jpg", "not-found"), ("a/2.jpg", None),
        ]  # fmt: skip
        assert [found.key for found in world.source.list()] == ["a/3.jpg"]
        for wrong, part in (
            ({"action": "undo", "names": ["a"]}, "action"), ({"action": "retry", "names": []}, "names"),
            ({"action": "retry", "names": ["a"] * 101}, "names"),
            ({"action": "retry", "names": [1]}, "names"),
        ):  # fmt: skip
            answer = client.post("/batch", json=wrong)
            assert (answer.status_code, answer.json()["errors"][0]["part"]) == (422, part)
    world.check_promise()


def test_a_request_with_the_etag_of_an_unchanged_resource_gets_status_304(client: TestClient) -> None:
    upload(client)
    for path in (
        "/pictures",
        "/pictures/a/photo.jpg",
        "/stats",
        "/formats",
        "/renditions/thumb/a/photo.jpg",
        "/originals/a/photo.jpg",
    ):
        first = client.get(path)
        again = client.get(path, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-3", 206, slice(0, 4)), ("bytes=4-", 206, slice(4, None)),
        ("bytes=-5", 206, slice(-5, None)),
        ("bytes=0-9999", 206, slice(None)), ("bytes=9999-", 416, None), ("bytes=5-2", 200, slice(None)),
        ("lines=1-2", 200, slice(None)), ("bytes=0-1,4-5", 200, slice(None)), ("bytes=-0", 416, None),
    ],
)  # fmt: skip
def test_range_requests_return_parts_of_a_rendition(
    world: World, client: TestClient, asked: str, status: int, part: slice | None
) -> None:
    upload(client)
    whole = world.content("a/photo.jpg/thumb.jpg")
    answer = client.get("/renditions/thumb/a/photo.jpg", headers={"range": asked})
    assert answer.status_code == status
    if part:
        assert answer.content == whole[part]


def test_only_a_url_with_the_etag_may_be_cached_for_ever(client: TestClient) -> None:
    upload(client)
    etag = client.get("/pictures/a/photo.jpg").json()["renditions"]["thumb"]["etag"]
    assert "immutable" in client.get(f"/renditions/thumb/a/photo.jpg?v={etag}").headers["cache-control"]
    assert client.get("/renditions/thumb/a/photo.jpg").headers["cache-control"] == "no-cache"


def test_a_request_to_delete_a_picture_deletes_its_renditions_and_record(
    world: World, client: TestClient
) -> None:
    upload(client)
    assert client.delete("/pictures/a/photo.jpg").status_code == 204
    assert client.delete("/pictures/a/photo.jpg").status_code == 404
    assert list(world.output.list()) == []
    world.check_promise()


def test_a_declared_width_on_demand_is_made_and_kept_and_an_undeclared_width_is_refused(world: World) -> None:
    widths = expand("photo", Rendition(widths=(9, 18), on_demand=True))
    world.pipeline = replace(world.pipeline, renditions={"thumb": Rendition(), **widths})
    with open_client(world) as client:
        upload(client)
        assert client.get("/i/photo-18/a/photo.jpg").content == world.content("a/photo.jpg/photo-18.jpg")
        refused = client.get("/i/photo-10/a/photo.jpg")
        assert refused.status_code == 404
        assert refused.json()["detail"] == (
            "there is no rendition 'photo-10'. Choose one of photo-9, photo-18"
        )
        upload(client, b"another")
        record = client.get("/pictures/a/photo.jpg").json()
        assert record["demanded"] == ["photo-18"]
        assert record["renditions"].keys() == {"thumb", "photo-18"}
        assert record["renditions"]["photo-18"]["source_etag"] == record["etag"]


def test_the_server_makes_a_rendition_on_demand_at_the_first_request(world: World) -> None:
    zoom = Rendition(width=9, on_demand=True)
    world.pipeline = replace(world.pipeline, renditions={"thumb": Rendition(), "zoom": zoom})
    with open_client(world) as client:
        upload(client)
        assert client.get("/renditions/zoom/a/photo.jpg").status_code == 404
        made = client.get("/i/zoom/a/photo.jpg")
        assert (made.status_code, made.content) == (200, world.content("a/photo.jpg/zoom.jpg"))
        assert client.get("/renditions/zoom/a/photo.jpg").content == made.content
        assert client.get("/i/thumb/a/photo.jpg").status_code == 200
        upload(client, b"bad", name="a/bad.jpg")
        for address, status in (("zoom/a/bad.jpg", 422), ("zoom/none.jpg", 404), ("other/a/photo.jpg", 404)):
            assert client.get(f"/i/{address}").status_code == status
        assert client.get("/i/zoom/a/bad.jpg").json()["code"] == "source-unreadable"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            StoreFull("can't write /srv/zoom.jpg"),
            "The disk of a store has no space left. Free space on the disk",
        ),
        (StoreRefused("can't write /srv/zoom.jpg"), "A store refuses the call until a person acts"),
    ],
)
def test_a_request_for_a_rendition_makes_one_attempt_if_a_store_fails_and_gets_a_reason_without_paths(
    world: World, error: StoreFailed, said: str
) -> None:
    attempts: list[str] = []
    world.pipeline = replace(world.pipeline, renditions={"zoom": Rendition(width=9)})

    def process(name: str, ask: Ask = PLAIN) -> Outcome:
        attempts.append(name)
        return Outcome.failed(name, error, world.catalog.get(name))

    with open_client(world) as client:
        upload(client)
    there = world.output.head("a/photo.jpg/zoom.jpg")
    assert there
    world.output.delete(there.key, IfMatch(there.etag))
    service = replace(open_service(world), process=process)
    with TestClient(make_app(service, secret=b"secret", reach=REACH)) as client:
        answer = client.get("/i/zoom/a/photo.jpg")
    assert (answer.status_code, answer.json()["code"]) == (503, error.code)
    assert said in answer.json()["detail"]
    assert "/srv" not in answer.text
    assert attempts == ["a/photo.jpg"]


@pytest.mark.parametrize("kind", [StoreFailed, StoreRefused])
def test_processing_a_picture_explains_a_failure_that_no_record_has_without_paths_of_the_server(
    world: World, kind: type[StoreFailed]
) -> None:
    def process(name: str, ask: Ask = PLAIN) -> Outcome:
        return Outcome.failed(name, kind("can't access /srv/inbox/photo.jpg: Input/output error"))

    service = replace(open_service(world), process=process)
    with TestClient(make_app(service, secret=b"secret", reach=REACH)) as client:
        answer = client.post("/pictures/a/photo.jpg/process").json()
    assert (answer["result"], answer["code"]) == ("failed", kind.code)
    assert answer["reason"] == explain(kind.code)


def test_a_request_for_a_lost_rendition_of_a_missing_failed_picture_gets_no_paths_of_the_server(
    world: World, client: TestClient
) -> None:
    upload(client)
    there = world.output.head("a/photo.jpg/thumb.jpg")
    assert there
    world.output.delete(there.key, IfMatch(there.etag))
    world.remove("a/photo.jpg")
    record = replace(world.record("a/photo.jpg"), status="failed", reason="no /srv", code="store-refused")
    world.catalog.write(record)
    answer = client.get("/i/thumb/a/photo.jpg")
    assert (answer.status_code, answer.json()["code"]) == (422, "store-refused")
    assert "/srv" not in answer.text


def test_the_server_limits_requests_that_may_wait_for_a_picture(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("renditions.web.app.MOST_PROCESSED", 0)
    with open_client(world) as client:
        upload(client)
        for method, path in (("POST", "/pictures/a/photo.jpg/process"), ("GET", "/i/thumb/a/photo.jpg")):
            answer = client.request(method, path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert "at most 0 pictures for waiting clients at once" in answer.json()["detail"]
        assert client.get("/renditions/thumb/a/photo.jpg").status_code == 200


def test_a_request_for_a_rendition_with_a_stand_in_gets_the_file_of_the_stand_in(world: World) -> None:
    world.pipeline = replace(world.pipeline, renditions=expand("photo", Rendition(widths=(4, 9))))
    with open_client(world) as client:
        upload(client)
        record = world.catalog.get("a/photo.jpg")
        assert record
        outputs = tuple(made for made in record.outputs if made.rendition == "photo-4")
        small = replace(record, outputs=outputs, stand_ins=(("photo-9", "photo-4"),))
        world.catalog.write(small)
        item = client.get("/pictures/a/photo.jpg").json()
        assert item["stand_ins"] == {"photo-9": "photo-4"}
        assert list(item["renditions"]) == ["photo-4"]
        assert item["links"]["renditions"]["photo-9"] == item["links"]["renditions"]["photo-4"]
        content = world.content("a/photo.jpg/photo-4.jpg")
        for path in ("/i/photo-9/a/photo.jpg", "/renditions/photo-9/a/photo.jpg"):
            assert client.get(path).content == content


def test_a_request_can_set_and_remove_the_focus_of_a_picture(world: World, client: TestClient) -> None:
    upload(client)
    address = "/pictures/a/photo.jpg/focus"
    assert client.put(address, json={"x": 30, "y": 40.5}).json()["focus"] == {"x": 30, "y": 40.5}
    record = world.catalog.get("a/photo.jpg")
    assert record is not None
    assert record.wishes.focus == Focus(x=30, y=40.5)
    assert "focus" not in client.delete(address).json()
    assert client.put("/pictures/nothing.jpg/focus", json={"x": 1, "y": 1}).status_code == 404
    for body in ({"x": 30}, {"x": 30, "y": 101}, {"x": True, "y": 1}, {"x": 1, "y": float("nan")}):
        answer = client.put(address, content=json.dumps(body), headers={"content-type": "application/json"})
        assert answer.status_code == 422


def test_a_rejected_picture_can_be_processed_again(world: World, client: TestClient) -> None:
    upload(client, b"bad")
    assert client.post("/pictures/a/photo.jpg/process").json()["result"] == "unchanged"
    assert client.post("/pictures/a/photo.jpg/process?again=true").json()["result"] == "rejected"
    assert client.post("/retry", json={"statuses": ["rejected"]}).json() == {"retried": 1, "next": None}
    for wrong in ("lost", None, 1, ["failed"]):
        assert client.post("/retry", json={"statuses": ["rejected", wrong]}).status_code == 400
    assert client.get("/plan").json() == {"counts": {"keep": 1}, "differences": []}


def test_each_retry_request_reopens_a_limited_number_of_pictures(world: World, client: TestClient) -> None:
    for number in range(MOST_RETRIED + 5):
        world.upload(f"{number:03}.jpg", b"bad")
        world.processor().process(f"{number:03}.jpg")
    first = client.post("/retry", json={"statuses": ["rejected"]}).json()
    second = client.post("/retry", json={"statuses": ["rejected"], "cursor": first["next"]}).json()
    assert (first["retried"], second) == (MOST_RETRIED, {"retried": 5, "next": None})
    assert client.post("/retry", json={"cursor": "1"}).status_code == 400


def test_a_superseded_server_answers_reads_and_refuses_changes(world: World) -> None:
    world.upload("photo.jpg", b"one")
    world.settle()
    service = replace(open_service(world), find_refusal=lambda: Superseded(SUPERSEDED))
    with TestClient(make_app(service, secret=b"secret", reach=REACH)) as client:
        status = client.get("/status").json()
        assert status["read_only"]
        assert status["superseded"].startswith("This catalog uses another version of the pipeline file")
        assert client.get("/pictures/photo.jpg").status_code == 200
        for method, address in (
            ("POST", "/pictures/photo.jpg/process"),
            ("POST", "/retry"),
            ("DELETE", "/pictures/photo.jpg"),
            ("DELETE", "/pictures/photo.jpg/focus"),
        ):
            answer = client.request(method, address)
            assert (answer.status_code, answer.json()["code"]) == (503, "superseded"), address
    assert world.source.head("photo.jpg")
    assert world.known == 1


def test_the_api_returns_the_plan_and_the_outcome_of_a_picture(world: World, client: TestClient) -> None:
    world.upload("photo.jpg", b"one")
    planned = client.get("/plan").json()
    assert planned["differences"] == [each.to_item() for each in world.differences()]
    assert planned["differences"] == [
        {
            "name": "photo.jpg",
            "action": "create",
            "why": "it is new",
            "make": {name: {"key": f"photo.jpg/{name}.jpg"} for name in world.pipeline.renditions},
            "delete": [],
        }
    ]
    outcome = client.post("/pictures/photo.jpg/process").json()
    assert outcome.pop("picture")["status"] == "done"
    made = planned["differences"][0]["make"]
    assert outcome == {
        "name": "photo.jpg",
        "result": "done",
        "reason": None,
        "code": None,
        "renditions": made,
    }


@pytest.mark.parametrize(
    "name",
    [
        "../a.jpg", "a/../../b.jpg", "/etc/a.jpg", "a//b.jpg", "./a.jpg", ".renditions/a.jpg", ".a.jpg", "",
        "a\0.jpg", "a\r\nSet-Cookie: b=c.jpg", "a\nb.jpg", "a\x7f.jpg", "a.jpg\n", "a.jpg/",
        "x" * 2_000 + ".jpg", "a\x1b[2J.jpg", "a\u202egpj.exe.jpg", "a\u2066.jpg", "a\x9b.jpg",
        "a/${filename}.jpg", "${filename}",
    ],
)  # fmt: skip
def test_an_invalid_name_in_a_request_is_refused_and_no_object_is_created(
    world: World, client: TestClient, name: str
) -> None:
    answer = client.post("/uploads", json={**FORM, "name": name})
    assert answer.status_code == 422
    assert "expected a name" in answer.json()["detail"]
    for path in ("pictures", "originals", "i/thumb", "renditions/thumb"):
        answer = client.get(f"/{path}/{quote(name, safe='')}")
        assert 400 <= answer.status_code < 500 or (name, path) == ("", "pictures")
    assert [found.key for found in world.source.list()] == []


def test_an_upload_into_an_excluded_folder_is_refused_with_the_pattern(client: TestClient) -> None:
    answer = client.post("/uploads", json={**FORM, "name": "@eaDir/a.jpg"})
    assert answer.status_code == 422
    assert "it is excluded by '@eaDir/' in [source] exclude" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"range": f"bytes={'1' * 5_000}-"}, 200), ({"if-none-match": "é" * 5_000}, 200),
        ({"host": "["}, 421), ({"host": ""}, 421), ({"cookie": "renditions_token=é"}, 200),
        ({"authorization": "Bearer é"}, 200), ({"origin": "http://["}, 403),
    ],
)  # fmt: skip
def test_a_request_with_an_extreme_header_causes_no_server_error(
    client: TestClient, headers: dict[str, str], status: int
) -> None:
    upload(client)
    raw = {name.encode(): value.encode() for name, value in headers.items()}
    method, path = ("DELETE", "/pictures/none.jpg") if status == 403 else ("GET", "/originals/a/photo.jpg")
    answer = client.request(method, path, headers=raw)
    assert answer.status_code == status


def test_the_answer_to_a_method_that_is_not_allowed_names_the_allowed_methods(client: TestClient) -> None:
    for path, allowed in (
        ("/pictures/a.jpg", "DELETE, GET, HEAD"), ("/pictures/a.jpg/focus", "DELETE, PUT"),
        ("/retry", "POST"), (f"/{FILES}app.js", "GET, HEAD"),
    ):  # fmt: skip
        answer = client.request("PATCH", path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize(
    "path",
    [
        "/pictures/nothing.jpg", "/renditions/thumb/nothing.jpg", "/renditions/nothing/a/photo.jpg",
        "/originals/nothing.jpg", "/originals/..%2f..%2fetc%2fpasswd", "/originals/%2e%2e/renditions.toml",
        "/originals/a%00.jpg", f"/{FILES}..%2fapp.py", f"/{FILES}%2e%2e/app.py", "/static",
        "/nothing",
    ],
)  # fmt: skip
def test_a_request_for_a_missing_resource_gets_status_404(client: TestClient, path: str) -> None:
    upload(client)
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_answer_to_an_unknown_path_has_the_path_and_says_where_the_known_paths_are(
    client: TestClient,
) -> None:
    detail = client.get("/picture/a b.jpg").json()["detail"]
    assert detail == "There is nothing at '/picture/a b.jpg'. The page /docs lists the paths of this server."


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Undecodable("no"), 422, "source-unreadable"), (StoreFailed("no"), 503, "store-failed"),
        (Conflict("no"), 409, "changed-meanwhile"), (UsageError("no"), 400, "invalid-usage"),
        (ApiError(HTTPStatus.NOT_FOUND, "no"), 404, "not-found"),
        (HTTPException(405), 405, "method-not-allowed"), (HTTPException(418), 418, "error"),
    ],
)  # fmt: skip
def test_the_answer_to_an_error_has_its_status_and_its_code(error: Exception, status: int, code: str) -> None:
    answer = answer_error(Request({"type": "http"}), error)
    told = json.loads(bytes(answer.body))
    assert (answer.status_code, told["status"], told["code"]) == (status, status, code)


def test_the_readiness_check_needs_no_token_and_names_the_problems_of_the_server(world: World) -> None:
    service = replace(open_service(world), find_worker_problem=lambda: "no memory")
    app = make_app(service, secret=b"secret", reach=REACH, token="right")  # noqa: S106 - the tests' own
    with TestClient(app) as client:
        answer = client.get("/ready")
        assert (answer.status_code, answer.json()["code"]) == (503, "not-ready")
        assert [each["part"] for each in answer.json()["errors"]] == ["workers"]
        assert (
            "no memory. To see whether a worker can start now, run renditions doctor"
            in answer.json()["detail"]
        )
    with open_client(world) as client:
        assert client.get("/ready").json() == {"status": "ready"}


def test_the_failure_of_a_store_is_explained_without_paths_of_the_server(
    world: World, client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise StoreFull("can't write /srv/inbox/a.jpg: No space left on device. Free some space")

    monkeypatch.setattr(world.source, "put", fail)
    answer = upload(client)
    assert (answer.status_code, answer.json()["code"]) == (507, "store-full")
    assert answer.json()["detail"].startswith("The disk of a store has no space left. Free space")
    assert "/srv/inbox/a.jpg" in caplog.text
    assert "/srv" not in answer.text


def test_pages_json_files_and_errors_have_security_headers(client: TestClient) -> None:
    upload(client)
    for path in ("/", "/pictures", "/originals/a/photo.jpg", f"/{FILES}app.js", "/nothing"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]


def test_an_original_that_may_contain_script_is_only_downloaded(world: World, client: TestClient) -> None:
    """A browser that shows a drawing from this site would run its script.

    The script would have the rights of the page.
    """
    upload(client)
    record = world.catalog.get("a/photo.jpg")
    assert record
    assert record.original
    for format_name, is_shown in (("jpeg", True), ("svg", False), (None, False)):
        record = world.catalog.write(replace(record, original=replace(record.original, format=format_name)))
        headers = client.get("/originals/a/photo.jpg").headers
        disposition = headers.get("content-disposition", "")
        assert (disposition == "") == is_shown
        assert disposition in ("", "attachment; filename*=UTF-8''photo.jpg")
        assert (headers["content-type"] == "image/jpeg") == is_shown


def test_a_request_with_the_host_name_of_another_server_is_refused(client: TestClient) -> None:
    """A page of another site could reach a server that accepts any host name.

    The other site would use a host name that resolves to this machine.
    """
    assert client.get("/pictures", headers={"host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}],
)
def test_posts_from_the_page_of_another_site_are_refused(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/retry", json={}, headers=headers).status_code == 403
    assert client.post("/retry", json={}, headers={"origin": "http://testserver"}).status_code == 200


def test_the_page_and_the_api_need_the_token_if_a_token_is_set(world: World) -> None:
    app = make_app(open_service(world), secret=b"secret", reach=REACH, token="right")  # noqa: S106 - the tests' own
    with TestClient(app, follow_redirects=False) as client:
        assert client.get("/health").status_code == 200
        assert client.get("/pictures").status_code == 401
        assert client.get("/", headers={"accept": "text/html"}).headers["location"] == "/login"
        assert client.get("/pictures", headers={"authorization": "Bearer wrong"}).status_code == 401
        assert client.get("/pictures", headers={"authorization": "Bearer right"}).status_code == 200
        assert client.post("/login", data={"token": "wrong"}).status_code == 401
        answer = client.post("/login", data={"token": "right"})
        assert answer.status_code == 303
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert "SameSite=lax" in answer.headers["set-cookie"]
        assert client.get("/pictures").status_code == 200


def test_requests_with_wrong_tokens_are_limited_and_the_right_bearer_token_still_works(world: World) -> None:
    app = make_app(open_service(world), secret=b"secret", reach=REACH, token="right")  # noqa: S106 - the tests' own
    with TestClient(app, follow_redirects=False) as client:
        wrong = {"authorization": "Bearer wrong"}
        codes = [client.get("/pictures", headers=wrong).status_code for _ in range(MOST_WRONG_TOKENS + 1)]
        assert codes == [401] * MOST_WRONG_TOKENS + [429]
        answer = client.post("/login", data={"token": "right"})
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")
        assert client.get("/pictures", headers={"authorization": "Bearer right"}).status_code == 200


def test_too_many_requests_without_the_token_do_not_block_requests_with_the_token(world: World) -> None:
    app = make_app(open_service(world), secret=b"secret", reach=REACH, token="right")  # noqa: S106 - the tests' own
    assert isinstance(app, Labelled)
    assert isinstance(app.app, Guard)
    full = replace(app.app, strangers=Gate(0, "requests without the token"))
    with TestClient(full) as client:
        assert client.get("/login").status_code == 503
        assert client.get("/pictures", headers={"authorization": "Bearer right"}).status_code == 200


def test_the_login_refuses_a_long_body(world: World) -> None:
    app = make_app(open_service(world), secret=b"secret", reach=REACH, token="right")  # noqa: S106 - the tests' own
    with TestClient(app) as client:
        assert client.post("/login", data={"token": "x" * 200_000}).status_code == 413


def test_the_rate_limit_counts_the_requests_of_each_address_within_a_time_span() -> None:
    now = 100.0
    rate = Rate(2, 10.0, clock_seconds=lambda: now)
    assert [rate.is_over("a") for _ in range(3)] == [False, False, True]
    assert not rate.is_over("b")
    now = 110.0
    assert not rate.is_over("a")


def test_the_refusal_of_too_many_uploads_at_once_has_the_header_retry_after() -> None:
    gate = Gate(2, "uploads")
    with gate.enter(), gate.enter():
        with pytest.raises(ApiError, match="at most 2 uploads at once") as refused, gate.enter():
            pass
        assert answer_error(Request({"type": "http"}), refused.value).headers["retry-after"] == "1"
    with gate.enter():
        pass


def test_the_openapi_document_lists_the_statuses_of_answers_and_has_valid_examples(
    client: TestClient,
) -> None:
    description = client.get("/openapi.json").json()
    assert description["openapi"].startswith("3.1")
    for path, operations in description["paths"].items():
        for method in operations.keys() - ({"get"} if path == "/events" else set()):  # which has no end
            answer = client.request(method, path.replace("{name}", "nothing.jpg"))
            assert str(answer.status_code) in {*operations[method]["responses"], "415"}
    schemas = description["components"]["schemas"]
    count = 0
    for operations in description["paths"].values():
        for operation in operations.values():
            for part in (operation.get("requestBody"), *operation["responses"].values()):
                for content in ((part or {}).get("content") or {}).values():
                    name = content["schema"]["$ref"].rpartition("/")[2]
                    assert schemas[name]
                    if name not in ("File", "UploadFile"):
                        whole = {"components": description["components"], **content["schema"]}
                        jsonschema.validate(content["example"], whole)
                        count += 1
    assert count > 40
    text = json.dumps(description)
    for schema in description["components"]["schemas"]:
        assert f"#/components/schemas/{schema}" in text


def test_the_openapi_document_describes_all_fields_of_the_outcome_of_a_renamed_picture(
    client: TestClient,
) -> None:
    described = client.get("/openapi.json").json()["components"]["schemas"]["Outcome"]["properties"]
    item = Outcome("new.jpg", "done", renamed_from="old.jpg").to_item()
    assert described.keys() == {*item, "picture"}


def test_the_openapi_document_lists_the_statuses_of_superseded_servers_and_full_disks(
    client: TestClient,
) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    listed = {
        (path, method): each["responses"].keys() for path in paths for method, each in paths[path].items()
    }
    assert all("503" in statuses for statuses in listed.values())
    assert [place for place, statuses in listed.items() if "507" in statuses] == [
        ("/uploads", "post"), ("/uploads/file", "post"), ("/pictures/{name}", "delete"),
        ("/bin/{deletion}/{name}", "post"), ("/pictures/{name}/process", "post"),
        ("/pictures/{name}/focus", "put"), ("/pictures/{name}/focus", "delete"),
        ("/i/{rendition}/{name}", "get"), ("/retry", "post"), ("/removals/allow", "post"),
    ]  # fmt: skip

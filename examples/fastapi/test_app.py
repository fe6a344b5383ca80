"""Tests of the picture server: ``python -m pytest test_app.py``."""

import io
from collections.abc import Iterator

import pytest
from app import app
from fastapi.testclient import TestClient
from PIL import Image


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """Return a client of the running server."""
    with TestClient(app) as client:
        yield client


def draw(width: int = 900, height: int = 600) -> bytes:
    """Return a plain picture."""
    target = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(target, "JPEG")
    return target.getvalue()


def test_a_thumbnail_is_returned_at_once(client: TestClient) -> None:
    """The answer is a WebP of 200 by 200 pixels."""
    answer = client.post("/thumbnail", files={"file": draw()})
    assert answer.headers["Content-Type"] == "image/webp"
    assert Image.open(io.BytesIO(answer.content)).size == (200, 200)


def test_the_answer_about_a_file_that_is_not_a_picture_has_the_reason(client: TestClient) -> None:
    """The answer has the error's own HTTP status and code."""
    answer = client.post("/thumbnail", files={"file": b"text"})
    assert (answer.status_code, answer.json()["code"]) == (422, "source-unreadable")


def test_a_picture_is_processed_in_the_background(client: TestClient) -> None:
    """After the upload, its renditions are served below /images/."""
    assert client.put("/pictures/boat.jpg", files={"file": draw()}).status_code == 202
    answer = client.get("/pictures/boat.jpg").json()
    image = answer["looks"]["photo"]["img"]
    assert (answer["status"], image["width"]) == ("done", 900)
    served = client.get(image["src"])
    assert Image.open(io.BytesIO(served.content)).size == (900, 600)


def test_the_record_of_a_rejected_picture_has_the_reason(client: TestClient) -> None:
    """The record has the reason."""
    client.put("/pictures/text.jpg", files={"file": b"text"})
    answer = client.get("/pictures/text.jpg").json()
    assert (answer["status"], "not a picture" in answer["reason"]) == ("rejected", True)
    assert client.get("/pictures/none.jpg").status_code == 404

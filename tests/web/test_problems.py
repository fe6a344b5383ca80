"""Problems grouped by cause, in the API and on the page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from starlette.testclient import TestClient

from commands import draw, write_pipeline
from renditions.errors import Failed, Rejected, RenditionsError
from renditions.model.record import Record, Status
from renditions.model.warning import WARNINGS, PictureWarning
from renditions.web.causes import ADVICE, MOST_NAMED, describe_code
from renditions.web.pictures import MOST_CHECKED
from web.browser import find_violations, served
from web.test_api import open_client
from world import World

THUMB = "[renditions.thumb]\nwidth = 20\n"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def client(world: World) -> Iterator[TestClient]:
    with open_client(world) as client:
        yield client


def add(world: World, count: int, status: Status, code: str, text: str = "a reason") -> None:
    start = world.catalog.count()
    known = sum(totals.pictures for totals in start.values())
    for number in range(known, known + count):
        moment = world.now + timedelta(seconds=number)
        warnings = (PictureWarning(code, text),) if status == "done" else ()
        reason = None if status == "done" else text
        record = Record(
            f"{number:05}.jpg", status, moment, reason=reason, code=code if reason else "", warnings=warnings
        )
        world.catalog.write(record)


def all_codes(kind: type[RenditionsError]) -> set[str]:
    return {kind.code}.union(*(all_codes(each) for each in kind.__subclasses__()))


def test_every_error_and_warning_of_a_picture_has_a_meaning_and_advice() -> None:
    codes = all_codes(Rejected) | all_codes(Failed) | {str(code) for code in WARNINGS}
    assert ADVICE.keys() == codes
    assert [code for code in codes if not describe_code(code).endswith(".")] == []


def test_problems_are_grouped_by_cause_with_the_most_frequent_first(world: World, client: TestClient) -> None:
    add(world, 2, "rejected", "source-unreadable", "no picture")
    add(world, 3, "rejected", "source-not-accepted", "too large")
    add(world, 1, "rejected", "")
    add(world, 4, "done", "profile-ignored", "a broken profile")
    found = client.get("/problems?status=rejected").json()
    assert [(each["code"], each["count"]) for each in found["groups"]] == [
        ("source-not-accepted", 3), ("source-unreadable", 2), ("rejected", 1),
    ]  # fmt: skip
    assert (found["checked"], found["next"]) == (6, None)
    first = found["groups"][0]
    assert first["pictures"][0] == {"name": "00004.jpg", "reason": "too large"}
    assert first["meaning"] == "The picture breaks a rule of [accept] or a limit, or isn't supported."
    assert first["advice"] == ADVICE["source-not-accepted"]
    warned = client.get("/problems?status=done").json()
    assert [(each["code"], each["count"]) for each in warned["groups"]] == [("profile-ignored", 4)]
    assert client.get("/problems").json() == {"groups": [], "checked": 0, "next": None}
    assert client.get("/problems?status=odd").status_code == 400


def test_each_request_for_problems_checks_a_limited_number_of_pictures(
    world: World, client: TestClient
) -> None:
    add(world, MOST_CHECKED + 5, "failed", "store-failed")
    first = client.get("/problems?status=failed").json()
    second = client.get("/problems", params={"status": "failed", "cursor": first["next"]}).json()
    assert (first["checked"], second["checked"], second["next"]) == (MOST_CHECKED, 5, None)
    assert [first["groups"][0]["count"], second["groups"][0]["count"]] == [MOST_CHECKED, 5]
    assert len(first["groups"][0]["pictures"]) == MOST_NAMED


def test_a_retry_with_a_code_reopens_only_the_pictures_with_this_problem(
    world: World, client: TestClient
) -> None:
    add(world, 2, "rejected", "source-unreadable")
    add(world, 3, "rejected", "source-not-accepted")
    body = {"statuses": ["rejected"], "code": "source-unreadable"}
    assert client.post("/retry", json=body).json() == {"retried": 2, "next": None}


def test_the_page_groups_problems_and_one_button_retries_a_group(browser: Browser, tmp_path: Path) -> None:
    write_pipeline(tmp_path, THUMB, "[accept]\nmax_pixels = 5000\n")
    for number in range(3):
        (tmp_path / "inbox" / f"text-{number}.jpg").write_text("not a picture")
    draw(tmp_path / "inbox" / "huge.jpg", 400, 300)
    draw(tmp_path / "inbox" / "good.jpg", 40, 30)
    blocked = tmp_path / "processed" / "blocked.jpg" / "thumb.jpg"
    blocked.parent.mkdir(parents=True)
    blocked.write_text("of another program")
    draw(tmp_path / "inbox" / "blocked.jpg", 40, 30, seed=2)
    with served(tmp_path) as address:
        page = browser.new_page()
        page.goto(address)
        expect(page.locator("#problem-count")).to_have_text("5", timeout=60_000)
        page.get_by_role("link", name="Problems 5").click()
        assert page.url.endswith("?view=problems")
        expect(page.locator(".cause")).to_have_count(3)
        expect(page.get_by_role("heading", name="3 pictures rejected: The file is damaged")).to_be_visible()
        expect(page.locator(".cause").first).to_contain_text("What to do: Open the file in an image editor")
        group = page.locator(".cause", has_text="blocked.jpg")
        expect(group).to_contain_text("Move the file or folder away")
        assert find_violations(page) == []
        group.get_by_role("link", name="blocked.jpg").click()
        expect(page.get_by_role("dialog", name="blocked.jpg")).to_contain_text("holds a file")
        page.go_back()
        expect(page.locator("#picture")).to_be_hidden()
        blocked.unlink()
        group.get_by_role("button", name="Try 1 picture again").press("Enter")
        expect(group).to_have_count(0, timeout=30_000)
        expect(page.locator(".cause")).to_have_count(2)
        focused = page.evaluate("document.activeElement !== document.body")
        assert focused, "the focus must not be lost with the group"
        expect(page.locator("#problem-count")).to_have_text("4")
        page.go_back()
        expect(page.locator(".tile", has_text="blocked.jpg").locator("img")).to_have_count(1)
        page.close()

"""Deleting pictures on the page, and restoring them, in a real browser."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from commands import draw, write_pipeline
from web.browser import CHROMIUM, find_violations, open_page, served
from web.test_journeys import Keyboard

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="NOT TESTED: there is no chromium")

RENDITIONS = "[renditions.thumb]\nwidth = 20\nheight = 20\nfit = 'cover'\ngravity = 'focus'\n"
NAMES = [f"bag-{number}.jpg" for number in range(6)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    write_pipeline(folder, RENDITIONS)
    for number, name in enumerate(NAMES):
        draw(folder / "inbox" / name, 64, 48, seed=number)
    return folder


@pytest.fixture
def page(page: Page) -> Page:
    page.bring_to_front()  # Chromium drops keys for a page without the focus
    expect(page.locator("#gallery img")).to_have_count(len(NAMES), timeout=60_000)
    return page


def send(address: str, method: str = "GET", body: Any = None) -> Any:
    """Call the API and return its answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 - our own
        address, data, {"Content-Type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)


def test_undo_brings_a_picture_back_with_its_renditions_and_its_focus(
    page: Page, address: str, folder: Path
) -> None:
    name = NAMES[0]
    url = f"{address}/pictures/{name}"
    send(f"{url}/focus", "PUT", {"x": 10, "y": 90})
    deadline = time.monotonic() + 60
    while "focus" not in (before := send(url)).get("renditions", {}).get("thumb", {}):
        assert time.monotonic() < deadline, before
        time.sleep(0.1)
    page.goto(f"{address}/?picture={name}")
    page.get_by_role("button", name="Delete").click()  # no question: it can be undone
    expect(page.locator("#undo")).to_contain_text(f"Deleted {name}.")
    expect(page.locator("#gallery img")).to_have_count(len(NAMES) - 1)
    assert not (folder / "inbox" / name).exists()
    assert not list((folder / "processed").glob(f"{name}/*"))
    page.get_by_role("button", name=f"Undo: restore {name}").click()
    expect(page.locator("#undo")).to_be_hidden()
    expect(page.locator("#gallery img")).to_have_count(len(NAMES))
    after = send(url)
    assert after["focus"] == before["focus"]
    assert after["renditions"]["thumb"]["sha256"] == before["renditions"]["thumb"]["sha256"]
    assert (folder / "processed" / name / "thumb.jpg").is_file()


def test_a_person_can_delete_a_picture_and_undo_the_deletion_by_keyboard_alone(
    page: Page, folder: Path
) -> None:
    keyboard = Keyboard(page)
    keyboard.press("g", "Enter")
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    name = page.locator("#picture-title").text_content()
    expect(page.get_by_role("button", name="Delete")).to_be_visible()
    keyboard.press_until("Tab", "Delete", 10)
    keyboard.press("Enter")
    expect(page.locator("#undo")).to_contain_text(f"Deleted {name}.")
    assert not (folder / "inbox" / str(name)).exists()
    keyboard.press("z")
    expect(page.locator("#undo")).to_be_hidden()
    expect(page.locator("#gallery img")).to_have_count(len(NAMES))
    assert len(keyboard.pressed) <= 12, keyboard.pressed


def test_a_deleted_picture_can_be_restored_from_the_bin_in_two_tabs(
    browser: Browser, page: Page, address: str
) -> None:
    binned = send(f"{address}/pictures/{NAMES[3]}", "DELETE")
    tabs = [page, browser.new_page()]
    for tab in tabs:
        tab.goto(address)
        tab.get_by_role("link", name="Bin").click()
        expect(tab.get_by_role("heading", name=NAMES[3])).to_be_visible()
    assert find_violations(page) == []
    # The first tab gets no answer about the bin any more, so it still shows the picture after the second tab
    # has restored it.
    page.route("**/bin", lambda _: None)
    tabs[1].get_by_role("button", name=f"Restore {NAMES[3]}").click()
    expect(tabs[1].locator("#bin")).to_contain_text("The bin is empty.")
    page.get_by_role("button", name=f"Restore {NAMES[3]}").click()
    expect(page.locator("#announcer")).to_contain_text(f"Restored {NAMES[3]}.")
    assert send(f"{address}/bin")["count"] == 0
    assert send(f"{address}/bin/{binned['deletion']}/{NAMES[3]}", "POST") == {"name": NAMES[3]}
    tabs[1].close()


def test_the_page_of_a_read_only_source_has_no_delete_button_and_no_bin(
    browser: Browser, tmp_path: Path
) -> None:
    write_pipeline(tmp_path, RENDITIONS)
    file = tmp_path / "renditions.toml"
    file.write_text(file.read_text().replace("[source]", "[source]\nread_only = true"))
    draw(tmp_path / "inbox" / "a.jpg", 40, 30)
    with served(tmp_path) as address:
        page = browser.new_page()
        page.goto(f"{address}/?picture=a.jpg")
        expect(page.get_by_role("link", name="Download the original")).to_be_visible(timeout=60_000)
        expect(page.get_by_role("button", name="Process again")).to_be_visible()
        expect(page.get_by_role("button", name="Delete")).to_have_count(0)
        page.keyboard.press("Escape")
        expect(page.get_by_role("link", name="Bin")).to_be_hidden()
        page.close()


@pytest.mark.parametrize(
    ("keep", "expected"),
    [("30 d", "Deleted pictures stay here for 30 d"), ("0 s", "There is no bin here. A deletion is final.")],
)
def test_the_bin_says_how_long_pictures_stay_as_soon_as_the_server_has_answered(
    browser: Browser, tmp_path: Path, keep: str, expected: str
) -> None:
    write_pipeline(tmp_path, RENDITIONS)
    file = tmp_path / "renditions.toml"
    file.write_text(file.read_text().replace("[source]", f'[source]\nkeep_deleted = "{keep}"'))
    with served(tmp_path) as address, open_page(browser) as page:
        page.route("**/status", _continue_late)
        page.goto(f"{address}/?view=bin")
        expect(page.locator("#bin .quiet")).not_to_have_text("Loading…")
        expect(page.locator("#bin .quiet")).to_contain_text(expected, timeout=1)


def _continue_late(route: Route) -> None:
    time.sleep(0.5)
    route.continue_()

"""Setting a picture's focus point on the page, in a real browser."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from commands import draw, write_pipeline
from web.browser import CHROMIUM, find_violations, served
from web.test_bin_page import send

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="NOT TESTED: there is no chromium")

NAMES = ("a.jpg", "b.jpg")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    write_pipeline(folder, "[renditions.thumb]\nwidth = 40\nheight = 40\nfit = 'cover'\ngravity = 'focus'\n")
    for number, name in enumerate(NAMES):
        draw(folder / "inbox" / name, 640, 320, seed=number)
    return folder


@pytest.fixture
def page(page: Page) -> Page:
    expect(page.locator("#gallery img")).to_have_count(len(NAMES), timeout=60_000)
    return page


def await_focus(url: str, focus: Any) -> None:
    """Wait until the picture's rendition is cut around this point."""
    deadline = time.monotonic() + 60
    while (found := send(url).get("renditions", {}).get("thumb", {})).get("focus") != focus or not found:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_a_click_on_the_original_sets_the_focus_point_and_the_page_shows_it(page: Page, address: str) -> None:
    page.goto(f"{address}/?picture=a.jpg")
    page.get_by_text("Focus point: not set").click()
    picture = page.locator(".spot img")
    expect(picture).to_have_js_property("complete", value=True)
    box = picture.bounding_box()
    assert box
    picture.click(position={"x": box["width"] * 0.25, "y": box["height"] * 0.75})
    expect(page.get_by_text("Focus point: 25 % from the left, 75 % from the top")).to_be_visible()
    await_focus(f"{address}/pictures/a.jpg", {"x": 25, "y": 75})
    mark = page.locator(".spot span").bounding_box()
    box = picture.bounding_box()
    assert mark
    assert box
    centre = mark["x"] + mark["width"] / 2 - box["x"], mark["y"] + mark["height"] / 2 - box["y"]
    assert centre == pytest.approx((box["width"] * 0.25, box["height"] * 0.75), abs=1.5)
    assert find_violations(page) == []


def test_the_keyboard_sets_and_removes_the_focus_point(page: Page, address: str) -> None:
    page.goto(f"{address}/?picture=b.jpg")
    page.locator("summary", has_text="Focus point").press("Enter")
    page.get_by_label("Percent from the left").press_sequentially("120")
    page.keyboard.press("Tab")
    page.keyboard.type("10")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Percent from the left")).to_have_js_property(
        "validity.rangeOverflow", value=True
    )
    assert "focus" not in send(f"{address}/pictures/b.jpg")
    page.get_by_label("Percent from the left").fill("12.5")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Focus point: 12.5 % from the left, 10 % from the top")).to_be_visible()
    await_focus(f"{address}/pictures/b.jpg", {"x": 12.5, "y": 10})
    page.get_by_role("button", name="Remove").press("Enter")
    expect(page.get_by_text("Focus point: not set")).to_be_visible()
    expect(page.locator("#announcer")).to_have_text("Focus point removed.")
    await_focus(f"{address}/pictures/b.jpg", None)


def test_without_a_rendition_that_follows_the_focus_point_the_page_offers_none(
    browser: Browser, tmp_path: Path
) -> None:
    write_pipeline(tmp_path, "[renditions.thumb]\nwidth = 20")
    draw(tmp_path / "inbox" / "a.jpg", 40, 30)
    with served(tmp_path) as address:
        page = browser.new_page()
        page.goto(f"{address}/?picture=a.jpg")
        expect(page.get_by_role("table")).to_be_visible(timeout=60_000)
        expect(page.get_by_text("Focus point")).to_have_count(0)
        page.close()

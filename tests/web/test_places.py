"""The URLs of the page's places, in a real browser on the real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from commands import draw, write_pipeline
from web.browser import open_page, served

THUMB = "[renditions.thumb]\nwidth = 20\n"
NAMES = ("2026/c & d.jpg", "a.jpg", "b.jpg")
TOKEN = "a-token-for-the-test"  # noqa: S105 - for tests


@pytest.fixture(scope="module")
def address(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    write_pipeline(folder, THUMB)
    for number, name in enumerate(NAMES):
        draw(folder / "inbox" / name, 40, 30, seed=number)
    (folder / "inbox" / "broken.jpg").write_text("not a picture")
    with served(folder) as address:
        page = browser.new_page()
        page.goto(address)
        expect(page.locator("#gallery li")).to_have_count(len(NAMES) + 1, timeout=60_000)
        page.close()
        yield address


@pytest.fixture
def page(page: Page) -> Page:
    expect(page.locator("#gallery li")).to_have_count(len(NAMES) + 1)
    return page


def test_the_url_of_an_open_picture_opens_the_same_picture_in_another_tab(
    page: Page, browser: Browser
) -> None:
    page.locator(".tile", has_text="c & d.jpg").click()
    expect(page.get_by_role("dialog", name=NAMES[0])).to_be_visible()
    assert page.url.endswith("?picture=2026%2Fc+%26+d.jpg")
    expect(page).to_have_title(f"{NAMES[0]} \N{EN DASH} Renditions")
    other = browser.new_page()
    other.goto(page.url)
    expect(other.get_by_role("dialog", name=NAMES[0])).to_contain_text("For a web page")
    other.get_by_role("button", name="Close").click()
    expect(other.get_by_role("dialog")).to_have_count(0)
    assert "picture" not in other.url
    expect(other.locator("#gallery li")).to_have_count(len(NAMES) + 1)
    other.close()


def test_going_back_first_closes_the_picture_then_removes_the_filter_and_stays_on_the_page(
    page: Page,
) -> None:
    page.get_by_role("button", name="done", exact=False).click()
    expect(page.locator("#gallery li")).to_have_count(len(NAMES))
    page.locator(".tile", has_text="a.jpg").click()
    expect(page.get_by_role("dialog", name="a.jpg")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".tile", has_text="a.jpg")).to_be_focused()
    assert page.url.endswith("?status=done")
    page.go_back()
    expect(page.locator("#gallery li")).to_have_count(len(NAMES) + 1)
    expect(page.get_by_role("button", name="all")).to_have_attribute("aria-pressed", "true")
    page.go_forward()
    expect(page.locator("#gallery li")).to_have_count(len(NAMES))
    page.go_forward()
    expect(page.get_by_role("dialog", name="a.jpg")).to_be_visible()


def test_the_buttons_previous_and_next_follow_the_gallery_and_going_back_closes_the_dialog_at_once(
    page: Page,
) -> None:
    names = [str(each.get_attribute("title")) for each in page.locator(".tile [title]").all()]
    page.locator(".tile").first.click()
    dialog = page.get_by_role("dialog")
    for name in names[1:]:
        page.keyboard.press("ArrowRight")
        expect(dialog.get_by_role("heading", level=2)).to_have_text(name)
    expect(dialog.get_by_role("button", name="Next")).to_have_attribute("aria-disabled", "true")
    dialog.get_by_role("button", name="Previous").click()
    expect(dialog.get_by_role("heading", level=2)).to_have_text(names[-2])
    page.go_back()
    expect(dialog).to_have_count(0)
    expect(page.locator(".tile", has_text=names[-2])).to_be_focused()


def test_a_click_on_the_backdrop_closes_the_picture(page: Page) -> None:
    page.locator(".tile", has_text="a.jpg").click()
    dialog = page.get_by_role("dialog", name="a.jpg")
    expect(dialog).to_contain_text("For a web page")
    dialog.get_by_text("For a web page").click()
    expect(dialog).to_be_visible()
    page.mouse.click(5, 5)
    expect(dialog).to_have_count(0)
    assert "picture" not in page.url


def test_a_repeated_escape_closes_the_picture_and_nothing_else(page: Page) -> None:
    page.get_by_role("button", name="done", exact=False).click()
    page.locator(".tile", has_text="a.jpg").click()
    expect(page.get_by_role("dialog", name="a.jpg")).to_be_visible()
    page.evaluate(
        "for (let time = 0; time < 3; time += 1) "
        "document.querySelector('#picture').dispatchEvent(new Event('cancel', { cancelable: true }))"
    )
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.wait_for_timeout(300)
    assert page.url.endswith("?status=done")


def test_a_click_with_the_control_key_opens_the_picture_in_another_tab(page: Page) -> None:
    with page.context.expect_page() as opened:
        page.locator(".tile", has_text="a.jpg").click(modifiers=["Control"])
    expect(opened.value.get_by_role("dialog", name="a.jpg")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    opened.value.close()


def test_the_page_at_the_url_of_a_missing_picture_says_that_it_is_missing(page: Page, address: str) -> None:
    page.goto(f"{address}/?picture=gone.jpg")
    expect(page.get_by_role("dialog", name="gone.jpg")).to_contain_text("There is no picture with this name.")


@pytest.mark.parametrize("name", ["../status", "a/../../ready", "..", "2026/./c & d.jpg"])
def test_a_name_with_dots_for_a_folder_sends_no_request_to_another_path(
    page: Page, address: str, name: str
) -> None:
    paths: list[str] = []
    page.on("request", lambda request: paths.append(urlsplit(request.url).path))
    page.goto(f"{address}/?picture={quote(name)}")
    expect(page.get_by_role("dialog", name=name)).to_contain_text("There is no picture with this name.")
    assert "/ready" not in paths
    assert [path for path in paths if path.startswith("/pictures/")] == []


def test_a_url_with_an_unknown_view_and_status_shows_all_pictures(browser: Browser, address: str) -> None:
    with open_page(browser) as page:  # it fails on an error of the page's scripts
        page.goto(f"{address}/?view=nowhere&status=finished")
        expect(page.locator("#gallery li")).to_have_count(len(NAMES) + 1)
        expect(page.locator("#filters [aria-pressed=true]")).to_have_text("all")
        expect(page.locator("nav [aria-current]")).to_contain_text("Pictures")


def test_chosen_filters_and_views_are_distinguishable_with_forced_colours(
    browser: Browser, address: str
) -> None:
    page = browser.new_page(forced_colors="active")
    page.goto(address)
    for chosen, other in (
        ("#filters [aria-pressed=true]", "#filters [aria-pressed=false]"),
        ("nav [aria-current]", "nav a:not([aria-current])"),
    ):
        colours = [
            page.locator(each).first.evaluate("(each) => getComputedStyle(each).backgroundColor")
            for each in (chosen, other)
        ]
        assert colours[0] != colours[1]
    page.close()


def test_a_login_leads_back_to_the_picture_of_the_url(browser: Browser, tmp_path: Path) -> None:
    write_pipeline(tmp_path, THUMB)
    draw(tmp_path / "inbox" / "a b.jpg", 40, 30)
    with served(tmp_path, "--token", TOKEN) as address:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{address}/?status=done&picture=a+b.jpg")
        page.get_by_role("textbox").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_be_visible()
        page.get_by_role("textbox").fill(TOKEN)
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog", name="a b.jpg")).to_contain_text("For a web page", timeout=30_000)
        assert page.url == f"{address}/?status=done&picture=a+b.jpg"
        context.close()

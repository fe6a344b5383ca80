"""The page for people who use a keyboard or a screen reader, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from commands import draw, write_pipeline
from web.browser import find_violations, served

RENDITIONS = "[renditions.thumb]\nwidth = 200\n[renditions.large]\nwidth = 300\nformat = 'webp'\n"
PICTURES = 12
MANY_UPLOADS = 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    write_pipeline(folder, RENDITIONS)
    for number in range(PICTURES):
        draw(folder / "inbox" / f"bag-{number:03}.jpg", 320, 240, seed=number)
    (folder / "inbox" / "broken.jpg").write_text("not a picture")
    return folder


@pytest.fixture(scope="module")
def address(browser: Browser, folder: Path) -> Iterator[str]:
    with served(folder) as address:
        page = browser.new_page()
        page.goto(address)
        expect(page.locator("[data-total=pictures]")).to_have_text(str(PICTURES + 1), timeout=60_000)
        page.close()
        yield address


@pytest.fixture
def page(page: Page) -> Page:
    expect(page.locator("#gallery li")).to_have_count(PICTURES + 1)
    return page


def read_focus(page: Page) -> str:
    """Return the name of the element with the focus."""
    name: str = page.evaluate(
        "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"
    )
    return name


def test_the_gallery_is_a_list_of_links_in_their_visible_order(page: Page) -> None:
    gallery = page.get_by_role("list", name="Pictures")
    expect(gallery.get_by_role("listitem")).to_have_count(PICTURES + 1)
    expect(gallery.get_by_role("link", name="bag-003.jpg, done", exact=True)).to_have_count(1)
    expect(gallery.get_by_role("link", name="broken.jpg, rejected: not a picture")).to_have_count(1)
    boxes = page.evaluate(
        "[...document.querySelectorAll('#gallery li')].map((item) => {"
        " const { top, left } = item.getBoundingClientRect();"
        " return [Math.round(top), Math.round(left), Number(item.getAttribute('aria-posinset'))]; })"
    )
    assert [each[2] for each in boxes] == list(range(1, PICTURES + 2))
    assert boxes == sorted(boxes)


def test_the_accessibility_tree_names_the_parts_of_the_page_and_of_a_picture(page: Page) -> None:
    expect(page.locator("body")).to_match_aria_snapshot(
        """
        - link "Skip to the content"
        - banner:
          - heading "Renditions" [level=1]
          - navigation "Views":
            - link "Pictures"
            - link "Problems 1"
        - main:
          - region "Drop pictures here":
            - heading "Drop pictures here" [level=2]
            - paragraph:
              - button "choose files"
              - button "take a photo"
          - region "Pictures":
            - heading "Pictures" [level=2]
            - group "Show":
              - button "all" [pressed]
              - button "done 12"
              - button "rejected 1"
            - list "Pictures":
              - listitem
        - contentinfo:
          - link "API"
          - button "Keyboard"
        """
    )
    page.get_by_role("link", name="bag-003.jpg").click()
    expect(page.get_by_role("dialog", name="bag-003.jpg")).to_match_aria_snapshot(
        """
        - dialog "bag-003.jpg":
          - heading "bag-003.jpg" [level=2]
          - button "Previous"
          - button "Next"
          - button "Close"
          - img "Original of bag-003.jpg"
          - img "large of bag-003.jpg"
          - slider "Compare the original with large"
          - button "Process again"
          - link "Download the original"
          - button "Delete"
          - table "The original and its renditions"
          - heading "For a web page" [level=3]
          - button "Copy"
          - group "HTML for a web page"
          - heading "History" [level=3]
          - list
        """
    )


def test_the_keyboard_focus_stays_on_a_tile_while_pictures_come_and_change(page: Page, folder: Path) -> None:
    page.get_by_role("link", name="bag-005.jpg").focus()
    draw(folder / "inbox" / "newer.jpg", 320, 240, seed=70)
    expect(page.locator("#gallery li").first).to_contain_text("newer.jpg", timeout=30_000)
    assert read_focus(page).startswith("bag-005.jpg")
    draw(folder / "inbox" / "bag-005.jpg", 300, 200, seed=71)
    expect(page.get_by_role("link", name="bag-005.jpg")).to_be_focused()
    (folder / "inbox" / "newer.jpg").unlink()
    expect(page.get_by_role("link", name="newer.jpg")).to_have_count(0, timeout=30_000)
    assert read_focus(page).startswith("bag-005.jpg")


def test_the_keyboard_focus_moves_to_the_next_tile_when_the_focused_one_disappears(
    page: Page, folder: Path
) -> None:
    draw(folder / "inbox" / "short-lived.jpg", 320, 240, seed=72)
    page.get_by_role("link", name="short-lived.jpg").focus(timeout=30_000)
    following = page.locator("#gallery li").nth(1).locator("[title]")
    name = str(following.get_attribute("title"))
    (folder / "inbox" / "short-lived.jpg").unlink()
    expect(page.get_by_role("link", name="short-lived.jpg")).to_have_count(0, timeout=30_000)
    assert read_focus(page).startswith(f"{name}, ")


def test_the_keyboard_focus_moves_to_the_next_tile_after_the_open_picture_was_deleted(
    page: Page, folder: Path
) -> None:
    draw(folder / "inbox" / "deleted.jpg", 320, 240, seed=74)
    tile = page.get_by_role("link", name="deleted.jpg")
    tile.focus(timeout=30_000)
    name = str(page.locator("#gallery li").nth(1).locator("[title]").get_attribute("title"))
    tile.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Delete").press("Enter")
    expect(page.get_by_role("button", name="Undo: restore deleted.jpg")).to_be_visible(timeout=30_000)
    expect(tile).to_have_count(0, timeout=30_000)
    expect(page.get_by_role("link", name=name)).to_be_focused()


def test_the_keyboard_focus_returns_to_a_problem_that_was_shown_again_meanwhile(
    page: Page, folder: Path
) -> None:
    page.get_by_role("link", name="Problems").click()
    link = page.locator(".cause").get_by_role("link", name="broken.jpg")
    link.press("Enter")
    expect(page.get_by_role("dialog", name="broken.jpg")).to_be_visible()
    other = folder / "inbox" / "other.jpg"
    other.write_text("not a picture either")
    expect(page.locator(".cause a", has_text="other.jpg")).to_have_count(1, timeout=30_000)
    page.keyboard.press("Escape")
    expect(link).to_be_focused()
    other.unlink()
    expect(page.locator(".cause a", has_text="other.jpg")).to_have_count(0, timeout=30_000)


def test_the_keyboard_focus_stays_when_the_open_picture_changes_or_is_processed_again(
    page: Page, folder: Path
) -> None:
    page.get_by_role("link", name="bag-006.jpg").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Copy").focus()
    draw(folder / "inbox" / "bag-006.jpg", 300, 200, seed=73)
    expect(dialog).to_contain_text("300×200", timeout=30_000)
    expect(dialog.get_by_role("button", name="Copy")).to_be_focused()
    dialog.get_by_role("button", name="Process again").press("Enter")
    expect(dialog.get_by_role("status")).to_have_text("unchanged: it is up to date", timeout=30_000)
    expect(dialog.get_by_role("button", name="Process again")).to_be_focused()


def test_three_hundred_uploads_share_one_live_region_with_a_summary(page: Page, tmp_path: Path) -> None:
    """The files are refused before they are sent, so the test is fast."""
    files = [tmp_path / f"{number}.exe" for number in range(MANY_UPLOADS)]
    for file in files:
        file.write_bytes(b"MZ")
    page.set_input_files("#choose", files)
    summary = page.locator("#uploads .summary")
    expect(summary).to_have_text("0 done, 300 refused of 300 pictures", timeout=180_000)
    assert page.locator("[role=status], [role=alert], [aria-live]").count() == 1
    expect(page.get_by_role("status")).to_contain_text("Uploads ended: 0 done, 300 refused of 300 pictures")
    assert page.locator("#uploads ul").evaluate("(list) => list.clientHeight") <= 400
    page.get_by_role("button", name="Clear finished").press("Enter")
    assert read_focus(page) == "Pictures"


def test_arrow_keys_move_between_tiles_and_a_question_mark_opens_the_list_of_keys(page: Page) -> None:
    page.keyboard.press("g")
    names = [f"{each.get_attribute('title')}, " for each in page.locator("#gallery [title]").all()]
    assert read_focus(page).startswith(names[0])
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert read_focus(page).startswith(names[2])
    page.keyboard.press("End")
    assert read_focus(page).startswith(names[-1])
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard")
    expect(dialog).to_be_visible()
    dialog.get_by_role("checkbox", name="Use single letters as shortcuts").uncheck()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert read_focus(page).startswith(names[-1])
    page.keyboard.press("g")
    assert read_focus(page).startswith(names[-1])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1440])
def test_the_accessibility_checker_finds_nothing_in_the_views_of_the_page(
    browser: Browser, address: str, scheme: Any, width: int, tmp_path: Path
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto(address)
    expect(page.locator("#gallery img").first).to_be_visible()
    assert find_violations(page) == []
    draw(tmp_path / "bag-001.jpg", 320, 240)
    page.set_input_files("#choose", tmp_path / "bag-001.jpg")
    expect(page.get_by_role("dialog", name="bag-001.jpg already exists")).to_be_visible(timeout=30_000)
    assert find_violations(page) == []
    page.get_by_role("button", name="Skip").click()
    expect(page.locator("#uploads li.bad")).to_have_count(1)
    assert find_violations(page) == []
    page.keyboard.press("p")
    expect(page.get_by_role("heading", name="1 picture rejected")).to_be_visible()
    assert find_violations(page) == []
    for name in ("bag-002.jpg", "broken.jpg"):
        page.goto(f"{address}/?picture={name}")
        expect(page.get_by_role("heading", name="History")).to_be_visible()
        assert find_violations(page) == []
        assert page.locator("#picture").evaluate("(view) => view.scrollWidth <= view.clientWidth")
        page.keyboard.press("Escape")
    page.get_by_role("button", name="Keyboard").click()
    assert find_violations(page) == []
    page.keyboard.press("Escape")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.goto(f"{address}/docs")
    expect(page.locator("#operations section").first).to_be_visible()
    assert find_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()


def test_the_page_moves_nothing_for_people_who_ask_for_less_motion(browser: Browser, address: str) -> None:
    page = browser.new_page(reduced_motion="reduce")
    page.goto(address)
    expect(page.locator("#gallery img").first).to_be_visible()
    assert page.evaluate(
        "[...document.querySelectorAll('*')].every((each) => {"
        " const { transitionDuration, animationName, scrollBehavior } = getComputedStyle(each);"
        " return transitionDuration === '0s' && animationName === 'none' && scrollBehavior === 'auto'; })"
    )
    page.close()

"""The page offline, without HTTPS, and in an old browser.

There is also a test with a changed pipeline file. The page runs in a real browser on the real server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from commands import draw, write_pipeline
from renditions.model.recipe import Rendition
from renditions.web.app import make_app
from renditions.web.pages import STATIC
from renditions.web.reach import Reach
from web.browser import LAN_HOST, answered, find_port, open_page, served, start_server, wait_for
from web.test_api import open_service
from world import World

RENDITIONS = "[renditions.thumb]\nwidth = 20\n[renditions.large]\nwidth = 30\nformat = 'webp'\n"
TOKEN = "a-token-for-the-test"  # noqa: S105 - for tests

NEWER_THAN_2022 = """
for (const [kind, names] of [
  [Map, ['groupBy']], [Object, ['groupBy']], [Promise, ['withResolvers', 'try']],
  [URL, ['canParse', 'parse']], [Array, ['fromAsync']],
  [Array.prototype, ['findLast', 'findLastIndex', 'toReversed', 'toSorted', 'toSpliced', 'with']],
  [Set.prototype, ['union', 'intersection', 'difference']], [URLSearchParams.prototype, ['size']],
  [Element.prototype, ['moveBefore', 'setHTML', 'checkVisibility', 'showPopover']],
  [AbortSignal, ['timeout', 'any']],
  [window, ['SharedWorker', 'structuredClone', 'navigation', 'scheduler', 'CloseWatcher']],
]) for (const name of names) delete kind[name];
"""
"""A script that removes functions that a browser of 2022 may lack."""


@pytest.fixture(scope="module")
def address(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    write_pipeline(folder, RENDITIONS)
    draw(folder / "inbox" / "good.jpg", 40, 30)
    (folder / "inbox" / "broken.jpg").write_text("not a picture")
    with served(folder) as address:
        page = browser.new_page()
        page.goto(address)
        expect(page.locator("#gallery li")).to_have_count(2, timeout=60_000)
        expect(page.locator(".tile img")).to_have_count(1)
        page.close()
        yield address


def test_a_filter_shows_the_loaded_pictures_while_the_server_is_unreachable(
    browser: Browser, address: str
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    expect(page.locator("#gallery li")).to_have_count(2)
    context.set_offline(True)
    page.get_by_role("button", name="rejected").click()
    expect(page.locator("#gallery li")).to_have_count(1)
    expect(page.locator("#note")).to_have_text(
        "Can't reach the server. These pictures were loaded before. Trying again…"
    )
    page.get_by_role("button", name="failed").click()
    expect(page.locator("#note")).to_have_text(
        "Can't reach the server. No pictures were loaded before. Trying again…"
    )
    page.get_by_role("button", name="all").click()
    page.locator(".tile", has_text="broken.jpg").click()
    dialog = page.get_by_role("dialog", name="broken.jpg")
    expect(dialog).to_contain_text("rejected: not a picture")
    expect(dialog).to_contain_text("Can't reach the server. Trying again…")
    context.set_offline(False)
    expect(dialog.get_by_role("heading", name="History")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#note")).to_be_hidden()
    context.close()


def test_rejected_pictures_show_their_reason_in_the_gallery(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(address)
    frame = page.locator(".tile", has_text="broken.jpg").locator(".frame")
    expect(frame).to_contain_text("not a picture in a known format")
    page.close()


def test_a_small_tile_shows_only_whole_lines_of_a_long_reason(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(address)
    shown = page.locator(".tile", has_text="broken.jpg").locator(".frame span").first
    shown.evaluate("(element) => { element.textContent = 'a long reason '.repeat(40); }")
    cut = shown.evaluate(
        """(element) => {
          const range = document.createRange();
          range.selectNodeContents(element);
          const { bottom } = element.getBoundingClientRect();
          const isCut = (line) => line.top + 2 < bottom && line.bottom - 2 > bottom;
          return [...range.getClientRects()].filter(isCut).length;
        }"""
    )
    assert cut == 0
    page.close()


def test_a_picture_with_a_long_rendition_name_needs_no_sideways_scrolling_on_a_telephone(
    browser: Browser,
) -> None:
    world = World()
    world.pipeline = replace(world.pipeline, renditions={"a_name_of_a_rendition_" * 3: Rendition()})
    world.upload("photo.jpg", b"one")
    service = open_service(world)
    service.process("photo.jpg")
    with (
        answered(make_app(service, secret=b"s", reach=Reach())) as address,
        open_page(browser, 390, 844) as page,
    ):
        page.goto(f"{address}/?picture=photo.jpg")
        dialog = page.locator("#picture")
        expect(dialog.locator("table")).to_be_visible()
        assert dialog.evaluate("(each) => each.scrollWidth - each.clientWidth") == 0
        page.keyboard.press("Escape")
        title, views = page.locator("h1").bounding_box(), page.locator("nav").bounding_box()
        assert title
        assert views
        assert title["y"] + title["height"] <= views["y"]


def test_a_picture_says_what_to_do_if_its_rendition_can_not_be_loaded(browser: Browser, address: str) -> None:
    with open_page(browser) as page:
        page.route("**/renditions/large/**", lambda route: route.abort())
        page.goto(f"{address}/?picture=good.jpg")
        dialog = page.get_by_role("dialog", name="good.jpg")
        expect(dialog).to_contain_text(
            "The rendition large can't be loaded. If it is lost, process the picture again."
        )
        expect(dialog.get_by_alt_text("Original of good.jpg")).to_be_visible()
        expect(dialog.get_by_role("slider")).to_have_count(0)


def read_paste(page: Page) -> str:
    """Return what the clipboard pastes into a text field."""
    page.evaluate(
        "document.querySelector('dialog[open]').append(Object.assign("
        "document.createElement('textarea'), { id: 'paste' }))"
    )
    page.locator("#paste").focus()
    page.keyboard.press("Control+v")
    return page.locator("#paste").input_value()


def test_the_copy_button_works_on_a_page_without_a_secure_context(browser: Browser, tmp_path: Path) -> None:
    write_pipeline(tmp_path, RENDITIONS)
    draw(tmp_path / "inbox" / "good.jpg", 40, 30)
    port = find_port()
    server = start_server(tmp_path, port, "--allowed-host", f"{LAN_HOST}:{port}", "--token", TOKEN)
    try:
        wait_for(f"http://127.0.0.1:{port}")
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"http://{LAN_HOST}:{port}/?picture=good.jpg")
        page.get_by_role("textbox").fill(TOKEN)
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="good.jpg")
        copy = dialog.get_by_role("button", name="Copy")
        expect(copy).to_be_visible(timeout=30_000)
        assert page.evaluate("[isSecureContext, navigator.clipboard === undefined]") == [False, True]
        text = dialog.get_by_role("group", name="HTML for a web page").inner_text()
        copy.click()
        expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
        assert read_paste(page) == text
        context.close()
    finally:
        server.terminate()
        server.wait(60)


def test_a_browser_of_2022_shows_and_opens_pictures(browser: Browser, address: str) -> None:
    context = browser.new_context()
    context.add_init_script(NEWER_THAN_2022)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    page.locator(".tile", has_text="good.jpg").click()
    expect(page.get_by_role("dialog").get_by_role("heading", name="History")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()  # until then, a letter is for the dialog
    page.keyboard.press("p")
    expect(page.locator(".cause")).to_have_count(1)
    page.goto(f"{address}/docs")
    listing = page.locator(
        "#operations section", has=page.get_by_role("heading", name="GET /pictures", exact=True)
    )
    listing.get_by_text("Try it").click()
    listing.get_by_label("status").select_option("rejected")
    with page.expect_response("**/pictures?status=rejected"):
        listing.get_by_role("button", name="Send").click()
    assert errors == []
    context.close()


def test_the_style_sheet_has_no_nesting_and_no_newer_colours_selectors_or_rules() -> None:
    """Some browsers of 2022 lack these features, and would show the page differently.

    The test finds only the features in its list. These browsers also ignore unknown properties. That does no
    harm if the page works without the properties.
    """
    style = (STATIC / "style.css").read_text("utf-8")
    newer = r"light-dark\(|color-mix\(|oklch\(|:has\(|@layer|@scope|@container|@starting-style|text-wrap|&"
    assert re.findall(newer, style) == []


def test_the_page_reports_a_changed_pipeline_file_and_an_invalid_pipeline_file(
    browser: Browser, tmp_path: Path
) -> None:
    write_pipeline(tmp_path, "[renditions.thumb]\nwidth = 20\n")
    draw(tmp_path / "inbox" / "photo.jpg", 40, 30)
    with served(tmp_path) as address:
        page = browser.new_page()
        page.goto(f"{address}/?picture=photo.jpg")
        dialog = page.get_by_role("dialog", name="photo.jpg")
        expect(dialog).to_contain_text("20×15", timeout=60_000)
        write_pipeline(tmp_path, "[renditions.thumb]\nwidth = 30\n")
        expect(dialog).to_contain_text("30×23", timeout=60_000)
        page.keyboard.press("Escape")
        banner = page.locator("#held")
        expect(banner).to_contain_text(
            "The pipeline file has changed. Its new version applies", timeout=30_000
        )
        banner.get_by_role("button", name="OK").click()
        expect(banner).to_be_hidden()
        write_pipeline(tmp_path, "[renditions.thumb]\nwidth = -1\n")
        expect(banner).to_contain_text("the last valid version stays in use", timeout=30_000)
        expect(banner).to_contain_text("renditions.thumb.width")
        page.close()

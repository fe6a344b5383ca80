"""Many tabs that share one connection for events, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from commands import draw, write_pipeline
from web.browser import find_port, served, start_server, wait_for

THUMB = "[renditions.thumb]\nwidth = 20\n"
TABS = 7
"""More than the six connections that a browser opens to one server."""


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    yield context
    context.close()


def test_seven_tabs_load_the_page_and_show_a_picture_that_one_of_them_uploads(
    context: BrowserContext, tmp_path: Path
) -> None:
    write_pipeline(tmp_path, THUMB)
    draw(tmp_path / "photo.jpg", 40, 30)
    with served(tmp_path) as address:
        pages = [context.new_page() for _ in range(TABS)]
        for page in pages:
            page.goto(address)
            expect(page.locator("#connection")).to_have_text("live", timeout=30_000)
        pages[-1].set_input_files("#choose", tmp_path / "photo.jpg")
        expect(pages[-1].locator("#uploads li.good")).to_have_count(1, timeout=60_000)
        for page in pages:
            expect(page.locator(".tile img")).to_have_count(1)
        pages[0].close()
        (tmp_path / "inbox" / "photo.jpg").unlink()
        for page in pages[1:]:
            expect(page.locator(".tile")).to_have_count(0, timeout=30_000)


def test_a_tab_without_shared_workers_has_a_stream_of_its_own(
    context: BrowserContext, tmp_path: Path
) -> None:
    write_pipeline(tmp_path, THUMB)
    context.add_init_script("delete window.SharedWorker")
    with served(tmp_path) as address:
        page = context.new_page()
        page.goto(address)
        expect(page.locator("#connection")).to_have_text("live", timeout=30_000)
        draw(tmp_path / "inbox" / "photo.jpg", 40, 30)
        expect(page.locator(".tile img")).to_have_count(1, timeout=30_000)


def test_a_tab_opens_another_stream_if_its_stream_is_silent_for_too_long(
    context: BrowserContext, tmp_path: Path
) -> None:
    """After a computer has slept, a browser may not notice that a connection is dead."""
    write_pipeline(tmp_path, THUMB)
    context.add_init_script("delete window.SharedWorker")  # so that the page sees the requests
    page = context.new_page()
    page.clock.install()
    with served(tmp_path) as address:
        page.goto(address)
        expect(page.locator("#connection")).to_have_text("live")
        with page.expect_response("**/events"):
            page.clock.fast_forward(40_000)
        expect(page.locator("#connection")).to_have_text("live")


def test_a_tab_asks_for_events_again_if_the_server_was_too_busy_at_first(
    context: BrowserContext, tmp_path: Path
) -> None:
    write_pipeline(tmp_path, THUMB)
    context.add_init_script("delete window.SharedWorker")  # so that the route sees the request
    page = context.new_page()
    page.clock.install()
    page.route("**/events", lambda route: route.fulfill(status=503), times=1)
    with served(tmp_path) as address:
        with page.expect_response("**/events"):
            page.goto(address)
        expect(page.locator("#connection")).to_have_text("updated every few seconds")
        page.clock.fast_forward(10_000)
        expect(page.locator("#connection")).to_have_text("live")


def test_a_tab_shows_the_changes_that_happened_while_the_server_was_down(
    context: BrowserContext, tmp_path: Path
) -> None:
    write_pipeline(tmp_path, THUMB)
    draw(tmp_path / "inbox" / "before.jpg", 40, 30)
    port = find_port()
    address = f"http://127.0.0.1:{port}"
    first = start_server(tmp_path, port)
    wait_for(address)
    page = context.new_page()
    page.goto(address)
    expect(page.locator(".tile img")).to_have_count(1, timeout=30_000)
    expect(page.locator("#connection")).to_have_text("live")
    first.terminate()
    first.wait(60)
    expect(page.locator("#connection")).to_have_text("lost, trying again", timeout=30_000)
    expect(page.get_by_role("status")).to_contain_text("The connection to the server is lost.")
    draw(tmp_path / "inbox" / "meanwhile.jpg", 40, 30, seed=2)
    second = start_server(tmp_path, port)
    try:
        expect(page.locator("#connection")).to_have_text("live", timeout=60_000)
        expect(page.locator(".tile", has_text="meanwhile.jpg")).to_have_count(1, timeout=30_000)
    finally:
        second.terminate()
        second.wait(60)

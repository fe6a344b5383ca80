"""The page in a browser that blocks cookies and all other data of sites."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from renditions.web.app import make_api, make_app
from renditions.web.reach import Reach
from renditions.web.uploads import LocalUploads
from web.browser import answered, open_browser_without_site_data
from web.test_api import open_service
from world import World

BLOCKED = "Your browser blocks cookies and site data here"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    with open_browser_without_site_data(tmp_path_factory.mktemp("profile")) as context:
        yield context


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []


def test_the_page_works_in_a_browser_that_blocks_site_data(page: Page) -> None:
    world = World()
    world.upload("photo.jpg", b"one")
    service = open_service(world)
    service.process("photo.jpg")
    with answered(make_app(service, secret=b"s", reach=Reach())) as address:
        page.goto(address)
        expect(page.locator("#connection")).to_have_text("live")
        expect(page.locator(".tile[data-status=done]")).to_have_count(1)
        page.keyboard.press("?")
        page.get_by_label("Use single letters as shortcuts").uncheck()
        page.keyboard.press("Escape")
        page.keyboard.press("p")
        expect(page.locator("#pictures")).to_be_visible()
        page.goto(f"{address}/docs")
        expect(page.locator("#operations section").first).to_be_visible()


def test_the_login_says_that_the_browser_blocks_the_cookie_with_the_token(page: Page) -> None:
    with answered(make_app(open_service(World()), secret=b"s", reach=Reach(), token="t")) as address:  # noqa: S106
        page.goto(address)
        expect(page.get_by_role("alert")).to_contain_text(BLOCKED)


def test_the_page_of_the_gateway_says_that_the_browser_can_not_keep_the_token(page: Page) -> None:
    service = open_service(World())
    with answered(make_api(service, LocalUploads(service, b"s"), origins=())) as address:
        page.goto(f"{address}/login")
        expect(page.get_by_role("alert").first).to_contain_text(BLOCKED)

"""Answers that come in another order than their requests, in a real browser.

Most tests hold the answer to an early request until a later one was answered. The page must keep showing
the later answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import APIResponse, Browser, Locator, Page, Route, expect

from commands import draw
from renditions.web.app import make_app
from renditions.web.pages import FILES
from renditions.web.pictures import picture_item
from renditions.web.reach import Reach
from renditions.web.service import Service
from web.browser import answered, await_any, open_page
from web.test_api import open_service
from world import World

NAME = "a.jpg"
BINNED = {
    "deletion": "20260101T000000Z-1", "name": NAME, "size_bytes": 9,
    "deleted_at": "2026-01-01T00:00:00Z", "kept_until": "2026-01-31T00:00:00Z",
}  # fmt: skip


@dataclass
class Site:
    """A server in this process, and its page."""

    world: World
    service: Service
    page: Page
    address: str
    held: list[tuple[Route, APIResponse]] = field(default_factory=list)
    """The answers that the page doesn't get yet."""
    has_held: bool = False

    def open(self, place: str = "") -> None:
        """Open the page, and wait until it gets events."""
        self.page.goto(f"{self.address}/{place}")
        expect(self.page.locator("#connection")).to_have_text("live")

    def hold_first(self, url: str, method: str = "GET") -> None:
        """Pass the first of these requests on at once, but hold back its answer."""

        def handle(route: Route) -> None:
            if self.has_held or route.request.method != method:
                route.fallback()
            else:
                self.has_held = True
                self.held.append((route, route.fetch()))

        self.page.route(url, handle)

    def release(self) -> None:
        """Give the page the held answers, and wait until its scripts have used them."""
        for route, response in self.held:
            with self.page.expect_request_finished(lambda found, route=route: found == route.request):  # type: ignore[misc]
                route.fulfill(response=response)
        self.held.clear()
        self.page.evaluate("new Promise((seen) => requestAnimationFrame(() => setTimeout(seen, 100)))")

    def process(self, content: bytes) -> None:
        """Change the picture, process it, and report it to the page."""
        self.world.upload(NAME, content)
        self.service.process(NAME)
        self.tell()

    def tell(self) -> None:
        """Report the picture to the page."""
        record = self.world.record(NAME)
        item = picture_item(self.service.parts.pipeline, self.service.links, record)
        self.service.announcements.tell({"name": NAME, "picture": item, "result": "done"})


@contextmanager
def opened(
    browser: Browser, change: Callable[[Service], Service] = lambda service: service
) -> Iterator[Site]:
    world = World()
    service = change(open_service(world))
    app = make_app(service, secret=b"s", reach=Reach())
    with answered(app) as address, open_page(browser) as page:
        page.add_init_script("delete window.SharedWorker")  # so that page.route sees the events
        yield Site(world, service, page, address)


@pytest.fixture
def site(browser: Browser) -> Iterator[Site]:
    with opened(browser) as site:
        yield site


def answer(route: Route, item: dict[str, Any], **changes: Any) -> None:
    route.fulfill(json=item | changes)


def add_pictures(site: Site, *names: str) -> None:
    for name in names:
        site.world.upload(name, b"one")
        site.service.process(name)


def test_older_totals_do_not_replace_newer_ones(site: Site) -> None:
    site.hold_first("**/stats")
    site.open()
    await_any(site.page, site.held)
    site.process(b"one")
    total = site.page.locator("[data-total=pictures]")
    expect(total).to_have_text("1")
    site.release()
    expect(total).to_have_text("1")


def test_the_page_does_not_repeat_a_failed_request_after_it_has_sent_a_later_request(site: Site) -> None:
    """While the server is away, the page asks for its status again and again."""
    site.open()
    ended = site.page.evaluate(f"""async () => {{
      const {{ inOrder, insist }} = await import('{site.address}/{FILES}api.js');
      const fail = () => {{ throw new TypeError('no answer'); }};
      const ask = inOrder((onTrouble) => insist(fail, onTrouble), () => {{}});
      const early = [ask(), ask()];
      ask();
      const late = new Promise((resolve) => {{ setTimeout(resolve, 20_000, false); }});
      return Promise.race([Promise.all(early).then(() => true), late]);
    }}""")
    assert ended


def test_an_older_status_does_not_replace_a_newer_one(browser: Browser) -> None:
    problems: list[str] = []
    with opened(
        browser, lambda service: replace(service, find_file_problem=lambda: next(iter(problems), None))
    ) as site:
        site.hold_first("**/status")
        site.open()
        await_any(site.page, site.held)
        problems.append("no number")
        site.process(b"one")
        banner = site.page.locator("#held")
        expect(banner).to_contain_text("stays in use: no number")
        site.release()
        assert "stays in use: no number" in str(banner.text_content()), "the page soon asks again"


def test_an_older_record_does_not_replace_a_newer_one_in_the_view_of_a_picture(site: Site) -> None:
    site.process(b"one")
    site.hold_first(f"**/pictures/{NAME}")
    site.open(f"?picture={NAME}")
    await_any(site.page, site.held)
    site.process(b"bad")
    view = site.page.get_by_role("dialog", name=NAME)
    expect(view.get_by_role("button", name="Try again")).to_be_visible()
    site.release()
    expect(view.get_by_role("button", name="Try again")).to_be_visible()


def test_the_view_of_a_new_picture_says_that_it_waits_until_its_record_comes(site: Site) -> None:
    site.world.upload(NAME, b"one")
    site.open(f"?picture={NAME}")
    view = site.page.get_by_role("dialog", name=NAME)
    expect(view).to_contain_text("This picture waits to be processed.")
    with site.page.expect_response(f"**/pictures/{NAME}"):
        site.service.announcements.tell({"name": NAME, "picture": None, "result": "waiting"})
    expect(view).to_contain_text("This picture waits to be processed.")
    site.service.process(NAME)
    site.tell()
    expect(view).to_contain_text("For a web page")


def test_an_older_list_of_problems_does_not_replace_a_newer_one(site: Site) -> None:
    site.hold_first("**/problems?status=rejected")
    site.open("?view=problems")
    await_any(site.page, site.held)
    site.process(b"bad")
    site.page.get_by_role("link", name="Pictures").click()
    site.page.get_by_role("link", name="Problems").click()
    expect(site.page.locator(".cause")).to_have_count(1)
    site.release()
    expect(site.page.locator(".cause")).to_have_count(1)


def test_an_older_list_of_the_bin_does_not_replace_a_newer_one(site: Site) -> None:
    found: list[Any] = [{"pictures": [BINNED], "count": 1}, {"pictures": [], "count": 0}]
    site.page.route("**/bin", lambda route: route.fulfill(json=found[-1]))
    site.hold_first("**/bin")
    site.page.route("**/status", lambda route: answer(route, route.fetch().json(), keep_deleted_seconds=99))
    site.open("?view=bin")
    await_any(site.page, site.held)
    site.process(b"one")
    expect(site.page.locator("#bin")).to_contain_text("The bin is empty.")
    for route, _ in site.held:
        route.fulfill(json=found[0])
    site.held.clear()
    site.release()
    expect(site.page.locator("#bin")).to_contain_text("The bin is empty.")


def test_an_older_list_of_changes_does_not_undo_a_newer_one(site: Site) -> None:
    """The page asks while it has no stream, and once more when the stream begins."""
    events: list[Route] = []
    site.process(b"bad")
    site.hold_first("**/pictures?history=true*")
    site.page.route("**/events", lambda route: events.append(route))  # noqa: PLW0108 - it wants no builtin
    site.page.goto(site.address)
    await_any(site.page, site.held)
    await_any(site.page, events)
    site.world.upload(NAME, b"one")
    site.service.process(NAME)
    events[0].continue_()
    done = site.page.locator(".tile[data-status=done]")
    expect(done).to_have_count(1)
    site.release()
    expect(done).to_have_count(1)


def test_the_button_delete_appears_only_after_the_server_has_said_whether_deletions_are_final(
    site: Site,
) -> None:
    site.process(b"one")
    status: list[Route] = []
    site.page.route("**/status", lambda route: status.append(route))  # noqa: PLW0108 - it wants no builtin
    site.open(f"?picture={NAME}")
    view = site.page.get_by_role("dialog", name=NAME)
    expect(view.get_by_role("button", name="Process again")).to_be_visible()
    expect(view.get_by_role("button", name="Delete")).to_have_count(0)
    for route in status:
        answer(route, route.fetch().json(), keep_deleted_seconds=99)
    expect(view.get_by_role("button", name="Delete")).to_be_visible()


def test_the_bin_says_how_long_it_keeps_pictures_as_soon_as_the_page_knows_it(site: Site) -> None:
    status: list[Route] = []
    site.page.route("**/status", lambda route: status.append(route))  # noqa: PLW0108 - it wants no builtin
    site.page.route("**/bin", lambda route: route.fulfill(json={"pictures": [BINNED], "count": 1}))
    with site.page.expect_response("**/bin"):
        site.open("?view=bin")
    await_any(site.page, status)
    site.release()
    expect(site.page.locator("#bin")).to_contain_text("Loading…")
    for route in status:
        answer(route, route.fetch().json(), keep_deleted_seconds=2 * 86_400)
    expect(site.page.locator("#bin")).to_contain_text("Each stays here for 2 days")


def open_while_the_list_loads(site: Site) -> Locator:
    """Open the newest of three pictures while the list is held; return its view."""
    add_pictures(site, "c.jpg", "b.jpg", NAME)
    site.hold_first("**/pictures?limit=*")
    site.open(f"?picture={NAME}")
    await_any(site.page, site.held)
    view = site.page.get_by_role("dialog")
    expect(view.get_by_role("heading", name=NAME)).to_be_focused()
    return view


def test_pressing_next_twice_while_the_list_loads_leads_two_pictures_further(site: Site) -> None:
    view = open_while_the_list_loads(site)
    site.page.keyboard.press("ArrowRight")
    site.page.keyboard.press("ArrowRight")
    site.release()
    expect(view.get_by_role("heading", name="c.jpg")).to_be_visible()


def test_a_step_requested_before_the_picture_was_closed_does_not_move_a_picture_that_is_opened_later(
    site: Site,
) -> None:
    view = open_while_the_list_loads(site)
    for key in ("ArrowRight", "ArrowRight", "Escape"):
        site.page.keyboard.press(key)
    expect(view).to_have_count(0)
    site.page.evaluate(
        f"history.pushState({{}}, '', '?picture={NAME}'); dispatchEvent(new Event('popstate'))"
    )
    site.release()
    expect(view.get_by_role("button", name="Previous")).to_have_attribute("aria-disabled", "true")
    expect(view.get_by_role("heading", name=NAME)).to_be_visible()


def test_a_refusal_that_comes_late_is_not_shown_with_another_picture(site: Site) -> None:
    add_pictures(site, "b.jpg", NAME)
    held: list[Route] = []
    site.page.route("**/process?again=true", lambda route: held.append(route))  # noqa: PLW0108 - it wants no builtin
    site.open(f"?picture={NAME}")
    view = site.page.get_by_role("dialog")
    view.get_by_role("button", name="Process again").click()
    await_any(site.page, held)
    view.get_by_role("button", name="Next").click()
    expect(view.get_by_role("heading", name="b.jpg")).to_be_visible()
    expect(view.get_by_role("heading", name="History")).to_be_visible()
    held[0].fulfill(status=400, json={"detail": "it was refused"})
    expect(view.get_by_role("status")).to_contain_text("it was refused")
    site.process(b"two")
    expect(view.locator("p.reason", has_text="it was refused")).to_have_count(0)


def test_both_uploads_of_one_name_end_if_the_second_replaces_the_first_at_once(
    browser: Browser, tmp_path: Path
) -> None:
    files = [tmp_path / folder / NAME for folder in ("one", "two")]
    for number, file in enumerate(files):
        draw(file, 40, 30, seed=number)
    with opened(browser, lambda service: replace(service, hint=lambda _: None)) as site:
        site.open()
        site.page.set_input_files("#choose", files)
        site.page.get_by_role("button", name="Replace").click()
        stored = site.page.locator("#uploads li", has_text="uploaded; the renditions will follow")
        expect(stored).to_have_count(2)
        site.service.process(NAME)
        site.tell()
        expect(site.page.locator("#uploads .summary")).to_have_text("2 done of 2 pictures")


def test_two_uploads_of_one_name_end_if_the_form_of_the_first_has_expired(site: Site, tmp_path: Path) -> None:
    files = [tmp_path / folder / NAME for folder in ("one", "two")]
    for number, file in enumerate(files):
        draw(file, 40, 30, seed=number)
    refused: list[Route] = []

    def refuse_first(route: Route) -> None:
        if refused:
            route.fallback()
        else:
            refused.append(route)
            route.fulfill(status=403, json={"detail": "the form has expired"})

    site.page.route("**/uploads/file", refuse_first)
    site.open()
    site.page.set_input_files("#choose", files)
    site.page.get_by_role("button", name="Keep both").click()
    expect(site.page.locator("#uploads li", has_text="the renditions will follow")).to_have_count(2)


def test_an_upload_that_is_cancelled_and_tried_again_at_once_is_sent_once(site: Site, tmp_path: Path) -> None:
    sent: list[str] = []
    site.page.on("request", lambda found: sent.append(found.url) if "/uploads/file" in found.url else None)
    site.hold_first("**/uploads", "POST")
    site.open()
    draw(tmp_path / NAME, 40, 30)
    site.page.set_input_files("#choose", tmp_path / NAME)
    await_any(site.page, site.held)
    site.page.get_by_role("button", name=f"Cancel {NAME}").press("Enter")
    site.page.get_by_role("button", name=f"Try {NAME} again").press("Enter")
    expect(site.page.get_by_role("button", name=f"Cancel {NAME}")).to_be_focused()
    site.release()
    expect(site.page.locator("#uploads li")).to_contain_text("the renditions will follow")
    site.release()
    assert len(sent) == 1

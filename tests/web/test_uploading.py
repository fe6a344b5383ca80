"""Ways to upload on the page, and failures during uploads.

The page runs in a real browser.
"""

from __future__ import annotations

import base64
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import APIResponse, Browser, Dialog, Page, Route, expect

from commands import draw, write_pipeline
from renditions.core.ask import Ask
from renditions.model.record import Record
from renditions.web.app import make_app
from renditions.web.pictures import picture_item
from renditions.web.reach import Reach
from web.browser import answered, await_any, find_port, find_violations, open_page, start_server, wait_for
from web.test_api import open_service
from world import World

RENDITIONS = "[renditions.thumb]\nwidth = 200\n"
GIVE = """([files, kind]) => {
  const data = new DataTransfer();
  for (const [name, content] of files) {
    const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
    data.items.add(new File([bytes], name, { type: 'image/jpeg' }));
  }
  const options = { bubbles: true, cancelable: true };
  document.querySelector('#gallery').dispatchEvent(
    kind === 'paste'
      ? new ClipboardEvent(kind, { ...options, clipboardData: data })
      : new DragEvent(kind, { ...options, dataTransfer: data }),
  );
}"""
"""A script that sends the events of dragging, dropping or pasting files."""

TOKEN = "a-token-for-the-test"  # noqa: S105 - for tests
UPLOAD_BYTES_PER_SECOND = 100_000
MANY = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    write_pipeline(folder, RENDITIONS)
    return folder


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with opened(browser, address) as page:
        yield page


@contextmanager
def opened(
    browser: Browser, address: str, prepare: Callable[[Page], object] = lambda _: None
) -> Iterator[Page]:
    """Yield the opened page.

    Fail on any error in the page.
    """
    with open_page(browser, 1000, 800) as page:
        prepare(page)
        page.goto(address)
        expect(page.locator("#connection")).to_have_text("live")
        yield page


def give(page: Page, kind: str, files: list[Path]) -> None:
    contents = [(file.name, base64.b64encode(file.read_bytes()).decode()) for file in files]
    page.evaluate(GIVE, [contents, kind])


def draw_some(folder: Path, name: str, count: int) -> list[Path]:
    files = [folder / f"{name} {number}.jpg" for number in range(count)]
    for number, file in enumerate(files):
        draw(file, 64, 48, seed=number)
    return files


def find_status(address: str, name: str) -> int:
    try:
        with urllib.request.urlopen(f"{address}/pictures/{quote(name)}", timeout=10) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_each_of_many_files_dropped_at_once_gets_renditions(page: Page, tmp_path: Path) -> None:
    files = draw_some(tmp_path, "dropped", MANY)
    give(page, "dragenter", files[:1])
    expect(page.locator("#drop")).to_have_class("over")
    give(page, "drop", files)
    expect(page.locator("#drop")).not_to_have_class("over")
    expect(page.locator("#uploads li.good")).to_have_count(MANY, timeout=60_000)
    page.locator("#clear").click()
    expect(page.locator("#uploads")).to_be_hidden()
    expect(page.locator(".tile[data-status=done]", has_text=f"dropped {MANY - 1}.jpg")).to_have_count(1)


def test_dropped_folders_are_uploaded_with_their_folders_and_without_hidden_files(
    page: Page, tmp_path: Path
) -> None:
    for name in ("shop/first.jpg", "shop/2026/second.jpg", "third.jpg"):
        draw(tmp_path / name, 64, 48)
    (tmp_path / "shop" / ".DS_Store").write_bytes(b"Finder's")
    files = [str(tmp_path / "shop"), str(tmp_path / "third.jpg")]
    data = {"items": [], "files": files, "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})
    expect(page.locator("#uploads li.good")).to_have_count(3, timeout=60_000)
    expect(page.locator("#uploads .summary")).to_have_text("3 done of 3 pictures")
    for name in ("shop/first.jpg", "shop/2026/second.jpg", "third.jpg"):
        expect(page.locator(".tile", has=page.get_by_title(name, exact=True))).to_have_count(1)


def test_a_file_that_was_deleted_before_its_upload_is_refused_with_the_reason(
    page: Page, tmp_path: Path
) -> None:
    (file,) = draw_some(tmp_path, "deleted", 1)
    held: list[Route] = []
    page.route("**/uploads", lambda route: held.append(route))  # noqa: PLW0108 - it wants no builtin
    page.set_input_files("#choose", file)
    await_any(page, held)
    file.unlink()
    held[0].continue_()
    expect(page.locator("#uploads li.bad")).to_contain_text("The browser can't read this file.")


def test_failed_uploads_stay_above_finished_uploads_and_can_be_tried_again_together(
    page: Page, tmp_path: Path
) -> None:
    lost, rows = draw_some(tmp_path, "lost", 3), page.locator("#uploads li")
    page.clock.install()
    page.route("**/uploads", lambda route: route.abort())
    page.set_input_files("#choose", lost)
    for attempt in range(1, 8):
        for row in rows.all():
            expect(row).to_contain_text(f"Trying again ({attempt} of 7)")
        page.clock.fast_forward(2 ** (attempt - 1) * 500)
    expect(page.locator("#uploads li.bad")).to_have_count(3)
    page.unroute("**/uploads")
    page.set_input_files("#choose", draw_some(tmp_path, "later", 2))
    expect(page.locator("#uploads li.good")).to_have_count(2, timeout=60_000)
    assert [row.get_attribute("class") for row in rows.all()] == ["bad", "bad", "bad", "good", "good"]
    page.get_by_role("button", name="Try 3 again").click()
    expect(page.locator("#uploads li.good")).to_have_count(5, timeout=60_000)
    expect(page.locator("#again-all")).to_be_hidden()


def test_the_browser_asks_before_it_leaves_a_page_with_unfinished_uploads(page: Page, tmp_path: Path) -> None:
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    held: list[Route] = []
    page.route("**/uploads", lambda route: held.append(route))  # noqa: PLW0108 - it wants no builtin
    page.set_input_files("#choose", draw_some(tmp_path, "unfinished", 1))
    await_any(page, held)
    page.locator("#uploads-title").click()  # browsers ask only after a person has used the page
    page.evaluate("setTimeout(() => location.reload())")
    await_any(page, asked)
    assert asked == ["beforeunload"]
    held[0].continue_()
    expect(page.locator("#uploads li.good")).to_have_count(1, timeout=60_000)
    page.reload()
    expect(page.locator("#uploads")).to_be_hidden()
    assert asked == ["beforeunload"]


def test_uploads_continue_after_a_new_log_in_when_the_server_no_longer_accepts_the_token(
    browser: Browser, tmp_path: Path
) -> None:
    held: list[Route] = []
    app = make_app(open_service(World()), secret=b"s", reach=Reach(), token=TOKEN)
    with answered(app) as address, open_page(browser) as page:
        page.goto(address)
        page.get_by_role("textbox").fill(TOKEN)
        # Only this poll could report results of the uploads.
        with page.expect_response("**/pictures?history=true*"):
            page.keyboard.press("Enter")
        expect(page.locator("#note")).to_have_text("No pictures yet.")
        page.route("**/uploads", lambda route: held.append(route), times=1)  # noqa: PLW0108 - it wants no builtin
        page.set_input_files("#choose", draw_some(tmp_path, "kept", 5))
        await_any(page, held)
        page.context.clear_cookies()
        held[0].continue_()
        dialog = page.get_by_role("dialog", name="Log in again")
        expect(dialog.get_by_role("textbox", name="Token")).to_be_focused()
        assert find_violations(page, "#login") == []
        dialog.evaluate("login => login.addEventListener('close', () => { login.dataset.closed = true; })")
        page.keyboard.press("Escape")
        # A page can't stop Chromium from closing a dialog at the second Escape. So the page opens it again.
        page.keyboard.press("Escape")
        expect(page.locator("#login[data-closed]")).to_be_visible()
        page.keyboard.type("another")
        page.keyboard.press("Enter")
        expect(dialog.get_by_role("alert")).to_have_text("Wrong token: try again.")
        page.keyboard.type(TOKEN)
        page.keyboard.press("Enter")
        expect(dialog).to_be_hidden()
        expect(page.locator("#uploads li", has_text="the renditions will follow")).to_have_count(5)


def test_the_names_of_uploads_can_be_read_on_a_telephone(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    draw(tmp_path / "a-name-of-a-photo.jpg", 64, 48)
    (tmp_path / "an-empty-picture.jpg").write_bytes(b"")
    held: list[Route] = []
    with open_page(browser, 390, 844) as page:
        page.goto(address)
        page.route("**/uploads/file", lambda route: held.append(route))  # noqa: PLW0108 - it wants no builtin
        page.set_input_files("#choose", list(tmp_path.glob("*.jpg")))
        expect(page.locator("#uploads li.bad")).to_have_count(1)
        await_any(page, held)
        cut = "(names) => names.filter((each) => each.scrollWidth > each.clientWidth).length"
        assert page.locator("#uploads .name").evaluate_all(cut) == 0
        assert page.locator("#uploads progress:visible").count() == 1
        assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_pasted_pictures_are_uploaded_and_pasted_text_is_ignored(page: Page, tmp_path: Path) -> None:
    give(page, "paste", [])
    expect(page.locator("#uploads")).to_be_hidden()
    give(page, "paste", draw_some(tmp_path, "pasted", 2))
    expect(page.locator("#uploads li.good")).to_have_count(2, timeout=60_000)


def test_photos_with_the_same_name_get_different_names(page: Page, tmp_path: Path) -> None:
    camera = page.locator("#shoot")
    assert (camera.get_attribute("capture"), camera.get_attribute("accept")) == ("environment", "image/*")
    for number in range(2):  # a telephone gives all its photos one name
        draw(tmp_path / "image.jpg", 64, 48, seed=number)
        camera.set_input_files(tmp_path / "image.jpg")
        expect(page.locator("#uploads li.good")).to_have_count(number + 1, timeout=60_000)
    for name in ("image.jpg", "image-2.jpg"):
        expect(page.locator(".tile", has=page.get_by_title(name, exact=True))).to_have_count(1)


def test_a_cancelled_upload_can_be_retried(page: Page, address: str, tmp_path: Path) -> None:
    draw(tmp_path / "slow.jpg", 900, 900, quality=100)
    with (tmp_path / "slow.jpg").open("ab") as file:
        file.write(bytes(20_000_000))  # more than fits into the buffers between browser and server
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    line = {"offline": False, "latency": 0, "downloadThroughput": -1}
    network.send("Network.emulateNetworkConditions", line | {"uploadThroughput": UPLOAD_BYTES_PER_SECOND})
    page.set_input_files("#choose", tmp_path / "slow.jpg")
    row = page.locator("#uploads li")
    expect(row).to_contain_text("uploading")
    assert row.locator("progress").evaluate("(progress) => progress.value") < 1
    row.get_by_role("button", name="Cancel slow.jpg").click()
    expect(row).to_contain_text("cancelled")
    network.send("Network.emulateNetworkConditions", line | {"uploadThroughput": -1})
    assert find_status(address, "slow.jpg") == 404
    row.get_by_role("button", name="Try slow.jpg again").click()
    expect(row).to_contain_text("done", timeout=60_000)
    expect(row).to_have_class("good")
    assert find_status(address, "slow.jpg") == 200


def test_the_page_holds_uploads_while_the_server_is_down_and_sends_them_afterwards(
    browser: Browser, tmp_path: Path
) -> None:
    """Files that are added meanwhile are sent once.

    Afterwards the page shows the changes that it missed while the server was down.
    """
    write_pipeline(tmp_path, RENDITIONS)
    port = find_port()
    server = start_server(tmp_path, port)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address)
        with opened(browser, address) as page:
            server.kill()
            server.wait()
            expect(page.locator("#connection")).to_have_text("lost, trying again")
            page.set_input_files("#choose", draw_some(tmp_path / "given", "given", 1))
            expect(page.locator("#uploads li")).to_contain_text("Trying again")
            draw(tmp_path / "inbox" / "copied.jpg", 64, 48)
            server = start_server(tmp_path, port)
            expect(page.locator("#uploads li.good")).to_have_count(1, timeout=60_000)
            expect(page.locator(".tile[data-status=done]")).to_have_count(2, timeout=60_000)
            expect(page.locator("#connection")).to_have_text("live")
    finally:
        server.terminate()
        server.wait(60)


def test_the_page_repeats_requests_that_failed(browser: Browser) -> None:
    world = World()
    world.upload("a.jpg", b"one")
    service = open_service(world)
    service.process("a.jpg")
    lost: list[str] = []

    def lose(route: Route) -> None:
        if route.request.url in lost:
            route.continue_()
        else:
            lost.append(route.request.url)
            route.abort()

    app = make_app(service, secret=b"s", reach=Reach())
    with (
        answered(app) as address,
        opened(browser, address, lambda page: page.route(re.compile(r"/(pictures\?|stats)"), lose)) as page,
    ):
        expect(page.locator(".tile[data-status=done]")).to_have_count(1)
        expect(page.locator("[data-total=pictures]")).to_have_text("1")
    assert {urlsplit(url).path for url in lost} == {"/stats", "/pictures"}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (502, "The server can't answer now: the server answered 502."),
        (200, "The server can't answer now: another program answered in its place."),
    ],
)
def test_the_page_says_that_a_proxy_answered_in_place_of_the_server(
    browser: Browser, status: int, said: str
) -> None:
    app = make_app(open_service(World()), secret=b"s", reach=Reach())
    html = "<html><h1>Bad gateway</h1></html>"

    def prepare(page: Page) -> None:
        page.route("**/pictures?limit=*", lambda route: route.fulfill(status=status, body=html), times=1)

    with answered(app) as address, opened(browser, address, prepare) as page:
        expect(page.locator("#note")).to_contain_text(said)
        expect(page.locator("#note")).to_have_text("No pictures yet.")


def test_a_tab_without_a_stream_polls_as_soon_as_it_is_seen_again(browser: Browser) -> None:
    service = open_service(world := World())
    with answered(make_app(service, secret=b"s", reach=Reach())) as address, open_page(browser) as page:
        page.add_init_script(
            "delete window.SharedWorker;"
            "Object.defineProperty(document, 'hidden', { writable: true, value: true })"
        )
        page.route("**/events", lambda route: route.abort())
        page.goto(address)
        expect(page.locator("#note")).to_have_text("No pictures yet.")
        world.upload("a.jpg", b"one")
        service.process("a.jpg")
        # The next poll is due in 30 seconds.
        with page.expect_response("**/pictures?history=true*", timeout=10_000):
            page.evaluate("document.hidden = false; document.dispatchEvent(new Event('visibilitychange'))")
        expect(page.locator(".tile[data-status=done]")).to_have_count(1)


def test_a_poll_finds_all_changes_since_the_last_one(browser: Browser) -> None:
    """A tab that was hidden for a while may have missed more than one page."""
    service = open_service(world := World())
    names = [f"{number:03}.jpg" for number in range(450)]
    held: list[Route] = []
    with answered(make_app(service, secret=b"s", reach=Reach())) as address, open_page(browser) as page:
        page.add_init_script("delete window.SharedWorker")
        page.route("**/events", lambda route: route.abort())
        world.upload(names[0], b"one")
        service.process(names[0])
        page.goto(address)
        expect(page.locator("#connection")).to_have_text("updated every few seconds")
        page.route("**/pictures?history=true*", lambda route: held.append(route), times=1)  # noqa: PLW0108
        await_any(page, held)
        for name in names[1:]:
            world.upload(name, b"one")
            service.process(name)
        held[0].continue_()
        expect(page.locator(f".tile[aria-label^='{names[-1]}']")).to_have_count(1)
        expect(page.locator("#gallery li").first).to_have_attribute("aria-setsize", str(len(names)))


def test_the_page_loads_its_list_again_if_there_were_more_changes_than_it_reads(browser: Browser) -> None:
    service = open_service(world := World())
    held: list[Route] = []

    def read_one_page(route: Route) -> None:
        before, limit, after = route.fetch().text().partition("MOST_PAGES = 20;")
        assert limit
        route.fulfill(content_type="text/javascript", body=f"{before}MOST_PAGES = 1;{after}")

    def change(name: str, content: bytes | None) -> None:
        if content:
            world.upload(name, content)
        else:
            world.remove(name)
        service.process(name, Ask(removal="asked"))

    with answered(make_app(service, secret=b"s", reach=Reach())) as address, open_page(browser) as page:
        page.add_init_script("delete window.SharedWorker")
        page.route("**/connection.js", read_one_page)
        page.route("**/events", lambda route: route.abort())
        change("replaced.jpg", b"one")
        change("removed.jpg", b"two")
        page.goto(f"{address}/?picture=replaced.jpg")
        expect(page.locator("#connection")).to_have_text("updated every few seconds")
        expect(page.locator(".tile[data-status=done]")).to_have_count(2)
        page.route("**/pictures?history=true*", lambda route: held.append(route), times=1)  # noqa: PLW0108
        await_any(page, held)
        change("replaced.jpg", b"bad")
        change("removed.jpg", None)
        for number in range(250):
            change(f"{number:03}.jpg", b"new")
        held[0].continue_()
        expect(page.locator("#picture")).to_contain_text("rejected")
        page.keyboard.press("Escape")
        page.keyboard.press("g")
        page.keyboard.press("End")
        expect(page.locator("#gallery li").last).to_have_attribute("aria-setsize", "251")
        page.keyboard.press("End")
        expect(page.locator(".tile[data-status=rejected]")).to_have_count(1)


def test_the_page_loads_again_if_one_of_its_scripts_did_not_arrive(browser: Browser) -> None:
    """The browser drops waiting requests when the computer changes its network."""
    lost: list[str] = []

    def lose_once(route: Route) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.request.url)
            route.abort("internetdisconnected")

    app = make_app(open_service(World()), secret=b"s", reach=Reach())
    with (
        answered(app) as address,
        opened(browser, address, lambda page: page.route(re.compile(r"/gallery\.js$"), lose_once)),
    ):
        assert len(lost) == 1


def test_the_page_shows_changes_between_its_first_request_and_the_start_of_its_stream(
    browser: Browser,
) -> None:
    world = World()
    service = open_service(world)
    app = make_app(service, secret=b"s", reach=Reach())
    held: list[Route] = []
    with open_page(browser) as page, answered(app) as address:
        page.add_init_script("delete window.SharedWorker")
        page.route("**/events", lambda route: held.append(route))  # noqa: PLW0108 - it wants no builtin
        with page.expect_response("**/pictures?*"):
            page.goto(address)
        await_any(page, held)
        world.upload("a.jpg", b"one")
        service.process("a.jpg")
        held[0].continue_()
        expect(page.locator("#connection")).to_have_text("live")
        expect(page.locator(".tile[data-status=done]")).to_have_count(1)
        expect(page.locator("[data-total=pictures]")).to_have_text("1")


def test_a_list_that_the_page_read_before_an_event_does_not_undo_the_event(browser: Browser) -> None:
    world = World()
    world.upload("a.jpg", b"one")
    world.catalog.write(Record("a.jpg", "processing", world.clock()))
    service = open_service(world)
    app = make_app(service, secret=b"s", reach=Reach())
    lists: list[tuple[Route, APIResponse]] = []
    with open_page(browser) as page, answered(app) as address:
        page.add_init_script("delete window.SharedWorker")
        page.route("**/pictures?history=true*", lambda route: lists.append((route, route.fetch())))
        page.goto(address)
        await_any(page, lists)
        record = service.process("a.jpg").record
        item = picture_item(service.parts.pipeline, service.links, record) if record else None
        service.announcements.tell({"name": "a.jpg", "picture": item})
        expect(page.locator(".tile[data-status=done]")).to_have_count(1)
        for route, response in lists:
            route.fulfill(response=response)
        expect(page.locator("[data-total=pictures]")).to_have_text("1")
        page.wait_for_timeout(300)
        expect(page.locator(".tile[data-status=done]")).to_have_count(1)

"""The page in a real browser, on the real server."""

from __future__ import annotations

import re
import threading
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, Route, expect

from commands import draw, write_pipeline
from renditions.imaging.analysis.placeholder import SmallPicture, make_blurhash, make_thumbhash
from renditions.model.record import Record
from renditions.web.app import make_app
from renditions.web.pages import FILES
from renditions.web.reach import Reach
from web.browser import find_port, wait_for
from web.test_api import open_service
from world import World

RENDITIONS = "[renditions.thumb]\nwidth = 200\n[renditions.large]\nwidth = 300\nformat = 'webp'\n"
MANY = 10_000
MOST_FRAME_SECONDS = 0.1
"""How long scripts may run in one step of scrolling, in nine of ten steps."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the files of six pictures, and a text file with a picture's name."""
    folder = tmp_path_factory.mktemp("pictures")
    files = [folder / f"picture {number}.jpg" for number in range(6)]
    for number, file in enumerate(files):
        draw(file, 640, 480, seed=number)
    bad = folder / "text.jpg"
    bad.write_text("not a picture")
    return [*files, bad]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    write_pipeline(folder, RENDITIONS)
    return folder


def test_the_page_shows_the_results_of_chosen_pictures_and_why_a_text_file_is_rejected(
    page: Page, pictures: list[Path]
) -> None:
    page.set_input_files("#choose", pictures)
    expect(page.locator("#uploads li.good")).to_have_count(6, timeout=60_000)
    bad = page.locator("#uploads li.bad")
    expect(bad).to_contain_text("not a picture in a known format")
    expect(page.locator(".tile")).to_have_count(7)
    expect(page.locator(".tile[data-status=done] img")).to_have_count(6)
    for image in page.locator(".tile img").all():
        expect(image).to_have_js_property("complete", value=True)
        assert image.evaluate("(image) => image.naturalWidth")
    expect(page.locator("[data-total=pictures]")).to_have_text("7")
    page.click("#filters [data-status=rejected]")
    expect(page.locator(".tile")).to_have_count(1)


def test_the_page_refuses_a_file_with_an_unaccepted_suffix_before_sending_it(
    page: Page, tmp_path: Path
) -> None:
    (tmp_path / "a.exe").write_bytes(b"MZ")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(urlsplit(request.url).path))
    page.set_input_files("#choose", tmp_path / "a.exe")
    expect(page.locator("#uploads li.bad")).to_contain_text("expected a name like")
    assert "/uploads" in sent
    assert "/uploads/file" not in sent


def test_the_page_retries_an_upload_after_a_lost_connection(page: Page, tmp_path: Path) -> None:
    draw(tmp_path / "lost.jpg", seed=50)
    lost: list[Route] = []

    def lose(route: Route) -> None:
        if len(lost) < 2:
            lost.append(route)
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/uploads/file", lose)
    page.set_input_files("#choose", tmp_path / "lost.jpg")
    expect(page.locator("#uploads li.good")).to_have_count(1, timeout=60_000)
    assert len(lost) == 2


def test_a_picture_with_all_its_renditions_can_be_opened_with_the_keyboard_alone(
    page: Page, tmp_path: Path
) -> None:
    draw(tmp_path / "keyboard.jpg", seed=51)
    page.set_input_files("#choose", tmp_path / "keyboard.jpg")
    expect(page.locator("#uploads li.good")).to_have_count(1, timeout=60_000)
    tile = page.locator(".tile", has_text="keyboard.jpg")
    expect(tile.locator("img")).to_have_count(1)
    for _ in range(60):
        if tile.evaluate("(tile) => tile === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    dialog = page.locator("#picture")
    expect(dialog.locator("tbody tr")).to_have_count(3)
    expect(dialog.locator("pre").first).to_contain_text('<source type="image/webp"')
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_a_deleted_picture_disappears_from_the_page(page: Page, tmp_path: Path) -> None:
    draw(tmp_path / "gone.jpg", seed=52)
    page.set_input_files("#choose", tmp_path / "gone.jpg")
    tile = page.locator(".tile", has_text="gone.jpg")
    expect(tile.locator("img")).to_have_count(1, timeout=60_000)
    tile.click()
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("#picture button", has_text="Delete").click()
    expect(tile).to_have_count(0)


@pytest.mark.parametrize("colour", [(200, 80, 40), (10, 90, 250), (255, 255, 255)])
def test_the_page_computes_the_colour_of_a_picture_from_its_placeholder(
    page: Page, colour: tuple[int, int, int]
) -> None:
    """A placeholder has few bits, so its colour is not exact."""
    plain = SmallPicture(9, 9, bytes((*colour, 255)) * 81)
    for analysis in ({"thumbhash": make_thumbhash(plain)}, {"blurhash": make_blurhash(plain)}):
        found = page.evaluate(
            f"(analysis) => import('/{FILES}placeholder.js')"
            ".then((loaded) => loaded.averageColour(analysis))",
            analysis,
        )
        shown = [int(part) for part in re.findall(r"\d+", found)]
        assert all(abs(one - other) <= 8 for one, other in zip(shown, colour, strict=True)), (shown, colour)


def measure_scroll_frames(page: Page) -> list[float]:
    """Scroll the page in 60 steps.

    Return for how many seconds scripts ran in each step.
    """
    browser = page.context.new_cdp_session(page)
    browser.send("Performance.enable")

    def read_script_seconds() -> float:
        metrics = browser.send("Performance.getMetrics")["metrics"]
        return next(float(each["value"]) for each in metrics if each["name"] == "ScriptDuration")

    frames, before = [], read_script_seconds()
    for _ in range(60):
        page.evaluate(
            "new Promise((seen) => {"
            " scrollBy(0, -900); requestAnimationFrame(() => requestAnimationFrame(seen)); })"
        )
        after = read_script_seconds()
        frames.append(after - before)
        before = after
    return frames


def find_percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * len(values))]


def test_the_gallery_of_ten_thousand_pictures_has_few_tiles_and_scrolls_smoothly(
    browser: Browser,
) -> None:
    world = World()
    for number in range(MANY):
        timestamp = world.now + timedelta(seconds=number)
        world.catalog.write(Record(f"{number:05}.jpg", "rejected", timestamp, reason="a test"))
    port = find_port()
    config = uvicorn.Config(
        make_app(open_service(world), secret=b"s", reach=Reach()), port=port, log_level="error"
    )
    server = uvicorn.Server(config)
    config.timeout_graceful_shutdown = 1
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(f"http://127.0.0.1:{port}")
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.goto(f"http://127.0.0.1:{port}")
        expect(page.locator(".tile").first).to_contain_text("09999.jpg")
        deadline = time.monotonic() + 120  # there are fifty requests, one after the other
        while not page.locator(".tile", has_text="00000.jpg").count():
            assert time.monotonic() < deadline
            page.mouse.wheel(0, 20_000)
            time.sleep(0.02)
        assert page.locator(".tile").count() < 100
        assert find_percentile(measure_scroll_frames(page), 0.9) < MOST_FRAME_SECONDS
        page.close()
    finally:
        server.should_exit = True
        thread.join()

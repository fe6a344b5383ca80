"""The page with held removals, a waiting file, and a read-only source.

It runs in a real browser.
"""

from __future__ import annotations

from pathlib import Path

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.sync_api import Browser, expect

from commands import draw, run, write_pipeline
from web.browser import read, served

THUMB = "[renditions.thumb]\nwidth = 20\n"
KNOWN = 60


def test_a_person_allows_held_removals_on_the_page(browser: Browser, tmp_path: Path) -> None:
    write_pipeline(tmp_path, THUMB + "[[notify]]\non = ['failed']\nto = 'log:'\n")
    for number in range(KNOWN):
        draw(tmp_path / "inbox" / f"{number}.jpg", 40, 30, seed=number)
    assert run(tmp_path, "sync").code == 0
    for picture in (tmp_path / "inbox").glob("*.jpg"):
        picture.unlink()
    with served(tmp_path) as address:
        page = browser.new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(address)
        banner = page.locator("#held")
        expect(banner).to_contain_text(
            f"The removal of {KNOWN} missing pictures is held back", timeout=60_000
        )
        serious = [each for each in Axe().run(page).response["violations"] if each["impact"] == "serious"]
        assert serious == []
        assert len(list((tmp_path / "processed").rglob("thumb.jpg"))) == KNOWN
        page.get_by_role("button", name="Allow these removals").click()
        expect(banner).to_be_hidden()
        expect(page.locator("[data-total=pictures]")).to_have_text("0", timeout=60_000)
        assert list((tmp_path / "processed").rglob("thumb.jpg")) == []
        assert read(f"{address}/status")["held"] == []
        page.close()


def test_the_page_says_which_file_waits_and_why(browser: Browser, tmp_path: Path) -> None:
    """A file that is still being written has no record.

    So the gallery doesn't show it.
    """
    write_pipeline(tmp_path, THUMB)
    file = tmp_path / "renditions.toml"
    file.write_text(file.read_text().replace('settle = "0.001 s"', 'settle = "1 h"'))
    draw(tmp_path / "inbox" / "slow.jpg", 40, 30)
    with served(tmp_path) as address:
        page = browser.new_page()
        page.goto(address)
        banner = page.locator("#held")
        expect(banner).to_contain_text("Waiting: slow.jpg: it is still being written", timeout=60_000)
        (reason,) = read(f"{address}/status")["reasons"]
        assert (reason["state"], reason["example"], reason["count"]) == ("waiting", "slow.jpg", 1)
        page.close()


def test_the_page_of_a_read_only_source_offers_no_upload_and_no_deletion(
    browser: Browser, tmp_path: Path
) -> None:
    write_pipeline(tmp_path, THUMB)
    file = tmp_path / "renditions.toml"
    file.write_text(file.read_text().replace("[source]", "[source]\nread_only = true"))
    draw(tmp_path / "inbox" / "photo.jpg", 40, 30)
    with served(tmp_path) as address:
        page = browser.new_page()
        page.goto(address)
        tile = page.locator(".tile", has_text="photo.jpg")
        expect(tile.locator("img")).to_have_count(1, timeout=60_000)
        expect(page.locator("#drop")).to_be_hidden()
        tile.click()
        expect(page.locator("#picture")).to_be_visible()
        expect(page.locator("#picture button", has_text="Process again")).to_be_visible()
        expect(page.locator("#picture button", has_text="Delete")).to_have_count(0)
        page.close()

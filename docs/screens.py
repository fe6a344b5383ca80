"""``make pictures``: takes the pictures in ``web.md``.

It uses a real browser and the running server.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, expect

from commands import write_pipeline
from renditions.demo.scenery import draw_pictures
from web.browser import open_browser, served

IMAGES = Path(__file__).parent / "images" / "web"
RENDITIONS = (
    "[renditions.thumb]\nwidth = 240\n[renditions.large]\nwidth = 1200\nformat = 'webp'\n"
    "[renditions.small]\nwidth = 600\nformat = 'avif'\n"
)
DESK, TELEPHONE = (1120, 900), (390, 844)
Scheme = Literal["light", "dark"]
COPIES = 3
PICTURES = ("mountains.jpg", "dunes.jpg", "portrait.jpg", "leaf.png", "aurora.webp")
REJECTED = ("half.jpg", "notes.jpg")
GOOD = len(PICTURES) + 1


def main() -> None:
    """Take every picture again."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, open_browser() as browser:
        folder = Path(place)
        write_pipeline(folder, RENDITIONS)
        files = draw_files(folder / "uploads")
        with served(folder) as address:
            take_all(browser, address, files)


def draw_files(folder: Path) -> list[Path]:
    """Draw the files that are dropped on the page.

    There are pictures, one with a long name, and two files that aren't pictures.
    """
    draw_pictures(folder)
    long = folder / "a picture whose name is much longer than the place that a page has for names.jpg"
    long.write_bytes((folder / "sea.jpg").read_bytes())
    return [*(folder / name for name in PICTURES), long, *(folder / name for name in REJECTED)]


def take_all(browser: Browser, address: str, files: list[Path]) -> None:
    """Take each view in a desktop window and in a phone window.

    Some pictures are taken with light colours, the others with dark colours.
    """
    page = open_page(browser, address, DESK, "light")
    page.set_input_files("#choose", files)
    expect(page.locator("#uploads li.good")).to_have_count(GOOD, timeout=60_000)
    expect(page.locator("#uploads li.bad")).to_have_count(len(REJECTED), timeout=60_000)
    expect(page.locator(".tile img")).to_have_count(GOOD)
    take(page, "page")
    page.locator("#clear").click()
    for _ in range(COPIES):
        page.set_input_files("#choose", files[: len(PICTURES)])
        page.get_by_role("button", name="Keep both").click()
        expect(page.locator("#cancel-all")).to_be_hidden(timeout=60_000)
    expect(page.locator("#uploads li.good")).to_have_count(COPIES * len(PICTURES), timeout=60_000)
    page.close()
    views: tuple[tuple[str, tuple[int, int], Scheme], ...] = (
        ("desk", DESK, "dark"), ("telephone", TELEPHONE, "light"),
    )  # fmt: skip
    for name, size, scheme in views:
        page = open_page(browser, address, size, scheme)
        expect(page.locator(".tile img").first).to_be_visible()
        take(page, f"gallery-{name}")
        page.locator(".tile[data-status=done]").last.click()
        expect(page.locator("#picture table")).to_be_visible()
        take(page, f"picture-{name}")
        page.keyboard.press("Escape")
        page.click("#filters [data-status=rejected]")
        page.locator(".tile[data-status=rejected]").first.click()
        expect(page.locator("#picture table")).to_be_visible()
        take(page, f"rejected-{name}")
        page.keyboard.press("Escape")
        page.keyboard.press("p")
        expect(page.locator(".cause").first).to_be_visible()
        take(page, f"problems-{name}")
        page.goto(f"{address}/docs")
        expect(page.locator("#operations section").first).to_be_visible()
        take(page, f"api-{name}")
        page.close()


def open_page(browser: Browser, address: str, size: tuple[int, int], scheme: Scheme) -> Page:
    """Open the page in a window of this size, with this colour scheme."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page.goto(address)
    expect(page.locator("#connection")).to_have_text("live")
    return page


def take(page: Page, name: str) -> None:
    """Write a screenshot as a small picture, once the page has loaded its pictures."""
    for _ in range(50):  # The page's policy forbids ``wait_for_function``, so this loop polls.
        page.wait_for_timeout(200)
        if page.evaluate("[...document.images].every((image) => image.complete)"):
            break
    shot = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
    shot.convert("RGB").save(IMAGES / f"{name}.webp", quality=80, method=6)


if __name__ == "__main__":
    main()

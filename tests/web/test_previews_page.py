"""Originals that browsers can't show, on the page in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from commands import draw, write_pipeline
from imaging.pictures import heic
from web.browser import CHROMIUM, find_violations

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="NOT TESTED: there is no chromium")

RENDITIONS = "[renditions.text]\nformat = 'base64'\n[renditions.copy]\nformat = 'pdf'\nwidth = 40\n"
SHOWN = ("photo.heic", "scan.tiff", "page.pdf", "plain.jpg")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    write_pipeline(folder, RENDITIONS, "[accept]\nformats = ['jpeg', 'tiff', 'heic', 'pdf']\n")
    file = folder / "renditions.toml"
    file.write_text(file.read_text().replace("[source]", "[source]\nmatch = ['*']"))
    inbox = folder / "inbox"
    draw(inbox / "plain.jpg", 320, 240)
    with Image.open(inbox / "plain.jpg") as picture:
        (inbox / "photo.heic").write_bytes(heic(picture))
        picture.save(inbox / "scan.tiff")
        picture.save(inbox / "page.pdf")
    return folder


@pytest.fixture
def page(page: Page) -> Page:
    expect(page.locator(".tile[data-status=done]")).to_have_count(len(SHOWN), timeout=60_000)
    return page


def is_loaded(image: Any) -> bool:
    return bool(image.evaluate("(image) => image.decode().then(() => image.naturalWidth > 0)"))


def test_the_page_shows_originals_that_browsers_cannot_show(page: Page, address: str, folder: Path) -> None:
    images = page.locator("#gallery img")
    expect(images).to_have_count(len(SHOWN))
    assert all(is_loaded(each) for each in images.all())
    for name in SHOWN:
        page.goto(f"{address}/?picture={name}")
        original = page.get_by_role("img", name=f"Original of {name}")
        expect(original).to_be_visible()
        assert is_loaded(original)
        source = "originals" if name == "plain.jpg" else "previews"
        assert f"/{source}/{name}" in str(original.get_attribute("src"))
    kept = [each for each in (folder / ".renditions").rglob("*") if each.is_file()]
    assert len(kept) == len(SHOWN)
    page.request.delete(f"{address}/pictures/photo.heic")
    assert len([each for each in kept if each.exists()]) == len(SHOWN) - 1
    assert page.request.get(f"{address}/previews/photo.heic").status == 404
    (binned,) = page.request.get(f"{address}/bin").json()["pictures"]
    page.request.post(f"{address}/bin/{binned['deletion']}/photo.heic")


def test_a_picture_that_cannot_be_shown_has_a_placeholder(page: Page, address: str) -> None:
    page.route("**/previews/**", lambda route: route.fulfill(status=422, json={"detail": "no preview"}))
    page.goto(f"{address}/?picture=scan.tiff")
    expect(page.locator("#picture .missing")).to_have_text(
        "No preview of this original (TIFF). Download it to see it."
    )
    assert find_violations(page) == []
    expect(page.locator("#picture img")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator("#gallery").get_by_text("no preview")).to_have_count(len(SHOWN))
    expect(page.locator("#gallery img")).to_have_count(0)

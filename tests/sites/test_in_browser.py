"""A static site of 100 pictures from the manifest, in a real browser."""

from __future__ import annotations

import io
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from commands import run, write_pipeline
from web.browser import CHROMIUM, open_browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="NOT TESTED: there is no chromium")

PICTURES = 100
WIDTHS = (320, 640, 1280)
"""The widths of each picture's files, in pixels."""
SIZES = "(max-width: 700px) 100vw, 50vw"
EXPECTED = {320: 320, 640: 640, 1600: 1280}
"""The width of the file that a window of this width needs: 100 vw, or 50 vw above 700 pixels."""

OBSERVE = """
window.shift = 0;
new PerformanceObserver((list) => { for (const each of list.getEntries()) window.shift += each.value; })
  .observe({ type: 'layout-shift', buffered: true });
"""


@dataclass
class Site:
    """The folder of the site, and what browsers fetched."""

    folder: Path
    fetched: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    """Pictures are sent once this is set."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Return a site with renditions of 100 pictures and the manifest's HTML."""
    folder = tmp_path_factory.mktemp("site")
    family = f'[renditions.photo]\nwidths = {list(WIDTHS)}\nformats = ["webp", "jpeg"]\n'
    square = '[renditions.square]\nwidth = 90\nheight = 90\nfit = "cover"\n'
    write_pipeline(folder, family + square, '[analyze]\nplaceholder = "thumbhash"\n')
    file = folder / "renditions.toml"
    store = 'store = "./processed"'
    file.write_text(file.read_text().replace(store, f'{store}\nbase_url = "/processed/"'))
    for number in range(PICTURES):
        draw(folder / "inbox" / f"{number % 10}" / f"picture {number}.jpg", number)
    assert run(folder, "sync").code == 0
    pictures = run(folder, "manifest", "--format", "html", "--look", "photo", "--sizes", SIZES)
    assert pictures.code == 0
    assert pictures.out.count("<picture>") == PICTURES
    page = (
        '<!doctype html><meta charset="utf-8"><title>Site</title>'
        "<style>body { margin: 0 } img { max-width: 100%; height: auto; display: block }"
        "@media (min-width: 700px) { picture { display: block; width: 50vw } }</style>"
    )
    (folder / "index.html").write_text(page + pictures.out, encoding="utf-8")
    return Site(folder)


def draw(path: Path, seed: int) -> None:
    """Write a picture of soft colours, upright or wide."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grain = np.random.default_rng(seed).integers(40, 216, (3, 4, 3), dtype=np.uint8)
    size = (1500, 1000) if seed % 3 else (1400, 1600)
    Image.fromarray(grain).resize(size, Image.Resampling.BICUBIC).save(path, quality=70)


class _Handler(SimpleHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        if self.path.startswith("/processed/"):
            self.site.gate.wait(60)
            self.site.fetched.append(self.path)
        super().do_GET()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(site: Site) -> Iterator[str]:
    handler = type("Handler", (_Handler,), {"site": site})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(site.folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        site.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


def scroll(page: Page) -> None:
    """Scroll to the end, so that every lazy picture loads."""
    for number in range(PICTURES):
        page.locator("img").nth(number).scroll_into_view_if_needed()
        page.wait_for_function("(n) => document.images[n].complete", arg=number)


@pytest.mark.parametrize("width", EXPECTED)
def test_a_page_from_the_manifest_fetches_the_fitting_files_without_layout_shifts(
    site: Site, browser: Browser, width: int
) -> None:
    site.fetched.clear()
    site.gate.clear()
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.add_init_script(OBSERVE)
    with serving(site) as address:
        page.goto(address, wait_until="domcontentloaded")
        page.wait_for_function("document.images.length === 100")
        before = heights_of(page)
        assert min(before) > 100, "the space is there before the file"
        assert placeholder_pixels(page) > 0.9, "the placeholder shows first"
        site.gate.set()
        scroll(page)
        moved = np.abs(np.subtract(heights_of(page), before)).max()
        assert moved <= 1, "each width's height is a whole number, so the proportions differ by a pixel"
        assert page.evaluate("window.shift") < 0.001, "that pixel shifts a visible picture by 0.00006"
        shown = page.evaluate("[...document.images].map((each) => [each.naturalWidth, each.currentSrc])")
    page.close()
    files = defaultdict(set)
    for path in site.fetched:
        files[path.rpartition("/")[2]].add(path)
    assert files.keys() == {f"photo-{EXPECTED[width]}-webp.webp"}, "one width, and only the best format"
    assert len(set(site.fetched)) == PICTURES
    assert {source.rpartition("/")[2] for _, source in shown} == files.keys()


def heights_of(page: Page) -> list[float]:
    heights: list[float] = page.evaluate("[...document.images].map((each) => each.offsetHeight)")
    return heights


def placeholder_pixels(page: Page) -> float:
    """Return the share of the first picture's place that isn't white."""
    shot = page.locator("img").first.screenshot()
    with Image.open(io.BytesIO(shot)) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return float((pixels.min(axis=2) < 240).mean())

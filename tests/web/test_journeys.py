"""Whole journeys by keyboard alone, in a real browser on the real server."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, FileChooser, Page, expect

from commands import draw, write_pipeline
from web.browser import await_any, served

RENDITIONS = "[renditions.thumb]\nwidth = 20\n[renditions.large]\nwidth = 30\nformat = 'webp'\n"
PRESENT = 40
"""How many pictures the gallery has before the upload."""


class Keyboard:
    """A keyboard that counts the pressed keys."""

    def __init__(self, page: Page) -> None:
        # Chromium drops keys for a page without the focus, and those before the first paint.
        page.bring_to_front()
        page.wait_for_function("performance.getEntriesByType('paint').length")
        self.page = page
        self.pressed: list[str] = []

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            self.page.keyboard.press(key)
            self.pressed.append(key)

    def press_until(self, key: str, name: str, most: int) -> None:
        """Press a key until the element with this name has the focus."""
        for _ in range(most):
            if self.read_focus().startswith(name):
                return
            self.press(key)
        raise AssertionError(f"{name!r} isn't reached after {most} times {key}: {self.read_focus()!r}")

    def read_focus(self) -> str:
        """Return the name of the element with the focus."""
        name: str = self.page.evaluate(
            "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"
        )
        return name


def test_a_person_can_upload_retry_a_failure_and_copy_a_snippet_by_keyboard_alone(
    browser: Browser, tmp_path: Path
) -> None:
    write_pipeline(tmp_path, RENDITIONS)
    for number in range(PRESENT):
        draw(tmp_path / "inbox" / f"old-{number:02}.jpg", 40, 30, seed=number)
    blocked = tmp_path / "processed" / "b.jpg" / "thumb.jpg"
    blocked.parent.mkdir(parents=True)
    blocked.write_text("of another program")
    files = [tmp_path / "new" / name for name in ("a.jpg", "b.jpg", "c.jpg")]
    for number, file in enumerate(files):
        draw(file, 60, 40, seed=100 + number)
    with served(tmp_path) as address:
        context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
        page = context.new_page()
        # Playwright misses a chooser that opens before the browser knows of a listener.
        choosers: list[FileChooser] = []
        page.on("filechooser", lambda chooser: choosers.append(chooser))  # noqa: PLW0108 - it wants no builtin
        page.goto(address)
        expect(page.locator("[data-total=pictures]")).to_have_text(str(PRESENT), timeout=120_000)
        keyboard = Keyboard(page)

        keyboard.press("u")
        await_any(page, choosers)
        choosers[0].set_files(files)
        expect(page.locator("#uploads .summary")).to_have_text(
            "2 done, 1 rejected of 3 pictures", timeout=60_000
        )
        expect(page.get_by_role("status")).to_contain_text("Uploads ended: 2 done, 1 rejected of 3 pictures")

        keyboard.press("p")
        expect(page.get_by_role("heading", name="1 picture rejected: Something that")).to_be_visible()
        keyboard.press_until("Tab", "b.jpg", 3)
        keyboard.press("Enter")
        expect(page.get_by_role("dialog", name="b.jpg")).to_contain_text(
            "holds a file that Renditions didn't"
        )
        keyboard.press("Escape")
        expect(page.locator("#problems").get_by_role("link", name="b.jpg")).to_be_focused()
        blocked.unlink()
        keyboard.press_until("Shift+Tab", "Try 1 picture again", 2)
        keyboard.press("Enter")
        expect(page.get_by_text("No picture has a problem.")).to_be_visible(timeout=30_000)

        keyboard.press("g")
        tile = page.get_by_role("link", name="b.jpg, done")
        expect(tile).to_have_count(1, timeout=60_000)
        keyboard.press_until("ArrowRight", "b.jpg, done", 4)
        keyboard.press("Enter")
        expect(page.get_by_role("dialog", name="b.jpg").get_by_role("button", name="Copy")).to_be_visible()
        keyboard.press_until("Tab", "Copy", 12)
        keyboard.press("Enter")
        expect(page.get_by_role("button", name="Copied")).to_be_focused()
        assert page.evaluate("navigator.clipboard.readText()").startswith("<picture>")
        keyboard.press("Escape")
        expect(tile).to_be_focused()
        assert len(keyboard.pressed) <= 30, keyboard.pressed
        context.close()


def test_a_person_can_compare_and_filter_pictures_by_keyboard_alone(browser: Browser, tmp_path: Path) -> None:
    write_pipeline(tmp_path, RENDITIONS)
    (tmp_path / "inbox" / "broken.jpg").write_text("not a picture")
    with served(tmp_path) as address:
        page = browser.new_page()
        page.goto(address)
        expect(page.locator("#gallery li")).to_have_count(1, timeout=60_000)
        for number in range(3):  # the newest come first, so the broken one is the last
            draw(tmp_path / "inbox" / f"{number}.jpg", 40, 30, seed=number)
        expect(page.locator(".tile img")).to_have_count(3, timeout=60_000)
        keyboard = Keyboard(page)
        keyboard.press("Tab", "Enter")  # the skip link
        keyboard.press_until("Tab", "all", 4)
        keyboard.press("Tab", "Enter")  # done
        expect(page.locator("#gallery li")).to_have_count(3)
        keyboard.press("g", "Enter")
        expect(page.get_by_role("slider")).to_be_visible()
        keyboard.press_until("Tab", "Compare the original", 5)
        keyboard.press("End")
        expect(page.get_by_role("slider")).to_have_value("100")
        keyboard.press("Shift+Tab", "ArrowRight", "ArrowRight", "Escape")
        expect(page.locator("#gallery a").nth(2)).to_be_focused()
        assert len(keyboard.pressed) <= 20, keyboard.pressed
        page.close()

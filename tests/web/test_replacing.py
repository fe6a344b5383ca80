"""Uploads of pictures whose names exist, and cancelled uploads.

They run in a real browser on the real server.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from commands import RENDITIONS, draw, write_pipeline
from web.browser import await_any, find_port, served, wait_for

THUMB = "[renditions.thumb]\nwidth = 20\n"
BAGS = ("bag-001.jpg", "bag-002.jpg", "bag-003.jpg")
SLOW_BYTES_PER_SECOND = 100_000


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """Yield the page of a source that has the pictures in ``BAGS``."""
    write_pipeline(tmp_path, THUMB)
    for number, name in enumerate(BAGS):
        draw(tmp_path / "inbox" / name, 40, 30, seed=number)
    with served(tmp_path) as address:
        page = browser.new_page()
        page.goto(address)
        expect(page.locator(".tile img")).to_have_count(len(BAGS), timeout=60_000)
        yield page
        page.close()


def upload(page: Page, folder: Path, *names: str) -> list[Path]:
    files = [folder / "corrected" / name for name in names]
    for number, file in enumerate(files):
        draw(file, 60, 40, seed=100 + number)
    page.set_input_files("#choose", files)
    return files


def test_corrected_pictures_replace_the_existing_ones_after_one_question(page: Page, tmp_path: Path) -> None:
    files = upload(page, tmp_path, *BAGS, "new.jpg")
    # Three files are sent side by side. The page names the one whose answer came first.
    question = page.get_by_role("dialog", name=re.compile(r"^bag-00[123]\.jpg already exists$"))
    expect(question).to_contain_text("applies to the other 3 files")
    expect(question.get_by_role("button", name="Keep both")).to_be_focused()
    question.get_by_role("button", name="Replace").click()
    expect(page.locator("#uploads li.good")).to_have_count(4, timeout=60_000)
    expect(page.locator(".tile")).to_have_count(4)
    expect(page.locator("#uploads .summary")).to_have_text("4 done of 4 pictures")
    for file in files:
        assert (tmp_path / "inbox" / file.name).read_bytes() == file.read_bytes()
    page.set_input_files("#choose", files[0])
    page.get_by_role("button", name="Replace").click()
    expect(page.locator("#uploads li.good")).to_have_count(5, timeout=60_000)


def test_the_button_keep_both_gives_the_upload_a_second_name(page: Page, tmp_path: Path) -> None:
    before = (tmp_path / "inbox" / BAGS[0]).read_bytes()
    (file,) = upload(page, tmp_path, BAGS[0])
    page.get_by_role("button", name="Keep both").press("Enter")
    expect(page.locator("#uploads li.good")).to_contain_text("done as bag-001-2.jpg", timeout=60_000)
    assert (tmp_path / "inbox" / BAGS[0]).read_bytes() == before
    assert (tmp_path / "inbox" / "bag-001-2.jpg").read_bytes() == file.read_bytes()


def test_the_key_escape_skips_existing_pictures_and_uploads_all_other_pictures(
    page: Page, tmp_path: Path
) -> None:
    before = (tmp_path / "inbox" / BAGS[0]).read_bytes()
    upload(page, tmp_path, BAGS[0], "new.jpg")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#uploads .summary")).to_have_text("1 done, 1 skipped of 2 pictures", timeout=60_000)
    assert (tmp_path / "inbox" / BAGS[0]).read_bytes() == before
    assert sorted(each.name for each in (tmp_path / "inbox").glob("*.jpg")) == [*BAGS, "new.jpg"]


def test_new_pictures_are_uploaded_while_more_existing_ones_than_run_at_once_wait_for_the_answer(
    page: Page, tmp_path: Path
) -> None:
    upload(page, tmp_path, *BAGS, "new.jpg")
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("already exists")
    expect(page.locator("#uploads li.good")).to_contain_text("new.jpg")
    expect(question).to_be_visible()
    question.get_by_role("button", name="Skip").click()
    expect(page.locator("#uploads .summary")).to_have_text("1 done, 3 skipped of 4 pictures")


def test_the_page_sends_at_most_three_files_at_once_after_the_answer(page: Page, tmp_path: Path) -> None:
    names = [f"many {number}.jpg" for number in range(8)]
    for name in names:
        draw(tmp_path / "inbox" / name, 40, 30)
    expect(page.locator(".tile img")).to_have_count(len(BAGS) + len(names))
    sent: list[Route] = []
    page.route("**/uploads/file", lambda route: sent.append(route))  # noqa: PLW0108 - it wants no builtin
    upload(page, tmp_path, *names)
    expect(page.locator("#uploads li", has_text="already exists")).to_have_count(len(names))
    page.get_by_role("button", name="Keep both").click()
    for _ in names:
        await_any(page, sent)
        assert len(sent) <= 3
        sent.pop(0).continue_()
    expect(page.locator("#uploads li.good")).to_have_count(len(names))


def test_three_files_of_the_same_name_do_not_hold_up_others(page: Page, tmp_path: Path) -> None:
    files = [tmp_path / str(number) / "same.jpg" for number in range(4)] + [tmp_path / "other.jpg"]
    for number, file in enumerate(files):
        draw(file, 60, 40, seed=number)
    page.set_input_files("#choose", files)
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("same.jpg already exists")
    expect(page.locator("#uploads li.good")).to_have_count(2)
    question.get_by_role("button", name="Keep both").click()
    expect(page.locator("#uploads li.good")).to_have_count(len(files))
    assert len(list((tmp_path / "inbox").glob("same*.jpg"))) == 4


def test_two_files_of_the_same_name_in_one_upload_can_both_be_kept(page: Page, tmp_path: Path) -> None:
    draw(tmp_path / "one" / "same.jpg", 60, 40, seed=1)
    draw(tmp_path / "two" / "same.jpg", 60, 40, seed=2)
    page.set_input_files("#choose", [tmp_path / "one" / "same.jpg", tmp_path / "two" / "same.jpg"])
    page.get_by_role("button", name="Keep both").click(timeout=30_000)
    expect(page.locator("#uploads li.good")).to_have_count(2, timeout=60_000)
    assert (tmp_path / "inbox" / "same-2.jpg").read_bytes() == (tmp_path / "two" / "same.jpg").read_bytes()


def test_a_cancelled_upload_writes_no_traceback_and_nothing_to_the_source(
    browser: Browser, tmp_path: Path
) -> None:
    write_pipeline(tmp_path, THUMB)
    draw(tmp_path / "large.jpg", 200, 150)
    with (tmp_path / "large.jpg").open("ab") as file:
        file.write(bytes(20_000_000))  # takes minutes, and no buffer can have it whole
    port = find_port()
    command = [str(RENDITIONS), "serve", "--port", str(port), "--workers", "1"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as server:
        wait_for(f"http://127.0.0.1:{port}")
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}")
        expect(page.locator("#connection")).to_have_text("live")
        slow = {"offline": False, "latency": 0, "downloadThroughput": -1}
        page.context.new_cdp_session(page).send(
            "Network.emulateNetworkConditions", {**slow, "uploadThroughput": SLOW_BYTES_PER_SECOND}
        )
        page.set_input_files("#choose", tmp_path / "large.jpg")
        expect(page.locator("#uploads li")).to_contain_text("uploading")
        page.wait_for_timeout(500)
        page.get_by_role("button", name="Cancel large.jpg").press("Enter")
        expect(page.locator("#uploads .summary")).to_have_text("0 done, 1 cancelled of 1 picture")
        expect(page.get_by_role("button", name="Try large.jpg again")).to_be_focused()
        page.close()
        server.terminate()
        _, reported = server.communicate(timeout=60)
    assert "Traceback" not in reported
    assert list((tmp_path / "inbox").glob("*.jpg")) == []

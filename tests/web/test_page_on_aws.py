"""The page in a real browser, with Renditions' API as it runs on AWS.

moto serves the buckets. The tests have a gateway of their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.sync_api import Browser, Page, Route, expect

from commands import draw
from contract.cloud import CLIENTS, name_of
from renditions.aws.counting import KeptTotals
from renditions.pipeline_file.plain import to_plain
from renditions.pipeline_file.reading import parse
from renditions.serverless import bundled
from renditions.serverless.function import open_function
from renditions.serverless.gateway import open_gateway
from renditions.web.pages import FILES
from serverless.deployed import make_cloud
from web.browser import open_page
from web.edge import run_edge
from web.gateway_server import TOKEN, Call, run_gateway

POSTED = """<?xml version="1.0" encoding="UTF-8"?>
<PostResponse><Location>https://in.s3.amazonaws.com/same.jpg</Location><Bucket>in</Bucket><Key>same.jpg</Key>
<ETag>{}</ETag></PostResponse>"""
"""S3's answer to an upload with ``success_action_status`` 201. moto's has no body.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
"""

PIPELINE = """
[source]
store = "./inbox"
[output]
store = "./processed"
[renditions.thumb]
width = 200
[renditions.large]
width = 300
format = "webp"
"""


@dataclass(frozen=True)
class Site:
    """A deployment.

    It has the page's URL and the function that uploads trigger.
    """

    address: str
    environ: dict[str, str]
    file: Path

    def notify(self, name: str) -> None:
        """Call the function as the bucket's notification does."""
        bucket = {"bucket": {"name": self.environ["SOURCE_BUCKET"]}, "object": {"key": name}}
        record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Post", "s3": bucket}
        open_function(self.file, self.environ).handle({"Records": [record]}, Call())


@pytest.fixture(scope="module")
def site(aws: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    file = folder / "pipeline.json"
    file.write_text(json.dumps(to_plain(parse(PIPELINE, "test", folder, {}).pipeline)))
    environ = make_cloud(name_of(folder))
    with run_gateway(open_gateway(file, environ)) as address:
        CLIENTS.s3.put_bucket_cors(
            Bucket=environ["SOURCE_BUCKET"],
            CORSConfiguration={
                "CORSRules": [
                    {"AllowedMethods": ["POST"], "AllowedOrigins": [address], "MaxAgeSeconds": 3600}
                ]
            },
        )
        yield Site(address, environ, file)


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """Yield the page, after entering a token."""
    with open_page(browser) as page:
        page.goto(site.address)
        page.wait_for_url("**/login")
        page.fill("#token", TOKEN)
        page.click("button")
        page.wait_for_url(f"{site.address}/")
        yield page


def test_the_page_uploads_to_the_bucket_and_shows_the_renditions(
    page: Page, site: Site, tmp_path: Path
) -> None:
    """No byte of the picture passes through the function.

    The page finds changes by polling.
    """
    through: list[str] = []
    page.on("request", lambda request: through.append(request.url) if request.method == "POST" else None)
    draw(tmp_path / "photo.jpg", 640, 480)
    page.set_input_files("#choose", tmp_path / "photo.jpg")
    expect(page.locator("#uploads li")).to_contain_text("uploaded")
    assert [url.startswith(site.address) for url in through] == [True, False], "a form, and the file"
    expect(page.locator("#connection")).to_have_text("updated every few seconds")
    site.notify("photo.jpg")
    expect(page.locator("#uploads li.good")).to_have_count(1)
    page.locator(".tile", has_text="photo.jpg").click()
    expect(page.locator("#picture tbody tr")).to_have_count(3)
    for selector in (".tile img", "#picture .compare img >> nth=0", "#picture .compare img >> nth=1"):
        shown = page.locator(selector)
        expect(shown).to_have_js_property("complete", value=True)
        assert shown.evaluate("(image) => image.naturalWidth") > 0
        assert not str(shown.get_attribute("src")).startswith("/")
    with page.expect_download() as download:
        page.locator("#picture a", has_text="Download").click()
    assert download.value.suggested_filename == "photo.jpg"
    assert Path(download.value.path()).read_bytes() == (tmp_path / "photo.jpg").read_bytes()


def test_the_page_reports_success_when_an_upload_replaces_a_picture_with_the_same_content(
    page: Page, site: Site, tmp_path: Path
) -> None:
    """The function leaves the record unchanged, so no poll reports a change."""
    draw(tmp_path / "same.jpg", 640, 480)
    content = (tmp_path / "same.jpg").read_bytes()

    def answer_like_s3(route: Route) -> None:
        if route.request.method != "POST":  # a picture of the gallery
            route.fallback()
            return
        stored = CLIENTS.s3.put_object(Bucket=site.environ["SOURCE_BUCKET"], Key="same.jpg", Body=content)
        body = POSTED.format(stored["ETag"])
        route.fulfill(status=201, body=body, headers={"Access-Control-Allow-Origin": site.address})

    page.route(lambda url: not url.startswith(site.address), answer_like_s3)
    page.set_input_files("#choose", tmp_path / "same.jpg")
    expect(page.locator("#uploads li")).to_contain_text("the renditions will follow")
    site.notify("same.jpg")
    expect(page.locator("#uploads li.good")).to_have_count(1)
    page.set_input_files("#choose", tmp_path / "same.jpg")
    page.get_by_role("button", name="Replace").click()
    expect(page.locator("#uploads li.good")).to_have_count(2)


def test_the_page_on_aws_does_not_request_events(browser: Browser, site: Site) -> None:
    asked: list[str] = []
    with open_page(browser) as page:
        page.context.on("request", lambda request: asked.append(request.url))
        page.add_init_script(f"delete window.SharedWorker; sessionStorage.setItem('token', '{TOKEN}')")
        page.goto(site.address)
        expect(page.locator("#connection")).to_have_text("updated every few seconds")
    assert [url for url in asked if url.endswith("/events")] == []


def test_the_page_says_when_a_large_catalog_was_counted(
    page: Page, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = site.environ["TABLE_NAME"]
    KeptTotals(CLIENTS.dynamodb, table, "image_name").renew(
        lambda: True, datetime(2026, 3, 1, 12, tzinfo=UTC)
    )
    monkeypatch.setattr(bundled, "MOST_COUNTED", -1)
    page.reload()
    expect(page.locator("[data-total=pictures]")).to_contain_text("Mar 1, 2026")


def test_the_page_asks_for_a_new_token_after_the_old_one_expired(page: Page, site: Site) -> None:
    page.evaluate("sessionStorage.setItem('token', 'an.older.token')")
    page.reload()
    page.wait_for_url("**/login")
    expect(page.locator("#refused")).to_be_visible()
    found = Axe().run(page).response["violations"]
    assert [each for each in found if each["impact"] in ("serious", "critical")] == []
    page.fill("#token", TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site.address}/")
    expect(page.locator("[data-total=pictures]")).to_have_text(re.compile(r"\d"))
    page.goto(f"{site.address}/docs")
    expect(page.locator("#operations section").first).to_be_visible()


def test_uploads_continue_with_a_new_token_after_the_old_one_expired(
    page: Page, site: Site, tmp_path: Path
) -> None:
    """A token is valid for an hour, and many uploads take longer."""
    draw(tmp_path / "long.jpg", 640, 480)
    page.route(
        "**/uploads", lambda route: route.fulfill(status=401, json={"message": "Unauthorized"}), times=1
    )
    page.set_input_files("#choose", tmp_path / "long.jpg")
    dialog = page.get_by_role("dialog", name="Log in again")
    dialog.get_by_role("textbox", name="Token").fill("an.older.token")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("textbox", name="Token")).to_have_value("")
    dialog.get_by_role("textbox", name="Token").fill(TOKEN)
    page.keyboard.press("Enter")
    expect(page.locator("#uploads li")).to_contain_text("the renditions will follow")


def test_the_page_forgets_the_token_after_a_log_out(page: Page, site: Site) -> None:
    page.click("text=Log out")
    page.wait_for_url("**/login")
    page.goto(site.address)
    page.wait_for_url("**/login")


def test_shared_caches_may_not_keep_answers_that_need_authorization(page: Page, site: Site) -> None:
    token = {"authorization": f"Bearer {TOKEN}"}
    answer = page.request.get(f"{site.address}/stats", headers=token)
    assert answer.headers["cache-control"] == "private, no-cache"
    assert {"Cookie", "Authorization"} <= set(answer.headers["vary"].split(", "))
    assert page.request.get(f"{site.address}/{FILES}app.js").headers.get("vary") in (None, "Accept-Encoding")


def test_the_files_of_the_page_come_from_cloudfront_if_cloudfront_is_configured(
    browser: Browser, site: Site
) -> None:
    """The second visitor causes no call of the function for a file."""
    paths: list[str] = []

    def answer(event: Any, context: Any) -> Any:
        paths.append(event["rawPath"])
        return handle(event, context)

    with run_edge() as edge:
        handle = open_gateway(site.file, {**site.environ, "PAGE_FILES_URL": edge.url})
        with run_gateway(answer) as address:
            edge.origin = address
            for visit in (1, 2):
                with open_page(browser) as page:
                    page.goto(address)
                    page.wait_for_url("**/login")
                    page.fill("#token", TOKEN)
                    page.click("button")
                    page.wait_for_url(f"{address}/")
                    expect(page.locator("[data-total=pictures]")).to_have_text(re.compile(r"\d"))
                    expect(page.locator("#connection")).to_have_text(
                        "updated every few seconds", timeout=15_000
                    )
                    assert page.locator("body").evaluate("(body) => getComputedStyle(body).margin") != "8px"
                    page.goto(f"{address}/docs")
                    expect(page.locator("#operations section").first).to_be_visible()
                # A file that is asked for twice comes from the cache.
                asked = [path for path in paths if path.startswith("/static/")]
                assert sorted(asked) == sorted(edge.kept), visit
                assert len(asked) > 20

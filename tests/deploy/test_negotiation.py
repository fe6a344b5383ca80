"""The function with which CloudFront chooses formats, run by Node.js and by njs.

Like CloudFront, njs lacks parts of newer JavaScript.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from commands import run
from renditions.deploy.negotiation import MOST_BYTES, write_function
from renditions.errors import UsageError
from renditions.model.pipeline import Pipeline
from renditions.pipeline_file.reading import parse

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
SAFARI_15 = "image/webp,image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5"
PIPELINE = """
source.store  = "./inbox"
output.store  = "./processed"
catalog.store = "sqlite:records.db"

[renditions.photo]
widths  = [400, 800]
formats = ["avif", "webp", "jpeg"]
key     = "{key}/é+{rendition}-{hash}.{ext}"

[renditions.icon]
width   = 32
formats = ["webp", "png"]
key     = "icons/{dir}{stem}.{name}.{stem}.{ext}"

[renditions.logo]
width   = 48
formats = ["png", "webp", "jpeg"]

[renditions.fixed]
width   = 64
formats = ["webp", "jpeg"]
key     = "{key}/{rendition}-{version}.{ext}"
"""
PHOTO = "/2024/my%20trip/a.jpg/%C3%A9%2Bphoto-{}-0123456789abcdef.{}"


def load(text: str, folder: Path) -> Pipeline:
    return parse(text, "test", folder, {}).pipeline


@pytest.fixture(params=["node", "njs"])
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str, str | None], str]:
    """Return a function that sends a path to CloudFront's function.

    It returns the path that CloudFront's function answers.
    """
    program = shutil.which(request.param)
    if program is None:
        pytest.skip(f"NOT TESTED: {request.param} isn't installed")
    file = tmp_path / "accept.js"
    write_function(load(PIPELINE, tmp_path), file)
    code = file.read_text()

    def call(uri: str, accept: str | None) -> str:
        headers = {} if accept is None else {"accept": {"value": accept}}
        event = {"request": {"method": "GET", "uri": uri, "headers": headers, "querystring": {}}}
        file.write_text(f"{code}\nconsole.log(handler({json.dumps(event)}).uri);\n")
        ended = subprocess.run([program, file], capture_output=True, text=True, check=True)
        return ended.stdout.removesuffix("\n")

    return call


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (CHROME, "avif"),
        (SAFARI_15, "webp"),
        ("IMAGE/AVIF;q=0, image/webp ; q=0.1", "webp"),
        ("image/avif;q=0.0,image/*", "jpeg"),
        ("*/*", "jpeg"),
        (None, "jpeg"),
    ],
)
def test_a_browser_gets_the_best_format_that_it_can_show(
    ask: Callable[[str, str | None], str], accept: str | None, chosen: str
) -> None:
    extension = {"jpeg": "jpg"}.get(chosen, chosen)
    asked = PHOTO.format("800-jpeg", "jpg")
    assert ask(asked, accept) == PHOTO.format(f"800-{chosen}", extension)


def test_the_function_changes_only_keys_in_the_format_that_the_img_element_requests(
    ask: Callable[[str, str | None], str],
) -> None:
    """A page can link to the key of another format. This key is left unchanged."""
    for path in (
        PHOTO.format("400-webp", "webp"),
        PHOTO.format("600-jpeg", "jpg"),
        "/a.jpg/fixed-jpeg-0123456789abcdef.jpg",
        "/icons/a.b.c.png",
        "/",
    ):
        assert ask(path, CHROME) == path
    # Every browser shows PNG and JPEG, and PNG is declared first.
    assert ask("/a.jpg/logo-jpeg.jpg", f"image/png,{CHROME}") == "/a.jpg/logo-jpeg.jpg"
    assert ask("/a.jpg/logo-png.png", CHROME) == "/a.jpg/logo-webp.webp"
    assert ask("/icons/in/$1/photo.photo.jpg.photo.png", CHROME) == "/icons/in/$1/photo.photo.jpg.photo.webp"


def test_a_function_without_formats_to_choose_or_too_large_for_cloudfront_is_not_written(
    tmp_path: Path,
) -> None:
    file = tmp_path / "accept.js"
    plain = PIPELINE.replace("formats", "# formats").replace("{ext}", "{rendition}")
    with pytest.raises(UsageError, match="there is no format to choose: no rendition"):
        write_function(load(plain, tmp_path), file)
    widths = ", ".join(str(width) for width in range(100, 200))
    with pytest.raises(UsageError, match=rf"CloudFront accepts at most {MOST_BYTES:,}"):
        write_function(load(PIPELINE.replace("400, 800", widths), tmp_path), file)
    assert not file.exists()


def test_package_refuses_to_write_the_function_if_there_is_no_format_to_choose(tmp_path: Path) -> None:
    text = """
    source.store  = "./inbox"
    output.store  = "./processed"
    [renditions.text]
    format = "base64"
    """
    (tmp_path / "renditions.toml").write_text(text)
    ended = run(tmp_path, "package", "--accept-function", "accept.js")
    assert ended.code == 2
    assert "there is no format to choose" in ended.err.replace("\n", " ")

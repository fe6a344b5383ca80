"""The function with which CloudFront chooses formats, run by Node.js."""

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

[renditions.fixed]
width   = 64
formats = ["webp", "jpeg"]
key     = "{key}/{rendition}-{version}.{ext}"
"""
PHOTO = "/2024/my%20trip/a.jpg/%C3%A9%2Bphoto-{}-0123456789abcdef.{}"
RUN = """
const [code, requests] = JSON.parse(require("fs").readFileSync(0, "utf8"));
const handler = new Function(`${code}; return handler;`)();
const answers = requests.map(([uri, accept]) => {
  const headers = accept === null ? {} : { accept: { value: accept } };
  return handler({ request: { method: "GET", uri, headers, querystring: {} } }).uri;
});
console.log(JSON.stringify(answers));
"""


def load(text: str, folder: Path) -> Pipeline:
    return parse(text, "test", folder, {}).pipeline


@pytest.fixture
def ask(tmp_path: Path) -> Callable[[str, str | None], str]:
    """Return what calls the function; it takes and returns a path."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("NOT TESTED: node isn't installed")
    file = tmp_path / "accept.js"
    write_function(load(PIPELINE, tmp_path), file)

    def call(uri: str, accept: str | None) -> str:
        given = json.dumps([file.read_text(), [[uri, accept]]])
        ended = subprocess.run([node, "-e", RUN], input=given, capture_output=True, text=True, check=True)
        (answer,) = json.loads(ended.stdout)
        return str(answer)

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
def test_a_browser_gets_the_best_format_that_it_shows(
    ask: Callable[[str, str | None], str], accept: str | None, chosen: str
) -> None:
    extension = {"jpeg": "jpg"}.get(chosen, chosen)
    asked = PHOTO.format("800-jpeg", "jpg")
    assert ask(asked, accept) == PHOTO.format(f"800-{chosen}", extension)


def test_only_keys_of_the_most_common_format_are_changed(ask: Callable[[str, str | None], str]) -> None:
    """A page that links to another format itself gets that format."""
    for path in (
        PHOTO.format("400-webp", "webp"),
        PHOTO.format("600-jpeg", "jpg"),
        "/a.jpg/fixed-jpeg-0123456789abcdef.jpg",
        "/icons/a.b.c.png",
        "/",
    ):
        assert ask(path, CHROME) == path
    assert ask("/icons/in/$1/photo.photo.jpg.photo.png", CHROME) == "/icons/in/$1/photo.photo.jpg.photo.webp"


def test_a_function_that_cloudfront_would_refuse_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "accept.js"
    plain = PIPELINE.replace("formats", "# formats").replace("{ext}", "{rendition}")
    with pytest.raises(UsageError, match="there is no format to choose: expected"):
        write_function(load(plain, tmp_path), file)
    widths = ", ".join(str(width) for width in range(100, 200))
    with pytest.raises(UsageError, match=rf"CloudFront accepts {MOST_BYTES:,}"):
        write_function(load(PIPELINE.replace("400, 800", widths), tmp_path), file)
    assert not file.exists()


def test_package_writes_the_function_on_request(tmp_path: Path) -> None:
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

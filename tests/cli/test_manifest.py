"""``renditions manifest``: what a web page needs to show pictures."""

from __future__ import annotations

import html.parser
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
from PIL import Image

import renditions
from commands import draw, run, write_pipeline
from renditions.model.shapes import describe_manifest, describe_record
from renditions.web.signing import SigningKeys

RENDITIONS = """
[analyze]
placeholder = "thumbhash"
[renditions.photo]
widths = [160, 320, 640]
formats = ["avif", "jpeg"]
[renditions.square]
width = 100
height = 100
fit = "cover"
[renditions.paper]
format = "pdf"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    write_pipeline(folder, RENDITIONS)
    file = folder / "renditions.toml"
    file.write_text(
        file.read_text().replace('store = "./processed"', 'store = "./processed"\nbase_url = "/img"')
    )
    draw(folder / "inbox" / "big.jpg", 900, 600, seed=1)
    draw(folder / "inbox" / "a folder" / "small, 50%.png", 200, 150, seed=2)
    (folder / "inbox" / "big.jpg.alt.txt").write_text('A "boat"\n  & a <pier>\n')
    (folder / "inbox" / "bad.jpg").write_bytes(b"no picture")
    assert run(folder, "sync").code == 1
    return folder


@pytest.fixture(scope="module")
def manifest(site: Path) -> dict[str, Any]:
    ended = run(site, "manifest")
    assert ended.code == 0, ended.err
    assert ended.err == ""
    data: dict[str, Any] = ended.data
    return data


def picture_of(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in manifest["pictures"] if each["name"] == name)


def close(schema: Any) -> Any:
    """Return the schema, changed so that it forbids fields that it doesn't describe."""
    if isinstance(schema, dict):
        closed = {name: close(value) for name, value in schema.items()}
        return closed | ({"additionalProperties": False} if "properties" in schema else {})
    return [close(each) for each in schema] if isinstance(schema, list) else schema


def test_the_manifest_follows_its_schema(site: Path, manifest: dict[str, Any]) -> None:
    jsonschema.validate(manifest, close(describe_manifest()))
    schema = run(site, "schema", "manifest").data
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"] == "Renditions manifest"


def test_every_record_follows_its_schema(site: Path) -> None:
    for record in run(site, "list", "--json").data:
        jsonschema.validate(record, close(describe_record()))
    assert run(site, "schema", "record").data["properties"]["image_name"]["type"] == "string"


def test_pictures_without_renditions_are_left_out_of_the_manifest(manifest: dict[str, Any]) -> None:
    assert [each["name"] for each in manifest["pictures"]] == ["a folder/small, 50%.png", "big.jpg"]


def test_urls_begin_with_the_base_url_and_are_escaped(manifest: dict[str, Any]) -> None:
    small = picture_of(manifest, "a folder/small, 50%.png")
    assert small["renditions"]["square"]["url"] == "/img/a%20folder/small%2C%2050%25.png/square.jpg"


def test_a_picture_in_the_manifest_has_its_size_alternative_text_placeholder_and_colour(
    manifest: dict[str, Any],
) -> None:
    big = picture_of(manifest, "big.jpg")
    assert (big["width"], big["height"]) == (900, 600)
    assert big["alt"] == 'A "boat" & a <pier>'
    assert big["placeholder"].startswith("data:image/png;base64,")
    assert big["colour"].startswith("#")
    assert "alt" not in picture_of(manifest, "a folder/small, 50%.png")


def test_each_look_has_its_own_sources_and_img(manifest: dict[str, Any]) -> None:
    looks = picture_of(manifest, "big.jpg")["looks"]
    assert list(looks) == ["photo", "square"]
    photo = looks["photo"]
    assert photo["sources"] == [
        {
            "type": "image/avif",
            "srcset": "/img/big.jpg/photo-160-avif.avif 160w, /img/big.jpg/photo-320-avif.avif 320w, "
            "/img/big.jpg/photo-640-avif.avif 640w",
            "sizes": "(max-width: 640px) 100vw, 640px",
        }
    ]
    assert photo["img"]["src"] == "/img/big.jpg/photo-640-jpeg.jpg"
    assert photo["img"]["srcset"].endswith("/img/big.jpg/photo-640-jpeg.jpg 640w")
    assert (photo["img"]["width"], photo["img"]["height"]) == (640, 427)
    assert looks["square"] == {
        "sources": [],
        "img": {"src": "/img/big.jpg/square.jpg", "type": "image/jpeg", "width": 100, "height": 100},
    }


def test_a_srcset_repeats_no_width_descriptor(manifest: dict[str, Any]) -> None:
    """The widths 320 and 640 of the small picture share a file of 200 pixels."""
    small = picture_of(manifest, "a folder/small, 50%.png")
    srcset = small["looks"]["photo"]["img"]["srcset"]
    assert [each.rpartition(" ")[2] for each in srcset.split(", ")] == ["160w", "200w"]
    shared = {small["renditions"][f"photo-{width}-jpeg"]["url"] for width in (320, 640)}
    assert len(shared) == 1
    for picture in manifest["pictures"]:
        for look in picture["looks"].values():
            for each in (*look["sources"], look["img"]):
                descriptors = [part.rpartition(" ")[2] for part in each.get("srcset", "").split(", ")]
                assert len(set(descriptors)) == len(descriptors)


def test_the_manifest_includes_renditions_that_browsers_can_not_show(manifest: dict[str, Any]) -> None:
    paper = picture_of(manifest, "big.jpg")["renditions"]["paper"]
    assert paper["type"] == "application/pdf"


class _Elements(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def elements_of(text: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Elements()
    parser.feed(text)
    return parser.found


def test_the_manifest_in_html_has_the_values_of_the_manifest_in_json(
    site: Path, manifest: dict[str, Any]
) -> None:
    ended = run(site, "manifest", "big.jpg", "--format", "html", "--look", "photo")
    assert ended.out.startswith("<!-- big.jpg: photo -->\n<picture>")
    (_, _), (_, source), (_, image) = elements_of(ended.out)
    look = picture_of(manifest, "big.jpg")["looks"]["photo"]
    assert source == look["sources"][0]
    assert image["alt"] == 'A "boat" & a <pier>'
    assert {name: image[name] for name in ("src", "srcset", "sizes")} == {
        name: look["img"][name] for name in ("src", "srcset", "sizes")
    }
    assert (image["width"], image["height"], image["loading"]) == ("640", "427", "lazy")
    assert "url(data:image/png;base64," in (image["style"] or "")


def test_the_html_of_several_looks_names_each_look_in_a_comment(site: Path) -> None:
    out = run(site, "manifest", "--format", "html").out
    assert out.count("<!-- ") == 4
    assert "<!-- a folder/small, 50%.png: square -->" in out
    images = [attributes for tag, attributes in elements_of(out) if tag == "img"]
    assert len(images) == 4
    assert images[0]["alt"] == ""


def test_the_option_sizes_sets_the_sizes_in_the_manifest(site: Path) -> None:
    data = run(site, "manifest", "big.jpg", "--sizes", "50vw").data
    assert data["pictures"][0]["looks"]["photo"]["img"]["sizes"] == "50vw"


def test_names_and_prefixes_select_the_pictures_in_the_manifest(site: Path) -> None:
    assert [each["name"] for each in run(site, "manifest", "a folder/").data["pictures"]] == [
        "a folder/small, 50%.png"
    ]
    missing = run(site, "manifest", "none.jpg")
    assert missing.code == 2
    assert "there is no record of 'none.jpg'" in missing.err
    assert run(site, "manifest", "none/").code == 2
    assert "there is no rendition 'big'" in run(site, "manifest", "--look", "big").err


def test_a_manifest_without_a_base_url_has_relative_urls_and_prints_a_warning(tmp_path: Path) -> None:
    write_pipeline(tmp_path, "[renditions.thumb]\nwidth = 9")
    draw(tmp_path / "inbox" / "a.jpg")
    assert run(tmp_path, "sync").code == 0
    ended = run(tmp_path, "manifest")
    assert ended.data["pictures"][0]["renditions"]["thumb"]["url"] == "a.jpg/thumb.jpg"
    assert "no base_url in [output]" in " ".join(ended.err.split())


def test_changing_the_base_url_causes_no_rendition_to_be_made_again(tmp_path: Path) -> None:
    write_pipeline(tmp_path, "[renditions.thumb]\nwidth = 9")
    draw(tmp_path / "inbox" / "a.jpg")
    assert run(tmp_path, "sync").code == 0
    file = tmp_path / "renditions.toml"
    file.write_text(file.read_text().replace("[output]", '[output]\nbase_url = "https://x.example"'))
    assert run(tmp_path, "plan", "--exit-code").code == 0
    assert run(tmp_path, "sync", "--unattended").code == 0, "the version in force is the same"
    assert (
        run(tmp_path, "manifest")
        .data["pictures"][0]["renditions"]["thumb"]["url"]
        .startswith("https://x.example/")
    )


ON_DEMAND = """
[renditions.photo]
widths = [160, 320, 640]
on_demand = true
"""


@pytest.fixture(scope="module")
def on_demand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a pipeline whose only renditions are widths on demand."""
    folder = tmp_path_factory.mktemp("on_demand")
    write_pipeline(folder, ON_DEMAND)
    file = folder / "renditions.toml"
    server = 'on_demand_url = "https://x.example/gallery"'
    file.write_text(file.read_text().replace("[output]", f"[output]\n{server}"))
    draw(folder / "inbox" / "big.jpg", 900, 601, seed=1)
    draw(folder / "inbox" / "small, 50%.jpg", 200, 150, seed=2)
    (folder / "inbox" / "bad.jpg").write_bytes(b"no picture")
    assert run(folder, "sync").code == 1
    return folder


def test_widths_on_demand_are_not_made_in_advance(on_demand: Path) -> None:
    assert run(on_demand, "check").out.count("on demand") == 3
    assert run(on_demand, "plan", "--exit-code").code == 0
    assert [path.name for path in (on_demand / "processed").iterdir()] == [".renditions"]


def test_a_srcset_has_the_urls_of_widths_on_demand_with_the_sizes_they_will_have(on_demand: Path) -> None:
    manifest = run(on_demand, "manifest").data
    jsonschema.validate(manifest, close(describe_manifest()))
    assert [each["name"] for each in manifest["pictures"]] == ["big.jpg", "small, 50%.jpg"]
    big, small = manifest["pictures"]
    at = "https://x.example/gallery/i"
    assert big["looks"]["photo"]["img"]["srcset"] == (
        f"{at}/photo-160/big.jpg 160w, {at}/photo-320/big.jpg 320w, {at}/photo-640/big.jpg 640w"
    )
    name = "small%2C%2050%25.jpg"
    expected = f"{at}/photo-160/{name} 160w, {at}/photo-320/{name} 200w"
    assert small["looks"]["photo"]["img"]["srcset"] == expected, "640 would be the file of 320"
    for picture in manifest["pictures"]:
        made = renditions.render(
            on_demand / "inbox" / picture["name"], on_demand / "renditions.toml", renditions=["photo"]
        )
        for rendition, output in made.outputs.items():
            described = picture["renditions"][rendition]
            assert (described["width"], described["height"]) == (output.width, output.height)


def test_urls_of_widths_on_demand_can_be_signed(on_demand: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = "2027:a-secret-of-at-least-thirty-two-characters"
    monkeypatch.setenv("RENDITIONS_SIGNING_KEYS", keys)
    (picture,) = run(on_demand, "manifest", "small, 50%.jpg", "--hours", "2").data["pictures"]
    url = urlsplit(picture["renditions"]["photo-160"]["url"])
    assert SigningKeys.parse(keys).find_problem("/i/photo-160/small, 50%.jpg", url.query, time.time()) is None


def test_the_refusal_of_an_unknown_width_lists_the_declared_widths(on_demand: Path) -> None:
    ended = run(on_demand, "sign", "photo-333", "big.jpg")
    assert ended.code == 2
    assert "Choose one of photo-160, photo-320, photo-640" in " ".join(ended.err.split())


@pytest.mark.parametrize(
    ("base_url", "code"),
    [
        ("https://x/a", 0), ("/images/", 0), ("//", 0),
        ("images", 2), ("ftp://x", 2), ("https://x/?a=b", 2), ('https://x/"', 2), ("", 2),
    ],
)  # fmt: skip
def test_check_accepts_only_a_url_or_an_absolute_path_as_base_url(
    tmp_path: Path, base_url: str, code: int
) -> None:
    write_pipeline(tmp_path, "[renditions.thumb]\nwidth = 9")
    file = tmp_path / "renditions.toml"
    file.write_text(file.read_text().replace("[output]", f"[output]\nbase_url = {json.dumps(base_url)}"))
    assert run(tmp_path, "check").code == code


def test_the_alternative_text_in_a_picture_is_used_if_there_is_no_text_file_beside_the_picture(
    tmp_path: Path,
) -> None:
    write_pipeline(tmp_path, "[analyze]\nalt_text = true\n[renditions.thumb]\nwidth = 9")
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:c="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/">'
        '<c:AltTextAccessibility><rdf:Alt><rdf:li xml:lang="x-default">A pier</rdf:li></rdf:Alt>'
        "</c:AltTextAccessibility></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    draw(tmp_path / "inbox" / "a.jpg", xmp=xmp.encode())
    assert run(tmp_path, "sync").code == 0
    assert run(tmp_path, "manifest").data["pictures"][0]["alt"] == "A pier"
    beside = tmp_path / "inbox" / "a.jpg.alt.txt"
    beside.write_text("")
    assert run(tmp_path, "manifest").data["pictures"][0]["alt"] == ""
    beside.write_bytes(b"\xff\xfe")
    ended = run(tmp_path, "manifest")
    assert ended.data["pictures"][0]["alt"] == "A pier"
    assert "a.jpg.alt.txt isn't used" in " ".join(ended.err.split())
    sync = run(tmp_path, "sync")
    assert "left out" not in sync.err
    assert run(tmp_path, "list", "--unmatched").out == ""


def test_transparent_pictures_have_no_placeholder_in_the_manifest(tmp_path: Path) -> None:
    write_pipeline(
        tmp_path, '[analyze]\nplaceholder = "thumbhash"\n[renditions.thumb]\nwidth = 9\nformat = "png"'
    )
    Image.new("RGBA", (40, 40), (255, 0, 0, 100)).save(tmp_path / "inbox" / "a.png")
    assert run(tmp_path, "sync").code == 0
    entry = run(tmp_path, "manifest").data["pictures"][0]
    assert "placeholder" not in entry
    assert entry["colour"].startswith("#")
    assert "style=" not in run(tmp_path, "manifest", "--format", "html").out


def test_an_empty_catalog_gives_an_empty_manifest(tmp_path: Path) -> None:
    write_pipeline(tmp_path, "[renditions.thumb]\nwidth = 9")
    assert run(tmp_path, "manifest").data == {"version": 1, "pictures": []}
    assert not (tmp_path / "renditions.db").exists()

"""The examples on a laptop: their pages' commands give the promised results."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image

from commands import Ended, run
from imaging.dicoms import SECRET
from systems.places import commands_of, copy_example, draw_photographs


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    draw_photographs(home / "Pictures")
    return home


def follow(name: str, home: Path, folder: Path, heading: str = "On a laptop") -> Ended:
    """Run the page's commands in a copy of the example; return the result.

    The pictures are in the home folder.
    """
    commands = commands_of(name, heading)
    assert commands
    environ = os.environ | {"HOME": str(home), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    ended = subprocess.run(
        ["sh", "-c", commands], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def size_of(file: Path) -> tuple[str | None, tuple[int, int]]:
    with Image.open(file) as picture:
        return picture.format, picture.size


def test_the_thumbnail_example_gives_the_results_on_its_page(home: Path, tmp_path: Path) -> None:
    """A 1920×1080 photo.jpg becomes thumb_photo.jpg of 200×113.

    The record has both sizes.
    """
    folder = copy_example("thumbnail", tmp_path / "thumbnail")
    ended = follow("thumbnail", home, folder)
    assert ended.code == 0, ended.err
    assert size_of(folder / "processed" / "thumb_photo.jpg") == ("JPEG", (200, 113))
    record = run(folder, "show", "photo.jpg", "--json").data
    assert record["image_name"] == "photo.jpg"
    assert (record["original_width"], record["original_height"]) == (1920, 1080)
    assert (record["processed_width"], record["processed_height"]) == (200, 113)
    assert record["original_size_bytes"] == (folder / "inbox" / "photo.jpg").stat().st_size
    assert record["processed_size_bytes"] == (folder / "processed" / "thumb_photo.jpg").stat().st_size
    assert record["status"] == "done"
    assert record["timestamp"] in ended.out or record["timestamp"][:10] in ended.out


def test_the_square_example_gives_the_results_on_its_page(home: Path, tmp_path: Path) -> None:
    folder = copy_example("square", tmp_path / "square")
    assert follow("square", home, folder).code == 0
    assert size_of(folder / "processed" / "photo.jpg" / "square.jpg") == ("JPEG", (200, 200))


def test_the_base64_example_gives_the_results_on_its_page(home: Path, tmp_path: Path) -> None:
    """The decoded text is the picture.

    One catalog's key is image_id, the other one's is image_name.
    """
    folder = copy_example("base64", tmp_path / "base64")
    assert follow("base64", home, folder).code == 0
    assert (folder / "same.jpg").read_bytes() == (folder / "inbox" / "photo.jpg").read_bytes()
    assert run(folder, "show", "photo.jpg", "--json").data["image_id"] == "photo.jpg"
    by_name = run(folder, "-p", "by-name.toml", "show", "photo.jpg", "--json").data
    assert (by_name["image_name"], by_name["status"]) == ("photo.jpg", "done")


def test_the_gallery_example_gives_the_results_on_its_page(home: Path, tmp_path: Path) -> None:
    """The example makes three sizes, and a PDF smaller than the picture.

    It sends a notice of each result.
    """
    folder = copy_example("gallery", tmp_path / "gallery")
    ended = follow("gallery", home, folder)
    assert ended.code == 1
    made = folder / "processed" / "photo.jpg"
    assert {file.name for file in made.iterdir()} == {"small.jpg", "medium.jpg", "large.jpg", "document.pdf"}
    assert size_of(made / "small.jpg") == ("JPEG", (300, 169))
    assert size_of(made / "medium.jpg") == ("JPEG", (600, 338))
    assert size_of(made / "large.jpg") == ("JPEG", (1200, 675))
    document = pypdfium2.PdfDocument(made / "document.pdf")
    assert len(document) == 1
    document.close()
    assert (made / "document.pdf").stat().st_size < (folder / "inbox" / "photo.jpg").stat().st_size
    said = ended.err.replace("\n", " ")
    assert "photo.jpg is done: " in said
    assert "warning: broken.jpg is rejected: " in said


def test_the_platform_example_gives_the_results_on_its_page(home: Path, tmp_path: Path) -> None:
    """A PNG becomes JPEGs and a WebP.

    Small and blurred pictures are refused.
    """
    folder = copy_example("platform", tmp_path / "platform")
    ended = follow("platform", home, folder)
    made = folder / "processed" / "photo.png"
    assert {file.name: size_of(file) for file in made.iterdir()} == {
        "small.jpg": ("JPEG", (320, 180)),
        "medium.jpg": ("JPEG", (960, 540)),
        "large.jpg": ("JPEG", (1920, 1080)),
        "page.webp": ("WEBP", (960, 540)),
    }
    assert (made / "large.jpg").stat().st_size <= 600_000
    listed = json.loads(ended.out[ended.out.index("\n[") :])
    assert [record["image_name"] for record in listed] == ["photo.png"]
    assert {"tiny.png", "blurred.jpg"} <= set(re.findall(r"[\w.]+", ended.out))
    assert "min_width requires at least 640" in ended.err.replace("\n", " ")
    assert "sharpness" in ended.err


def test_the_other_platform_pipelines_give_the_results_on_their_page(home: Path, tmp_path: Path) -> None:
    """The page's commands sync social.toml, archive.toml and medical.toml.

    The page has no command for shop.toml, so the test syncs it itself.
    """
    folder = copy_example("platform", tmp_path / "platform")
    (folder / "inbox").mkdir()
    shutil.copy(home / "Pictures" / "photo.jpg", folder / "inbox")
    ended = follow("platform", home, folder, "The pipeline files")
    assert ended.code == 1, ended.err
    social = folder / "processed-social" / "photo.jpg"
    assert size_of(social / "face.png") == ("PNG", (256, 256))
    with Image.open(social / "face.png") as face:
        assert face.getchannel("A").getpixel((0, 0)) == 0
    assert size_of(social / "feed.webp") == ("WEBP", (1080, 608))
    assert run(folder, "-p", "social.toml", "show", "photo.jpg", "--json").data["analysis"]["thumbhash"]
    archive = folder / "processed-archive" / "photo.jpg"
    assert size_of(archive / "copy.jpg") == ("JPEG", (1920, 1080))
    assert (archive / "document.pdf").read_bytes().startswith(b"%PDF")
    medical = folder / "processed-medical"
    assert size_of(medical / "scan.dcm" / "preview.png") == ("PNG", (240, 135))
    document = pypdfium2.PdfDocument(medical / "scan.dcm" / "frames.pdf")
    assert len(document) == 2
    document.close()
    assert not (medical / "named.dcm").exists()
    refused = run(folder, "-p", "medical.toml", "show", "named.dcm", "--json").data
    assert (refused["status"], "BurnedInAnnotation" in refused["reason"]) == ("rejected", True)
    kept = [file for file in folder.rglob("*") if file.is_file() and file.parent.name != "inbox"]
    assert not [file for file in kept if SECRET.encode() in file.read_bytes()]
    assert SECRET not in ended.out + ended.err
    assert run(folder, "-p", "shop.toml", "sync").code == 0
    assert size_of(folder / "processed" / "photo.jpg" / "product.jpg") == ("JPEG", (800, 800))

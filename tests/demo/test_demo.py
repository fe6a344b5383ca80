"""The demo: its pictures, its printed table and its folder."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import urllib.request
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from commands import draw, run, write_pipeline
from renditions.demo.folder import prepare
from renditions.errors import UsageError
from renditions.pipeline_file.reading import load
from web.browser import read, served


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("demo")
    ended = run(folder, "demo")
    assert ended.code == 0, ended.err
    return folder / "demo", ended.out


def test_the_demo_pictures_have_their_documented_properties(shown: tuple[Path, str]) -> None:
    inbox = shown[0] / "inbox"
    with Image.open(inbox / "mountains.jpg") as picture:
        assert (picture.format, picture.size) == ("JPEG", (4000, 3000))
    with Image.open(inbox / "sea.jpg") as picture:
        assert (picture.format, picture.size) == ("JPEG", (1920, 1080))
    with Image.open(inbox / "portrait.jpg") as picture:
        assert picture.getexif()[0x0112] == 6
        assert picture.width > picture.height, "stored sideways"
        upright = ImageOps.exif_transpose(picture).convert("RGB")
        top, bottom = (upright.getpixel((5, y)) for y in (5, upright.height - 5))
        assert isinstance(top, tuple)
        assert isinstance(bottom, tuple)
        assert top[2] > bottom[2] + 50, "sky above, ground below"
    with Image.open(inbox / "leaf.png") as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGBA")
        assert picture.getchannel("A").getextrema() == (0, 255)
    with Image.open(inbox / "aurora.webp") as picture:
        assert picture.format == "WEBP"
    with Image.open(inbox / "waves.gif") as picture:
        assert picture.format == "GIF"
        assert picture.n_frames == 10  # type: ignore[attr-defined]
    with Image.open(inbox / "half.jpg") as picture, pytest.raises(OSError, match="truncated"):
        picture.load()
    assert len((inbox / "notes.jpg").read_text(encoding="utf-8").splitlines()) == 1


def test_preparing_the_demo_in_two_folders_writes_the_same_pictures_and_loads_no_libvips(
    shown: tuple[Path, str], tmp_path: Path
) -> None:
    script = (
        "import pathlib, sys; from renditions.demo.folder import prepare; "
        "prepare(pathlib.Path(sys.argv[1]), None); sys.exit('pyvips' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False).returncode == 0
    first, second = (
        {path.name: path.read_bytes() for path in (directory / "inbox").glob("[!.]*")}
        for directory in (shown[0], tmp_path)
    )
    assert first.keys() == second.keys()
    assert [name for name, content in first.items() if content != second[name]] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inbox", "renditions.toml"]


def test_each_file_in_the_printed_table_exists_and_each_picture_has_the_printed_dimensions(
    shown: tuple[Path, str],
) -> None:
    directory, table = shown
    seen = 0
    for line in table.splitlines():
        words = line.split()
        if not line.startswith("  ") or not words:
            continue
        path = directory / "processed" / words[0]
        width, height = (int(side) for side in words[1].split("×"))
        if path.suffix == ".pdf":
            assert path.read_bytes().startswith(b"%PDF-")
        else:
            with Image.open(path) as picture:
                assert picture.size == (width, height)
        seen += 1
    assert seen == 4 * 7
    assert "rejected half.jpg: " in table
    assert "rejected notes.jpg: " in table
    assert str(directory.resolve() / "processed") in table


def test_the_demo_reads_the_photos_in_a_given_folder_and_does_not_change_them(tmp_path: Path) -> None:
    photos = tmp_path / "my \"odd\" \\ 'photos' ü"
    draw(photos / "one.jpg")
    before = (photos / "one.jpg").stat()
    ended = run(tmp_path, "demo", "--photos", str(photos))
    assert ended.code == 0, ended.err
    assert (tmp_path / "demo" / "processed" / "one.jpg" / "thumb.jpg").exists()
    assert list(photos.iterdir()) == [photos / "one.jpg"]
    assert (photos / "one.jpg").stat().st_mtime_ns == before.st_mtime_ns


def test_preparing_the_demo_again_changes_nothing(shown: tuple[Path, str]) -> None:
    def state() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in shown[0].rglob("*")}

    before = state()
    assert prepare(shown[0], None) == shown[0] / "renditions.toml"
    assert state() == before


def test_an_existing_inbox_is_used_unchanged(tmp_path: Path) -> None:
    draw(tmp_path / "inbox" / "mine.jpg")
    loaded = load(prepare(tmp_path, None))
    assert loaded.warnings == ()
    assert set(loaded.pipeline.renditions) == {"thumb", "square", "large", "document"}
    assert [path.name for path in (tmp_path / "inbox").iterdir()] == ["mine.jpg"]


@pytest.mark.parametrize(
    "name", ["plain", "a \"b\" 'c'", "back\\slash", "ü 猫 🏔", "{source}", "tab\there", "del\x7f"]
)
def test_the_path_of_a_photo_folder_of_any_name_is_read_back_unchanged_from_the_pipeline_file(
    tmp_path: Path, name: str
) -> None:
    photos = tmp_path / name
    photos.mkdir()
    pipeline = prepare(tmp_path / "demo", photos)
    assert tomllib.loads(pipeline.read_text(encoding="utf-8"))["source"]["store"] == str(photos.resolve())
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["renditions.toml"]


def test_a_photo_folder_whose_name_is_not_utf8_is_refused_and_no_file_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="UTF-8"):
        prepare(tmp_path / "demo", tmp_path / "\udcff")
    assert list((tmp_path / "demo").iterdir()) == []


def test_a_pipeline_file_that_a_person_wrote_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "renditions.toml").write_text("# mine\n")
    with pytest.raises(UsageError, match="another pipeline file exists there"):
        prepare(tmp_path, None)
    assert (tmp_path / "renditions.toml").read_text() == "# mine\n"
    assert not (tmp_path / "inbox").exists()


def test_serving_the_demo_uses_its_pipeline_file_after_a_person_changed_it(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    write_pipeline(tmp_path / "demo", "[renditions.own]\nwidth = 20\n")
    draw(tmp_path / "demo" / "inbox" / "mine.jpg")
    with served(tmp_path, "--demo") as address:
        assert read(f"{address}/status")["file_problem"] is None
        with urllib.request.urlopen(f"{address}/i/own/mine.jpg", timeout=60) as answer:  # noqa: S310 - our own
            assert answer.status == 200
    assert [path.name for path in (tmp_path / "demo" / "inbox").glob("*.*g")] == ["mine.jpg"]


def test_serving_the_demo_refuses_another_pipeline_file(tmp_path: Path) -> None:
    for arguments in (("serve", "--demo", "-p", "my.toml"), ("-p", "my.toml", "serve", "--demo")):
        ended = run(tmp_path, *arguments)
        assert (ended.code, ended.out) == (2, "")
        assert "Use either --demo or --pipeline." in ended.err
    assert list(tmp_path.iterdir()) == []


def test_two_processes_can_prepare_the_demo_in_one_folder_at_the_same_time(tmp_path: Path) -> None:
    script = "import pathlib; from renditions.demo.folder import prepare; prepare(pathlib.Path('demo'), None)"
    both = [subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path) for _ in range(2)]
    assert [each.wait(120) for each in both] == [0, 0]
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == ["inbox", "renditions.toml"]
    assert (tmp_path / "demo" / "inbox" / "notes.jpg").exists()


def test_preparing_the_demo_raises_an_error_if_its_folder_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="can't write the demo to"):
        prepare(tmp_path / "file" / "demo", None)

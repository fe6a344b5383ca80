"""Sources and outputs that overlap through real links and mounts.

No output may become a picture.
"""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePath
from shutil import which

import pytest

from commands import RENDITIONS, Ended, draw, run, write_pipeline
from renditions.local.overlap import Mount, find_overlaps, locate

NESTED = '[renditions.thumb]\nwidth = 40\nkey = "thumbs/{name}"\n'
FLAT = '[renditions.thumb]\nwidth = 40\nkey = "small_{name}"\n'

BIND = ("mount", "--bind")
BINDFS = ("bindfs",)
NAMED_BINDFS = ("bindfs", "-o", "fsname=share")
"""This kind of mount doesn't reveal which folder it shows, like a network mount."""


@contextmanager
def mounted(how: tuple[str, ...], folder: Path, at: Path) -> Iterator[None]:
    """Show a folder under another path during the block.

    Skip the test if the mount program isn't installed or can't mount here.
    """
    at.mkdir(parents=True, exist_ok=True)
    if which(how[0]) is None:
        pytest.skip(f"overlaps through {how[0]} are NOT tested: it isn't installed")
    done = subprocess.run([*how, folder, at], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"overlaps through {how[0]} are NOT tested: it can't mount here: {done.stderr}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", at], check=True)


def prepare(
    folder: Path, renditions: str = FLAT, *, source: str = "inbox", output: str = "processed"
) -> None:
    """Declare a pipeline over two folders, with a picture in the source."""
    write_pipeline(folder, renditions)
    file = folder / "renditions.toml"
    text = file.read_text().replace("./inbox", f"./{source}").replace("./processed", f"./{output}")
    file.write_text(text)
    draw(folder / source / "photo.jpg")


def list_files(folder: Path) -> set[str]:
    """Return the files below a folder that the store lists."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in paths if ".renditions" not in path.parts}


def insist_refused(ended: Ended, folder: Path, *, source: str = "inbox", output: str = "processed") -> None:
    assert ended.code == 2, ended
    assert f"[source] store {folder / source} and [output] store {folder / output} overlap" in ended.err
    assert "Choose an [output] store outside of the source" in ended.err


def test_an_output_folder_that_links_into_the_source_is_refused(tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / "inbox/below").mkdir()
    (tmp_path / "processed").symlink_to("inbox/below")
    for command in ("plan", "sync"):
        ended = run(tmp_path, command)
        assert ended.code == 2
        assert "outputs outside the source" in ended.err
    assert list_files(tmp_path / "inbox") == {"photo.jpg"}


@pytest.mark.parametrize("how", [BIND, BINDFS], ids=["bind", "bindfs"])
@pytest.mark.parametrize("shown", ["inbox", "inbox/below", "."], ids=["same", "below", "above"])
def test_an_output_folder_that_is_a_mount_of_the_source_is_refused_and_gets_no_output(
    tmp_path: Path, how: tuple[str, ...], shown: str
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    prepare(folder, FLAT.replace("small_", "inbox/small_") if shown == "." else FLAT)
    (folder / "inbox/below").mkdir()
    before = list_files(tmp_path)
    with mounted(how, folder / shown, tmp_path / "mount"):
        file = folder / "renditions.toml"
        file.write_text(file.read_text().replace("./processed", f"{tmp_path}/mount"))
        for command in ("plan", "sync", "watch", "serve", "retry"):
            insist_refused(run(folder, command), folder, output=f"{tmp_path}/mount")
    assert list_files(tmp_path) - before <= {"project/renditions.db"}
    assert not (folder / "inbox/.renditions").exists()


@pytest.mark.parametrize("how", [BIND, BINDFS, NAMED_BINDFS], ids=["bind", "bindfs", "named bindfs"])
def test_an_output_folder_that_is_mounted_below_the_source_is_refused(
    tmp_path: Path, how: tuple[str, ...]
) -> None:
    prepare(tmp_path)
    (tmp_path / "processed").mkdir()
    with mounted(how, tmp_path / "processed", tmp_path / "inbox/2024/made"):
        for command in ("sync", "plan", "sync"):
            insist_refused(run(tmp_path, command), tmp_path)
        assert list_files(tmp_path / "inbox") == {"photo.jpg"}


def test_a_source_is_refused_if_the_registration_of_its_output_is_found_in_it(
    tmp_path: Path,
) -> None:
    prepare(tmp_path, source="view", output="data/site/processed")
    (tmp_path / "data/site").mkdir(parents=True)
    (tmp_path / "view/photo.jpg").rename(tmp_path / "data/photo.jpg")
    with mounted(NAMED_BINDFS, tmp_path / "data", tmp_path / "view"):
        insist_refused(run(tmp_path, "sync"), tmp_path, source="view", output="data/site/processed")
        assert list_files(tmp_path / "data") == {"photo.jpg"}


def test_a_source_is_refused_if_its_marker_is_found_where_outputs_go(tmp_path: Path) -> None:
    prepare(tmp_path)
    assert run(tmp_path, "sync").code == 0
    with mounted(NAMED_BINDFS, tmp_path / "inbox", tmp_path / "processed/originals"):
        assert run(tmp_path, "sync").code == 0, "no output can land there"
        file = tmp_path / "renditions.toml"
        file.write_text(file.read_text().replace("small_", "originals/small_"))
        ended = run(tmp_path, "sync")
        insist_refused(ended, tmp_path)
        assert f"overlap at {tmp_path}/processed/originals" in ended.err
    assert list_files(tmp_path / "inbox") == {"photo.jpg"}


def test_a_watch_ends_after_the_output_is_mounted_below_its_source(tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / "processed").mkdir()
    with ExitStack() as stack:
        watching = subprocess.Popen(
            [RENDITIONS, "watch", "--json"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        stack.callback(watching.communicate)
        stack.callback(watching.send_signal, signal.SIGKILL)
        assert watching.stdout
        assert "photo.jpg" in watching.stdout.readline()
        stack.enter_context(mounted(BIND, tmp_path / "processed", tmp_path / "inbox/made"))
        (tmp_path / "inbox").rename(tmp_path / "moved")  # everything is checked when the folder goes away
        (tmp_path / "moved").rename(tmp_path / "inbox")
        out, _ = watching.communicate(timeout=60)
    assert watching.returncode == 2
    assert "overlap" in json.loads(out.splitlines()[-1])["error"]["detail"]


@pytest.mark.parametrize("how", [None, BIND, BINDFS], ids=["folder", "bind", "bindfs"])
def test_a_source_below_the_output_folder_is_accepted_if_no_output_can_land_in_it(
    tmp_path: Path, how: tuple[str, ...] | None
) -> None:
    prepare(tmp_path, NESTED, source="pictures" if how else "site/inbox", output="site")
    with ExitStack() as stack:
        if how:
            stack.enter_context(mounted(how, tmp_path / "pictures", tmp_path / "site/inbox"))
        for _ in range(2):
            assert run(tmp_path, "sync").code == 0
        assert list_files(tmp_path / "site") == {"inbox/photo.jpg", "thumbs/photo.jpg"}


def test_two_folders_beside_each_other_in_one_mount_are_accepted(tmp_path: Path) -> None:
    for name in ("in", "out"):
        (tmp_path / "data" / name).mkdir(parents=True)
    prepare(tmp_path, source="view/in", output="other/out")
    draw(tmp_path / "data/in/photo.jpg")
    with (
        mounted(BIND, tmp_path / "data", tmp_path / "view"),
        mounted(BIND, tmp_path / "data", tmp_path / "other"),
    ):
        for _ in range(2):
            assert run(tmp_path, "sync").code == 0
    assert list_files(tmp_path / "data") == {"in/photo.jpg", "out/small_photo.jpg"}


def test_a_copy_of_a_project_is_accepted_although_it_has_the_same_marks(tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    prepare(first)
    assert run(first, "sync").code == 0
    subprocess.run(["cp", "-a", first, tmp_path / "second"], check=True)
    assert run(tmp_path / "second", "sync").code == 0


def test_a_folder_is_located_by_the_deepest_mount_above_it_and_the_last_one_there() -> None:
    mounts = (
        Mount(PurePath("/"), "8:1", PurePath("/"), "/dev/sda1"),
        Mount(PurePath("/home"), "0:30", PurePath("/@home"), "/dev/sdb1"),
        Mount(PurePath("/home/ann/bound"), "8:1", PurePath("/srv/pictures"), "/dev/sda1"),
        Mount(PurePath("/home"), "8:2", PurePath("/"), "/dev/sdc1"),
    )
    located = {path: locate(PurePath(path), mounts) for path in ("/srv/a", "/home/bob", "/home/ann/bound/x")}
    assert located == {
        "/srv/a": ("8:1", PurePath("/srv/a")),
        "/home/bob": ("8:2", PurePath("/bob")),
        "/home/ann/bound/x": ("8:1", PurePath("/srv/pictures/x")),
    }
    assert locate(PurePath("/a"), ()) == ("", PurePath("/a")), "other systems have no table of mounts"


def test_folders_that_do_not_exist_overlap_only_if_their_paths_overlap(tmp_path: Path) -> None:
    assert list(find_overlaps(tmp_path / "in", tmp_path / "out")) == []
    assert set(find_overlaps(tmp_path / "in", tmp_path / "in/out")) == {""}
    assert set(find_overlaps(tmp_path / "out/in", tmp_path / "out")) == {"in/"}

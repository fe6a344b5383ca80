"""Stores that ignore case or Unicode normalization."""

from __future__ import annotations

import os
import subprocess
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from commands import draw, run, write_pipeline
from contract.catalogs import make_record
from doubles import MemoryCatalog, MemoryStore
from renditions.core.reconcile import sync
from renditions.errors import KeyTaken
from renditions.local.folder import FolderStore
from renditions.local.sqlite import SqliteCatalog
from renditions.local.tree import Listings, closed
from renditions.model.folding import EXACT, Folding
from renditions.model.recipe import Rendition
from world import World, make_pipeline

IGNORES_CASE = Folding(ignores_case=True)
IGNORES_FORM = Folding(ignores_form=True)
IGNORES_BOTH = Folding(ignores_case=True, ignores_form=True)
COMPOSED, DECOMPOSED = "Été.jpg", unicodedata.normalize("NFD", "Été.jpg")


@pytest.mark.parametrize(
    ("folding", "one", "other", "are_one"),
    [
        (EXACT, "A.jpg", "a.jpg", False),
        (EXACT, COMPOSED, DECOMPOSED, False),
        (IGNORES_CASE, "A.jpg", "a.jpg", True),
        (IGNORES_CASE, COMPOSED, DECOMPOSED, False),
        (IGNORES_FORM, COMPOSED, DECOMPOSED, True),
        (IGNORES_FORM, "A.jpg", "a.jpg", False),
        (IGNORES_BOTH, COMPOSED.upper(), DECOMPOSED.lower(), True),
        (IGNORES_BOTH, "a.jpg", "b.jpg", False),
    ],
)
def test_keys_that_the_folder_treats_as_one_name_are_folded_to_the_same_text(
    folding: Folding, one: str, other: str, *, are_one: bool
) -> None:
    assert (folding(one) == folding(other)) is are_one
    assert folding.are_apart([one], [other]) is not are_one


def make_world() -> World:
    return World(
        pipeline=make_pipeline(thumb=Rendition(width=200, key="{key}")),
        output=MemoryStore(IGNORES_CASE),
        catalog=MemoryCatalog(IGNORES_CASE),
    )


@pytest.mark.parametrize("threads", [1, 8])
def test_the_later_of_two_pictures_whose_keys_name_one_file_is_rejected(threads: int) -> None:
    world = make_world()
    for name in ("IMG_1.jpg", "img_1.jpg", "other.jpg"):
        world.upload(name, name.encode())
    sync(world.run(threads=threads))
    records = {record.name: record for record in world.catalog.list()}
    assert {name: record.status for name, record in records.items()} == {
        "IMG_1.jpg": "done",
        "img_1.jpg": "rejected",
        "other.jpg": "done",
    }
    assert records["img_1.jpg"].blocked_by == "IMG_1.jpg"
    assert "'IMG_1.jpg'" in (records["img_1.jpg"].reason or "")
    assert sync(world.run()).results == {}, "a later sync has nothing to do"


def test_deleting_a_picture_that_was_rejected_for_a_taken_key_keeps_the_output_under_this_key() -> None:
    world = make_world()
    for name in ("IMG_1.jpg", "img_1.jpg"):
        world.upload(name, name.encode())
    sync(world.run())
    world.remove("img_1.jpg")
    assert sync(world.run()).results == {"removed": 1}
    assert world.output.head("IMG_1.jpg")
    world.check_promise()


def test_an_output_keeps_its_file_if_only_the_case_of_its_key_changes() -> None:
    world = make_world()
    world.upload("a.jpg", b"a")
    sync(world.run())
    world.pipeline = make_pipeline(thumb=Rendition(width=200, key="A.jpg"))
    sync(world.run())
    assert [found.key for found in world.output.list()] == ["a.jpg"]
    assert sync(world.run()).results == {}
    assert not world.output.writer_of("a.jpg")


def test_a_picture_is_rejected_if_two_of_its_renditions_would_have_the_same_file() -> None:
    world = make_world()
    world.pipeline = make_pipeline(
        thumb=Rendition(width=20, key="A/{key}"), large=Rendition(width=90, key="a/{key}")
    )
    world.upload("a.jpg", b"a")
    sync(world.run())
    (record,) = world.catalog.list()
    reason = "thumb and large would both write 'a/a.jpg'. Change the key of one of the two renditions"
    assert (record.status, record.reason) == ("rejected", reason)


def test_claims_are_rebuilt_when_the_output_store_begins_to_ignore_case(tmp_path: Path) -> None:
    path = tmp_path / "renditions.db"
    with SqliteCatalog(path) as catalog:
        first = catalog.write(make_record("A.jpg", outputs=("A.jpg", "A2.jpg")))
        second = catalog.write(make_record("a.jpg", outputs=("a.jpg", "b.jpg")))
        assert catalog.owner_of("a.jpg") == "a.jpg"
    for _ in range(2):
        with SqliteCatalog(path, lambda: IGNORES_CASE) as catalog:
            assert catalog.owner_of("a.JPG") == "A.jpg"
            assert catalog.get("A.jpg") == first
            reopened = catalog.get("a.jpg")
            assert reopened
            assert (reopened.goal, reopened.revision) == ("", second.revision + 1)
            assert reopened.claimed_keys() == {"b.jpg"}
            with pytest.raises(KeyTaken) as taken:
                catalog.write(replace(reopened, pending_keys=("a.jpg",)))
            assert (taken.value.key, taken.value.owner) == ("a.jpg", "A.jpg")
    with SqliteCatalog(path) as catalog:
        assert (catalog.owner_of("A2.jpg"), catalog.owner_of("a2.jpg")) == ("A.jpg", None)
        catalog.write(make_record("c.jpg", outputs=("a.jpg",)))


@pytest.mark.parametrize("folding", [EXACT, IGNORES_CASE, IGNORES_FORM, IGNORES_BOTH])
def test_a_folding_has_a_name(folding: Folding) -> None:
    assert Folding.named(folding.name) == folding


def test_a_read_only_catalog_reads_claims_as_they_are_after_the_output_store_changed(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    with SqliteCatalog(path, lambda: IGNORES_CASE) as catalog:
        catalog.write(make_record("one.jpg", outputs=("A.jpg",)))
    before = path.read_bytes()
    with SqliteCatalog(path, lambda: EXACT, read_only=True) as catalog:
        assert catalog.owner_of("a.JPG") == "one.jpg"
    assert path.read_bytes() == before
    with SqliteCatalog(path, lambda: EXACT) as catalog:
        assert [catalog.owner_of(key) for key in ("a.JPG", "A.jpg")] == [None, "one.jpg"]


def test_probing_how_a_folder_compares_names_leaves_no_file_except_the_lock(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "out", create=True)
    assert store.folding() == store.folding()
    assert not list(store.list())
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["lock"]


@contextmanager
def mounted_exfat(folder: Path) -> Iterator[Path]:
    """Yield an empty exFAT disk; skip the test if it can't be mounted."""
    disk, image = folder / "exfat", folder / "exfat.image"
    disk.mkdir()
    with image.open("wb") as file:
        file.truncate(32 << 20)
    with ExitStack() as stack:
        try:
            call("mkfs.exfat", image)
            device = call("losetup", "--find", "--show", image).strip()
            stack.callback(call, "losetup", "--detach", device)
            call("mount.exfat-fuse", device, disk)
            stack.callback(call, "umount", disk)
        except (FileNotFoundError, subprocess.CalledProcessError):
            pytest.skip("output folders on exFAT are NOT tested: exFAT can't be mounted here")
        yield disk


def call(*command: str | Path) -> str:
    """Run a command of the system; return its output."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_two_pictures_do_not_share_an_output_on_an_exfat_disk(tmp_path: Path) -> None:
    with mounted_exfat(tmp_path) as disk:
        assert FolderStore(disk).folding().ignores_case
        write_pipeline(tmp_path, '[renditions.thumb]\nwidth = 40\nkey = "{key}"')
        file = tmp_path / "renditions.toml"
        file.write_text(file.read_text().replace("./processed", "./exfat/out"))
        draw(tmp_path / "inbox/IMG_1.jpg", seed=1)
        draw(tmp_path / "inbox/img_1.jpg", seed=2)
        time.sleep(1)  # until the files have settled
        first = run(tmp_path, "sync")
        assert first.code == 1
        assert "'IMG_1.jpg'" in first.err
        shown = (disk / "out/IMG_1.jpg").read_bytes()
        (tmp_path / "inbox/img_1.jpg").unlink()
        assert run(tmp_path, "sync").code == 0
        assert (disk / "out/IMG_1.jpg").read_bytes() == shown
        assert run(tmp_path, "sync").out.startswith("Nothing to do")


@pytest.mark.parametrize(
    ("ignored", "former", "name"),
    [(IGNORES_CASE, "photo.jpg", "Photo.jpg"), (IGNORES_FORM, COMPOSED, DECOMPOSED)],
    ids=["case", "form"],
)
@pytest.mark.parametrize("does_output_ignore", [False, True])
def test_a_picture_is_renamed_if_its_name_changes_only_in_a_way_that_the_disk_ignores(
    ignored: Folding, former: str, name: str, *, does_output_ignore: bool
) -> None:
    """Such a disk finds the picture under its former name, too."""
    folding = ignored if does_output_ignore else EXACT
    world = World(source=MemoryStore(ignored), output=MemoryStore(folding), catalog=MemoryCatalog(folding))
    world.upload(former, b"one")
    world.settle()
    world.remove(former)
    world.upload(name, b"one")
    assert sync(world.run()).renamed == 1
    assert [record.name for record in world.catalog.list()] == [name]
    world.settle()
    world.check_promise()


def test_is_spelled_is_true_only_for_the_spelling_that_an_exfat_disk_lists(tmp_path: Path) -> None:
    with mounted_exfat(tmp_path) as disk:
        (disk / "A").mkdir()
        (disk / "A" / "photo.jpg").write_bytes(b"one")
        store = FolderStore(disk)
        assert store.is_spelled("A/photo.jpg")
        for other in ("A/PHOTO.jpg", "a/photo.jpg"):
            assert store.head(other)
            assert not store.is_spelled(other)


def test_the_store_looks_for_a_spelling_in_the_other_case_only_once_if_the_folder_distinguishes_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"one")
    store = FolderStore(tmp_path)
    assert store.is_spelled("photo.jpg")
    monkeypatch.setattr("renditions.local.probe.is_there", None)
    assert store.is_spelled("photo.jpg")


def test_the_spelling_of_many_files_is_compared_with_one_listing_of_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{number}.jpg" for number in range(100)]
    (tmp_path / "photos").mkdir()
    for name in names:
        (tmp_path / "photos" / name).write_bytes(b"one")
    read = os.listdir
    listed: list[int] = []

    def listdir(folder: int) -> list[str]:
        listed.append(folder)
        return read(folder)

    monkeypatch.setattr(os, "listdir", listdir)
    monkeypatch.setattr(Listings, "USED_SECONDS", 1000.0)
    listings = Listings()
    with closed(os.open(tmp_path / "photos", os.O_RDONLY)) as root:
        assert all(listings.have(root, [name.encode()]) for name in names)
        assert len(listed) == 1
        assert not listings.have(root, [b"1.JPG"])


def test_a_new_file_and_a_new_spelling_are_seen_in_a_folder_that_was_listed(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"one")
    listings = Listings()
    with closed(os.open(tmp_path, os.O_RDONLY)) as root:
        assert listings.have(root, [b"photo.jpg"])
        (tmp_path / "other.jpg").write_bytes(b"two")
        assert listings.have(root, [b"other.jpg"])
        time.sleep(0.05)  # more than the steps of a file system's clock
        (tmp_path / "photo.jpg").rename(tmp_path / "Photo.jpg")
        assert listings.have(root, [b"Photo.jpg"])
        assert not listings.have(root, [b"photo.jpg"])


def test_is_spelled_is_true_for_both_of_two_files_whose_names_differ_only_in_case(tmp_path: Path) -> None:
    for name in ("photo.jpg", "PHOTO.JPG"):
        (tmp_path / name).write_bytes(b"one")
        assert FolderStore(tmp_path).is_spelled(name)


def test_a_missing_file_does_not_show_that_a_folder_distinguishes_upper_and_lower_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file may be deleted after it is found, before its spelling is compared."""

    def is_there(root: int, parts: Sequence[bytes]) -> bool:  # as on a disk that ignores case
        return parts[-1].lower() in {os.fsencode(name).lower() for name in os.listdir(root)}

    monkeypatch.setattr("renditions.local.probe.is_there", is_there)
    store = FolderStore(tmp_path)
    store.is_spelled("photo.jpg")
    (tmp_path / "Photo.jpg").write_bytes(b"one")
    assert store.is_spelled("Photo.jpg")
    assert not store.is_spelled("photo.jpg")


@pytest.mark.parametrize("key", [COMPOSED, f"{COMPOSED}/photo.jpg"])
def test_is_spelled_is_true_only_for_the_listed_form_on_a_disk_that_ignores_only_the_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """Such a disk tells upper from lower case, which says nothing about forms."""

    def is_there(_: int, parts: Sequence[bytes]) -> bool:
        return IGNORES_FORM(b"/".join(parts).decode()) in IGNORES_FORM(key)

    monkeypatch.setattr("renditions.local.probe.is_there", is_there)
    (tmp_path / key).parent.mkdir(exist_ok=True)
    (tmp_path / key).write_bytes(b"one")
    store = FolderStore(tmp_path)
    for _ in range(2):
        assert store.is_spelled(key)
        assert not store.is_spelled(unicodedata.normalize("NFD", key))


def test_the_store_looks_for_another_form_only_once_if_the_folder_distinguishes_forms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (COMPOSED, DECOMPOSED, "É.jpg"):
        (tmp_path / name).write_bytes(b"one")
    store = FolderStore(tmp_path)
    assert store.is_spelled("É.jpg")
    monkeypatch.setattr("renditions.local.probe.is_there", None)
    assert store.is_spelled(COMPOSED)
    assert store.is_spelled(DECOMPOSED)

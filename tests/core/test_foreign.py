"""Folders, links and files that block the keys of outputs in a folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from renditions.core.ask import ALLOWED
from renditions.core.reconcile import Order, sync
from renditions.local.folder import FolderStore
from renditions.model.recipe import Rendition
from world import World, make_pipeline

NAME = "a.jpg"
THUMB = Rendition(width=200, key="{dir}{name}/thumb.{ext}")
LARGE = Rendition(width=1200, key="large/{name}")


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(output=FolderStore(tmp_path / "out", create=True))
    world.pipeline = make_pipeline(thumb=THUMB, large=LARGE)
    world.bind()
    world.upload(NAME, b"one")
    return world


def put_folder(path: Path) -> None:
    path.mkdir(parents=True)


def put_full_folder(path: Path) -> None:
    put_folder(path)
    (path / "page.html").write_text("theirs")


def put_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("theirs")


def put_link(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(path.parent.parent)


def free(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


OBSTACLES = {
    "an empty folder": (put_folder, "a.jpg/thumb.jpg", "the folder a.jpg/thumb.jpg"),
    "a folder with a file": (put_full_folder, "a.jpg/thumb.jpg", "the folder a.jpg/thumb.jpg"),
    "a link": (put_link, "a.jpg/thumb.jpg", "the link a.jpg/thumb.jpg"),
    "a file in the path": (put_file, "a.jpg", "the file a.jpg"),
    "a link in the path": (put_link, "a.jpg", "the link a.jpg"),
}
each_obstacle = pytest.mark.parametrize(("block", "path", "named"), OBSTACLES.values(), ids=OBSTACLES)
Block = Callable[[Path], None]


@each_obstacle
def test_a_picture_whose_key_is_blocked_is_rejected_until_the_key_is_free(
    world: World, tmp_path: Path, block: Block, path: str, named: str
) -> None:
    block(tmp_path / "out" / path)
    outcome = world.processor().process(NAME)
    assert outcome.record
    assert (outcome.result, outcome.code, outcome.again_after) == ("rejected", "foreign-output", None)
    assert f"{named} in the output store is in the way" in str(outcome.reason)
    assert [made.rendition for made in outcome.record.outputs] == ["large"]
    assert outcome.record.refused_keys == ("a.jpg/thumb.jpg",)
    assert world.plan() == [], "it isn't tried again while the key is blocked"
    free(tmp_path / "out" / path)
    assert [difference.why for difference in world.differences()] == ["its key may be free now"]
    assert world.processor().process(NAME).result == "done"
    world.check_promise()


@each_obstacle
def test_overwrite_does_not_remove_a_folder_a_link_or_a_file_that_blocks_a_key(
    world: World, tmp_path: Path, block: Block, path: str, named: str
) -> None:
    world.use_output(overwrite=True)
    block(tmp_path / "out" / path)
    outcome = world.processor().process(NAME)
    assert named in str(outcome.reason)
    assert (tmp_path / "out" / path).exists()
    assert world.plan() == []


@each_obstacle
def test_a_picture_is_rejected_if_its_output_was_replaced_by_something_that_blocks_its_key(
    world: World, tmp_path: Path, block: Block, path: str, named: str
) -> None:
    world.processor().process(NAME)
    free(tmp_path / "out" / "a.jpg")
    block(tmp_path / "out" / path)
    world.ask = replace(ALLOWED, verify="quick")
    outcome = world.processor().process(NAME, world.ask)
    assert outcome.result == "rejected"
    assert named in str(outcome.reason)
    assert world.plan() == []
    world.remove(NAME)
    assert world.processor().process(NAME, ALLOWED).result == "removed"
    assert (tmp_path / "out" / path).exists()


@each_obstacle
def test_a_plan_names_what_blocks_a_key_and_does_not_create_the_output_folder(
    world: World, tmp_path: Path, block: Block, path: str, named: str
) -> None:
    parts = world.parts()
    list(parts.preview(order := Order()))
    assert not (tmp_path / "out").exists()
    block(tmp_path / "out" / path)
    (difference,) = parts.preview(order)
    assert difference.make == ("large",)
    assert named in str(difference.warning)


def test_a_plan_names_the_foreign_file_that_has_an_output_key(world: World) -> None:
    world.overwrite("large/a.jpg", b"theirs")
    (difference,) = world.parts().preview(Order())
    assert difference.make == ("thumb",)
    assert "large/a.jpg in the output store holds a file" in str(difference.warning)


@pytest.mark.parametrize(
    ("first", "later", "taken"), [("a.png", "a/b.png", "a"), ("a/b.png", "a.png", "a/b")]
)
def test_a_picture_is_rejected_if_another_output_blocks_its_key(
    world: World, first: str, later: str, taken: str
) -> None:
    """One picture's output is a file where the other picture's output needs a folder.

    This can happen if the key has no suffix.
    """
    world.remove(NAME)
    world.pipeline = make_pipeline(thumb=Rendition(width=200, key="{dir}{stem}"))
    world.upload(first, b"one")
    world.settle()
    world.upload(later, b"two")
    outcome = world.processor().process(later)
    assert (outcome.result, outcome.code) == ("rejected", "key-taken")
    assert f"the output key '{taken}' belongs to '{first}'" in str(outcome.reason)
    assert world.plan() == []
    world.remove(first)
    assert "done" in {outcome.result for outcome in world.settle() if outcome.name == later}
    world.check_promise()


def test_one_of_two_new_pictures_whose_keys_block_each_other_is_rejected(world: World) -> None:
    world.remove(NAME)
    world.pipeline = make_pipeline(thumb=Rendition(width=200, key="{dir}{stem}"))
    for number in range(10):
        world.upload(f"{number}.png", b"one")
        world.upload(f"{number}/a.png", b"two")
    summary = sync(world.run())
    assert summary.results == {"done": 10, "rejected": 10}
    assert {record.code for record in world.catalog.query("rejected")} == {"key-taken"}

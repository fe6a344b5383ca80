"""A catalog of version 0.1, read by this version.

Only outputs that depend on a raised revision are made again.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from doubles import MemoryStore
from renditions.core.ports import IfAbsent
from renditions.imaging.render import render
from renditions.local.sqlite import SqliteCatalog
from renditions.model import revisions
from renditions.model.pipeline import Accept, Pipeline
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendering
from renditions.model.revisions import FIRST_ENGINE, REVISIONS, Revision
from renditions.pipeline_file.reading import load
from world import World

FIXTURE = Path(__file__).parent / "0.1"
TIFF = Revision(FIRST_ENGINE + 1, "source", "tiff", "Rows are read in another order.")


class Upgraded:
    """This version's parts on a copy of the files of version 0.1."""

    def __init__(self, folder: Path) -> None:
        shutil.copy(FIXTURE / "catalog.sqlite", folder)
        self.catalog = SqliteCatalog(folder / "catalog.sqlite")
        self.made: list[str] = []
        catalog: Any = self.catalog
        self.world = World(
            pipeline=load(FIXTURE / "renditions.toml").pipeline,
            source=fill(FIXTURE / "source"),
            output=fill(FIXTURE / "output"),
            catalog=catalog,
        )
        self._name = ""

    @property
    def whys(self) -> dict[str, str]:
        """The reason of each picture that needs processing."""
        return {each.name: each.why for each in self.world.differences() if each.action != "keep"}

    def sync(self) -> None:
        """Process every picture that needs processing."""
        for name in self.whys:
            self._name = name
            self.world.processor(render=self._render).process(name)

    def outputs(self) -> dict[str, str]:
        """Return the ETag of each existing output."""
        return {found.key: found.etag for found in self.world.output.list()}

    def _render(
        self, content: bytes, accept: Accept, recipes: Mapping[str, Rendition], *more: Any
    ) -> Rendering:
        self.made += [f"{self._name} {rendition}" for rendition in recipes]
        return render(content, accept, recipes, *more)


def fill(folder: Path) -> MemoryStore:
    """Return a store in memory with the files below a folder."""
    store = MemoryStore()
    for path in filter(Path.is_file, folder.rglob("*")):
        store.put(path.relative_to(folder).as_posix(), path.read_bytes(), IfAbsent(), "image/jpeg")
    return store


@pytest.fixture
def upgraded(tmp_path: Path) -> Upgraded:
    return Upgraded(tmp_path)


def pinned(pipeline: Pipeline) -> Pipeline:
    return replace(pipeline, output=replace(pipeline.output, engine=FIRST_ENGINE))


def test_sync_processes_no_picture_of_a_catalog_that_version_0_1_wrote(
    upgraded: Upgraded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this test no revision is raised."""
    monkeypatch.setattr(revisions, "REVISIONS", ())
    outputs, records = upgraded.outputs(), list(upgraded.catalog.list())
    assert {record.name: record.status for record in records} == {
        "2024/drawing.png": "done", "broken.tif": "rejected", "page.tif": "done", "photo.jpg": "done",
        "waves.gif": "done",
    }  # fmt: skip
    assert upgraded.whys == {}
    upgraded.sync()
    assert (upgraded.made, upgraded.outputs()) == ([], outputs)
    assert list(upgraded.catalog.list()) == records


def test_raising_the_revision_of_tiff_affects_only_tiff_sources(
    upgraded: Upgraded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rejected TIFF is tried again too.

    A rendition that only encodes the file as Base64 is kept, because the TIFF isn't decoded for it.
    """
    monkeypatch.setattr(revisions, "REVISIONS", (TIFF,))
    before = upgraded.outputs()
    assert upgraded.whys.keys() == {"broken.tif", "page.tif"}
    assert upgraded.whys["page.tif"] == ", ".join(
        f"{rendition} was made by an older engine (tiff)" for rendition in ("thumb", "web", "same")
    )
    upgraded.sync()
    assert {name for name in upgraded.made if name.startswith("page.tif")} == {
        "page.tif thumb", "page.tif web", "page.tif same",
    }  # fmt: skip
    assert {name.partition(" ")[0] for name in upgraded.made} == {"broken.tif", "page.tif"}
    assert upgraded.whys == {}
    after = upgraded.outputs()
    assert {key for key in after if not key.startswith("page.tif/")} == {
        key for key in before if before[key] == after[key] and not key.startswith("page.tif/")
    }


def test_the_listed_revisions_affect_only_pictures_of_the_formats_they_name(upgraded: Upgraded) -> None:
    named = {each.name for each in REVISIONS if each.kind == "source"}
    assert upgraded.whys.keys() == {
        record.name for record in upgraded.catalog.list() if record.source_format in named
    }
    upgraded.sync()
    assert upgraded.whys == {}


def test_sync_processes_no_picture_after_newer_revisions_if_the_pipeline_names_an_engine(
    upgraded: Upgraded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisions, "REVISIONS", (TIFF,))
    upgraded.world.pipeline = pinned(upgraded.world.pipeline)
    assert upgraded.whys == {}

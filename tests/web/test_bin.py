"""The bin as a client of the API sees it, on a source in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from starlette.testclient import TestClient

from renditions.core.ask import PLAIN, Ask
from renditions.core.bin import make_deletion
from renditions.core.forget import Reach as Everything
from renditions.core.forget import forget
from renditions.core.neighbours import Neighbours
from renditions.core.outcome import Outcome
from renditions.core.ports import IfMatch
from renditions.errors import StoreFailed
from renditions.local.bin import FolderBin
from renditions.local.folder import FolderStore
from renditions.local.root import Root
from renditions.model.lease import Lease
from renditions.model.source import Source
from renditions.web.app import make_app
from renditions.web.links import LocalLinks
from renditions.web.live import Announcements
from renditions.web.reach import Reach
from renditions.web.service import Service
from world import NAME, World

PATH = f"/pictures/{NAME}"


class Unwritable:
    """An output store that deletes nothing."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def delete(self, key: str, condition: IfMatch) -> None:
        raise StoreFailed(f"{key} can't be deleted")


class Site:
    """A world whose source is a folder, and a client of its API."""

    def __init__(self, folder: Path, **source: Any) -> None:
        store: Any = FolderStore(folder)
        self.world = World(source=store)
        self.world.pipeline = replace(self.world.pipeline, source=Source(store="in", **source))
        self.bin = None if source.get("read_only") else FolderBin(Root(folder))
        parts = replace(self.world.parts(), bin=self.bin)
        service = Service(
            parts,
            lambda name, ask=PLAIN: self.process(name, ask),
            self.process,  # type: ignore[arg-type]
            Announcements(),
            LocalLinks(),
        )
        app = make_app(service, secret=b"secret", reach=Reach(allowed_hosts=("testserver",)))
        self.client = TestClient(app)
        self.add(b"one")

    def process(self, name: str, ask: Ask = PLAIN) -> Outcome:
        return self.world.processor().process(name, ask)

    def add(self, content: bytes) -> None:
        """Put the picture into the source, and process it."""
        self.world.upload(NAME, content)
        self.process(NAME)

    def delete(self) -> Any:
        """Delete the picture; return its entry in the bin."""
        answer = self.client.delete(PATH)
        assert answer.status_code == 200
        return answer.json()

    def restore(self, binned: Any) -> int:
        """Restore a deleted picture; return the status of the answer."""
        return int(self.client.post(f"/bin/{binned['deletion']}/{binned['name']}").status_code)

    def list(self) -> list[str]:
        """Return the ids of the deletions in the bin, the newest first."""
        return [each["deletion"] for each in self.client.get("/bin").json()["pictures"]]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    with site.client:
        yield site


def test_a_deleted_picture_comes_back_with_its_renditions_and_its_focus(site: Site) -> None:
    assert site.client.put(f"{PATH}/focus", json={"x": 20, "y": 30}).status_code == 200
    before = site.client.get(PATH).json()
    binned = site.delete()
    assert (binned["name"], binned["size_bytes"]) == (NAME, 3)
    assert site.client.get(PATH).status_code == 404
    assert not list(site.world.output.list())
    assert site.list() == [binned["deletion"]]
    assert site.restore(binned) == 200
    after = site.client.get(PATH).json()
    for field in ("etag", "renditions", "focus", "status"):
        assert after[field] == before[field]
    assert site.list() == []
    site.world.check_promise()


def test_a_restoration_can_be_repeated_but_not_after_another_deletion(site: Site) -> None:
    binned = site.delete()
    assert (site.restore(binned), site.restore(binned)) == (200, 200)
    site.delete()
    assert site.restore(binned) == 404
    assert site.restore(binned | {"deletion": "../../photo"}) == 404
    assert site.restore(binned | {"deletion": "none"}) == 404


def test_a_restoration_does_not_replace_a_newer_picture_of_the_same_name(site: Site) -> None:
    first = site.delete()
    site.add(b"two")
    answer = site.client.post(f"/bin/{first['deletion']}/{NAME}")
    assert answer.status_code == 409
    assert "another picture has this name now" in answer.json()["detail"]
    second = site.delete()
    assert site.list() == [second["deletion"], first["deletion"]]
    assert site.restore(first) == 200
    assert site.client.get(f"/originals/{NAME}").content == b"one"


def test_an_expired_picture_cannot_be_restored_and_the_next_deletion_removes_it(site: Site) -> None:
    there = site.world.source.head(NAME)
    assert there
    assert site.bin
    expired = make_deletion(datetime.now(UTC) - timedelta(days=31))
    site.bin.put(NAME, IfMatch(there.etag), expired)
    assert site.list() == []
    assert site.restore({"deletion": expired, "name": NAME}) == 404
    site.add(b"two")
    binned = site.delete()
    assert list(site.bin.deletions()) == [binned["deletion"]]


@pytest.mark.parametrize(
    ("source", "deleted", "restored"),
    [({"keep_deleted": 0.0}, 204, 404), ({"read_only": True}, 403, 403)],
)
def test_without_a_bin_a_picture_is_deleted_for_good_or_not_at_all(
    tmp_path: Path, source: Any, deleted: int, restored: int
) -> None:
    site = Site(tmp_path, **source)
    with site.client:
        status = site.client.get("/status").json()
        assert (status["keep_deleted_seconds"], status["read_only"]) == (0, "read_only" in source)
        assert site.client.delete(PATH).status_code == deleted
        assert (tmp_path / NAME).exists() == (deleted == 403)
        gone = {"deletion": "20260101T000000.000000Z-00000000", "name": "gone.jpg"}
        assert site.restore(gone) == restored
        assert site.list() == []


def test_a_deletion_says_that_renditions_stay_and_another_one_deletes_them(site: Site) -> None:
    working = site.world.output
    site.world.output = Unwritable(working)
    for begin in (f"{NAME!r} is in the bin, but its", f"{NAME!r}: its"):
        answer = site.client.delete(PATH)
        assert (answer.status_code, answer.json()["code"]) == (503, "store-failed")
        assert answer.json()["detail"].startswith(f"{begin} renditions weren't all deleted. ")
    assert site.client.post("/batch", json={"action": "delete", "names": [NAME]}).json() == {
        "results": [{"name": NAME, "problem": answer.json()}]
    }
    assert len(site.list()) == 1
    assert site.client.get(PATH).status_code == 200
    site.world.output = working
    assert site.client.delete(PATH).status_code == 204
    assert not list(working.list())
    assert site.client.get(PATH).status_code == 404


@pytest.mark.parametrize("on_delete", ["remove", "keep"])
def test_a_deletion_waits_for_a_worker_that_has_the_picture_in_progress(
    site: Site, on_delete: Literal["remove", "keep"]
) -> None:
    site.world.pipeline = replace(
        site.world.pipeline, source=replace(site.world.pipeline.source, on_delete=on_delete)
    )
    record = site.world.record()
    lease = Lease("another", site.world.clock() + timedelta(minutes=5))
    held = site.world.catalog.write(replace(record, lease=lease))
    calls: list[Ask] = []

    def process(name: str, ask: Ask = PLAIN) -> Outcome:
        calls.append(ask)
        if len(calls) == 2:
            site.world.catalog.write(replace(held, lease=None))
        return Site.process(site, name, ask)

    site.process = process  # type: ignore[method-assign]
    site.delete()
    assert len(calls) == 2
    assert not list(site.world.output.list())


def test_forget_also_deletes_a_picture_from_the_bin(site: Site) -> None:
    site.delete()
    site.add(b"two")
    last = site.delete()
    site.world.upload("other.jpg", b"other")
    site.process("other.jpg")
    other = site.client.delete("/pictures/other.jpg").json()
    world = site.world
    report = forget(
        NAME,
        Everything(
            world.pipeline, world.source, world.catalog, {}, site.process,
            lambda _: Neighbours(frozenset(), {}), world.processor()._leases, bin=site.bin,
        ),
    )  # fmt: skip
    assert [trace.what for trace in report.removed].count("picture") == 2
    assert f"the bin of in, deleted {last['deleted_at']}" in [trace.where for trace in report.removed]
    assert site.list() == [other["deletion"]]

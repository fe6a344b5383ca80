"""Check that the server has what it needs: disk space, stores, catalog, workers."""

from __future__ import annotations

import logging
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from renditions.errors import RenditionsError
from renditions.model.kept import KeptWishes
from renditions.model.places import FolderPlace, parse_catalog, parse_store
from renditions.model.wishes import NO_WISHES
from renditions.runtime.parts import Parts
from renditions.web.causes import explain
from renditions.web.problems import ApiError

LEAST_FREE_BYTES = 10_000_000
"""How much room each disk must have, for records and parts of files."""

KEPT_SECONDS = 1.0
"""How long one result is valid, so that many requests for it cost only one check."""

_PROBE = "renditions-ready"
"""The key that checks look up in the stores, and the name that they write to the catalog."""

log = logging.getLogger("renditions.web")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that the server needs and lacks."""

    part: str
    """The part of the server that doesn't work: ``source``, ``output``, ``catalog`` or ``workers``."""
    code: str
    detail: str
    """What is wrong, and what to do. A text about a store or the catalog has no paths of the server."""

    @classmethod
    def of(cls, part: str, error: RenditionsError) -> Trouble:
        """Return the trouble for an error of this part."""
        return cls(part, error.code, explain(error.code))

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form of the trouble, for the API."""
        return {"part": self.part, "code": self.code, "detail": self.detail}


def summarize(troubles: Iterable[Trouble]) -> str:
    """Return a text that has each detail once, with the parts that it concerns."""
    parts: dict[str, list[str]] = {}
    for each in troubles:
        parts.setdefault(each.detail, []).append(each.part)
    return " ".join(f"{', '.join(some)}: {detail.rstrip('.')}." for detail, some in parts.items())


@dataclass(slots=True)
class Readiness:
    """The check whether the server can do its work. Any thread may use it."""

    parts: Parts
    writes: Callable[[], bool] = lambda: True
    """Returns whether this server writes to the catalog and the stores."""
    find_worker_problem: Callable[[], str | None] = lambda: None
    """Returns why the newest worker process didn't start; None if it did, or if none was needed yet."""
    _found: tuple[Trouble, ...] = field(default=(), init=False)
    _found_at: float = field(default=float("-inf"), init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def latest(self) -> tuple[Trouble, ...]:
        """Return what the newest check found; empty before the first check."""
        return self._found

    def check(self) -> tuple[Trouble, ...]:
        """Return what the server lacks. The answer may be a second old.

        If the server writes, a check also writes an entry to the catalog and deletes it.
        """
        with self._lock:
            if time.monotonic() >= self._found_at + KEPT_SECONDS:
                self._found = tuple(self._find())
                self._found_at = time.monotonic()
            return self._found

    def insist_room(self, size_bytes: int) -> None:
        """Raise ApiError (507) if a disk has no room for an upload of this size."""
        for part, folder in self._folders():
            if _count_free_bytes(folder) < LEAST_FREE_BYTES + (size_bytes if part == "source" else 0):
                detail = (
                    f"The server's disk is full, so it can't store the picture (the disk of the {part}). "
                    "Free space there, and upload the picture again"
                )
                raise ApiError(HTTPStatus.INSUFFICIENT_STORAGE, detail)

    def _folders(self) -> Iterator[tuple[str, Path]]:
        """Yield the folders on this machine that the server writes to."""
        pipeline, directory = self.parts.pipeline, self.parts.directory
        stores = {"output": pipeline.output.store}
        if not pipeline.source.read_only:
            stores["source"] = pipeline.source.store
        for part, store in stores.items():
            if isinstance(place := parse_store(store, directory), FolderPlace):
                yield part, place.path
        if file := parse_catalog(pipeline.catalog.store, directory):
            yield "catalog", file.parent

    def _find(self) -> Iterator[Trouble]:
        full = set()
        for part, folder in self._folders():
            free_bytes = _count_free_bytes(folder)
            if free_bytes < LEAST_FREE_BYTES and self.writes():
                full.add(part)
                detail = (
                    f"The disk is full: {free_bytes:,} bytes are free, and at least "
                    f"{LEAST_FREE_BYTES:,} are needed. Free space there"
                )
                yield Trouble(part, "disk-full", detail)
        for part, look in (
            ("source", self._look_into_source),
            ("output", self._look_into_output),
            ("catalog", self._use_catalog),
        ):
            try:
                look()
            except RenditionsError as error:
                if part not in full:
                    yield Trouble.of(part, error)
        if why := self.find_worker_problem():
            detail = (
                f"The newest worker process didn't start: {why.rstrip('.')}. To see whether a worker can "
                "start now, run renditions doctor on the server. The server tries again with the next picture"
            )
            yield Trouble("workers", "worker-died", detail)

    def _look_into_source(self) -> None:
        self.parts.source.head(_PROBE)

    def _look_into_output(self) -> None:
        self.parts.output.head(_PROBE)

    def _use_catalog(self) -> None:
        """Read from the catalog.

        If this server writes, also write and delete an entry without meaning.
        """
        self.parts.catalog.read_binding()
        if self.writes():
            self.parts.catalog.keep_wishes(KeptWishes(_PROBE, "", NO_WISHES, datetime.now(UTC)))
            self.parts.catalog.drop_wishes(_PROBE)


@contextmanager
def watched(readiness: Readiness, every_seconds: float, on_recovery: Callable[[], None]) -> Iterator[None]:
    """Check again and again in a thread during the block.

    Log new troubles. When the server lacks nothing any more, log that and call ``on_recovery``.
    """
    stop = threading.Event()

    def run() -> None:
        before: tuple[tuple[str, str], ...] = ()
        while not stop.wait(every_seconds):
            found = readiness.check()
            now = tuple((each.part, each.code) for each in found)
            if new := [each for each in found if (each.part, each.code) not in before]:
                log.error("not ready: %s", summarize(new))
            if before and not now:
                log.warning("ready again; pictures that waited are processed now")
                on_recovery()
            before = now

    thread = threading.Thread(target=run, name="readiness", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _count_free_bytes(folder: Path) -> int:
    """Return how many bytes this user can write to the folder's disk.

    A folder that is missing or can't be read counts as having room: another check finds what fails there.
    """
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return sys.maxsize

"""A store, a catalog and a notifier in memory.

The store and the catalog pass the contract suites in ``tests/contract``. All three are deterministic and safe
for many threads. A test that needs a failure wraps them.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from renditions.core.catalog import Place, SameContent
from renditions.core.ports import PIECE_BYTES, Condition, IfMatch, OnObstacle, OnUnreadable, StoredObject
from renditions.errors import Conflict, KeyRefused, KeyTaken
from renditions.model.binding import Binding
from renditions.model.folding import EXACT, Folding
from renditions.model.kept import KeptWishes
from renditions.model.notices import Notice, UnsentNotice
from renditions.model.record import STATUSES, Record, Status
from renditions.model.totals import Totals

MAX_KEY_BYTES = 1024


class MemoryStore:
    """A store with S3's rules.

    Keys have 1 to 1,024 bytes. A written object's ETag is a hash of the content.

    With a ``folding`` it compares keys as some folders do. A listing shows the spelling that was written
    first. ``head`` and ``get`` return the spelling of the request. With ``counts_versions`` an ETag is the
    number of the key's version, so two keys can have the same ETag and different contents.
    """

    is_cheaper_to_list = False

    def __init__(self, folding: Folding = EXACT, *, counts_versions: bool = False) -> None:
        self._folding = folding
        self._counts_versions = counts_versions
        self._versions: Counter[str] = Counter()
        self._objects: dict[str, tuple[StoredObject, bytes]] = {}
        self._writers: dict[str, str] = {}
        self._registered: dict[str, str] = {}
        self.headers = ""
        """The ``Cache-Control`` header of objects that are written from now on."""
        self.headers_of: dict[str, str] = {}
        """The ``Cache-Control`` header of each object."""
        self.folders: set[str] = set()
        """The folders that :meth:`has_folder` finds."""
        self.markers: set[str] = set()
        """The catalogs that use this store as their source."""
        self._lock = threading.Lock()

    def list(
        self,
        after: str = "",
        prefix: str = "",
        on_unreadable: OnUnreadable | None = None,
        on_obstacle: OnObstacle | None = None,
    ) -> Iterator[StoredObject]:
        with self._lock:
            keys = [there.key for there, _ in self._objects.values()]
        keys = [key for key in keys if key > after and key.startswith(prefix)]
        keys.sort(key=str.encode)
        for key in keys:
            if found := self.head(key):
                yield found

    def head(self, key: str) -> StoredObject | None:
        got = self.get(key)
        return got[0] if got else None

    def get(self, key: str) -> tuple[StoredObject, bytes] | None:
        _check_key(key)
        with self._lock:
            got = self._objects.get(self._folding(key))
        return (replace(got[0], key=key), got[1]) if got and got[0].key != key else got

    def stream(
        self, key: str, condition: IfMatch, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        got = self.get(key)
        if got is None or got[0].etag != condition.etag:
            raise Conflict(f"{key!r} changed since it was read")
        part = got[1][start:stop]
        for at in range(0, len(part), PIECE_BYTES):
            yield part[at : at + PIECE_BYTES]

    def put(
        self, key: str, content: bytes, condition: Condition, content_type: str, writer: str = ""
    ) -> StoredObject:
        _check_key(key)
        etag = hashlib.sha256(content).hexdigest()[:32]
        with self._lock:
            folded = self._folding(key)
            there = self._objects.get(folded)
            expected = condition.etag if isinstance(condition, IfMatch) else None
            if (there[0].etag if there else None) != expected:
                raise Conflict(f"{key!r} changed since it was read")
            if self._counts_versions:
                self._versions[folded] += 1
                etag = f"v{self._versions[folded]}"
            stored = StoredObject(there[0].key if there else key, etag, len(content))
            self._objects[folded] = stored, content
            self._writers[folded] = writer
            self.headers_of[folded] = self.headers
        return stored

    def touch(self, key: str) -> None:
        """Give the object another ETag and keep its content.

        Copying a file in a folder does the same.
        """
        with self._lock:
            stored, content = self._objects[self._folding(key)]
            self._objects[self._folding(key)] = replace(stored, etag=f"{stored.etag}-1"), content

    def is_spelled(self, key: str) -> bool:
        with self._lock:
            got = self._objects.get(self._folding(key))
        return got is None or got[0].key == key

    def folding(self) -> Folding:
        return self._folding

    def has_folder(self, prefix: str) -> bool:
        return prefix in self.folders

    def obstacle(self, key: str) -> None:
        return None

    def writer_of(self, key: str) -> str | None:
        return self._writers.get(self._folding(key)) or None

    def rewrite_headers(self, key: str, condition: IfMatch) -> StoredObject | None:
        with self._lock:
            folded = self._folding(key)
            there = self._objects.get(folded)
            if there is None or there[0].etag != condition.etag:
                raise Conflict(f"{key!r} changed since it was read")
            self.headers_of[folded] = self.headers
        return there[0]

    def delete(self, key: str, condition: IfMatch) -> None:
        _check_key(key)
        with self._lock:
            folded = self._folding(key)
            there = self._objects.get(folded)
            if there and there[0].etag != condition.etag:
                raise Conflict(f"{key!r} changed since it was read")
            self._objects.pop(folded, None)
            self._writers.pop(folded, None)
            self.headers_of.pop(folded, None)

    def purge(self, key: str) -> int:
        return 0

    def register(self, catalog_id: str, text: str) -> None:
        self._registered[catalog_id] = text

    def registered(self) -> Mapping[str, str]:
        return dict(self._registered)

    def mark(self, catalog_id: str) -> bool:
        self.markers.add(catalog_id)
        return True

    def is_marked(self, catalog_id: str) -> bool:
        return catalog_id in self.markers


class MemoryCatalog:
    """A catalog of records, with one owner for each claimed key."""

    def __init__(self, folding: Folding = EXACT) -> None:
        self._folding = folding
        self._records: dict[str, Record] = {}
        self._owners: dict[str, str] = {}
        self._binding: Binding | None = None
        self._kept: dict[str, KeptWishes] = {}
        self._unsent: dict[tuple[str, ...], UnsentNotice] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Record | None:
        with self._lock:
            return self._records.get(name)

    def get_all(self, names: Sequence[str], on_unreadable: OnUnreadable) -> Mapping[str, Record]:
        return {name: record for name in names if (record := self.get(name))}

    def repair(self, name: str) -> Record | None:
        return None  # no record in memory is damaged

    def write(self, record: Record) -> Record:
        keys = record.claimed_keys()
        with self._lock:
            self._check_revision(record)
            for key in sorted(keys):
                if (owner := self._owners.get(self._folding(key), record.name)) != record.name:
                    raise KeyTaken(key, owner)
            self._release_claims(record.name)
            self._owners |= dict.fromkeys(map(self._folding, keys), record.name)
            written = record.raised()
            self._records[record.name] = written
        return written

    def delete(self, record: Record, notices: Sequence[UnsentNotice] = ()) -> None:
        with self._lock:
            self._check_revision(record)
            self._release_claims(record.name)
            self._records.pop(record.name, None)
            self._unsent |= {notice.id: notice for notice in notices}

    def rename(self, record: Record, name: str) -> Record | None:
        with self._lock:
            self._check_revision(record)
            if name in self._records:
                raise Conflict(f"{name!r} has a record")
            self._release_claims(record.name)
            del self._records[record.name]
            written = replace(record, name=name, revision=0).raised()
            self._owners |= dict.fromkeys(map(self._folding, record.claimed_keys()), name)
            self._records[name] = written
        return written

    def find_content(self, sha256: str) -> SameContent:
        with self._lock:
            names = sorted(each.name for each in self._records.values() if each.sha256 == sha256)
            kept = [each for each in self._kept.values() if each.sha256 == sha256]
        kept.sort(key=lambda each: each.until, reverse=True)
        return SameContent(tuple(names), tuple(kept))

    def keep_wishes(self, kept: KeptWishes) -> None:
        with self._lock:
            self._kept[kept.name] = kept

    def find_wishes(self, name: str) -> KeptWishes | None:
        return self._kept.get(name)

    def drop_wishes(self, name: str) -> None:
        with self._lock:
            self._kept.pop(name, None)

    def keep_notice(self, *notices: UnsentNotice) -> None:
        with self._lock:
            self._unsent |= {notice.id: notice for notice in notices}

    def drop_notice(self, *notices: UnsentNotice) -> None:
        with self._lock:
            for notice in notices:
                self._unsent.pop(notice.id, None)

    def unsent_notices(self, name: str | None = None) -> Iterator[UnsentNotice]:
        with self._lock:
            notices = list(self._unsent.values())
        yield from (notice for notice in notices if name in (None, notice.name))

    def list(
        self, after: str = "", prefix: str = "", on_unreadable: OnUnreadable | None = None
    ) -> Iterator[Record]:
        with self._lock:
            names = [name for name in self._records if name > after and name.startswith(prefix)]
        names.sort(key=str.encode)
        for name in names:
            if record := self.get(name):
                yield record

    @property
    def records(self) -> Mapping[str, Record]:
        """All records, by name."""
        return self._records

    @property
    def owners(self) -> Mapping[str, str]:
        """The picture that claims each key."""
        return self._owners

    def replace_all(
        self, records: Mapping[str, Record], owners: Mapping[str, str], binding: Binding | None
    ) -> None:
        """Replace the records, the claims and the binding, as when a backup is restored."""
        with self._lock:
            self._records, self._owners, self._binding = dict(records), dict(owners), binding

    def read_binding(self) -> Binding | None:
        return self._binding

    def write_binding(self, binding: Binding) -> Binding:
        with self._lock:
            if binding.revision != (self._binding.revision if self._binding else 0):
                raise Conflict("the binding has another revision")
            self._binding = replace(binding, revision=binding.revision + 1)
            return self._binding

    def owner_of(self, key: str) -> str | None:
        """Return the picture that claims an output key."""
        return self._owners.get(self._folding(key))

    def query(
        self,
        status: Status | None = None,
        before: Place | None = None,
        prefix: str = "",
        on_unreadable: OnUnreadable | None = None,
    ) -> Iterator[Record]:
        with self._lock:
            records = [record for record in self._records.values() if status in (None, record.status)]
        records.sort(key=_place, reverse=True)
        for record in records:
            if (before is None or _place(record) < before) and record.name.startswith(prefix):
                yield record

    def count(self) -> Mapping[Status, Totals]:
        totals: dict[Status, Totals] = dict.fromkeys(STATUSES, Totals())
        with self._lock:
            for record in self._records.values():
                totals[record.status] += Totals.of(record)
        return totals

    def _check_revision(self, record: Record) -> None:
        stored = self._records.get(record.name)
        revision = stored.revision if stored else 0
        if revision != record.revision:
            raise Conflict(f"{record.name!r} has revision {revision}, not {record.revision}")

    def _release_claims(self, name: str) -> None:
        stored = self._records.get(name)
        for key in set(map(self._folding, stored.claimed_keys() if stored else ())):
            del self._owners[key]


class MemoryNotifier:
    """A notifier that keeps its notices, in order."""

    def __init__(self) -> None:
        self.sent: list[Notice] = []
        self.held: list[Notice] = []

    def send(self, notice: Notice) -> None:
        (self.sent if notice.name else self.held).append(notice)


def _place(record: Record) -> Place:
    # Python orders texts by code points, which is the same order as that of their UTF-8 bytes.
    return record.timestamp, record.name


def _check_key(key: str) -> None:
    try:
        size_bytes = len(key.encode())
    except UnicodeEncodeError as error:
        raise KeyRefused(f"expected a key of Unicode text, found {key!r}") from error
    if not 1 <= size_bytes <= MAX_KEY_BYTES:
        raise KeyRefused(f"expected a key of 1 to {MAX_KEY_BYTES:,} bytes, found {size_bytes:,}")

"""Stores, a catalog, a notifier, a renderer and a queue with a cloud's failures.

A call can fail, lose its answer, be repeated, or take effect after a later one. The stores and the catalog
in memory hold the data. Around each call another task may run, and the call may fail before or after it was
done. Listings come in pages and see concurrent changes. An index lags behind. Messages can arrive
late, twice and in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from random import Random
from typing import Any, ClassVar

from doubles import MemoryCatalog, MemoryStore
from faults.observer import Observer
from faults.outsiders import Outsiders
from faults.places import OutputStore
from faults.scheduler import Scheduler
from hashing import hash_render
from renditions.core.ask import PLAIN, Ask
from renditions.core.catalog import Place, SameContent
from renditions.core.ports import Condition, IfMatch, OnObstacle, OnUnreadable, StoredObject
from renditions.errors import (
    CatalogFailed,
    CatalogRefused,
    Conflict,
    NotifyFailed,
    NotifyRefused,
    QueueFailed,
    RenderTimedOut,
    StoreFailed,
    StoreRefused,
    WorkerDied,
)
from renditions.model.binding import Binding
from renditions.model.folding import Folding
from renditions.model.kept import KeptWishes
from renditions.model.notices import Notice, UnsentNotice
from renditions.model.pipeline import Accept, Analyze
from renditions.model.recipe import Rendition
from renditions.model.record import Record, Status
from renditions.model.rendering import Rendering
from renditions.model.totals import Totals

PAGE = 3
"""How many entries one call of a listing returns."""


@dataclass
class CloudStore:
    """A store like S3."""

    scheduler: Scheduler
    kept: MemoryStore
    observer: Observer | None = None
    """The observer, which sees each write and each deletion in an output store."""
    place: OutputStore | None = None
    """This store, if it is an output store."""
    headers: str = ""
    """The ``Cache-Control`` header of objects that this store writes."""
    outsiders: Outsiders | None = None
    """The outsiders, who may hide objects and delay listings."""
    is_cheaper_to_list: ClassVar[bool] = False

    def list(
        self,
        after: str = "",
        prefix: str = "",
        on_unreadable: OnUnreadable | None = None,
        on_obstacle: OnObstacle | None = None,
    ) -> Iterator[StoredObject]:
        """List page by page. Each page is read at a time of its own."""

        def page_after(key: str) -> list[StoredObject]:
            objects = self.kept.list(key, prefix)
            if self.outsiders:
                shown = self.outsiders.list_source(self.kept.list())
                objects = (found for found in shown if found.key > key and found.key.startswith(prefix))
            return _page(objects)

        page: list[StoredObject] = self._call(partial(page_after, after))
        while page:
            yield from page
            page = self._call(partial(page_after, page[-1].key))

    def head(self, key: str) -> StoredObject | None:
        found: StoredObject | None = self._call(lambda: None if self._hides(key) else self.kept.head(key))
        return found

    def get(self, key: str) -> tuple[StoredObject, bytes] | None:
        got: tuple[StoredObject, bytes] | None = self._call(
            lambda: None if self._hides(key) else self.kept.get(key)
        )
        return got

    def stream(
        self, key: str, condition: IfMatch, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        def read() -> list[bytes]:
            if self._hides(key):
                raise Conflict(f"{key!r} changed since it was read")
            return list(self.kept.stream(key, condition, start, stop))

        yield from self._call(read)

    def _hides(self, key: str) -> bool:
        return self.outsiders is not None and self.outsiders.hides(key)

    def put(
        self, key: str, content: bytes, condition: Condition, content_type: str, writer: str = ""
    ) -> StoredObject:
        def put() -> StoredObject:
            self.kept.headers = self.headers
            stored = self.kept.put(key, content, condition, content_type, writer)
            if self.observer and self.place:
                self.observer.see_put(self.scheduler.current, self.place, key)
            return stored

        stored: StoredObject = self._call(put)
        return stored

    def has_folder(self, prefix: str) -> bool:
        return False

    def is_spelled(self, key: str) -> bool:
        return self.kept.is_spelled(key)

    def folding(self) -> Folding:
        return self.kept.folding()

    def obstacle(self, key: str) -> None:
        return None

    def writer_of(self, key: str) -> str | None:
        writer: str | None = self._call(lambda: self.kept.writer_of(key))
        return writer

    def rewrite_headers(self, key: str, condition: IfMatch) -> StoredObject | None:
        def rewrite() -> StoredObject | None:
            self.kept.headers = self.headers
            return self.kept.rewrite_headers(key, condition)

        stored: StoredObject | None = self._call(rewrite)
        return stored

    def delete(self, key: str, condition: IfMatch) -> None:
        def delete() -> None:
            if self.kept.head(key) is None:
                return
            whose = self.place.tell_whose(key) if self.place else ""
            self.kept.delete(key, condition)
            if self.observer and self.place:
                self.observer.see_delete(self.scheduler.current, self.place, key, whose)

        self._call(delete)

    def purge(self, key: str) -> int:
        purged: int = self._call(lambda: self.kept.purge(key))
        return purged

    def register(self, catalog_id: str, text: str) -> None:
        self._call(lambda: self.kept.register(catalog_id, text))

    def registered(self) -> Mapping[str, str]:
        registered: Mapping[str, str] = self._call(self.kept.registered)
        return registered

    def mark(self, catalog_id: str) -> bool:
        return False

    def is_marked(self, catalog_id: str) -> bool:
        return True

    def _call(self, effect: Callable[[], Any]) -> Any:
        return self.scheduler.call(effect, StoreFailed, StoreRefused)


@dataclass
class CloudCatalog:
    """A catalog like the one in DynamoDB.

    A read by name is consistent. The listings come from an index that lags behind.
    """

    scheduler: Scheduler
    kept: MemoryCatalog
    observer: Observer
    lag_seconds: Callable[[], float]
    _listed_from: dict[str, float] = field(default_factory=dict)

    def get(self, name: str) -> Record | None:
        record: Record | None = self._call(lambda: self.kept.get(name))
        return record

    def get_all(self, names: Sequence[str], on_unreadable: OnUnreadable) -> Mapping[str, Record]:
        """Read each record in a call of its own."""
        return {name: record for name in names if (record := self.get(name))}

    def write(self, record: Record) -> Record:
        answer: list[Record] = []

        def write() -> Record:
            if not answer:  # the first request was executed
                self.observer.see_before_write(self.scheduler.current, record)
                answer.append(self.kept.write(record))
                self._listed_from.setdefault(record.name, self.scheduler.now + self.lag_seconds())
                self.observer.see_write(self.scheduler.current, answer[0])
            return answer[0]

        written: Record = self._call(write)
        return written

    def delete(self, record: Record, notices: Sequence[UnsentNotice] = ()) -> None:
        answer: list[Record] = []

        def delete() -> None:
            if not answer:
                self.kept.delete(record, notices)
                self.observer.see_removal(self.scheduler.current, record)
                answer.append(record)
                self._listed_from.pop(record.name, None)

        self._call(delete)

    def list(
        self, after: str = "", prefix: str = "", on_unreadable: OnUnreadable | None = None
    ) -> Iterator[Record]:
        def page_after(name: str) -> list[Record]:
            now = self.scheduler.now
            records = self.kept.list(name, prefix)
            return _page(record for record in records if self._listed_from.get(record.name, now) <= now)

        page: list[Record] = self._call(partial(page_after, after))
        while page:
            yield from page
            page = self._call(partial(page_after, page[-1].name))

    def rename(self, record: Record, name: str) -> Record | None:
        answer: list[Record] = []

        def rename() -> Record:
            if not answer:  # a repeated request finds that it was done
                self.observer.see_before_write(self.scheduler.current, record)
                renamed = self.kept.rename(record, name)
                assert renamed
                answer.append(renamed)
                self._listed_from.pop(record.name, None)
                self._listed_from.setdefault(name, self.scheduler.now + self.lag_seconds())
                self.observer.see_rename(self.scheduler.current, record, renamed)
            return answer[0]

        renamed: Record = self._call(rename)
        return renamed

    def find_content(self, sha256: str) -> SameContent:
        def find() -> SameContent:
            now, alike = self.scheduler.now, self.kept.find_content(sha256)
            names = tuple(name for name in alike.names if self._listed_from.get(name, now) <= now)
            return SameContent(names, alike.kept)

        alike: SameContent = self._call(find)
        return alike

    def keep_wishes(self, kept: KeptWishes) -> None:
        self._call(lambda: self.kept.keep_wishes(kept))

    def find_wishes(self, name: str) -> KeptWishes | None:
        kept: KeptWishes | None = self._call(lambda: self.kept.find_wishes(name))
        return kept

    def drop_wishes(self, name: str) -> None:
        self._call(lambda: self.kept.drop_wishes(name))

    def keep_notice(self, *notices: UnsentNotice) -> None:
        self._call(lambda: self.kept.keep_notice(*notices))

    def drop_notice(self, *notices: UnsentNotice) -> None:
        self._call(lambda: self.kept.drop_notice(*notices))

    def unsent_notices(self, name: str | None = None) -> Iterator[UnsentNotice]:
        notices: list[UnsentNotice] = self._call(lambda: list(self.kept.unsent_notices(name)))
        yield from notices

    def repair(self, name: str) -> Record | None:
        return None  # no record is damaged

    def owner_of(self, key: str) -> str | None:
        owner: str | None = self._call(lambda: self.kept.owner_of(key))
        return owner

    def read_binding(self) -> Binding | None:
        binding: Binding | None = self._call(self.kept.read_binding)
        return binding

    def write_binding(self, binding: Binding) -> Binding:
        answer: list[Binding] = []

        def write() -> Binding:
            if not answer:
                answer.append(self.kept.write_binding(binding))
            return answer[0]

        written: Binding = self._call(write)
        return written

    def query(
        self,
        status: Status | None = None,
        before: Place | None = None,
        prefix: str = "",
        on_unreadable: OnUnreadable | None = None,
    ) -> Iterator[Record]:
        """Raise ``NotImplementedError``: the core doesn't need this method."""
        raise NotImplementedError

    def count(self) -> Mapping[Status, Totals]:
        totals: Mapping[Status, Totals] = self._call(self.kept.count)
        return totals

    def _call(self, effect: Callable[[], Any]) -> Any:
        return self.scheduler.call(effect, CatalogFailed, CatalogRefused)


@dataclass
class CloudNotifier:
    """A topic: a notice whose answer is lost may have been delivered."""

    scheduler: Scheduler
    observer: Observer
    wait_seconds: Callable[[], float]
    """How long the topic takes for the next notice."""
    is_away: Callable[[], bool]
    """Whether the topic doesn't answer now."""

    def send(self, notice: Notice) -> None:
        if seconds := self.wait_seconds():
            self.scheduler.sleep(seconds)
        if self.is_away():
            raise NotifyFailed("it doesn't answer")
        self.scheduler.call(lambda: self.observer.see_notice(notice), NotifyFailed, NotifyRefused)


@dataclass
class CloudRenderer:
    """A pool of worker processes that only hash.

    A process can die or take too long.
    """

    scheduler: Scheduler

    def __call__(
        self, content: bytes, accept: Accept, recipes: Mapping[str, Rendition], analyze: Analyze
    ) -> Rendering:
        rendering: Rendering = self.scheduler.call(
            lambda: hash_render(content, accept, recipes, analyze), WorkerDied, RenderTimedOut
        )
        return rendering


@dataclass(eq=False)
class Message:
    """A hint in the queue."""

    name: str
    visible_from: float
    ask: Ask = PLAIN
    """The request in the message. A message about a deletion allows the removal of the picture."""
    deliveries: int = 0


@dataclass
class CloudQueue:
    """A queue like SQS.

    It delivers messages in any order. It redelivers a message that isn't deleted in time.
    """

    scheduler: Scheduler
    random: Random
    visibility_seconds: float = 400.0
    max_deliveries: int = 6
    """After this many deliveries a message goes to the dead-letter queue."""
    messages: list[Message] = field(default_factory=list)
    undelivered: list[str] = field(default_factory=list)

    def send(self, name: str, delay_seconds: float, ask: Ask) -> None:
        """Put a message into the queue.

        This doesn't count as a worker's call.
        """
        self.messages.append(Message(name, self.scheduler.now + delay_seconds, ask))

    def receive(self, most: int) -> list[Message]:
        return list(self._call(lambda: self._receive(most)))

    def delete(self, message: Message) -> None:
        def delete() -> None:
            if message in self.messages:
                self.messages.remove(message)

        self._call(delete)

    def give_back(self, message: Message, delay_seconds: float) -> None:
        """Show the message again after ``delay_seconds``."""

        def give_back() -> None:
            message.visible_from = self.scheduler.now + delay_seconds

        self._call(give_back)

    def _receive(self, most: int) -> list[Message]:
        now = self.scheduler.now
        visible = [message for message in self.messages if message.visible_from <= now]
        some = self.random.sample(visible, min(most, len(visible)))
        for message in some:
            message.deliveries += 1
            message.visible_from = now + self.visibility_seconds
            if message.deliveries > self.max_deliveries:
                self.messages.remove(message)
                self.undelivered.append(message.name)
        return [message for message in some if message in self.messages]

    def _call(self, effect: Callable[[], Any]) -> Any:
        return self.scheduler.call(effect, QueueFailed, QueueFailed)


def _page(entries: Iterable[Any]) -> list[Any]:
    return list(islice(entries, PAGE))

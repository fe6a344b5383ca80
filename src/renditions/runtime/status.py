"""The status of a catalog, the same for the command line, the API and the page."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from renditions.core.difference import UNFINISHED
from renditions.core.outcome import Outcome, is_given_up
from renditions.core.ports import Unreadable
from renditions.core.reasons import Reasons
from renditions.errors import StoreFailed
from renditions.model.binding import Binding, Held
from renditions.model.places import FolderPlace, parse_store
from renditions.model.record import STATUSES, Decided, Status
from renditions.model.totals import Totals
from renditions.runtime.parts import Parts

MOST_READ = 100
"""How many records of each status, and how many unsent notices, :func:`read_status` reads at most."""

MOST_WAITING = 1_000
"""How many waiting pictures a process remembers."""

SHOWN_AFTER_SECONDS = 5.0
"""How long a picture must wait before a status shows it. Every new file waits for ``[source] settle``."""

FORGOTTEN_AFTER_SECONDS = 600.0
"""How long a process remembers that a picture waits. A full comparison, every five minutes, renews this."""

_UNDONE: tuple[Decided, ...] = ("failed", "rejected")


class Waiting:
    """The pictures that wait at the moment, as far as this process knows.

    Many of them have no record yet: files that are still being written, and pictures that wait for the
    removal of another picture. Any thread may use this object.
    """

    def __init__(self, monotonic_seconds: Callable[[], float] = time.monotonic) -> None:
        self._clock = monotonic_seconds
        self._seen: dict[str, _Seen] = {}
        self._lock = threading.Lock()

    def note(self, outcome: Outcome) -> None:
        """Remember a picture that waits; forget a picture that doesn't wait any more."""
        waits = outcome.result in ("waiting", "unreadable") or is_unrecorded(outcome)
        with self._lock:
            before = self._seen.pop(outcome.name, None)
            if waits and len(self._seen) < MOST_WAITING:
                now = self._clock()
                first = before.first if before else now
                self._seen[outcome.name] = _Seen(first, now, replace(outcome, record=None))

    def outcomes(self) -> list[Outcome]:
        """Return the latest outcome of each picture that has waited for a while."""
        now = self._clock()
        with self._lock:
            recent = {
                name: seen for name, seen in self._seen.items() if now - seen.last < FORGOTTEN_AFTER_SECONDS
            }
            self._seen = recent
            return [seen.outcome for seen in recent.values() if now - seen.first >= SHOWN_AFTER_SECONDS]


def is_unrecorded(outcome: Outcome) -> bool:
    """Return whether a picture failed and will be tried again, and no record says so."""
    return outcome.result == "failed" and outcome.again_after is not None and outcome.record is None


@dataclass(frozen=True, slots=True)
class _Seen:
    """A picture that waits: when it was seen, and its last outcome.

    ``first`` and ``last`` are times in monotonic seconds.
    """

    first: float
    last: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class UnsentGroup:
    """Unsent notices of one target that failed for one reason, or wait for a digest."""

    target: str
    """The target for people: see ``Pipeline.spell_target``."""
    reason: str
    """Why the last attempt failed; empty if there was none."""
    given_up: bool
    collected: bool
    """Whether these notices wait for a digest."""
    count: int


@dataclass(frozen=True, slots=True)
class CatalogStatus:
    """A catalog's counts, reasons, unsent notices and held work."""

    pictures: Mapping[Status, int]
    """How many pictures have each status."""
    reasons: Reasons
    """Why pictures wait, why the newest ones failed or were rejected, and what can't be read."""
    unsent: tuple[UnsentGroup, ...]
    binding: Binding | None
    polling: str | None
    """A sentence about the mount for which ``watch`` and ``serve`` poll; None if they don't poll."""
    former_patterns: bool
    """Whether the default patterns of version 0.1 apply."""

    @property
    def held(self) -> tuple[Held, ...]:
        """The work that is held back now."""
        return self.binding.held if self.binding else ()

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form. It leaves the binding out, except for the held work."""
        return {
            "by_status": dict(self.pictures),
            "reasons": [group.to_item() for group in self.reasons.groups()],
            "unsent_notices": [asdict(group) for group in self.unsent],
            "held": [held.to_item() | {"summary": held.describe()} for held in self.held],
            "polling": self.polling,
            "former_patterns": self.former_patterns,
        }


def read_status(
    parts: Parts,
    counted: Mapping[Status, Totals] | None = None,
    *,
    waiting: Iterable[Outcome] = (),
    polling: str | None = None,
) -> CatalogStatus:
    """Read the status of a catalog.

    Args:
        parts: The pipeline's parts.
        counted: The totals of each status; None to count them.
        waiting: The pictures that wait, as far as the caller knows them.
        polling: See :attr:`CatalogStatus.polling`.

    """
    counted = counted or parts.catalog.count()
    return CatalogStatus(
        pictures={status: counted[status].pictures for status in STATUSES},
        reasons=_find_reasons(parts, waiting),
        unsent=count_unsent(parts, MOST_READ),
        binding=parts.catalog.read_binding(),
        polling=polling,
        former_patterns=parts.keeps_former_patterns,
    )


def _find_reasons(parts: Parts, waiting: Iterable[Outcome]) -> Reasons:
    """Return why pictures wait, failed or were rejected, and what can't be read.

    At most ``MOST_READ`` records of each status are read, the newest first.
    """
    reasons = Reasons()
    for outcome in waiting:
        state = "waiting" if is_unrecorded(outcome) else outcome.result
        reasons.add(state, outcome.name, outcome.reason, outcome.code)
    unreadable: list[Unreadable] = []
    for status in _UNDONE:
        found = parts.catalog.query(status, on_unreadable=unreadable.append)
        for record in itertools.islice(found, MOST_READ):
            state = "waiting" if status == "failed" and not is_given_up(record) else status
            reasons.add(state, record.name, record.reason, record.code)
    for part in unreadable:
        reasons.add("unreadable", part.prefix, part.reason)
    return reasons


def find_unfinished(parts: Parts) -> Iterator[Outcome]:
    """Yield an outcome for each picture of a source folder that is being written.

    Also yield one for each part of the folder that can't be read. A bucket has only complete objects, so this
    function doesn't list it.
    """
    if not isinstance(parse_store(parts.pipeline.source.store, parts.directory), FolderPlace):
        return
    unreadable: list[Unreadable] = []
    try:
        for found in parts.source.list(on_unreadable=unreadable.append):
            if not found.complete and parts.pipeline.source.matches(found.key):
                yield Outcome(found.key, "waiting", UNFINISHED)
    except StoreFailed as error:
        unreadable.append(Unreadable("", str(error)))
    for part in unreadable:
        yield Outcome(part.prefix or "the source", "unreadable", part.reason)


def count_unsent(parts: Parts, most: int) -> tuple[UnsentGroup, ...]:
    """Count the unsent notices by target and reason; read at most ``most`` of them."""
    groups: Counter[tuple[str, str, bool, bool]] = Counter()
    for each in itertools.islice(parts.catalog.unsent_notices(), most):
        target = parts.pipeline.spell_target(each.target)
        groups[target, each.reason_at(target), each.again_at is None, each.is_collected] += 1
    return tuple(UnsentGroup(*group, count) for group, count in groups.items())

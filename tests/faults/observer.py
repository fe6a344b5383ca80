"""Check the invariants that must hold at every step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256

from doubles import MemoryCatalog
from faults.places import OutputStore
from faults.promise import must, truth
from faults.scheduler import Process, Task
from hashing import expected_output, output_of
from renditions.core.ask import Ask
from renditions.core.outcome import Outcome
from renditions.model.digest import Digest, Reported
from renditions.model.lease import LONGEST_LEASE
from renditions.model.notices import Notice
from renditions.model.pipeline import Pipeline
from renditions.model.record import Record
from renditions.model.source import MaxRemovals


@dataclass
class Observer:
    """A checker of the invariants, which gets each change when it happens."""

    places: Mapping[str, OutputStore]
    """The output stores."""
    catalog: MemoryCatalog
    clock: Callable[[Process], datetime]
    knows_dead: Callable[[str], bool]
    """Returns whether a lease's owner is known to be dead."""
    is_strict: bool = True
    """Whether outputs are checked against records. False with wrong clocks, outsiders or restores."""
    known: int = 0
    """The largest possible number of pictures."""
    limits: MaxRemovals = field(default_factory=MaxRemovals)
    """What a listing may remove."""
    pipeline_of: dict[Process, Pipeline] = field(default_factory=dict)
    """The pipeline that each process works with."""
    newest: dict[str, int] = field(default_factory=dict)
    """The last number of each generation that was in force."""
    asks: dict[Task, Ask] = field(default_factory=dict)
    """What each task was asked for."""
    _asked_at: dict[Task, int] = field(default_factory=dict)
    _asked_time: dict[Task, datetime] = field(default_factory=dict)
    """When each task was asked, by the clock of its process."""
    sent: list[Notice] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)
    """The pictures that were removed at least once."""
    syncing: set[Task] = field(default_factory=set)
    """The tasks that process pictures for a sync."""
    deleting_strays: dict[Task, bool] = field(default_factory=dict)
    """Whether each task that deletes strays does so in the present store, where records claim strays."""
    hidden: frozenset[str] = frozenset()
    """The existing pictures that the source or its listings don't show."""
    _invisible: frozenset[str] = frozenset()
    """The names that the source hides even from requests by name."""
    _removed_wrongly: int = 0
    _step: int = 0
    _reportable: set[Record] = field(default_factory=set)
    """The states that a notice may report, without what a retry resets."""
    _decided: dict[tuple[str, str, datetime], set[Record]] = field(default_factory=dict)
    """The decided records, by name, status and timestamp."""
    in_digests: set[Record] = field(default_factory=set)
    """The records that digests reported."""
    _stated_at: dict[Record, int] = field(default_factory=dict)
    """When each state was first written, regardless of the source's ETags."""
    _contents: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """The content of each version of a picture, by name and ETag."""
    _hashes_of: dict[str, set[str]] = field(default_factory=dict)
    """The SHA-256 of each content that a picture had."""
    _current: dict[str, str] = field(default_factory=dict)
    """The ETag that each picture has."""
    _gone_until: dict[str, int] = field(default_factory=dict)
    """When each picture was last missing from the source, or hidden."""
    _ended_at: dict[tuple[str, str], int] = field(default_factory=dict)
    """The last step at which each picture lost an ETag, or a content (by SHA-256)."""
    _last_written: dict[Task, Record] = field(default_factory=dict)
    _written: dict[str, Record] = field(default_factory=dict)
    """The last record of each picture that a worker wrote."""

    def see_source(self, name: str, etag: str | None, content: bytes = b"") -> None:
        """Remember the content that a picture has from now on."""
        self._step += 1
        is_new = name not in self._current
        if not is_new:
            ended = self._current.pop(name)
            self._ended_at[name, ended] = self._step
            before = self._contents[name, ended]
            if etag is None or content != before:
                self._ended_at[name, sha256(before).hexdigest()] = self._step
        if etag:
            if is_new:
                self._gone_until[name] = self._step
            self._current[name] = etag
            self._contents[name, etag] = content
            self._hashes_of.setdefault(name, set()).add(sha256(content).hexdigest())

    def see_ask(self, task: Task, ask: Ask) -> None:
        """Remember what a task must do from now on."""
        self.asks[task], self._asked_at[task] = ask, self._step
        self._asked_time[task] = self.clock(task.process)

    def see_before_write(self, task: Task, record: Record) -> None:
        """Check that a worker takes over no valid lease, and check the generation.

        A worker may take over its own lease, and the lease of an owner that is known to be dead. Any other
        lease is valid until its end, by the worker's clock, if it had begun when the worker got its task. If
        the owner's clock is ahead, the lease begins later by the worker's clock. The worker may then have
        compared the picture before the lease began, so it may take this lease over.
        """
        stored = self.catalog.get(record.name)
        self._check_generation(task, stored, record)
        if not (stored and stored.lease and record.lease and stored.revision == record.revision):
            return
        lease, taker, now = stored.lease, record.lease.owner, self.clock(task.process)
        is_held = lease.until - LONGEST_LEASE <= self._asked_time.get(task, now) and now < lease.until
        may = lease.owner == taker or self.knows_dead(lease.owner) or not is_held
        must(may, "it took a lease that held", taker, stored)

    def _check_generation(self, task: Task, stored: Record | None, record: Record) -> None:
        """Check that an older generation doesn't overwrite a newer one's decision.

        The older generation may only reopen the picture.
        """
        is_reopening = not record.goal and record.lease is None
        own = self.pipeline_of.get(task.process)
        if stored and stored.revision == record.revision and own and not is_reopening:
            newest = self.newest.get(own.generation, 0)
            must(stored.generation <= newest, "a superseded worker writes over it", stored)

    def see_hidden(self, names: frozenset[str], unlisted: frozenset[str] = frozenset()) -> None:
        """Count wrong removals from now on.

        The source hides the pictures in ``names``. Only listings leave out those in ``unlisted``.
        """
        self._step += 1
        self._gone_until |= dict.fromkeys(self._invisible, self._step)
        self._invisible = names
        self.hidden = (names | unlisted) & self._current.keys()
        self._removed_wrongly = 0

    def see_removal(self, task: Task, record: Record) -> None:
        """Check that a record was removed with permission.

        Also check that a sync removes only few pictures that are there. A picture isn't removed if the source
        showed it since the worker got its task, even if a listing or a message said otherwise. Where the
        outputs of deleted pictures are kept, only a person who names a picture removes it. A record without
        an ETag never belonged to a picture. It only claims keys in order to delete them.
        """
        self._see_release(self._written.pop(record.name, None), None)
        ask = self.asks[task]
        if record.etag:
            self.removed.add(record.name)
        must(ask.removal != "no" or record.removable_until is not None, "removed without permission", record)
        source = self.pipeline_of[task.process].source
        is_there = self._was_there(task, record.name)
        must(not (is_there and source.matches(record.name)), "removed though it is there", record)
        is_kept = source.on_delete == "keep" and bool(record.etag)
        must(not is_kept or ask.removal == "asked", "removed though it is kept", record)
        if ask.removal == "allowed" and record.name in self.hidden:
            self._removed_wrongly += task in self.syncing
            wrong, limits = self._removed_wrongly, self.limits
            is_few = wrong <= limits.pictures or 100 * wrong <= limits.percent * self.known
            must(is_few, f"{wrong} pictures were removed that are there")

    def _was_there(self, task: Task, name: str) -> bool:
        """Return whether the source has shown a picture during the whole task."""
        is_shown = name in self._current and name not in self._invisible
        return is_shown and self._gone_until[name] <= self._asked_at[task]

    def see_rename(self, task: Task, former: Record, renamed: Record) -> None:
        """Check that a picture takes over only a record with its own content.

        The picture has or had this content. The former picture was missing at some time during the task, or
        the pipeline no longer matches its name. An older generation takes over no record that a newer one
        decided, because the record would owe only the notices that the older pipeline declares.
        """
        newest = self.newest.get(self.pipeline_of[task.process].generation, 0)
        must(former.generation <= newest, "a superseded worker takes it over", former)
        must(former.sha256 in self._hashes_of.get(renamed.name, ()), "renamed to other content", former)
        is_picture = self.pipeline_of[task.process].source.matches(former.name)
        must(not (is_picture and self._was_there(task, former.name)), "it lost its record to a copy", former)
        self._written.pop(former.name, None)
        self._last_written[task] = self._written[renamed.name] = renamed

    def see_write(self, task: Task, written: Record) -> None:
        """Check a record that was written.

        If the checks are strict, every output that it names exists, and was made from the recorded source and
        recipe. The record claims no key that holds a foreign file, except a file that :meth:`_may_adopt`
        permits.
        """
        self._step += 1
        self._see_release(self._written.get(written.name), written)
        self._last_written[task] = self._written[written.name] = written
        self._reportable.add(_of_any_attempt(written))
        if written.is_decided:
            decided = self._decided.setdefault((written.name, written.status, written.timestamp), set())
            decided.add(written)
        self._stated_at.setdefault(_of_content(written), self._step)
        for made in written.outputs:
            self._check_output(written, written.place, made.key)
        place = self._place_of(task, written)
        for key in sorted(written.claimed_keys()):
            if place.fold(key) in place.foreign:
                must(
                    self._may_adopt(task, place, key, written), "it isn't ours, and was claimed", key, written
                )
                del place.foreign[place.fold(key)]

    def _see_release(self, old: Record | None, new: Record | None) -> None:
        """Note the foreign files under keys that a record no longer claims.

        They must stay unchanged from now on.
        """
        place = self.places.get(old.place) if old else None
        if old is None or place is None:
            return
        stays = {place.fold(key) for key in new.claimed_keys()} if new and new.place == old.place else set()
        for key in {place.fold(key) for key in old.claimed_keys()} - stays:
            if (got := place.store.get(key)) and place.store.writer_of(key) != place.catalog_id:
                place.foreign[key] = got[1]

    def see_other_catalog(self) -> None:
        """Treat the present catalog as what workers wrote, after it was restored or lost."""
        self.newest.clear()
        self._written = dict(self.catalog.records)

    def _place_of(self, task: Task, record: Record) -> OutputStore:
        """Return the output store for which a record claims its keys."""
        return self.places[record.place or self.pipeline_of[task.process].output.store]

    def _may_adopt(self, task: Task, place: OutputStore, key: str, written: Record) -> bool:
        """Return whether the foreign file under this key may become ours."""
        if task in self.deleting_strays:
            return place.tell_whose(key) == "ours"
        recipes = self.pipeline_of[task.process].recipes(written.wishes).values()
        content = self._contents.get((written.name, written.etag))
        fresh = () if content is None else [expected_output(content, recipe) for recipe in recipes]
        return self.asks[task].adopts and place.proves(key, fresh)

    def see_put(self, task: Task, place: OutputStore, key: str) -> None:
        """Check an object that a worker wrote.

        If the worker still has its lease, its record must claim the key. The key must not have held a
        foreign file. With strict checks, the object must be the output that a record names under this key,
        if one does.
        """
        held = self._last_written[task]
        must(place.fold(key) not in place.foreign, "it isn't ours, and was written", key, held)
        owner = self.catalog.owner_of(key)
        record = self.catalog.get(owner) if owner else None
        if record:
            self._check_output(record, place.name, key)
        now = self.catalog.get(held.name)
        has_lease = now is not None and now.revision == held.revision
        must(owner == held.name or not has_lease, "it was written, and is another's", key, owner, held)

    def see_delete(self, task: Task, place: OutputStore, key: str, whose: str) -> None:
        """Check that an object may be deleted now.

        The record that the task wrote last must name it, or it must be a stray of ours in a former store.
        While that record is ``processing`` with a goal, the object must be in the way of another key.
        """
        held = self._last_written[task]
        folded = place.fold(key)
        if task in self.deleting_strays:
            must(whose == "ours", f"{key} is {whose}, and was deleted as a stray of ours")
            place.foreign.pop(folded, None)
        must(folded not in place.foreign, "it isn't ours, and was deleted", key, held)
        is_claimed = self._place_of(task, held) is place and folded in map(place.fold, held.claimed_keys())
        is_left = any((old.place, place.fold(old.key)) == (place.name, folded) for old in held.retired)
        is_former_stray = not self.deleting_strays.get(task, True)
        must(
            is_claimed or is_left or is_former_stray,
            "it was deleted, and isn't named",
            key,
            held,
        )
        is_in_the_way = any(
            other.startswith(f"{key}/") or key.startswith(f"{other}/") for other in held.claimed_keys()
        )
        may = held.status != "processing" or not held.goal or is_in_the_way
        must(may, "it was deleted before its time", key, held)
        owner = self.catalog.owner_of(key)
        if owner and (record := self.catalog.get(owner)):
            self._check_output(record, place.name, key)

    def see_notice(self, notice: Notice) -> None:
        """Check that a notice reports a recorded state or a removal that happened."""
        if isinstance(notice.subject, Digest):
            for each in notice.subject.pictures:
                decided = self._find_decided(each)
                is_true = each.name in self.removed if each.event == "removed" else bool(decided)
                must(is_true, "in a digest before it was recorded", each)
                self.in_digests |= decided
            self.sent.append(notice)
            return
        if isinstance(notice.subject, Record):
            is_true = _of_any_attempt(notice.subject) in self._reportable
        else:
            is_true = notice.name in self.removed
        must(is_true, "sent before it was recorded", notice)
        self.sent.append(notice)

    def _find_decided(self, told: Reported) -> set[Record]:
        """Return the recorded states that one entry of a digest can report."""
        decided = self._decided.get((told.name, told.event, told.timestamp), set())
        return {record for record in decided if (record.reason or "").startswith(told.reason)}

    def see_outcome(self, outcome: Outcome) -> None:
        """Check that a ``done`` or ``rejected`` outcome was up to date at some moment.

        The picture must have had the recorded content after a worker first wrote that record. Skip a picture
        that is kept after its file was deleted: its outcome is from before the deletion.
        """
        record = outcome.record
        if (
            record is None
            or record.missing_since
            or outcome.again_after is not None
            or outcome.result not in ("done", "rejected")
        ):
            return
        content = self._contents.get((record.name, self._current.get(record.name, "")))
        is_current = content is not None and sha256(content).hexdigest() == record.sha256
        is_current = is_current or self._current.get(record.name) == record.etag
        ended_at = self._ended_at.get((record.name, record.sha256 or record.etag), 0)
        must(is_current or ended_at > self._stated_at[_of_content(record)], "true at no moment", outcome)

    def _check_output(self, record: Record, at: str, key: str) -> None:
        """Check the output that a record has under this key.

        Do nothing if the record's outputs are in another store, or if the checks aren't strict.
        """
        if not self.is_strict or record.place != at:
            return
        place = self.places[at]
        for made in record.outputs:
            if place.fold(made.key) == place.fold(key):
                got = place.store.get(key)
                must(
                    got is not None and got[0].etag == made.etag, "it isn't what the record says", key, record
                )
                content = self._contents.get((record.name, made.source_etag))
                is_made_of_it = content is None or (got and got[1] == output_of(content, made.fingerprint))
                must(bool(is_made_of_it), "it isn't made of what the record says", key, record)


def _of_content(record: Record) -> Record:
    """Return what a record says about its content.

    If the record has the content's hash, leave out the source's ETags: touching a picture changes them, and
    the rest of the record stays true.
    """
    if not record.sha256:
        return truth(record)
    outputs = tuple(replace(made, source_etag="") for made in record.outputs)
    return replace(truth(replace(record, outputs=outputs)), etag="", goal="")


def _of_any_attempt(record: Record) -> Record:
    """Return what a record says about its picture, without what a retry resets."""
    return replace(truth(record), goal="", attempts=0, setbacks=0)

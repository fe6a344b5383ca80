"""Update one picture: claim keys, render, write outputs, finish the record.

``process`` decides when to update a picture. Each step leaves a state from which the next call continues.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from renditions.core.ask import Ask
from renditions.core.content import Reader
from renditions.core.decide import decide
from renditions.core.difference import Difference
from renditions.core.leases import Leases
from renditions.core.outcome import MAX_ATTEMPTS
from renditions.core.places import is_in_place, leave_place
from renditions.core.ports import IfAbsent, IfMatch, Renderer, Store, StoredObject
from renditions.core.refusals import refuse_own_keys, refuse_size, refuse_taken_key
from renditions.core.retire import is_in_the_way, kept_until, retire
from renditions.core.reuse import find_copies
from renditions.core.stand_ins import keep_valid, keys_of_served, merge
from renditions.core.verify import find_picture
from renditions.errors import Failed, ForeignOutput, KeyTaken, Rejected
from renditions.model.families import among
from renditions.model.formats import OUTPUT_FORMATS
from renditions.model.keys import is_known
from renditions.model.original import Original
from renditions.model.pipeline import Pipeline
from renditions.model.reason import Reason, common_code
from renditions.model.record import MIXED, Output, Record
from renditions.model.rendering import Rendered, Rendering
from renditions.model.warning import combine, narrow


@dataclass(frozen=True, slots=True)
class Begun:
    """An update in progress: its difference, and its record."""

    record: Record
    difference: Difference
    found: StoredObject
    claimed_before: frozenset[str]
    """The folded keys that the record claimed before. The objects under them are ours."""
    foreign: Mapping[str, Rejected] = field(default_factory=dict)
    """Why keys aren't free, by rendition. The update neither claims nor writes these keys."""
    proven: Mapping[str, str] = field(default_factory=dict)
    """The ETags, by key, of objects to take over."""
    may_copy: bool = True
    """Whether a missing output may be a copy of another output. False if the caller wants a rendering."""


@dataclass(frozen=True, slots=True)
class Updater:
    """The steps that update one picture, for one thread: see :class:`Reader`."""

    pipeline: Pipeline
    source: Store
    output: Store
    render: Renderer
    leases: Leases
    clock: Callable[[], datetime]
    reader: Reader

    def begin(
        self, difference: Difference, found: StoredObject, ask: Ask, proven: Mapping[str, str]
    ) -> Begun:
        """Take the lease and claim the keys.

        Reject the picture if another picture has claimed one of its keys, or if two of its renditions have
        the same key. The result's record is ``processing`` or ``rejected``. A rejected record keeps its lease
        only if old outputs must be deleted or notices sent.

        Raises:
            KeyTaken: The picture that claims a key is gone from the source, so the key will become free.
            Conflict: Another process wrote the record meanwhile.
        """
        now = self.clock()
        known = difference.record or _new_record(difference, found, now)
        known = replace(known, outputs=difference.refresh(known.outputs))
        old = self.leases.reclaim(self._in_place(known, now), self.pipeline.output.store)
        folding = self.output.folding()
        before = old.claimed_keys()
        fresh = self._freshen(old, difference, found, now)
        served = dict(fresh.stand_ins)
        keys = {
            name: key for name, key in (difference.keys or {}).items() if name not in served and is_known(key)
        }
        declared = keys
        if difference.is_partial:
            keys = {rendition: keys[rendition] for rendition in difference.make if rendition in keys}
        foreign = self.leases.ownership.find_foreign(
            known.name,
            keys,
            before | proven.keys(),
            overwrite=self.pipeline.output.overwrite,
        )
        wanted = {rendition: key for rendition, key in keys.items() if rendition not in foreign}
        dropped = tuple(made for made in old.outputs if made not in fresh.outputs)
        retired = retire(self.pipeline, replace(old, outputs=dropped), wanted, now, ask)
        stays = {output.key for output in fresh.outputs} | {old.key for old in retired if not old.place}
        pending = tuple(sorted((before | frozenset(wanted.values())) - stays))
        fresh = replace(fresh, retired=retired, refused_keys=tuple(sorted(keys[name] for name in foreign)))
        try:
            if len(set(map(folding, declared.values()))) < len(declared):
                raise refuse_own_keys(declared, folding)
            begun = self.leases.take(replace(fresh, pending_keys=pending))
        except Rejected as refusal:
            if isinstance(refusal, KeyTaken) and self._is_about_to_go(refusal.owner):
                raise
            kept = {old.key for old in retired if not old.place}
            refused = replace(fresh, outputs=(), stand_ins=(), pending_keys=tuple(sorted(before - kept)))
            if isinstance(refusal, KeyTaken):
                refused = replace(refused, blocked_by=refusal.owner)
                refusal = refuse_taken_key(refusal, self.pipeline, keys)
            decided = decide(
                self.pipeline, self.clock(), difference.record, refused, "rejected", Reason.of(refusal)
            )
            is_settled = not (decided.owed or decided.pending_keys)
            begun = self.leases.release(decided) if is_settled else self.leases.take(decided)
        return Begun(
            begun, difference, found, frozenset(map(folding, before)), foreign, proven, not ask.is_forced
        )

    def make(self, begun: Begun) -> Record:
        """Render and write the missing outputs, and finish the record.

        Return the finished record. Return the begun record if the caller must compare the picture again: the
        picture changed before it was read, or its keys depend on its content, which wasn't known before.

        Raises:
            Failed, Stopped: A store, the catalog or a worker failed, or the renderer was stopped.
            Conflict: Another process changed or deleted the record, so the lease is lost.

        """
        record, difference, found = begun.record, begun.difference, begun.found
        if found.size_bytes > (limit := self.pipeline.accept.max_bytes):
            refusal = refuse_size(found.size_bytes, limit)
            return self._finish(begun, self._refuse(begun, record, Reason.of(refusal)))
        has_keys = all(map(is_known, (difference.keys or {}).values()))
        to_make = [name for name in difference.make if name not in begun.foreign]
        unsure = [name for name in begun.foreign if name in difference.make and self._may_be_served(name)]
        if has_keys and not (to_make or unsure) and record.rules == self.pipeline.rules:
            return self._finish(begun, self._conclude(begun, record, {}))
        copies = {}
        if begun.may_copy:
            copies = find_copies(self.pipeline, self.output, record, difference, to_make)
        to_render = [name for name in (*to_make, *unsure) if name not in copies]
        if has_keys and not to_render and record.original and record.rules == self.pipeline.rules:
            return self._write(begun, record, Rendering(record.original, copies))
        try:
            content = self.reader.read(found)
        except Rejected as refusal:
            return self._finish(begun, self._refuse(begun, record, Reason.of(refusal)))
        if content is None or not has_keys:
            return record
        wanted = self.pipeline.recipes(record.wishes)
        may_stand_in = wanted.keys() - difference.left
        recipes = {name: among(name, wanted[name], may_stand_in) for name in to_render}
        rendering = self.render(content.bytes, self.pipeline.accept, recipes, self.pipeline.analyze)
        rendering = rendering.without(unsure)
        rendering = replace(rendering, made={**copies, **rendering.made})
        original = rendering.original.completed_from(record.original)
        # If only some outputs are rendered now, the warnings about the others and the picture stay.
        is_whole = rendering.rejected is not None or len(recipes) == len(wanted)
        earlier = () if is_whole else narrow(record.warnings, wanted.keys() - recipes.keys())
        warnings = combine((*earlier, *rendering.warnings))
        record = replace(record, sha256=content.sha256, original=original, warnings=warnings)
        # The format is known only now, and it decides which revisions count.
        goal = self.pipeline.goal_of(
            record.name, record.etag, record.wishes, record.source_format, record.sha256
        )
        record = replace(record, goal=goal)
        if rendering.rejected is not None:
            return self._finish(begun, self._refuse(begun, record, rendering.rejected))
        return self._write(begun, record, rendering)

    def _write(self, begun: Begun, record: Record, rendering: Rendering) -> Record:
        """Write the rendered outputs, and finish the record."""
        keys = begun.difference.keys or {}
        written = [key for rendition, key in keys.items() if rendition not in begun.foreign]
        for key in begun.difference.delete:
            if is_in_the_way(key, written):
                self.leases.delete(record, key)
        errors = dict(rendering.errors)
        stand_ins = merge(record, rendering, tuple(self.pipeline.renditions))
        served = dict(stand_ins)
        outputs = {made.rendition: made for made in record.outputs if made.rendition not in served}
        foreign = {name: refusal for name, refusal in begun.foreign.items() if name not in served}
        refused = {keys[name] for name in foreign}
        for rendition, rendered in rendering.made.items():
            if rendition in served:
                continue  # a copy of an output that the picture doesn't need
            try:
                outputs[rendition] = self._write_output(begun, record, rendition, rendered)
            except ForeignOutput as refusal:
                refused.add(refusal.key)
                errors[rendition] = Reason.of(refusal)
            except Rejected as refusal:
                errors[rendition] = Reason.of(refusal)
        made = replace(
            record,
            rules=self.pipeline.rules,
            outputs=tuple(sorted(outputs.values(), key=self._order_of)),
            stand_ins=stand_ins,
            refused_keys=tuple(sorted(refused)),
        )
        return self._finish(begun, self._conclude(replace(begun, foreign=foreign), made, errors))

    def fail(self, begun: Record, error: Failed) -> Record:
        """Record a failure that the picture didn't cause.

        The record owes notices only when the picture is given up. A full disk or a lost connection doesn't
        count as an attempt. So Renditions never gives a picture up because of them. After an error that
        a retry can't mend, Renditions gives the picture up at once.
        """
        attempts = begun.attempts + error.is_try if error.retryable else MAX_ATTEMPTS
        setbacks = begun.setbacks + (not error.is_try)
        failed = decide(
            self.pipeline,
            self.clock(),
            None,
            replace(begun, attempts=attempts, setbacks=setbacks),
            "failed",
            Reason.of(error),
        )
        owed = failed.owed if attempts >= MAX_ATTEMPTS else ()
        return self.leases.catalog.write(replace(failed, owed=owed, lease=None))

    def _may_be_served(self, rendition: str) -> bool:
        """Return whether another width of the family may be the rendition's stand-in.

        Only rendering shows that. A rendition with a stand-in doesn't need its key, so the key may hold a
        foreign file.
        """
        return len(self.pipeline.renditions[rendition].widths) > 1

    def _in_place(self, old: Record, now: datetime) -> Record:
        """Return the record for the current output store, which may have changed.

        If the pipeline file declares ``keep_replaced``, the outputs stay in the former store for this time,
        and then the worker deletes them. Otherwise they stay there, and the record forgets them.
        """
        if is_in_place(self.pipeline, old):
            return old
        return leave_place(old, kept_until(self.pipeline, now))

    def _order_of(self, made: Output) -> int:
        """Return an output's position in the pipeline.

        An output that isn't declared comes last.
        """
        names = tuple(self.pipeline.renditions)
        return names.index(made.rendition) if made.rendition in names else len(names)

    def _is_about_to_go(self, owner: str) -> bool:
        """Return whether a key's owner is gone, and its outputs will be removed."""
        is_there = self.pipeline.source.matches(owner) and find_picture(self.source, owner)
        return not is_there and self.pipeline.source.on_delete == "remove"

    def _freshen(self, old: Record, difference: Difference, found: StoredObject, now: datetime) -> Record:
        """Return the record as processing begins, with the outputs that stay."""
        keys = difference.keys or {}
        same_picture = old.etag == found.etag
        source_format = old.source_format if same_picture else None
        sha256 = difference.sha256 or (old.sha256 if same_picture else "")
        goal = self.pipeline.goal_of(difference.name, found.etag, old.wishes, source_format, sha256)
        folding = self.output.folding()
        made_keys = {folding(keys[rendition]) for rendition in difference.make}
        kept = tuple(
            output
            for output in old.outputs
            if output.rendition not in difference.make
            and (
                keys.get(output.rendition) == output.key
                or (difference.is_partial and folding(output.key) not in made_keys)
            )
        )
        return replace(
            old,
            status="processing",
            timestamp=now,
            reason=None,
            code="",
            etag=found.etag,
            goal=goal,
            sha256=sha256,
            rules=old.rules if same_picture else "",
            original=old.original if same_picture and old.original else Original(found.size_bytes),
            outputs=kept,
            stand_ins=keep_valid(old, difference),
            errors=(),
            warnings=narrow(old.warnings, keys) if same_picture else (),
            attempts=old.attempts if old.goal == goal else 0,
            setbacks=old.setbacks if old.goal == goal else 0,
            blocked_by=None,
            place=self.pipeline.output.store,
            headers=self._headers_of(old, kept),
            missing_since=None,
            removable_until=None,
        ).with_event(now, "processing", difference.why)

    def _headers_of(self, old: Record, kept: tuple[Output, ...]) -> str:
        """Return the headers of all outputs after this update; ``MIXED`` if they differ."""
        present = self.pipeline.output.headers
        return MIXED if kept and old.place and old.headers != present else present

    def _conclude(self, begun: Begun, record: Record, errors: Mapping[str, Reason]) -> Record:
        """Return the decided record, with the reasons for missing outputs."""
        refused = {rendition: Reason.of(refusal) for rendition, refusal in begun.foreign.items()}
        failed = {**errors, **refused}
        text = "; ".join(f"{rendition}: {why}" for rendition, why in failed.items())
        reason = Reason(text, common_code(failed.values())) if failed else None
        concluded = replace(record, errors=tuple(failed.items()))
        if begun.difference.is_partial:
            concluded = replace(concluded, goal="")  # so that the next run still finds the other differences
        before = begun.difference.record
        return decide(
            self.pipeline, self.clock(), before, concluded, "rejected" if failed else "done", reason
        )

    def _write_output(self, begun: Begun, record: Record, rendition: str, rendered: Rendered) -> Output:
        """Write one output; see :meth:`Leases.put`."""
        difference = begun.difference
        key = (difference.keys or {})[rendition]
        old = difference.record.find_output(rendition) if difference.record else None
        was_claimed = self.output.folding()(key) in begun.claimed_before
        is_known = old and old.key == key and was_claimed
        expected = old.etag if old and is_known else begun.proven.get(key)
        stored = self.leases.put(
            record,
            key,
            rendered.content,
            IfMatch(expected) if expected else IfAbsent(),
            OUTPUT_FORMATS[rendered.format].content_type,
            may_replace=was_claimed or self.pipeline.output.overwrite,
        )
        return Output(
            rendition=rendition,
            key=key,
            etag=stored.etag,
            source_etag=record.etag,
            fingerprint=self.pipeline.fingerprints(record.wishes, record.source_format)[rendition],
            format=rendered.format,
            size_bytes=stored.size_bytes,
            width=rendered.width,
            height=rendered.height,
            seconds=None if rendered.seconds is None else round(rendered.seconds, 3),
            sha256=hashlib.sha256(rendered.content).hexdigest(),
            is_restored=rendition in difference.drift,
            focus=record.wishes.focus if self.pipeline.renditions[rendition].gravity == "focus" else None,
        )

    def _refuse(self, begun: Begun, record: Record, reason: Reason) -> Record:
        """Return the record of a picture that has no outputs because it is rejected."""
        pending = tuple(sorted({*(output.key for output in record.outputs), *record.pending_keys}))
        refused = replace(record, outputs=(), stand_ins=(), pending_keys=pending)
        return decide(self.pipeline, self.clock(), begun.difference.record, refused, "rejected", reason)

    def _finish(self, begun: Begun, decided: Record) -> Record:
        """Write the decided record.

        Keep the lease only if outputs must be deleted or notices sent.

        The condition is the revision that ``begin`` left. A worker that took the lease over has raised it:

            A  begin → r8     …paused past the lease…      finish(r8) → Conflict: writes nothing
            B                   begin → r9, finish → r10
        """
        kept = {output.key for output in decided.outputs} | set(decided.refused_keys)
        held = {output.key for output in begun.record.outputs} | set(begun.record.pending_keys)
        folding, served = self.output.folding(), keys_of_served(decided, begun.difference)
        unwritten = {key for key in served if folding(key) not in begun.claimed_before} - begun.proven.keys()
        pending = tuple(sorted((held | set(decided.pending_keys)) - kept - unwritten))
        lease = begun.record.lease if pending or decided.owed else None
        return self.leases.catalog.write(replace(decided, pending_keys=pending, lease=lease))


def _new_record(difference: Difference, found: StoredObject, now: datetime) -> Record:
    """Return a picture's first record.

    If the picture has a twin, the record gets the facts about the content from the twin's record.
    """
    record = Record(difference.name, "processing", now)
    if twin := difference.twin:
        record = replace(
            record,
            etag=found.etag,
            sha256=twin.sha256,
            original=twin.original,
            rules=twin.rules,
            warnings=twin.warnings,
        )
    return record

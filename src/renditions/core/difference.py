"""The difference between the wanted and the actual state of one picture.

``plan`` shows the difference, and ``process`` does the work. Both call the same pure function. So ``process``
does the work that ``plan`` showed, if nothing has changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from renditions.core.ask import PLAIN, Ask
from renditions.core.notify import rejection_pause, resting_notices
from renditions.core.outcome import MAX_ATTEMPTS, Outcome
from renditions.core.places import is_in_place, leave_place
from renditions.core.ports import StoredObject
from renditions.core.retire import dropped_keys, kept_until, retire_outputs, settled_keys
from renditions.core.verify import UNVERIFIED, Verification
from renditions.core.why import is_owing, is_restored, why_relabelled, why_settle, why_update
from renditions.model.items import without_empty
from renditions.model.keys import spell_key
from renditions.model.pipeline import Pipeline
from renditions.model.record import Output, Record
from renditions.model.retired import Retired
from renditions.model.shell import as_argument
from renditions.model.wishes import NO_WISHES

IN_PROGRESS = "another process is working on it"
UNFINISHED = "it is still being written"

TOUCHED = "its content is unchanged"
REFRESHED = "its outputs have other ETags, but the same content"

RECHECK = timedelta(seconds=1)
"""How long to wait before checking a picture again, if another process is processing or writing it."""

Action = Literal["create", "update", "remove", "rename", "hold", "settle", "wait", "unreadable", "keep"]
"""The action for one picture.

    create    the picture has no record
    update    the picture has a record, and must be processed again for the reason in ``why``
    remove    the picture is gone: its outputs are deleted, then its record
    rename    the picture had another name, and takes over that name's record and outputs (only in a preview)
    hold      the picture is gone, and its removal waits for permission
    settle    nothing must be rendered, but other work is left: an output must be deleted, its headers
              rewritten, a notice sent, or the record updated
    wait      another process is writing the picture or processing it
    unreadable  a part of the source, the picture's record or its outputs can't be read: nothing is changed
    keep      nothing is left to do
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """The action for one picture, and its reason."""

    name: str
    action: Action
    why: str
    make: tuple[str, ...] = ()
    """The renditions to make, in the pipeline's order."""
    keys: Mapping[str, str] | None = None
    """The output key of each wanted rendition; None if the keys weren't compared."""
    delete: tuple[str, ...] = ()
    """The output keys to delete."""
    retire: tuple[Retired, ...] = ()
    """The former outputs that Renditions keeps for a while, or until a person allows their deletion."""
    found: StoredObject | None = None
    """The source object; None if the source has none, or if it wasn't looked up."""
    record: Record | None = None
    """The picture's record; None if it has none, or if the record can't be read."""
    again_after: timedelta | None = None
    """How long to wait before comparing again, if the action is ``wait``."""
    refreshed: Mapping[str, Output] = field(default_factory=dict)
    """The outputs, by rendition, that have the recorded content but another ETag."""
    drift: Mapping[str, str] = field(default_factory=dict)
    """How outputs in the store differ from the record, by rendition; only for outputs to make again."""
    is_restore: bool = False
    """Whether the action restores outputs: the store lost or changed them, or another store is declared."""
    left: frozenset[str] = frozenset()
    """The differing renditions that stay unchanged, because the caller asked only for others."""
    is_partial: bool = False
    """Whether some differences remain, because the caller asked for only some renditions."""
    sha256: str = ""
    """The SHA-256 of the source object's content; empty if it isn't known."""
    twin: Record | None = None
    """The record of another picture with the same content, if this picture has no record yet."""
    is_left_out: bool = False
    """Whether the picture counts as gone because ``[source]`` no longer matches its name."""
    renamed_from: str | None = None
    """The picture's former name, if the action is ``rename``."""
    notice_after: timedelta | None = None
    """How long the notice of the picture's rejection still waits, if nothing must be rendered."""
    warning: str | None = None
    """A problem that a person must solve."""

    def refresh(self, outputs: tuple[Output, ...]) -> tuple[Output, ...]:
        """Return the outputs with the ETags that verification found."""
        return tuple(self.refreshed.get(made.rendition, made) for made in outputs)

    def as_unchanged(self) -> Outcome:
        """Return the outcome of a picture that needs no work now."""
        return Outcome(
            self.name,
            "unchanged",
            self.warning or self.why,
            record=self.record,
            notice_after=self.notice_after,
        )

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form, the same on the command line and in the API.

        ``make`` has an object for each rendition, by its name, like the ``renditions`` of a record. If the
        action is ``rename``, outputs of the former name may be copied instead of rendered. ``retire``,
        ``renamed_from`` and ``warning`` are left out if they are empty.
        """
        keys = {rendition: spell_key(key) for rendition, key in (self.keys or {}).items()}
        item = {
            "name": self.name,
            "action": self.action,
            "why": self.why,
            "make": {rendition: {"key": keys[rendition]} for rendition in self.make},
            "delete": list(self.delete),
        }
        optional = {
            "retire": [old.to_item() for old in self.retire],
            "renamed_from": self.renamed_from,
            "warning": self.warning,
        }
        return item | without_empty(optional)


@dataclass(frozen=True, slots=True)
class Seen:
    """The facts about one picture that :func:`compare` needs."""

    name: str
    """The picture's key."""
    found: StoredObject | None
    """The source object as it is now; None if it is gone, or if ``[source]`` no longer matches its name."""
    record: Record | None
    """The picture's record in the catalog."""
    is_blocked: bool = False
    """Whether the picture ``record.blocked_by`` still claims an output key that this picture needs."""
    verification: Verification = UNVERIFIED
    """The result of comparing the record's outputs with the store."""
    is_key_free: bool = False
    """Whether one of ``record.refused_keys`` can be tried again.

    That is so if the key no longer holds an object, if its object may now be overwritten, or if another
    picture now has the key.
    """
    sha256: str = ""
    """The SHA-256 of the source object's content; empty if it isn't known."""
    is_touched: bool = False
    """Whether the source object has another ETag than the stored record, but the same content."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """The former names of renamed renditions, by their new names."""


def compare(
    pipeline: Pipeline, seen: Seen, *, now: datetime, is_gone: Callable[[str], bool] | None, ask: Ask = PLAIN
) -> Difference:
    """Return what one picture needs, and why.

    Args:
        pipeline: The declared state.
        seen: The facts about the picture.
        now: The current time.
        is_gone: Returns whether a lease's owner has certainly ended; None if a lease ends only when it
            expires.
        ask: The caller's request.
    """
    name, found, record = seen.name, seen.found, seen.record
    if record and record.lease and record.leased_at(now):
        if is_gone is None:
            ends_after = record.lease.until - now
            return Difference(name, "wait", IN_PROGRESS, found=found, record=record, again_after=ends_after)
        if not is_gone(record.lease.owner):
            return Difference(name, "wait", IN_PROGRESS, found=found, record=record, again_after=RECHECK)
    if found is None:
        return _compare_missing(pipeline, seen, record, now, ask)
    if not found.complete:
        seconds = max(RECHECK.total_seconds(), pipeline.source.settle - found.unchanged_seconds)
        pause = timedelta(seconds=seconds)
        return Difference(name, "wait", UNFINISHED, found=found, record=record, again_after=pause)
    wishes = record.wishes if record else NO_WISHES
    keys = pipeline.output_keys(name, found.etag, wishes, seen.sha256)
    if record is None:
        make = tuple(rendition for rendition in keys if _is_asked_for(rendition, ask))
        left = frozenset(keys.keys() - set(make))
        if left and not make:
            return Difference(name, "keep", "it needs none of the requested renditions", found=found)
        return Difference(
            name, "create", "it is new", make=make, keys=keys, found=found, left=left, is_partial=bool(left)
        )
    return _compare_known(pipeline, seen, found, record, keys, now, ask)


def _compare_known(
    pipeline: Pipeline,
    seen: Seen,
    found: StoredObject,
    record: Record,
    keys: Mapping[str, str],
    now: datetime,
    ask: Ask,
) -> Difference:
    """Return what an existing picture with a record needs."""
    is_moved = not is_in_place(pipeline, record)
    mended, lasting = _split_drift(record, keys, seen.verification, ask)
    goal = pipeline.goal_of(seen.name, found.etag, record.wishes, record.source_format, seen.sha256)
    why_decided = _why_decided(seen, record) if record.goal == goal and not is_moved else None
    if why_decided and not mended and not ask.is_forced:
        why_unsettled = why_settle(pipeline, record, found, now, ask)
        if seen.is_touched or seen.verification.refreshed:
            why_unsettled = why_unsettled or (TOUCHED if seen.is_touched else REFRESHED)
        return Difference(
            seen.name, "settle" if why_unsettled else "keep", why_unsettled or why_decided, keys=keys,
            delete=settled_keys(record, now, ask), found=found, record=record,
            refreshed=seen.verification.refreshed, warning=_warn_of_drift(seen.name, lasting),
            notice_after=rejection_pause(found) if resting_notices(record, found, ask) else None,
        )  # fmt: skip
    there = leave_place(record, kept_until(pipeline, now)) if is_moved else record
    stale = {
        rendition: reason
        for rendition in keys
        if (reason := _why_stale(pipeline, there, rendition, keys, found.etag))
        or (reason := "will be made again" if ask.is_forced else mended.get(rendition))
    }
    make = tuple(rendition for rendition in stale if _is_asked_for(rendition, ask, record))
    is_undeclared_left = any(made.rendition not in keys for made in there.outputs)
    left = frozenset(stale.keys() - set(make))
    is_partial = ask.renditions is not None and (bool(left) or is_undeclared_left)
    wanted = frozenset(keys.values())
    retired = () if is_partial else retire_outputs(pipeline, there.outputs, wanted, now, ask)
    left_behind = there.retired[len(record.retired) :]
    why_each = {rendition: stale[rendition] for rendition in make}
    why_each |= why_relabelled(pipeline, seen.renamed)
    why = why_update(pipeline, record, found, why_each, ask)
    return Difference(
        seen.name,
        "update" if make or not is_partial else _settle_or_keep(pipeline, record, found, now, ask),
        f"its outputs are in another output store, {record.place}" if is_moved else why,
        make=make,
        keys=keys,
        delete=() if is_partial else dropped_keys(there, wanted, retired, now, ask),
        retire=retired + left_behind,
        found=found,
        record=record,
        drift={rendition: mended[rendition] for rendition in make if rendition in mended},
        is_restore=is_moved or (bool(why_decided) and not ask.is_forced),
        left=left,
        is_partial=is_partial,
        refreshed=seen.verification.refreshed,
        warning=_warn_of_drift(seen.name, {each: why for each, why in lasting.items() if each not in make}),
    )


def _compare_missing(
    pipeline: Pipeline, seen: Seen, record: Record | None, now: datetime, ask: Ask
) -> Difference:
    """Return what a picture without a source object needs."""
    name = seen.name
    why_left_out = pipeline.source.patterns.why_not(name)
    if record is None:
        return Difference(name, "keep", why_left_out or "there is no such picture")
    if ask.renditions is not None:
        return Difference(name, "keep", "it is gone, but only some renditions are requested", record=record)
    # A record without an ETag never belonged to a picture. It only claims keys that must be deleted.
    if pipeline.source.on_delete == "keep" and record.etag and ask.removal != "asked":
        refreshed = seen.verification.refreshed
        is_noted = record.missing_since and not (record.is_decided and is_owing(pipeline, record))
        action: Action = "keep" if is_noted and not refreshed else "settle"
        why = f"{why_left_out or 'its source is missing'}, and its outputs are kept"
        warning = _warn_of_loss(name, seen.verification.drift)
        return Difference(name, action, why, record=record, refreshed=refreshed, warning=warning)
    is_allowed = ask.removal != "no" or (record.removable_until is not None and now < record.removable_until)
    return Difference(
        name,
        "remove" if is_allowed else "hold",
        why_left_out or "it is gone from the source",
        delete=record.sorted_keys(),
        record=record,
        is_left_out=why_left_out is not None,
    )


def _warn_of_drift(name: str, lasting: Mapping[str, str]) -> str | None:
    if not lasting:
        return None
    drift = ", ".join(f"{rendition} {why} again" for rendition, why in lasting.items())
    them = "it" if len(lasting) == 1 else "them"
    return f"{drift}. To make {them} again, run renditions retry {as_argument(name)}"


def _warn_of_loss(name: str, drift: Mapping[str, str]) -> str | None:
    """Return the warning about lost outputs of a picture whose source is gone.

    Return None if none is lost.
    """
    if not drift:
        return None
    lost = ", ".join(f"{rendition} {why}" for rendition, why in drift.items())
    return (
        f"{lost}, and can't be made again, because the picture is gone from the source. Put the picture "
        f"back, or run renditions forget {as_argument(name)}"
    )


def _is_asked_for(rendition: str, ask: Ask, record: Record | None = None) -> bool:
    """Return whether the caller asked for the file of a rendition.

    The caller may also have asked for another rendition that uses the file.
    """
    if ask.renditions is None or rendition in ask.renditions:
        return True
    served = record.stand_ins if record else ()
    return any(other == rendition and each in ask.renditions for each, other in served)


def _split_drift(
    record: Record, keys: Mapping[str, str], verification: Verification, ask: Ask
) -> tuple[dict[str, str], dict[str, str]]:
    """Separate the changed outputs to repair from outputs that were repaired before.

    Return two mappings from a rendition to how its output changed: first the outputs to repair, then the
    others. Renditions repairs an output once, and again only if the caller asks for a retry. Otherwise it
    reports that the output changed again.
    """
    mended: dict[str, str] = {}
    lasting: dict[str, str] = {}
    for rendition, why in verification.drift.items():
        made = record.find_output(rendition)
        if made is None or rendition not in keys or record.status == "failed":
            continue
        (lasting if made.is_restored and not ask.is_retry else mended)[rendition] = why
    return mended, lasting


def _settle_or_keep(
    pipeline: Pipeline, record: Record, found: StoredObject, now: datetime, ask: Ask
) -> Action:
    """Return the action for a picture whose requested renditions all exist."""
    if not (record.is_decided and is_in_place(pipeline, record)):
        return "keep"
    return "settle" if why_settle(pipeline, record, found, now, ask) else "keep"


def _why_decided(seen: Seen, record: Record) -> str | None:
    """Return why a record with the current goal needs no work; None if it needs work."""
    match record.status:
        case "done":
            return "it is up to date"
        case "rejected" if seen.is_key_free or is_restored(record, seen.found):
            return None
        case "rejected" if record.blocked_by is None:
            return "it is rejected"
        case "rejected" if seen.is_blocked:
            return "it is rejected"
        case "failed" if record.attempts >= MAX_ATTEMPTS:
            return "it failed, and Renditions gave it up"
        case _:
            return None


def _why_stale(
    pipeline: Pipeline, record: Record, rendition: str, keys: Mapping[str, str], etag: str
) -> str | None:
    """Return why a rendition must be made; None if its output is valid.

    If the rendition has a stand-in, the stand-in's output is checked.
    """
    output = record.serving_output(rendition)
    if output is None or output.rendition not in keys:
        return "is missing"
    if output.source_etag != etag:
        return "was made from an older picture"
    made = output.rendition
    missed = pipeline.revisions_since(output.fingerprint, made, record.wishes, record.source_format)
    if missed is None:
        wishes = replace(record.wishes, focus=output.focus)
        made_for = pipeline.revisions_since(output.fingerprint, made, wishes, record.source_format)
        return "was made with another recipe" if made_for is None else "was made before the focus changed"
    if missed:
        return f"was made by an older engine ({', '.join(revision.name for revision in missed)})"
    if made == rendition and output.key != keys[rendition]:
        return "is stored under another key"
    return None

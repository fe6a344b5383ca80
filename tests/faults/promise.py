"""The promise, as a short model: the final state after all failures stopped.

- Each picture has a record and exactly its declared outputs, or it is rejected and the record says why.
- No two pictures have an output in one file, even where the store ignores case: one of the two is rejected.
- Foreign objects are unchanged: a website's file, another catalog's output, the outputs of a lost catalog.
- A person's ``sync`` stops before it writes if the catalog is empty and most wanted keys hold objects that
  the catalog didn't write. ``sync --adopt`` takes over only the objects that prove to be ours.
- With ``on_delete = "keep"``, a picture whose source is gone keeps its record and its outputs.
- Apart from this, the present and former output stores hold only strays with our mark. A restored catalog
  forgot these outputs, or a change of the store without ``keep_replaced`` left them behind. ``strays`` lists
  each of them, and ``strays --delete`` deletes only them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

from faults.places import OutputStore
from hashing import expected_output, find_stand_ins, is_too_wide
from renditions.core.catalog import Catalog
from renditions.core.ports import Store, StoredObject
from renditions.core.strays import Stray
from renditions.model.digest import Digest
from renditions.model.families import among
from renditions.model.folding import EXACT
from renditions.model.notices import Notice
from renditions.model.pipeline import Pipeline
from renditions.model.record import Record
from renditions.model.wishes import NO_WISHES, Wishes

Keys = dict[str, str]


class Broken(AssertionError):
    """Raised if the promise doesn't hold."""


def expect(
    pipeline: Pipeline,
    found: StoredObject,
    content: bytes,
    wishes: Wishes,
    foreign: Collection[str] = (),
    folding: Callable[[str], str] = EXACT,
) -> tuple[str, Keys]:
    """Return the status and the output keys that a picture should have.

    This assumes that no other picture has these keys. A rendition with a stand-in has no output.
    """
    keys = pipeline.output_keys(found.key, found.etag, wishes, sha256(content).hexdigest())
    too_large = len(content) > pipeline.accept.max_bytes
    if len(set(map(folding, keys.values()))) < len(keys) or too_large or content.startswith(b"bad"):
        return "rejected", {}
    recipes = pipeline.recipes(wishes)
    trimmed = {name: among(name, recipe, recipes) for name, recipe in recipes.items()}
    stand_ins = find_stand_ins(content, trimmed)
    keys = {name: key for name, key in keys.items() if stand_ins.get(name, name) == name}
    can = {name: key for name, key in keys.items() if folding(key) not in foreign}
    can = {name: key for name, key in can.items() if not is_too_wide(content, recipes[name])}
    return "done" if can == keys else "rejected", can


@dataclass(frozen=True, slots=True)
class Final:
    """The whole state at the end."""

    pipeline: Pipeline
    """The declared pipeline."""
    source: Store
    """The store with the pictures."""
    output: Store
    """The present output store."""
    catalog: Catalog
    """The catalog with the records of the pictures."""
    sent: Iterable[Notice]
    """All notices."""
    foreign: Mapping[str, bytes] = field(default_factory=dict)
    """The objects in the output store that aren't the catalog's own, by folded key."""
    was_restored: bool = False
    """Whether the catalog was restored: it may be wrong about the headers of outputs."""
    in_digests: Iterable[Record] = ()
    """The records that digests reported."""


def check(final: Final, *, may_stray: bool = False) -> list[Record]:
    """Check the final state; return the kept records of pictures that are gone.

    Args:
        final: The state.
        may_stray: Whether outputs that carry the catalog's mark may be left unclaimed.

    """
    pipeline, output, catalog, folding = final.pipeline, final.output, final.catalog, final.output.folding()
    wanted = dict(final.foreign)
    pictures = [found for found in final.source.list() if pipeline.source.matches(found.key)]
    names = [found.key for found in pictures]
    kept = [record for record in catalog.list() if record.name not in names and _is_kept(pipeline, record)]
    there = {record.name for record in catalog.list()} - {record.name for record in kept}
    _same(there, set(names), "records")
    told = {reported(notice.subject) for notice in final.sent if isinstance(notice.subject, Record)}
    told |= {reported(record) for record in final.in_digests}
    must(not list(catalog.unsent_notices()), "notices are left unsent")
    for found in pictures:
        record, got = catalog.get(found.key), final.source.get(found.key)
        assert record
        assert got
        status, keys = expect(pipeline, found, got[1], record.wishes, final.foreign, folding)
        if record.blocked_by:
            blocker = catalog.get(record.blocked_by)
            content = sha256(got[1]).hexdigest()
            wants = pipeline.output_keys(found.key, found.etag, record.wishes, content).values()
            is_free = blocker is None or folding.are_apart(blocker.claimed_keys(), wants)
            must(not is_free, "what it needs is free", record)
            status, keys = "rejected", {}
        _same((record.etag, record.status), (found.etag, status), f"the state of {found.key}")
        is_left = record.lease or record.pending_keys or record.owed or record.retired
        must(not is_left, "work is left", record)
        _same({made.rendition: made.key for made in record.outputs}, keys, f"the outputs of {found.key}")
        recipes = pipeline.recipes(record.wishes)
        for rendition, key in keys.items():
            must(folding(key) not in wanted, "one file with another output", key, record)
            wanted[folding(key)] = expected_output(got[1], recipes[rendition])
        for made in record.outputs:
            _check_output(final, record, made.key, made.etag)
        if record.status == "done":
            lacking = [name for name in recipes if record.serving_output(name) is None]
            must(not lacking, "renditions have neither an output nor a stand-in", lacking, record)
        tells = any(record.status in notify.on for notify in pipeline.notify)
        must(not tells or reported(record) in told, "no notice was sent", record)
    objects = _contents(output)
    for record in kept:
        for key in _list_keys(record, pipeline.output.store):
            objects.pop(folding(key), None)
    _same_but_strays(objects, wanted, final, may_stray=may_stray)
    return kept


def _list_keys(record: Record, place: str) -> set[str]:
    """Return the keys of a record's objects in an output store."""
    claimed = record.claimed_keys() if record.place == place else frozenset()
    return {*claimed, *(old.key for old in record.retired if old.place == place)}


def _is_kept(pipeline: Pipeline, record: Record) -> bool:
    """Return whether the record of a missing picture is kept.

    A record without an ETag never belonged to a picture.
    """
    return pipeline.source.on_delete == "keep" and bool(record.etag and record.missing_since)


def _check_output(final: Final, record: Record, key: str, etag: str) -> None:
    output, pipeline = final.output, final.pipeline
    there = output.head(key)
    must(there is not None and there.etag == etag, f"{key} isn't what the record says")
    headers = getattr(output, "headers_of", {}).get(output.folding()(key), pipeline.output.headers)
    must(final.was_restored or headers == pipeline.output.headers, "wrong headers", key, headers, record)


def _same_but_strays(
    objects: dict[str, bytes], wanted: Mapping[str, bytes], final: Final, *, may_stray: bool
) -> None:
    """Check that the output store holds the wanted objects.

    It may also hold strays, if ``may_stray`` allows them. A kept record with outputs in another store also
    claims its keys in this store; the objects under these keys are never deleted. The function removes the
    strays and these objects from ``objects``.
    """
    binding = final.catalog.read_binding()
    own = binding.catalog_id if binding else ""
    for key in objects.keys() - wanted.keys():
        owner = final.catalog.owner_of(key)
        record = final.catalog.get(owner) if owner else None
        is_claimed = record is not None and record.place in ("", final.pipeline.output.store)
        if final.output.writer_of(key) == own and not is_claimed and (may_stray or owner):
            del objects[key]
    _same(objects, wanted, "objects in the output store")


def check_kept(record: Record, place: OutputStore) -> None:
    """Check the record of a kept picture whose source is gone.

    Its outputs must be unchanged, apart from those that an outsider changed.
    """
    must(not (record.lease or (record.is_decided and record.owed)), "work is left", record)
    for made in record.outputs:
        if place.fold(made.key) not in place.changed:
            got = place.store.get(made.key)
            is_same = got is not None and sha256(got[1]).hexdigest() == made.sha256
            must(is_same, "it isn't kept as it was", made.key, record)


def check_former(place: OutputStore, kept: Iterable[Record], *, may_stray: bool) -> None:
    """Check an output store that was used before.

    The store must hold all foreign objects. Other objects must belong to records in ``kept``, or, with
    ``may_stray``, carry the mark of our catalog.
    """
    claims = {place.fold(key) for record in kept for key in _list_keys(record, place.name)}
    objects = place.contents()
    for key in objects.keys() - place.foreign.keys():
        is_stray = may_stray and place.tell_whose(key) == "ours"
        must(is_stray or key in claims, f"{key} was left in {place.name}")
        del objects[key]
    _same(objects, place.foreign, f"foreign objects in {place.name}")


def check_adopted(final: Final, place: OutputStore) -> None:
    """Check that ``sync --adopt`` refused no object that proves to be ours."""
    for record in final.catalog.list():
        got = final.source.get(record.name) if final.pipeline.source.matches(record.name) else None
        if record.refused_keys and got:
            _, can = expect(final.pipeline, got[0], got[1], record.wishes, folding=place.fold)
            recipes = final.pipeline.recipes(record.wishes)
            fresh = {key: expected_output(got[1], recipes[rendition]) for rendition, key in can.items()}
            for key in record.refused_keys:
                is_ours = place.proves(key, [fresh[key]] if key in fresh else [])
                must(not is_ours, "refused, and ours", key, record)


def is_lost(pipeline: Pipeline, source: Store, place: OutputStore) -> bool:
    """Return whether the catalog counts as lost.

    A lost catalog is empty, and most wanted keys hold objects that it didn't write.
    """
    binding = place.catalog.read_binding()
    pictures = [found for found in source.list() if pipeline.source.matches(found.key)]
    wanted = [key for found in pictures for key in pipeline.output_keys(found.key, found.etag).values()]
    foreign = [
        key
        for key in wanted
        if place.store.head(key) and place.store.writer_of(key) != (binding.catalog_id if binding else "")
    ]
    return not place.catalog.records and len(foreign) > len(wanted) / 2


def check_strays(listed: Iterable[Stray], place: OutputStore, *, is_present: bool) -> None:
    """Check that ``strays`` lists all objects that no record names.

    ``strays`` must also report who wrote each object.
    """
    found = {place.fold(stray.found.key): stray.whose for stray in listed}
    _same(found, place.strays(is_present=is_present), f"strays in {place.name}")


def check_removals(final: Final, removed: Iterable[str]) -> None:
    """Check that there is a notice about each removed picture.

    Pictures that came back need none. Without a target for such notices, check nothing.
    """
    digests = (notice.subject for notice in final.sent if isinstance(notice.subject, Digest))
    told = {each.name for digest in digests for each in digest.pictures if each.event == "removed"}
    told |= {notice.name for notice in final.sent if notice.event == "removed"}
    if any("removed" in notify.on for notify in final.pipeline.notify):
        for name in removed:
            is_back = final.catalog.get(name) is not None
            must(name in told or is_back, "no notice says that it was removed", name)


def reported(record: Record) -> tuple[object, ...]:
    """Return the part of a record that its notice reports.

    While this part stays the same, there is no second notice.
    """
    outputs = frozenset((made.key, made.sha256) for made in record.outputs)
    return record.name, record.status, record.reason, record.sha256 or record.etag, outputs


def truth(record: Record) -> Record:
    """Return the record with some fields reset, so that two records can be compared.

    These are the wishes, the lease, the headers, pending and retired keys, owed notices, the revision, the
    generation, the times of a missing picture, and the ETags and hashes of the outputs.
    """
    outputs = tuple(replace(made, etag="", sha256="") for made in record.outputs)
    return replace(
        record,
        outputs=outputs,
        pending_keys=(),
        owed=(),
        lease=None,
        revision=0,
        wishes=NO_WISHES,
        headers="",
        generation=0,
        retired=(),
        missing_since=None,
        removable_until=None,
    )


def must(holds: bool, otherwise: str, *about: object) -> None:
    """Raise Broken unless the condition holds.

    The message is ``otherwise``, followed by the objects in ``about``.
    """
    if not holds:
        raise Broken(": ".join((otherwise, *map(str, about))))


def _contents(output: Store) -> dict[str, bytes]:
    folding = output.folding()
    return {folding(found.key): got[1] for found in output.list() if (got := output.get(found.key))}


def _same(found: object, expected: object, what: str) -> None:
    must(found == expected, what, "expected", expected, "found", found)

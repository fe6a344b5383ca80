"""The promise as a short model: the expected state after a calm period."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from hashlib import sha256

from hashing import expected_output
from renditions.core.ports import Catalog, Store, StoredObject
from renditions.model.pipeline import NO_WISHES, Pipeline, Wishes
from renditions.model.record import Notice, Record

Keys = dict[str, str]


class Broken(AssertionError):
    """Raised if the promise doesn't hold."""


def expect(
    pipeline: Pipeline, found: StoredObject, content: bytes, wishes: Wishes, foreign: Collection[str] = ()
) -> tuple[str, Keys]:
    """Return a picture's expected status and output keys, if no other picture has the keys."""
    keys = pipeline.output_keys(found.key, found.etag, wishes, sha256(content).hexdigest())
    too_large = len(content) > pipeline.accept.max_bytes
    if len(set(keys.values())) < len(keys) or too_large or content.startswith(b"bad"):
        return "rejected", {}
    can = {name: key for name, key in keys.items() if key not in foreign}
    if content.startswith(b"half"):
        can.pop("large", None)
    return "done" if can == keys else "rejected", can


def check(
    pipeline: Pipeline,
    source: Store,
    output: Store,
    catalog: Catalog,
    sent: Iterable[Notice],
    foreign: Mapping[str, bytes] | None = None,
    *,
    may_stray: bool = False,
) -> None:
    """Check the final state.

    Args:
        pipeline: The declared pipeline.
        source: The pictures.
        output: Their outputs.
        catalog: Their records.
        sent: All notices.
        foreign: The objects in the output store that Renditions didn't write.
        may_stray: Whether unclaimed outputs with the catalog's mark are allowed.

    """
    wanted = dict(foreign or {})
    pictures = [found for found in source.list() if pipeline.source.matches(found.key)]
    _same([record.name for record in catalog.list()], [found.key for found in pictures], "records")
    told = {truth(notice.record) for notice in sent}
    for found in pictures:
        record, got = catalog.get(found.key), source.get(found.key)
        assert record
        assert got
        status, keys = expect(pipeline, found, got[1], record.wishes, foreign or ())
        if record.blocked_by:
            blocker = catalog.get(record.blocked_by)
            taken = {made.key for made in blocker.outputs} if blocker else set()
            hashed = sha256(got[1]).hexdigest()
            wants = set(pipeline.output_keys(found.key, found.etag, record.wishes, hashed).values())
            must(bool(taken & wants), f"what it needs is free: {record}")
            status, keys = "rejected", {}
        _same((record.etag, record.status), (found.etag, status), f"the state of {found.key}")
        is_left = record.lease or record.pending_keys or record.owed or record.retired
        must(not is_left, f"work is left: {record}")
        _same({made.rendition: made.key for made in record.outputs}, keys, f"the outputs of {found.key}")
        recipes = pipeline.recipes(record.wishes)
        wanted |= {key: expected_output(got[1], recipes[rendition]) for rendition, key in keys.items()}
        for made in record.outputs:
            there = output.head(made.key)
            must(there is not None and there.etag == made.etag, f"{made.key} isn't what the record says")
            headers = getattr(output, "headers_of", {}).get(made.key, pipeline.output.headers)
            must(headers == pipeline.output.headers, f"{made.key} is served with {headers}: {record}")
        tells = any(record.status in notify.on for notify in pipeline.notify)
        must(not tells or truth(record) in told, f"no notice was sent about {record}")
    objects = {found.key: got[1] for found in output.list() if (got := output.get(found.key))}
    if may_stray:
        binding = catalog.read_binding()
        own = binding.catalog_id if binding else ""
        for key in objects.keys() - wanted.keys():
            must(output.writer_of(key) == own and not catalog.owner_of(key), f"{key} is no stray of ours")
            del objects[key]
    _same(objects, wanted, "objects in the output store")


def truth(record: Record) -> Record:
    """Return the record without its wishes and without the fields that change while it is settled."""
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


def must(holds: bool, otherwise: str) -> None:
    """Raise Broken unless the condition holds."""
    if not holds:
        raise Broken(otherwise)


def _same(found: object, expected: object, what: str) -> None:
    must(found == expected, f"{what}: expected {expected}, found {found}")

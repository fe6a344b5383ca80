"""Decide about former outputs: delete them now, delete them later, or keep them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from renditions.core.ask import Ask
from renditions.model.pipeline import Pipeline
from renditions.model.record import Output, Record
from renditions.model.retired import Retired

MOST_RETIRED = 1_000
"""How many former outputs a record keeps.

If there are more, the oldest in the current store are deleted. A record in DynamoDB has 400 kB at most, and
each write of a record takes longer with its size.
"""


def kept_until(pipeline: Pipeline, now: datetime) -> datetime | None:
    """Return the time until which former outputs stay.

    Return None if ``keep_replaced`` isn't declared.
    """
    seconds = pipeline.output.keep_replaced
    return now + timedelta(seconds=seconds) if seconds else None


def retire(
    pipeline: Pipeline, old: Record, wanted: Mapping[str, str], now: datetime, ask: Ask
) -> tuple[Retired, ...]:
    """Return the former outputs of a record that stay for a while."""
    keys = frozenset(wanted.values())
    here = ("", pipeline.output.store)
    kept = [each for each in old.retired if each.place not in here or each.key not in keys]
    return _limit((*kept, *retire_outputs(pipeline, old.outputs, keys, now, ask)))


def _limit(retired: Iterable[Retired]) -> tuple[Retired, ...]:
    """Leave out the oldest former outputs beyond the limit.

    The record still claims their keys, so the worker deletes their objects. Outputs in another store,
    and outputs whose deletion is held back, always stay.
    """
    every = tuple(retired)
    times = {old: old.delete_after for old in every if not old.place and old.delete_after}
    surplus = set(sorted(times, key=times.__getitem__)[: max(0, len(every) - MOST_RETIRED)])
    return tuple(old for old in every if old not in surplus)


def retire_outputs(
    pipeline: Pipeline, outputs: Iterable[Output], wanted: frozenset[str], now: datetime, ask: Ask
) -> tuple[Retired, ...]:
    """Return the outputs without a wanted key that stay in the store for a while."""
    after = kept_until(pipeline, now)
    retired: list[Retired] = []
    for made in outputs:
        is_held = ask.keeps_undeclared and made.rendition not in pipeline.renditions
        if made.key not in wanted and (after or is_held) and not is_in_the_way(made.key, wanted):
            retired.append(Retired(made.key, made.etag, None if is_held else after))
    return tuple(retired)


def due_retired(record: Record, now: datetime, ask: Ask) -> tuple[Retired, ...]:
    """Return the retired outputs to delete now."""
    return tuple(
        old
        for old in record.retired
        if (old.delete_after is None and not ask.keeps_undeclared)
        or (old.delete_after is not None and old.delete_after <= now)
    )


def settled_keys(record: Record, now: datetime, ask: Ask) -> tuple[str, ...]:
    """Return the keys to delete in the current output store if nothing is rendered."""
    due = (old.key for old in due_retired(record, now, ask) if not old.place)
    return tuple(sorted({*record.undeleted_keys(), *due}))


def dropped_keys(
    record: Record, wanted: frozenset[str], retired: tuple[Retired, ...], now: datetime, ask: Ask
) -> tuple[str, ...]:
    """Return the keys to delete, which are neither wanted nor retired."""
    due = due_retired(record, now, ask)
    waiting = (old for old in record.retired if old not in due and not is_in_the_way(old.key, wanted))
    stay = {old.key for old in _limit((*waiting, *retired)) if not old.place}
    return tuple(key for key in record.sorted_keys() if key not in wanted | stay)


def is_in_the_way(key: str, wanted: Iterable[str]) -> bool:
    """Return whether a folder can't hold both this key and a wanted key.

    For example, a folder can't hold both ``a`` and ``a/b``.
    """
    return any(other.startswith(f"{key}/") or key.startswith(f"{other}/") for other in wanted)

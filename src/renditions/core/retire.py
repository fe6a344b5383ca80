"""Objects in an output store that are outputs no longer, and that stay there for a while."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from renditions.core.ask import Ask
from renditions.model.pipeline import Pipeline
from renditions.model.record import Record, Retired


def kept_until(pipeline: Pipeline, now: datetime) -> datetime | None:
    """Return until when objects stay that are replaced now; None if they are deleted at once."""
    seconds = pipeline.output.keep_replaced
    return now + timedelta(seconds=seconds) if seconds else None


def retire(
    pipeline: Pipeline, old: Record, wanted: Mapping[str, str], now: datetime, ask: Ask
) -> tuple[Retired, ...]:
    """Return the objects of a record that stay in the output store for a while after they were outputs."""
    keys = frozenset(wanted.values())
    here = ("", pipeline.output.store)
    kept = [each for each in old.retired if each.place not in here or each.key not in keys]
    after = kept_until(pipeline, now)
    for made in old.outputs:
        is_held = ask.keeps_undeclared and made.rendition not in pipeline.renditions
        if made.key not in keys and (after or is_held) and not is_in_the_way(made.key, keys):
            kept.append(Retired(made.key, made.etag, None if is_held else after))
    return tuple(kept)


def is_in_the_way(key: str, wanted: Iterable[str]) -> bool:
    """Return whether a folder can't hold both the key and a wanted key, because one lies below the other."""
    return any(other.startswith(f"{key}/") or key.startswith(f"{other}/") for other in wanted)

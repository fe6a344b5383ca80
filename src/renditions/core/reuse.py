"""Find outputs that already have the bytes of a missing rendition.

Such an output is copied, so that the picture isn't rendered again.

If a picture or a rendition is renamed, or a key template changes, the same bytes are needed under another
key. An output has these bytes if it was made from the same content with the same recipe. Its SHA-256 proves
that the store still holds the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from renditions.core.difference import Difference
from renditions.core.places import is_in_place
from renditions.core.ports import Store
from renditions.errors import KeyRefused, Rejected
from renditions.model.families import find_renamed_member
from renditions.model.pipeline import Pipeline
from renditions.model.record import Output, Record
from renditions.model.rendering import Rendered


def find_renamed(pipeline: Pipeline, record: Record) -> dict[str, str]:
    """Return the former name of each renamed rendition.

    A rendition was renamed if it has no output, but the record has an output that the same recipe made, under
    the name of an undeclared rendition.
    """
    undeclared = [made for made in record.outputs if made.rendition not in pipeline.renditions]
    if not undeclared:
        return {}
    keys = pipeline.output_keys(record.name, record.etag, record.wishes, record.sha256)
    fingerprints = pipeline.fingerprints(record.wishes, record.source_format)
    unmade = [rendition for rendition in keys if record.serving_output(rendition) is None]
    renamed: dict[str, str] = {}
    for made in undeclared:
        alike = [each for each in unmade if fingerprints[each] == made.fingerprint and each not in renamed]
        if alike:  # the one with the same key is preferred
            renamed[min(alike, key=lambda each: keys[each] != made.key)] = made.rendition
    return renamed


def relabel(pipeline: Pipeline, record: Record, renamed: Mapping[str, str]) -> Record:
    """Return the record with new names for renamed renditions that keep their keys.

    The stand-ins that refer to such a rendition get the new names, too.
    """
    if not renamed:
        return record
    keys = pipeline.output_keys(record.name, record.etag, record.wishes, record.sha256)
    kept = {(made.rendition, made.key) for made in record.outputs}
    names = {former: name for name, former in renamed.items() if (former, keys[name]) in kept}
    outputs = (replace(made, rendition=names.get(made.rendition, made.rendition)) for made in record.outputs)
    stand_ins = []
    for rendition, other in record.stand_ins:
        name = names.get(other)
        member = name and find_renamed_member(rendition, other, name, pipeline.renditions[name])
        stand_ins.append((member, name) if name and member else (rendition, other))
    return replace(record, outputs=tuple(outputs), stand_ins=tuple(stand_ins))


def find_copies(
    pipeline: Pipeline, store: Store, record: Record, difference: Difference, missing: Iterable[str]
) -> dict[str, Rendered]:
    """Return, by rendition, the outputs that can be copied.

    Args:
        pipeline: The declared state.
        store: The output store. It may have lost some outputs.
        record: The record of the picture in progress.
        difference: The picture's difference, with its former record or the record of a twin.
        missing: The renditions to make.

    Raises:
        StoreFailed: The store can't be read.

    """
    if record.source_format is None:
        return {}
    fingerprints = pipeline.fingerprints(record.wishes, record.source_format)
    copies: dict[str, Rendered] = {}
    for made in _outputs_of_content(pipeline, record, difference):
        alike = [each for each in missing if fingerprints[each] == made.fingerprint and each not in copies]
        if alike and made.sha256 and (content := _read(made, store)):
            copies |= dict.fromkeys(
                alike, Rendered(content, made.format, made.width, made.height, made.seconds)
            )
    return copies


def _outputs_of_content(pipeline: Pipeline, record: Record, difference: Difference) -> Iterator[Output]:
    """Yield the recorded outputs that were made from the picture's current content."""
    for known, etag in ((difference.record, record.etag), (difference.twin, None)):
        if known and is_in_place(pipeline, known):
            for made in known.outputs:
                if made.source_etag == (etag or known.etag) and made.rendition not in difference.drift:
                    yield made


def _read(made: Output, store: Store) -> bytes | None:
    """Return the output's content; None if it is gone, changed, or can't be read."""
    try:
        got = store.get(made.key)
    except (KeyRefused, Rejected):
        return None
    return got[1] if got and hashlib.sha256(got[1]).hexdigest() == made.sha256 else None

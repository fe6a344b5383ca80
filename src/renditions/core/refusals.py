"""Refusals of a picture before its bytes are read, with advice for a person."""

from __future__ import annotations

from collections.abc import Mapping

from renditions.errors import KeyTaken, NotAccepted, Rejected
from renditions.model.folding import Folding
from renditions.model.keys import advise_on_shared_key
from renditions.model.pipeline import Pipeline


def refuse_taken_key(taken: KeyTaken, pipeline: Pipeline, keys: Mapping[str, str]) -> KeyTaken:
    """Return the refusal of a taken key, with advice that fits the key's template.

    ``keys`` has the output key of each rendition.
    """
    for rendition, key in keys.items():
        if key == taken.key:
            return KeyTaken(
                key, taken.owner, advise_on_shared_key(pipeline.renditions[rendition].key_template(rendition))
            )
    return taken


def refuse_own_keys(keys: Mapping[str, str], folding: Folding) -> Rejected:
    """Return the refusal of a picture for which two renditions have the same key."""
    taken: dict[str, str] = {}
    for rendition, key in keys.items():
        folded = folding(key)
        if folded in taken:
            return Rejected(
                f"{taken[folded]} and {rendition} would both write {key!r}. Change the key of one of the two "
                "renditions"
            )
        taken[folded] = rendition
    raise AssertionError("no two keys are the same")


def refuse_size(size_bytes: int, limit_bytes: int) -> NotAccepted:
    """Return the refusal of a picture that is larger than ``[accept] max_bytes``."""
    return NotAccepted(
        f"the file has {size_bytes:,} bytes, more than the {limit_bytes:,} that [accept] max_bytes allows. "
        "Use a smaller file, or raise the limit"
    )

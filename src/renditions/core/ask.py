"""Requests for one picture, beyond making the declared renditions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Removal = Literal["no", "allowed", "asked"]
"""Whether the outputs and the record of a missing picture may be removed.

    no         the picture is only missing from the source: its removal waits for the guard
    allowed    an event or a person names the picture, or the guard allows its removal
    asked      as ``allowed``, and even with ``on_delete = "keep"``
"""

Verify = Literal["no", "quick", "content"]
"""How to compare outputs with the store, see :func:`renditions.core.verify.verify`."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A caller's request for one picture."""

    removal: Removal = "no"
    verify: Verify = "no"
    is_retry: bool = False
    """Whether to restore a missing or changed output although it was restored before."""
    is_forced: bool = False
    """Whether to make outputs again even if they are valid."""
    renditions: frozenset[str] | None = None
    """The renditions to make; None for all."""
    ignores_source: bool = False
    """Whether to treat the picture as gone even if the source still has it.

    ``forget`` needs this for a read-only source.
    """
    adopts: bool = False
    """Whether to take over outputs that this or an earlier catalog of these pictures provably wrote."""
    rests: bool = True
    """Whether the notice of a rejection waits until the rejected file has stopped changing.

    False if no target except the caller's own log gets such notices.
    """
    keeps_undeclared: bool = False
    """Whether to keep the outputs of undeclared renditions until a person allows their removal."""


def unverified(ask: Ask) -> Ask:
    """Return the request without the verification of outputs.

    Such a request is enough to find new and missing pictures.
    """
    return replace(ask, verify="no")


PLAIN = Ask()

ALLOWED = Ask(removal="allowed")
"""The request for a picture whose removal is within the limits."""


def allow_removal(ask: Ask) -> Ask:
    """Return the request with permission to remove a missing picture."""
    return replace(ask, removal="allowed") if ask.removal == "no" else ask

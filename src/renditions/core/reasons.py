"""Count in bounded memory why pictures wait, failed or were rejected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

STATES = ("waiting", "failed", "rejected", "unreadable")
"""The states whose reasons are counted, in the order in which ``groups`` returns them."""

MOST_GROUPS = 50
"""How many reasons have a count of their own. All further reasons of a state share one count."""


@dataclass(slots=True)
class Group:
    """The pictures of one state that share a reason, or the code of their reasons."""

    state: str
    reason: str
    """The reason of the example, in words; or ``various other reasons`` for a shared count."""
    code: str
    """See ``Reason``; empty if there is no code."""
    example: str
    """The name of the first picture."""
    count: int = 1

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form of the group, for the command line and the API."""
        return asdict(self) | {"code": self.code or None}


class Reasons:
    """Counts of pictures by state and reason. Errors with one code are one reason."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], Group] = {}

    def add(self, state: str, name: str, reason: str | None, code: str = "") -> None:
        """Count one picture, if its state is one of ``STATES``."""
        if state not in STATES:
            return
        text = reason or "no reason is known"
        key = state, code or text
        if key not in self._groups and len(self._groups) >= MOST_GROUPS:
            key, text, code = (state, ""), "various other reasons", ""
        if group := self._groups.get(key):
            group.count += 1
        else:
            self._groups[key] = Group(state, text, code, name)

    def groups(self, *states: str) -> list[Group]:
        """Return the groups of these states, the largest of each state first.

        Without arguments, return the groups of all states.
        """
        order: Sequence[str] = states or STATES
        chosen = (group for group in self._groups.values() if group.state in order)
        return sorted(chosen, key=lambda group: (order.index(group.state), -group.count))

"""The time that a call on Lambda has left, and whether one more picture fits in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

MARGIN_SECONDS = 1.0
"""The time that the function reserves for its answer."""


class Context(Protocol):
    """The part of Lambda's context that the function uses."""

    function_name: str
    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Return the time until Lambda ends this call."""
        ...


@dataclass
class Current:
    """The call in progress. A function on Lambda has one at a time."""

    context: Context | None = None

    def left_seconds(self) -> float:
        """Return the seconds until Lambda ends the call; 0 before the first call."""
        return self.context.get_remaining_time_in_millis() / 1000 if self.context else 0.0


@dataclass
class Pace:
    """The processing times of the last hundred pictures since the cold start."""

    recent_seconds: deque[float] = field(default_factory=lambda: deque([0.0], maxlen=100))

    @property
    def longest_seconds(self) -> float:
        """The longest recorded processing time, as an estimate for the next picture."""
        return max(self.recent_seconds)


class Allowance:
    """The time that one call has.

    A call starts its first picture even if an earlier picture took long, because a later call would have no
    more time.
    """

    def __init__(self, context: Context, pace: Pace) -> None:
        self.context = context
        self._pace = pace
        self._given_seconds = self.left_seconds

    @property
    def left_seconds(self) -> float:
        """The time until Lambda ends the call, in seconds."""
        return self.context.get_remaining_time_in_millis() / 1000

    def allows_one_more(self) -> bool:
        """Return whether enough time is left to process one more picture."""
        return self.allows(self._pace.longest_seconds)

    def allows(self, seconds: float) -> bool:
        """Return whether work can begin that takes this long.

        At the start of a call it can, even if the call has less time.
        """
        needed_seconds = min(seconds, self._given_seconds - 2 * MARGIN_SECONDS)
        return self.left_seconds > max(needed_seconds, 0.0) + MARGIN_SECONDS

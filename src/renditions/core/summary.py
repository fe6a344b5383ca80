"""The result of a sync, as numbers and reasons."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from renditions.core.left_out import LeftOut
from renditions.core.reasons import Reasons
from renditions.model.binding import Held
from renditions.model.record import Status


@dataclass(slots=True)
class Summary:
    """The numbers and reasons that a sync reports at its end."""

    results: Counter[str] = field(default_factory=Counter)
    """How many pictures had each ``Outcome.result``. Pictures that wait aren't among them."""
    renamed: int = 0
    """How many of the pictures were recognised as renamed."""
    standing: Counter[Status] = field(default_factory=Counter)
    """How many pictures needed no work, by the status of their record."""
    waiting: int = 0
    """How many pictures still waited at the end, including failed ones that will be tried again."""
    unreadable: int = 0
    """How many parts of the source, records, and pictures' outputs couldn't be read."""
    warnings: int = 0
    """How many pictures have a problem that a person must solve."""
    held: list[Held] = field(default_factory=list)
    """Work that was held back until a person allows it."""
    left_out: LeftOut = field(default_factory=LeftOut)
    """The numbers of objects in the source that aren't pictures."""
    reasons: Reasons = field(default_factory=Reasons)
    """Why pictures wait, failed or were rejected, in this run or an earlier one, and what can't be read."""
    remarks: list[str] = field(default_factory=list)
    """Facts that a person should know, although nothing is left to do."""
    interrupted: bool = False

    @property
    def has_trouble(self) -> bool:
        """Whether the run rejected a picture or left another problem.

        Other problems are pictures that failed or still wait, anything that couldn't be read, and warnings
        about problems that a person must solve.
        """
        bad = self.results["rejected"] + self.results["failed"] + self.waiting
        return bool(bad or self.unreadable or self.warnings)

    @property
    def all_done(self) -> bool:
        """Whether every picture is now up to date."""
        return not (self.interrupted or self.has_trouble or self.had_trouble or self.held)

    @property
    def had_trouble(self) -> bool:
        """Whether a picture is still rejected or failed from an earlier run."""
        return bool(self.standing["rejected"] or self.standing["failed"])

"""Names and prefixes that choose some pictures, or some keys of a store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from renditions.model.record import Record, Status


@dataclass(frozen=True, slots=True)
class Selection:
    """The pictures that a command processes. An empty selection means all."""

    names: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    """The selected folders. Each prefix ends with a slash, or is empty and selects everything."""
    status: Status | None = None
    """Select only pictures whose record has this status; None selects any status."""

    @classmethod
    def of(cls, names: Iterable[str], status: Status | None = None) -> Selection:
        """Return a selection of names and of prefixes.

        A prefix ends with a slash; ``/`` means all.
        """
        given = sorted(set(names))
        prefixes = tuple(each.removeprefix("/") for each in given if each.endswith("/"))
        plain = tuple(each for each in given if not each.endswith("/") and not each.startswith(prefixes))
        return cls(plain, prefixes, status)

    @property
    def is_all(self) -> bool:
        """Whether the selection has no names, and no prefixes but ``/``.

        It may have a status.
        """
        return not self.names and set(self.prefixes) <= {""}

    def has(self, record: Record | None) -> bool:
        """Return whether the status of this record is selected."""
        return self.status is None or (record is not None and record.status == self.status)


EVERYTHING = Selection()

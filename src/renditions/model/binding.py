"""A catalog's binding: its pipeline file, source, output and current generation.

A catalog keeps one binding beside its records. A process with another pipeline file, source or generation
must not write to the catalog, unless a person or a deployment lets it change the binding.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from renditions.model.items import format_time, parse_time


@dataclass(frozen=True, slots=True)
class Held:
    """Work that is held back, and the reason."""

    what: str
    """The kind of work, one of these:

    removals      deleting the records and outputs of missing pictures
    renditions    deleting the outputs of renditions that are no longer declared
    output        making missing outputs again
    catalog       everything that a comparison of all pictures finds, because the catalog was probably lost
    """
    count: int
    """How many pictures the held work concerns; for ``catalog``, how many outputs."""
    why: str
    since: datetime

    @property
    def event(self) -> str:
        """The event that a notice about this work reports."""
        return "output_held" if self.what in ("output", "catalog") else "removals_held"

    def describe(self) -> str:
        """Return a sentence for people: which work is held back, and why."""
        plural = "" if self.count == 1 else "s"
        if self.what == "removals":
            return f"The removal of {self.count:,} missing picture{plural} is held back: {self.why}."
        if self.what == "renditions":
            return f"The undeclared outputs of {self.count:,} picture{plural} are kept, because {self.why}."
        if self.what == "catalog":
            found = f"{self.count:,} unknown output{plural}"
            return f"The schedule skips all pictures because of {found}: {self.why}."
        return f"The outputs of {self.count:,} picture{plural} are not made again: {self.why}."

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form of the held work."""
        return {"what": self.what, "count": self.count, "why": self.why, "since": format_time(self.since)}


@dataclass(frozen=True, slots=True)
class Binding:
    """The pipeline file, the stores and the generation that one catalog is bound to."""

    catalog_id: str
    """A random id, chosen when the catalog gets its binding. The catalog's outputs carry it as a mark."""
    pipeline_file: str
    """The pipeline file's name, without its folder."""
    source: str
    """The source store as the file spells it, or as the environment variable that overrides the file.

    A relative folder stays relative, so that a copied project stays valid.
    """
    output: str
    """The output store, spelled like ``source``."""
    generation: str
    """The fingerprint of the pipeline that a person or a deployment applied last."""
    generation_number: int = 1
    """The number of this generation, counted from 1. A higher number supersedes a lower one."""
    deployed_at: str = ""
    """The time of the newest deployment (ISO 8601) that the catalog knows; empty before the first."""
    is_deployed: bool = False
    """Whether the newest deployment set the current generation. If not, a person set it."""
    former_outputs: tuple[str, ...] = ()
    """Output stores that this catalog used before, which may still hold its objects."""
    held: tuple[Held, ...] = ()
    """The work that is held back now."""
    former_patterns: str | None = None
    """The ``pattern_fingerprint`` of the file that still uses the default patterns of version 0.1.

    Empty: the current defaults apply. None: an older version created the catalog, and no newer version has
    used it yet.
    """
    digests: Mapping[str, str] = field(default_factory=dict)
    """When each target got its last digest (ISO 8601), by ``Notify.target``."""
    is_source_marked: bool = False
    """Whether Renditions has written the marker into the source.

    If the marker is missing later, the source may be another folder.
    """
    schema: int = 1
    """The version of this JSON form. Renditions refuses a catalog with a higher version."""
    revision: int = 0
    """The number of writes so far; each write is conditional on it. 0: no binding is stored yet."""

    @property
    def held_renditions(self) -> tuple[Held, ...]:
        """The held deletions of undeclared outputs: one or none.

        A process may delete these outputs only if a person started it for that: see
        :class:`Start <renditions.core.binding.Start>`.
        """
        return tuple(each for each in self.held if each.what == "renditions")

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form of the binding, as a catalog stores it."""
        held = [each.to_item() for each in self.held]
        item = dataclasses.asdict(self) | {"former_outputs": list(self.former_outputs), "held": held}
        return {name: value for name, value in item.items() if value is not None}

    def keeps_former_patterns(self, fingerprint: str) -> bool:
        """Return whether the default patterns of version 0.1 apply to a pipeline file.

        ``fingerprint`` is the hash over the patterns in this file.
        """
        return self.former_patterns in (None, fingerprint)

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Binding:
        """Return the binding that :meth:`to_item` turned into ``item``.

        Unknown fields are ignored.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        known = {name: value for name, value in item.items() if name in names}
        held = tuple(
            Held(each["what"], each["count"], each["why"], parse_time(each["since"]))
            for each in known.get("held", ())
        )
        return cls(**known | {"former_outputs": tuple(known.get("former_outputs", ())), "held": held})

"""Families of renditions in a file: tables with several widths or formats."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from renditions.errors import Problem
from renditions.model.families import expand
from renditions.model.recipe import Rendition


def expand_families(tables: Mapping[str, Rendition]) -> dict[str, Rendition]:
    """Return the renditions that the tables declare, in their order."""
    return {name: member for table in tables for name, member in expand(table, tables[table]).items()}


def find_family_problems(
    tables: Mapping[str, Rendition], written: Mapping[str, Collection[str]]
) -> Iterator[Problem]:
    """Yield the mistakes in families that a check of each rendition alone can't find.

    Args:
        tables: The file's tables of renditions, by name.
        written: The fields that each table has in the file, including fields that have their default value.

    """
    owners = {name: name for name in tables}
    for name, table in tables.items():
        for one, several in (("width", "widths"), ("format", "formats")):
            values = getattr(table, several)
            if values and one in written[name]:
                yield Problem(f"renditions.{name}.{one}", f"either {one} or {several}", "both")
            if twice := [value for value in dict.fromkeys(values) if values.count(value) > 1]:
                yield Problem(f"renditions.{name}.{several}", f"each {one} once", f"{twice[0]!r} twice")
        for member in expand(name, table):
            owner = owners.setdefault(member, name)
            if owner != name:
                expected = f"names that renditions.{owner} doesn't have"
                yield Problem(f"renditions.{name}", expected, repr(member))

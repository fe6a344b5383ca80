"""Families of renditions: tables that declare several renditions.

A table can declare a rendition for each pair of its widths and formats.

Each member is a :class:`Rendition` that keeps the table's ``widths`` and ``formats``. So the name and the
recipe of a member show its family and its siblings.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace

from renditions.errors import UsageError
from renditions.model.recipe import Rendition


def expand(name: str, table: Rendition) -> Mapping[str, Rendition]:
    """Return the renditions that a table declares: a whole family, or a single one."""
    members = [
        replace(table, width=width, format=output_format)
        for width in table.widths or (table.width,)
        for output_format in table.formats or (table.format,)
    ]
    return {name + _suffix(member): member for member in members}


def family_of(name: str, recipe: Rendition) -> str:
    """Return the name of a rendition's family, or its own name if it has none."""
    return name.removesuffix(_suffix(recipe))


def find_members(renditions: Mapping[str, Rendition], names: Iterable[str]) -> frozenset[str]:
    """Return the renditions of these names.

    A family's name stands for all of its members.

    Raises:
        UsageError: A name belongs to neither a rendition nor a family.

    """
    families = {name: family_of(name, recipe) for name, recipe in renditions.items()}
    wanted = frozenset(names)
    for each in sorted(wanted - families.keys() - set(families.values())):
        raise UsageError(_spell_unknown(families, each, dict.fromkeys([*families, *families.values()])))
    return frozenset(name for name, family in families.items() if not wanted.isdisjoint((name, family)))


def find_rendition(renditions: Mapping[str, Rendition], name: str) -> Rendition:
    """Return the recipe of a rendition.

    Raises:
        UsageError: There is no such rendition. The message lists the declared renditions, or only a family's
            members if the name begins like theirs.

    """
    if name in renditions:
        return renditions[name]
    families = {each: family_of(each, recipe) for each, recipe in renditions.items()}
    raise UsageError(_spell_unknown(families, name, renditions))


def _spell_unknown(families: Mapping[str, str], name: str, known: Iterable[str]) -> str:
    members = [each for each, family in families.items() if each != family and name.startswith(f"{family}-")]
    return f"there is no rendition {name!r}. Choose one of {', '.join(members or known)}"


def widths_of(name: str, recipe: Rendition) -> Mapping[str, Rendition]:
    """Return the family's members in a rendition's format, the narrowest first.

    The result is empty if the family declares no ``widths``.
    """
    family = family_of(name, recipe)
    members = [replace(recipe, width=width) for width in sorted(recipe.widths)]
    return {family + _suffix(member): member for member in members}


def formats_of(name: str, recipe: Rendition) -> Mapping[str, Rendition]:
    """Return the family's members with the same width as this rendition, by name.

    There is one for each declared format, in the declared order. The result is empty if the family declares
    no ``formats``.
    """
    family = family_of(name, recipe)
    members = [replace(recipe, format=output_format) for output_format in recipe.formats]
    return {family + _suffix(member): member for member in members}


def among(name: str, recipe: Rendition, names: Container[str]) -> Rendition:
    """Return the recipe with only those widths whose renditions are in ``names``."""
    if not recipe.widths:
        return recipe
    members = widths_of(name, recipe).items()
    widths = (member.width for other, member in members if other in names)
    return replace(recipe, widths=tuple(width for width in widths if width))


def find_renamed_member(former: str, former_other: str, other: str, recipe: Rendition) -> str | None:
    """Return the name that a member of a renamed family has now.

    Return None if the renamed family has no such member, or if that member isn't in ``recipe``'s format.

    Args:
        former: The member's former name.
        former_other: The former name of another member of the family.
        other: The present name of that other member.
        recipe: The present recipe of that other member.

    """
    family = family_of(other, recipe)
    former_family = former_other.removesuffix(other.removeprefix(family))
    name = family + former.removeprefix(former_family)
    return name if former.startswith(former_family) and name in widths_of(other, recipe) else None


def _suffix(member: Rendition) -> str:
    width = f"-{member.width}" if member.widths else ""
    return width + (f"-{member.format}" if member.formats else "")

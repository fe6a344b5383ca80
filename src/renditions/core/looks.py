"""The looks of a picture: groups of renditions that a browser may choose among.

A browser takes any file of a ``srcset``, and chooses by width alone. So the files must look alike: they have
the same recipe, except for size, format and encoding, and the same proportions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

from renditions.model.families import family_of
from renditions.model.formats import OUTPUT_FORMATS
from renditions.model.pipeline import Pipeline
from renditions.model.recipe import NOT_OF_THE_BYTES, OF_THE_ENCODER, Rendition
from renditions.model.record import Output, Record

_NOT_OF_THE_LOOK = (
    *NOT_OF_THE_BYTES, *OF_THE_ENCODER, "format", "width", "height", "pixel_ratio", "enlarge",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class File:
    """One file of a look."""

    rendition: str
    format: str
    width: int
    height: int
    key: str | None
    """The key in the output store; None for a file that is made when a client requests it."""


@dataclass(frozen=True, slots=True)
class Look:
    """Files that look alike, in several widths and formats."""

    name: str
    """The name of the family, or of the first rendition."""
    files: Mapping[str, tuple[File, ...]]
    """The files of each format, from narrow to wide, one for each width.

    The formats come in the order of their ``browser_rank``, and no two formats have the same one.
    """

    @property
    def last(self) -> str:
        """The last format: the one that comes last in the order of ``browser_rank``."""
        return list(self.files)[-1]

    @property
    def largest(self) -> File:
        """The widest file in the last format."""
        return self.files[self.last][-1]


def find_looks(pipeline: Pipeline, record: Record, unmade: Iterable[File] = ()) -> list[Look]:
    """Return the looks of a picture's finished renditions, in the pipeline's order.

    Only formats that browsers show count. A rendition that is no longer declared is left out. ``unmade`` are
    files that will be made when a client requests them.
    """
    groups: dict[tuple[str, str], list[File]] = {}
    made = [file for output in record.outputs if (file := _read(output))]
    shown = [file for file in (*made, *unmade) if _is_shown(pipeline, file)]
    for file in sorted(shown, key=lambda file: -file.width * file.height):
        key = _key_of(pipeline.renditions[file.rendition])
        alike = (each for (own, _), each in groups.items() if own == key and _is_alike(each[0], file))
        group = next(alike, None)
        if group is None:
            groups[key, file.rendition] = [file]
        else:
            group.append(file)
    order = {name: number for number, name in enumerate(pipeline.renditions)}
    ordered = [
        part
        for group in groups.values()
        for part in _split(sorted(group, key=lambda file: order[file.rendition]))
    ]
    ordered.sort(key=lambda group: order[group[0].rendition])
    return _name(pipeline, ordered)


def _name(pipeline: Pipeline, groups: list[list[File]]) -> list[Look]:
    """Return the looks with their names.

    Each further look of a family has the name of the first rendition in that look.
    """
    named: dict[str, Look] = {}
    for group in groups:
        first = group[0].rendition
        family = family_of(first, pipeline.renditions[first])
        name = first if family in named else family
        named[name] = Look(name, _sort(group))
    return list(named.values())


def _read(output: Output) -> File | None:
    if not (output.width and output.height):
        return None
    return File(output.rendition, output.format, output.width, output.height, output.key)


def _is_shown(pipeline: Pipeline, file: File) -> bool:
    facts = OUTPUT_FORMATS.get(file.format)
    return facts is not None and facts.browser_rank is not None and file.rendition in pipeline.renditions


@cache
def _key_of(recipe: Rendition) -> str:
    """Return a hash over the fields in which the renditions of one look agree."""
    plain = Rendition()
    return replace(recipe, **{field: getattr(plain, field) for field in _NOT_OF_THE_LOOK}).fingerprint()


def _is_alike(large: File, small: File) -> bool:
    """Return whether two files have the same proportions.

    One pixel of rounding doesn't count.
    """
    difference = abs(small.width * large.height - small.height * large.width)
    return difference <= max(large.width, large.height)


def _split(group: list[File]) -> Iterator[list[File]]:
    """Yield the files of each look in a group, which is in the pipeline's order.

    Of formats with the same ``browser_rank``, the first one belongs to the group's first look, and each other
    one is a look of its own.
    """
    of_rank: dict[int, str] = {}
    parts: dict[str | None, list[File]] = {}
    for file in group:
        first = of_rank.setdefault(_rank(file.format), file.format)
        parts.setdefault(None if file.format == first else file.format, []).append(file)
    yield from parts.values()


def _sort(group: list[File]) -> dict[str, tuple[File, ...]]:
    by_format: dict[str, dict[int, File]] = {}
    for file in group:
        by_format.setdefault(file.format, {}).setdefault(file.width, file)
    ranked = sorted(by_format, key=_rank)
    return {name: tuple(file for _, file in sorted(by_format[name].items())) for name in ranked}


def _rank(format_name: str) -> int:
    return OUTPUT_FORMATS[format_name].browser_rank or 0

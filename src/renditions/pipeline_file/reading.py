"""The reader of pipeline files: TOML becomes a checked :class:`Pipeline`.

The reader reports all invalid fields of a file together. Types, ranges and patterns come from the annotations
in ``model``. Other modules of this package have the rules between several fields. The reader checks them only
where the fields themselves are valid.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from importlib import resources
from numbers import Integral, Real
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from renditions.errors import PipelineError, Problem, UsageError
from renditions.model.fields import NAME, Attachment, Glob, MostBytes, RangeOr, Template, matches, unwrap
from renditions.model.pipeline import Accept, Pipeline
from renditions.model.recipe import Rendition
from renditions.pipeline_file.checks import (
    explain_template,
    find_accept_problems,
    find_catalog_problems,
    find_copy_problems,
    find_pipeline_problems,
    find_rendition_problems,
    find_warnings,
)
from renditions.pipeline_file.environment import override
from renditions.pipeline_file.families import expand_families, find_family_problems
from renditions.pipeline_file.field_types import (
    describe,
    is_needed,
    is_required,
    leaf_type,
    parse_value,
    words_of,
)
from renditions.pipeline_file.lines import join_place, locate, parent_of, shorten, spell_warnings
from renditions.pipeline_file.notify_checks import find_notify_problems
from renditions.pipeline_file.pattern_checks import find_source_problems, find_source_warnings
from renditions.pipeline_file.toml_text import parse_toml, read_text


@dataclass(frozen=True, slots=True)
class LoadedPipeline:
    """A pipeline, and the facts about its file."""

    pipeline: Pipeline
    directory: Path
    """The folder where relative paths start: the file's folder, or the one that was given with a mapping."""
    file: str = ""
    """The file's name, without its folder; empty for a mapping."""
    warnings: tuple[str, ...] = ()
    text: str = field(default="", repr=False)
    """The file's text; empty for a mapping."""

    def locate(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        """Return problems that were found after loading, with their lines in the file."""
        return locate(problems, self.text)


def load(path: Path, environ: Mapping[str, str] | None = None) -> LoadedPipeline:
    """Read and check a pipeline file.

    Args:
        path: The file.
        environ: Environment variables that may override fields, see ``environment``; None for no overrides.

    Raises:
        PipelineError: The file can't be read, or has problems. The error lists the problems.
        Failed: The bundled font, which watermarks of text need, can't be read or is damaged.

    """
    return parse(read_text(path), str(path), path.absolute().parent, environ or {})


def parse(text: str, file: str, directory: Path, environ: Mapping[str, str]) -> LoadedPipeline:
    """Check a pipeline file's text; ``file`` is its name in errors. See :func:`load`.

    Raises:
        PipelineError: The text has problems. The error lists them.
        Failed: See :func:`load`.

    """
    return check(parse_toml(text, file), file, directory, environ, text)


def check(
    data: Mapping[str, Any], file: str, directory: Path, environ: Mapping[str, str], text: str = ""
) -> LoadedPipeline:
    """Check values from TOML or JSON; ``text`` is the TOML. See :func:`parse`.

    Raises:
        PipelineError: The values have problems. The error lists them.
        Failed: See :func:`load`.

    """
    reader, data = _Reader(directory), _to_toml(data)
    values = reader.read_fields(Pipeline, data, "")
    tables = values.get("renditions", {})
    reader.problems += find_family_problems(tables, data.get("renditions", {}))
    values |= {"renditions": expand_families(tables)} if tables else {}
    pipeline: Pipeline | None = None
    if values.keys() >= {"source", "output", "renditions"}:
        pipeline, problems = override(Pipeline(**values), environ)
        reader.problems += problems
        reader.problems += find_pipeline_problems(pipeline, directory)
        reader.problems += find_source_problems(pipeline.source)
        reader.problems += find_catalog_problems(pipeline)
        reader.problems += find_copy_problems(pipeline)
        reader.problems += find_notify_problems(pipeline)
    # The rules between several fields need valid fields, so only valid renditions are checked for them.
    for name, rendition in values.get("renditions", {}).items():
        reader.problems += find_rendition_problems(name, rendition)
    reader.problems += find_accept_problems(values.get("accept", Accept()))
    if reader.problems or pipeline is None:
        raise PipelineError(file, locate(reader.sort_problems(), text))
    warnings = (*find_source_warnings(pipeline.source), *find_warnings(pipeline))
    return LoadedPipeline(pipeline, directory, Path(file).name, spell_warnings(warnings, text), text)


def check_recipes(data: Mapping[str, Any], directory: Path) -> Mapping[str, Rendition]:
    """Check the ``[renditions]`` of a file alone, and return the renditions.

    A key needn't suit its rendition, because nothing is written under it.

    Raises:
        PipelineError: The renditions have problems. The error lists them.
        Failed: See :func:`load`.

    """
    reader, data = _Reader(directory), _to_toml(data)
    hint = _read_hints(Pipeline)["renditions"]
    tables = reader.read(hint, data, "renditions") or {}
    reader.problems += find_family_problems(tables, data)
    renditions = expand_families(tables)
    for name, rendition in renditions.items():
        found = find_rendition_problems(name, rendition)
        # Nothing is written under a key, and the default key doesn't suit format = "auto".
        reader.problems += [problem for problem in found if not problem.place.endswith(".key")]
    if reader.problems:
        raise PipelineError("recipes", reader.sort_problems())
    return renditions


def change_recipe(name: str, recipe: Rendition, changes: Mapping[str, Any], directory: Path) -> Rendition:
    """Return a rendition's recipe with other values of some fields.

    The result doesn't belong to the recipe's family.

    Raises:
        PipelineError: The values, or the changed recipe, have problems.
        Failed: See :func:`load`.

    """
    reader = _Reader(directory)
    values = reader.read_fields(Rendition, changes, f"renditions.{name}")
    changed = replace(recipe, **({"widths": (), "formats": ()} | values))
    if not reader.problems:
        reader.problems += find_rendition_problems(name, changed)
    if reader.problems:
        raise PipelineError("recipes", reader.sort_problems())
    return changed


@cache
def _read_hints(cls: Any) -> dict[str, Any]:
    # Evaluating annotations takes long, and a file may have thousands of tables.
    return get_type_hints(cls, include_extras=True)


class _Reader:
    """A reader of values by their annotated types, which collects problems."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.problems: list[Problem] = []
        self._files: dict[Path, bytes] = {}
        """The contents of the attachments. Several recipes often name the same file."""
        self._order: dict[str, int] = {"": 0}
        """The dotted paths in the file, numbered in the order of the file."""

    def read_table(self, cls: Any, data: Any, place: str) -> Any:
        """Return the dataclass with a table's values, or None if a value is invalid."""
        before = len(self.problems)
        values = self.read_fields(cls, data, place)
        return cls(**values) if len(self.problems) == before else None

    def read_fields(self, cls: Any, data: Any, place: str) -> dict[str, Any]:
        """Return the valid values in a table."""
        if not isinstance(data, dict):
            self._wrong(place, "a table", data)
            return {}
        hints = _read_hints(cls)
        known = {spec.name: spec for spec in fields(cls)}
        values = {}
        for name, value in data.items():
            at = self._enter(place, name)
            if name in known:
                values[name] = self.read(hints[name], value, at)
            else:
                close = _suggest(name, known)
                self._wrong(at, f"a known field{close}" if close else f"one of {', '.join(known)}", name)
        for name, spec in known.items():
            if name not in data and is_required(spec):
                path = f"{place}.{name}".lstrip(".")
                self.problems.append(Problem(path, _describe_missing(path, hints[name]), "nothing"))
        return {name: value for name, value in values.items() if value is not None}

    def read(self, hint: Any, value: Any, place: str) -> Any:
        """Return the value of the declared type; None if invalid (TOML has no null)."""
        base, marks = unwrap(hint)
        if is_dataclass(base) and base is not Attachment:
            return self.read_table(base, value, place)
        if get_origin(base) is tuple:
            return self._read_array(get_args(base)[0], value, place, is_needed=is_needed(marks))
        if get_origin(base) is Mapping:
            return self._read_tables(get_args(base)[1], value, place)
        is_whole = base is int or any(isinstance(mark, RangeOr) for mark in marks)
        if is_whole and isinstance(value, float) and value.is_integer():
            value = int(value)  # in JSON Schema, 2.0 is an integer too
        try:
            msgspec.convert(value, leaf_type(base, marks), strict=True)
        except (msgspec.ValidationError, UnicodeEncodeError):  # the latter: half of a surrogate pair
            if isinstance(value, str) and any(isinstance(mark, Template) for mark in marks):
                self.problems.append(explain_template(value, place))
                return None
            glob = next((mark for mark in marks if isinstance(mark, Glob)), None)
            if isinstance(value, str) and glob:
                return self._wrong(place, glob.explain(value), value)
            return self._wrong(
                place, describe(base, marks) + _suggest_choice(words_of(base, marks), value), value
            )
        if base is Attachment:
            most = next(mark.size for mark in marks if isinstance(mark, MostBytes))
            return self._read_attachment(value, place, most)
        return parse_value(value, base, marks)

    def _read_attachment(self, name: str, place: str, most_bytes: int) -> Attachment | None:
        attachment = Attachment(name)
        if attachment.source_key is not None:
            return attachment
        try:
            path = self._directory / Path(name).expanduser()
            size_bytes = path.stat().st_size
            if not path.is_file() or size_bytes > most_bytes:
                found = (
                    f"{name!r} of {size_bytes:,} bytes" if path.is_file() else f"{name!r}, which isn't a file"
                )
                self.problems.append(Problem(place, f"a file of at most {most_bytes:,} bytes", found))
                return None
            if path not in self._files:
                self._files[path] = path.read_bytes()
            return Attachment(name, self._files[path])
        # RuntimeError: the home of an unknown user. UnicodeEncodeError: no path can have this name.
        except (OSError, RuntimeError, UnicodeEncodeError) as error:
            found = f"{name!r} ({getattr(error, 'strerror', None) or error})"
            self.problems.append(Problem(place, "a file that can be read", found))
            return None

    def _read_array(self, element: Any, value: Any, place: str, *, is_needed: bool) -> Any:
        if not isinstance(value, list) or (is_needed and not value):
            return self._wrong(
                place, "an array with at least one element" if is_needed else "an array", value
            )
        read = [self.read(element, item, self._enter(place, number)) for number, item in enumerate(value)]
        return None if None in read else tuple(read)

    def _read_tables(self, element: Any, value: Any, place: str) -> Any:
        if not isinstance(value, dict) or not value:
            return self._wrong(place, "at least one table", value)
        read = {}
        for name, table in value.items():
            at = self._enter(place, name)
            rendition = self.read(element, table, at)
            if matches(NAME, name):
                read[name] = rendition
            else:
                self._wrong(at, NAME.expected, name)
        return {name: table for name, table in read.items() if table is not None}

    def sort_problems(self) -> tuple[Problem, ...]:
        """Return the problems in the order of the file.

        Problems without a place in the file come last.
        """

        def rank(problem: Problem) -> int:
            place = problem.place
            while place and place not in self._order:
                place = parent_of(place)
            return self._order[place] or len(self._order)

        return tuple(sorted(dict.fromkeys(self.problems), key=rank))  # members of a family share problems

    def _enter(self, place: str, name: str | int) -> str:
        """Return the dotted path of a field or element; number it in the file's order."""
        at = join_place(place, name)
        self._order.setdefault(at, len(self._order))
        return at

    def _wrong(self, place: str, expected: str, found: Any) -> None:
        self.problems.append(Problem(place, expected, _show(found)))


_DEEPEST = 20
"""How many levels of values are converted. No field has as many, and a hostile file has thousands."""


def _to_toml(value: Any, depth: int = 0) -> Any:
    """Return a program's value as TOML has it.

    Paths become texts, tuples become arrays, and the numbers of other libraries become plain ones.
    """
    if depth == _DEEPEST:
        return value
    if isinstance(value, Mapping):
        return {str(key): _to_toml(each, depth + 1) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_toml(each, depth + 1) for each in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, Real):
        return int(value) if isinstance(value, Integral) else float(value)
    return value


def preset_names() -> list[str]:
    """Return the names of the presets that come with the package."""
    folder = resources.files("renditions.pipeline_file") / "presets"
    return sorted(
        entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")
    )


def read_preset(name: str) -> str:
    """Return a preset's text.

    Raises:
        UsageError: There is no such preset.

    """
    names = preset_names()
    if name not in names:
        raise UsageError(
            f"there is no preset {name!r}{_suggest(name, names)}. Choose one of {', '.join(names)}"
        )
    return (resources.files("renditions.pipeline_file") / "presets" / f"{name}.toml").read_text("utf-8")


def _describe_missing(path: str, hint: Any) -> str:
    """Return what a person must add for a required field or table."""
    base, marks = unwrap(hint)
    if is_dataclass(base):
        needed = [spec.name for spec in fields(base) if is_required(spec)]
        return f"a table [{path}]" + (f" with {' and '.join(needed)}" if needed else "")
    if get_origin(base) is Mapping:
        return f"a table [{path}.NAME]"
    return "an array" if get_origin(base) is tuple else describe(base, marks)


def _suggest(name: str, choices: Any) -> str:
    close = difflib.get_close_matches(name, [str(choice) for choice in choices], n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _suggest_choice(words: tuple[Any, ...], value: Any) -> str:
    return _suggest(value.lower(), words) if words and isinstance(value, str) else ""


def _show(value: Any) -> str:
    """Return a value for people, shortened."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list) and value:
        return "a table" if isinstance(value, dict) else "an array"
    if isinstance(value, int) and value.bit_length() > 64:
        return "a far larger number"
    return shorten(repr(value) if isinstance(value, str | list | dict) else str(value))

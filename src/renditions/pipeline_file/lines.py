"""The lines of a pipeline file's tables and fields.

``tomllib`` has no positions. This module reads only texts that ``tomllib`` could read, so it checks nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from renditions.errors import Problem
from renditions.pipeline_file.warnings import PipelineWarning

_TOKEN = re.compile(
    r'(?P<text>"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\')'
    r"|(?P<comment>#[^\n]*)|(?P<mark>[\n\[\]{}=,.])|(?P<bare>[^\s\[\]{}=,.#\"']+)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    line: int
    is_mark: bool


def join_place(place: str, name: str | int) -> str:
    """Return the dotted path of a field in a table, or of an element in an array."""
    if isinstance(name, int):
        return f"{place}[{name}]"
    bare = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else shorten(repr(name))
    return f"{place}.{bare}".removeprefix(".")


def shorten(text: str) -> str:
    """Return the text, with at most 60 characters."""
    return text if len(text) <= 60 else f"{text[:57]}…"


def parent_of(place: str) -> str:
    """Return the path of the table or array around a place; empty for the file."""
    return place[: max(place.rfind("."), place.rfind("["), 0)]


def locate(problems: Iterable[Problem], text: str) -> tuple[Problem, ...]:
    """Return the problems with the lines of their places in a valid TOML text."""
    lines = find_lines(text)
    return tuple(replace(problem, line=_find_line(problem.place, lines)) for problem in problems)


def spell_warnings(warnings: Iterable[PipelineWarning], text: str) -> tuple[str, ...]:
    """Return each warning once, for people, with its line in a valid TOML text."""
    lines = find_lines(text)
    spelled: dict[str, None] = {}
    for warning in warnings:
        line = _find_line(warning.place, lines)
        spelled[f"line {line}: {warning}" if line else str(warning)] = None
    return tuple(spelled)


def _find_line(place: str, lines: Mapping[str, int]) -> int | None:
    """Return the line of a place, or else of the nearest table around it."""
    while place and place not in lines:
        place = parent_of(place)
    return lines.get(place)


def find_lines(text: str) -> Mapping[str, int]:
    """Return the line of each dotted path in a valid TOML text, counted from 1."""
    return _Finder(text).find()


class _Finder:
    """A pass over a text's tokens that finds the lines of all paths."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_split(text))
        self._at = 0
        self._lines: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        """The number of the newest table in each array of tables, counted from 0."""

    def find(self) -> Mapping[str, int]:
        table = ""
        while self._at < len(self._tokens):
            if self._skip("\n"):
                continue
            if self._skip("["):
                table = self._read_header()
            else:
                self._read_field(table)
        return self._lines

    def _read_header(self) -> str:
        """Read the rest of ``[table]`` or ``[[table]]``, and return its dotted path."""
        is_array, line = self._skip("["), self._tokens[self._at].line
        *parents, last = self._read_keys()
        place = ""
        for name in parents:
            place = self._enter(self._last_of(place), name, line)
        place = self._enter(self._last_of(place), last, line)
        if is_array:
            self._counts[place] = self._counts.get(place, -1) + 1
            self._lines[self._last_of(place)] = line
        self._at += 1 + is_array
        return self._last_of(place)

    def _last_of(self, place: str) -> str:
        """Return the path of an array's newest table, or of another table itself."""
        return join_place(place, self._counts[place]) if place in self._counts else place

    def _read_field(self, table: str) -> None:
        line, place = self._tokens[self._at].line, table
        for name in self._read_keys():
            place = self._enter(place, name, line)
        self._at += 1  # the sign =
        self._read_value(place)

    def _read_keys(self) -> list[str]:
        """Read the names of a dotted key."""
        names = [self._read_name()]
        while self._skip("."):
            names.append(self._read_name())
        return names

    def _read_name(self) -> str:
        text = self._tokens[self._at].text
        self._at += 1
        return str(tomllib.loads(f"x = {text}")["x"]) if text[0] in "\"'" else text

    def _read_value(self, place: str) -> None:
        if self._skip("["):
            number = 0
            while not self._skip_to("]"):
                self._enter(place, number, self._tokens[self._at].line)
                self._read_value(join_place(place, number))
                number += 1
        elif self._skip("{"):
            while not self._skip_to("}"):
                self._read_field(place)
        else:
            while self._at < len(self._tokens) and not self._is_end(self._tokens[self._at]):
                self._at += 1

    def _skip_to(self, end: str) -> bool:
        """Skip lines and commas, then the end; return whether the end came next."""
        while self._skip("\n") or self._skip(","):
            pass
        return self._skip(end)

    def _is_end(self, token: _Token) -> bool:
        return token.is_mark and token.text in "\n,]}"

    def _skip(self, mark: str) -> bool:
        """Skip the next token if it is this mark, and return whether it was."""
        if self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.is_mark and token.text == mark:
                self._at += 1
                return True
        return False

    def _enter(self, place: str, name: str | int, line: int) -> str:
        at = join_place(place, name)
        self._lines.setdefault(at, line)
        return at


def _split(text: str) -> Iterator[_Token]:
    line, before = 1, 0
    for found in _TOKEN.finditer(text):
        line += text.count("\n", before, found.start())
        before = found.start()
        if found.lastgroup != "comment":
            yield _Token(found[0], line, found.lastgroup == "mark")

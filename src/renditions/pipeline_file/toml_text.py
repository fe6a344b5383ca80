"""The text of a pipeline file: read it, and parse it as TOML.

Each error says what is wrong with the file, and where, if that is known. If the file can't be read, the error
also says what to do.
"""

from __future__ import annotations

import codecs
import re
import tomllib
from pathlib import Path
from typing import Any

from renditions.errors import PipelineError, Problem
from renditions.model.fields import NAME
from renditions.pipeline_file.lines import shorten

_OF_NAMES = (
    "Expected ']' at the end of a table declaration",
    "Expected ']]' at the end of an array declaration",
    "Expected '=' after a key in a key/value pair",
    "Invalid initial character for a key part",
    "Invalid statement",
)
"""tomllib's reasons if a character can't be in a name."""
_NOT_BARE = re.compile(r"[^\W\x00-\x7f]|[+/:@&()!?*%$~]")
"""A character that a name can have only in quotes."""


def read_text(path: Path) -> str:
    """Return a pipeline file's text.

    Raises:
        PipelineError: The file can't be read, or isn't UTF-8.

    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PipelineError(str(path), (_find_encoding_problem(error),)) from None
    except OSError as error:
        raise PipelineError(str(path), (), f"can't read {path}: {_explain(error, path)}") from None


def parse_toml(text: str, file: str) -> dict[str, Any]:
    """Return a TOML text's values; ``file`` is its name in errors.

    Raises:
        PipelineError: The text isn't TOML.

    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        problem = Problem("", "TOML", "values that are nested too deeply")
    except ValueError as error:  # tomllib also raises this for extreme numbers
        problem = _find_syntax_problem(str(error), text)
    raise PipelineError(file, (problem,))


def _explain(error: OSError, path: Path) -> str:
    """Return why the file can't be read, and what to do."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file. Name another one (-p FILE), or write one with renditions init"
    if isinstance(error, IsADirectoryError):
        return f"it is a folder. Name the pipeline file in it, such as {path / 'renditions.toml'}"
    if isinstance(error, PermissionError):
        return "permission denied. Allow this user to read it"
    return f"{error.strerror}. Check the path"


def _find_encoding_problem(error: UnicodeDecodeError) -> Problem:
    """Return the problem: UTF-16, or the first byte that isn't UTF-8 and its place."""
    content, at = error.object, error.start
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Problem("", "UTF-8 text", "UTF-16 text")
    *_, before = content[:at].split(b"\n")
    line, column = content.count(b"\n", 0, at) + 1, len(before.decode("utf-8-sig")) + 1
    return Problem(f"line {line}, column {column}", "UTF-8 text", f"byte 0x{content[at]:02x}")


def _find_syntax_problem(message: str, text: str) -> Problem:
    """Return tomllib's error as a problem, with its line and column if known."""
    if match := re.fullmatch(r"(.*) \(at (line (\d+), column (\d+))\)", message):
        line = text.split("\n")[int(match[3]) - 1]
        reason = _spell_name(match[1], line, int(match[4]) - 1) or _spell(match[1])
        return Problem(match[2], "TOML", f"{shorten(repr(line.strip()))} ({reason})")
    return Problem("", "TOML", message)


def _spell_name(reason: str, line: str, at: int) -> str | None:
    """Return what is wrong with the name that ends before ``at``.

    Return None if ``reason`` is about something else. TOML allows only a few characters in names without
    quotes.
    """
    is_table = line.lstrip().startswith("[")
    if reason not in _OF_NAMES:
        return None
    if _NOT_BARE.match(line, at):
        wrong = repr(line[at])
    elif is_table and line[at - 1 : at].isspace() and line[at : at + 1].isalnum():
        wrong = "a space"
    else:
        return None
    if re.match(r"\s*\[\s*renditions\s*\.", line):
        return f"with {wrong} it isn't {NAME.expected}"
    return f"a name with {wrong} must stand in quotes"


def _spell(reason: str) -> str:
    """Return tomllib's reason, in plain words if a name is declared twice."""
    if match := re.fullmatch(r"Cannot declare \((.*)\) twice", reason):
        name = ".".join(re.findall("'([^']*)'", match[1]))
        return f"the table [{name}] is declared above"
    return "the name is declared above" if reason == "Cannot overwrite a value" else reason

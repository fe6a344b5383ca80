"""The list of error classes in docs/errors.md, with their codes and facts."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from renditions.errors import RenditionsError
from renditions.model.warning import WARNINGS
from renditions.web.problems import REQUEST_CODES

TEXT = (Path(__file__).parents[2] / "docs" / "errors.md").read_text("utf-8")


def all_errors(parent: type[RenditionsError] = RenditionsError) -> list[type[RenditionsError]]:
    """Return the classes of ``renditions.errors``, each before its subclasses."""
    below = [each for each in parent.__subclasses__() if each.__module__ == RenditionsError.__module__]
    return [parent, *(each for child in below for each in all_errors(child))]


def row(error: type[RenditionsError]) -> str:
    """Return the row that the page must have for the class."""
    meaning = (error.__doc__ or "").partition("\n")[0].replace("``", "`")
    retryable = "yes" if error.retryable else "no"
    return f"| `{error.code}` | {meaning} | {error.exit_code} | {error.http_status} | {retryable} |"


def rows_below(heading: str) -> list[str]:
    section = TEXT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| `")]


def test_every_error_class_has_its_own_code() -> None:
    counts = Counter(error.code for error in all_errors())
    assert [code for code, count in counts.items() if count > 1] == []
    assert not counts.keys() & set(REQUEST_CODES.values())


@pytest.mark.parametrize(
    "code", [*(error.code for error in all_errors()), *REQUEST_CODES.values(), *WARNINGS]
)
def test_each_error_code_consists_of_lower_case_words_with_hyphens(code: str) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)


def test_the_errors_page_lists_every_error_class() -> None:
    assert rows_below("Errors") == [row(error) for error in all_errors()]


def test_the_errors_page_lists_every_warning() -> None:
    assert rows_below("Warnings") == [f"| `{code}` | {meaning} |" for code, meaning in WARNINGS.items()]


def test_the_errors_page_lists_every_problem_with_a_request() -> None:
    found = [
        re.fullmatch(r"\| `(.*?)` \| (.*?) \| .+ \|", line) for line in rows_below("Problems with a request")
    ]
    listed = {match[1]: [int(status) for status in match[2].split(", ")] for match in found if match}
    wanted: dict[str, list[int]] = {}
    for status, code in REQUEST_CODES.items():
        wanted.setdefault(code, []).append(int(status))
    assert listed == wanted

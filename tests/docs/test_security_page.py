"""The tests that docs/security.md and docs/explanation/promises.md name."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
DOCUMENTS = TESTS.parent / "docs"
TEXT = (DOCUMENTS / "security.md").read_text("utf-8")
PROMISES = (DOCUMENTS / "explanation" / "promises.md").read_text("utf-8")
NAMED = dict.fromkeys(re.findall(r"`([\w/]+\.py)::(\w+)`", TEXT + PROMISES))
ATTACKERS = TEXT.partition("| an attacker who |")[2].partition("\n\n")[0].splitlines()[2:]


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_each_test_that_the_security_and_promises_pages_name_exists(file: str, name: str) -> None:
    module = ast.parse((TESTS / file).read_text("utf-8"))
    assert name in {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
    assert name.startswith("test_")


def test_the_security_page_names_a_test_for_each_attacker() -> None:
    assert len(ATTACKERS) > 10
    for row in ATTACKERS:
        shown = row.strip("| ").split(" | ")[2]
        assert re.fullmatch(r"(`[\w/]+\.py::\w+` ?)+", shown), row


def test_the_promises_page_names_a_test_for_each_promise() -> None:
    rows = PROMISES.partition("| promise |")[2].partition("\n\n")[0].splitlines()[2:]
    assert len(rows) > 10
    for row in rows:
        assert re.fullmatch(r"\|[^`]*(`forget`[^`]*|`sync`[^`]*)?\| (`[\w/]+\.py::\w+` ?)+\|", row), row

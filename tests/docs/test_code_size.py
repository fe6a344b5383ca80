"""The size of the code: short modules and short functions."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2] / "src" / "renditions"
SOURCES = sorted(ROOT.rglob("*.py"))


def test_a_module_has_at_most_400_lines() -> None:
    sizes = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in SOURCES}
    assert {name: size for name, size in sizes.items() if size > 400} == {}
    assert len(sizes) > 200


def test_a_function_has_at_most_60_lines() -> None:
    sizes = {
        f"{path.relative_to(ROOT)}: {node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: size for name, size in sizes.items() if size > 60} == {}
    assert len(sizes) > 2_000

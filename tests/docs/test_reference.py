"""The reference of commands, options, requests, metrics, codes and variables."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from typing import Any, get_args

import pytest
from reference_tables import PAGES as GENERATED
from reference_tables import list_codes, read_generated

from docs.pages import PAGES, ROOT
from docs.snippets import read_page
from docs.test_pipeline_reference import TABLES
from renditions.core.outcome import Result
from renditions.errors import RenditionsError

SOURCES = [path.read_text("utf-8") for path in (ROOT / "src" / "renditions").rglob("*.py")]
REFERENCE = ROOT / "docs" / "reference"
VARIABLE = re.compile(
    r'environ(?:\.get\(|\[)"([A-Z][A-Z0-9_]+)"|envvar="([A-Z][A-Z0-9_]+)"|_Override\(\s*"([A-Z_]+)"'
    r'|^SIGNING_KEYS = "([A-Z_]+)"|_override_target\([^)]*"([A-Z_]+)"',
    re.MULTILINE,
)
FOR_LIBRARIES = {
    "FONTCONFIG_FILE",
    "FONTCONFIG_PATH",
    "LD_LIBRARY_PATH",
    "PANGOCAIRO_BACKEND",
    "PYTHONHASHSEED",
    "VIPS_DISC_THRESHOLD",
    "WEBHOOK_SECRET",  # an example in a docstring
}
"""Variables that need no documentation: they are for libraries, or an example."""


@pytest.mark.parametrize("name", GENERATED)
def test_the_reference_page_has_the_tables_that_the_code_generates(name: str) -> None:
    """After a change, run ``python docs/reference_tables.py``."""
    assert read_generated(name) == GENERATED[name]()


def test_every_environment_variable_is_documented() -> None:
    used = {next(filter(None, found)) for text in SOURCES for found in VARIABLE.findall(text)} - FOR_LIBRARIES
    assert len(used) > 10
    page = (REFERENCE / "environment.md").read_text("utf-8")
    assert [name for name in sorted(used) if f"`{name}`" not in page] == []


def all_exit_codes(parent: type[RenditionsError] = RenditionsError) -> set[int]:
    return {parent.exit_code}.union(*(all_exit_codes(each) for each in parent.__subclasses__()))


def test_every_exit_code_is_documented() -> None:
    text = (ROOT / "docs" / "errors.md").read_text("utf-8").partition("## Exit codes")[2]
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    constants = (ROOT / "src" / "renditions" / "cli" / "__init__.py").read_text("utf-8")
    promised = {int(code) for code in re.findall(r"(?:: |; )(\d+) ", " ".join(constants.split()))}
    assert listed == promised >= all_exit_codes()


def test_every_event_of_the_server_is_documented() -> None:
    sent = set(re.findall(r"event: (\w+)\\n", (ROOT / "src/renditions/web/live.py").read_text("utf-8")))
    page = (REFERENCE / "events.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(\w+)` \| .* \| .* \|$", page, re.MULTILINE)) == sent
    results = re.findall(r"^\| `(\w+)` \| [^|]* \|$", page, re.MULTILINE)
    assert results == list(get_args(Result))


def test_the_errors_page_lists_every_error_code() -> None:
    assert all(f"| `{code}` | " in read_generated("errors.md") for code in list_codes())


def used_fields(read: Any) -> set[tuple[str, str]]:
    """Return the fields that a pipeline file uses, with their tables."""
    used = {(f"[{name}]", each) for name, inner in read.items() if isinstance(inner, dict) for each in inner}
    used |= {("[[notify]]", each) for table in read.get("notify", ()) for each in table}
    for rendition in read.get("renditions", {}).values():
        used |= {("[renditions.NAME]", each) for each in rendition}
        used |= {("[renditions.NAME.watermark]", each) for each in rendition.get("watermark", {})}
    return used


def test_every_field_of_the_pipeline_file_has_an_example() -> None:
    """``test_fields_page`` checks the examples of a rendition's fields."""
    snippets = [snippet for page in PAGES for snippet in read_page(page).snippets]
    texts = [snippet.code for snippet in snippets if snippet.language == "toml"]
    files = (path for path in (ROOT / "examples").rglob("*.toml") if "sites" not in path.parts)
    texts += [path.read_text("utf-8") for path in files]
    used = set().union(*(used_fields(tomllib.loads(text)) for text in texts))
    wanted = {
        (table, spec.name)
        for table, kind in TABLES.items()
        if table != "[renditions.NAME]"
        for spec in fields(kind)
    }
    assert sorted(wanted - used) == []

"""The table of declared colours: what Renditions makes, and what Chromium draws."""

from __future__ import annotations

from pathlib import Path

import pytest

from imaging import colour_table
from imaging.colour_table import PAGE, TOLERANCE, Row, rows
from imaging.encoders import needs_avifenc
from web.browser import CHROMIUM

draws = pytest.mark.skipif(CHROMIUM is None, reason="Chromium isn't installed")


@pytest.fixture(scope="module")
def table() -> list[Row]:
    return rows()[1]


@needs_avifenc
@draws
def test_the_colours_of_renditions_are_close_to_those_of_their_references(table: list[Row]) -> None:
    off = [row.cells() for row in table if row.difference > TOLERANCE]
    assert off == []


@needs_avifenc
@draws
def test_the_colour_page_has_every_row_of_the_measured_table(table: list[Row]) -> None:
    """The values may differ by one, since the table may be of another Chromium."""
    lines = [line.strip("| ").split(" | ") for line in PAGE.read_text("utf-8").splitlines()]
    documented = [line for line in lines if len(line) == 7][2:]
    assert [line[:3] for line in documented] == [list(row.cells()[:3]) for row in table]
    for line, row in zip(documented, table, strict=True):
        for then, now in zip(line[3:], row.cells()[3:], strict=True):
            pairs = zip(then.split(", "), now.split(", "), strict=True)
            assert all(abs(int(one) - int(other)) <= 1 for one, other in pairs), (line, row.cells())


def test_a_new_table_replaces_only_the_old_one_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "colour.md"
    page.write_text("Before.\n\n<!-- colours: begin -->\nold\n<!-- colours: end -->\n\nAfter.\n")
    monkeypatch.setattr(colour_table, "PAGE", page)
    monkeypatch.setattr(colour_table, "rows", lambda: ("150.0", []))
    colour_table.main()
    text = page.read_text()
    assert text.startswith("Before.\n\n<!-- colours: begin -->\n")
    assert "| colours | in |" in text
    assert "old" not in text
    assert text.endswith("\n<!-- colours: end -->\n\nAfter.\n")

"""The table of declared colours: what Renditions makes, and what Chromium draws."""

from __future__ import annotations

import pytest

from imaging.colour_table import PAGE, TOLERANCE, Row, rows
from imaging.encoders import needs_avifenc
from web.browser import CHROMIUM

pytestmark = [
    needs_avifenc,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium isn't installed"),
]


@pytest.fixture(scope="module")
def table() -> list[Row]:
    return rows()[1]


def test_the_colours_of_renditions_are_close_to_those_of_their_references(table: list[Row]) -> None:
    off = [row.cells() for row in table if row.difference > TOLERANCE]
    assert off == []


def test_the_colour_page_has_every_row_of_the_measured_table(table: list[Row]) -> None:
    """The values may differ by one, since the table may be of another Chromium."""
    lines = [line.strip("| ").split(" | ") for line in PAGE.read_text("utf-8").splitlines()]
    documented = [line for line in lines if len(line) == 7][2:]
    assert [line[:3] for line in documented] == [list(row.cells()[:3]) for row in table]
    for line, row in zip(documented, table, strict=True):
        for then, now in zip(line[3:], row.cells()[3:], strict=True):
            pairs = zip(then.split(", "), now.split(", "), strict=True)
            assert all(abs(int(one) - int(other)) <= 1 for one, other in pairs), (line, row.cells())

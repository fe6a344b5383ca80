"""The tables in docs/formats.md, compared with the code.

The page also has a row for every file with which programs are compared.
"""

from __future__ import annotations

import re

from benchmarks.unusual import samples
from format_tables import BEGIN, END, PAGE, describe

TEXT = PAGE.read_text("utf-8")


def test_the_formats_page_has_the_tables_that_the_code_generates() -> None:
    """After you change a format or a warning, run ``python docs/format_tables.py``."""
    assert TEXT.partition(BEGIN)[2].partition(END)[0].strip() == describe()


def test_the_comparison_of_programs_has_a_row_for_every_file() -> None:
    """After you add a file, run ``make formats``."""
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \|", TEXT.partition("comparison: begin")[2], re.MULTILINE)
    assert rows == [(sample.name, sample.what) for sample in samples()]

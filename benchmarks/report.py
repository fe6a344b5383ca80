"""Make tables: for the terminal during the run, and in Markdown for the document."""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.environments import ROOT, Way
from benchmarks.measure import CaseResult

DOCUMENT = ROOT / "docs" / "performance.md"
FULL = "pillow-full"
"""The way that decodes whole pictures. The tables compare quality and bytes with it."""
BASES = (("sharp-each", "of sharp"), ("sharp-cascade", "of sharp by hand"), (FULL, "of full decode"))
_VISIBLE = 0.5
"""The tables mark a way if its score is lower than a full decode's by more than this."""
MARK = "▼"
_NONE = "–"  # noqa: RUF001 - tables show an en dash for a missing value

Table = list[list[str]]


def case_table(result: CaseResult, ways: Sequence[Way]) -> Table:
    """Return a row of headings, and one row for each way."""
    table = [["", "CPU ms", "wall ms", *(heading for _, heading in BASES), "bytes", "ΔQ", "Q"]]
    for way in ways:
        name = way.name
        if name in result.unsupported:
            table.append([way.label, *[_NONE] * (len(table[0]) - 2), result.unsupported[name]])
            continue
        table.append(
            [
                way.label,
                f"{result.median_ms(name):.0f}",
                f"{result.median_ms(name, 'wall_seconds'):.0f}",
                *(_ratio(result.ratio(name, base)) for base, _ in BASES),
                _ratio(result.ratio(name, FULL, "output_bytes")),
                _difference(result.score_difference(name, FULL)),
                "/".join(f"{statistics.mean(scores):.1f}" for scores in result.scores.get(name, {}).values()),
            ]
        )
    return table


def overview_table(results: Sequence[CaseResult], ways: Sequence[Way]) -> Table:
    """Return a row of headings, and one row for each case.

    The values are CPU time as a share of that of sharp, or of a full decode if sharp wasn't measured. A mark
    shows that a way's quality is visibly worse than that of a full decode.
    """
    base = BASES[0][0] if any(way.name == BASES[0][0] for way in ways) else FULL
    table = [
        ["CPU time as a part of " + _label(ways, base), *(way.label for way in ways if way.name != base)]
    ]
    for result in results:
        cells = []
        for way in ways:
            if way.name != base:
                difference = result.score_difference(way.name, FULL)
                mark = f" {MARK}" if difference is not None and difference < -_VISIBLE else ""
                cells.append(_ratio(result.ratio(way.name, base)) + mark)
        table.append([result.case.label, *cells])
    return table


def memory_table(
    peaks: Mapping[str, Mapping[str, float]], kinds: Sequence[str], ways: Sequence[Way]
) -> Table:
    """Return a row of headings, and one row for each measured way, in megabytes."""
    table = [["peak memory, MB", *(f"{kind.rpartition('-')[2]} MP" for kind in kinds)]]
    for way in ways:
        if way.name in peaks:
            found = peaks[way.name]
            table.append([way.label, *(f"{found[kind]:.0f}" if kind in found else _NONE for kind in kinds)])
    return table


def to_text(table: Table) -> str:
    """Return the table in aligned columns."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = []
    for row in table:
        first, *others = (
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join([first, *others]))
    return "\n".join(lines)


def to_markdown(table: Table) -> str:
    """Return the table in Markdown, the row of Renditions in bold."""
    head, *rows = table
    lines = [head, ["---"] + ["---:"] * (len(head) - 1)]
    lines += [[f"**{cell}**" for cell in row] if row[0] == "Renditions" else row for row in rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


def describe_machine() -> str:
    """Return the processor's name, the number of its cores, and the system."""
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.+)$", cpuinfo.read_text() if cpuinfo.exists() else "", re.MULTILINE)
    model = found[1] if found else platform.processor()
    return f"{model}, {os.cpu_count()} logical cores, {platform.system()} {platform.machine()}"


def today() -> str:
    """Return today's date in UTC, as YYYY-MM-DD."""
    return datetime.now(UTC).date().isoformat()


def replace_section(name: str, text: str, file: Path = DOCUMENT) -> None:
    """Put the text between the document's two markers of that name.

    Raises:
        ValueError: The document lacks one of the markers.

    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    document = file.read_text()
    before, found_begin, rest = document.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"can't write into {file}: it lacks the marker {begin} or {end}. Add both")
    file.write_text(f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}")


def _ratio(value: float | None) -> str:
    return _NONE if value is None else f"{value:.2f}"


def _difference(value: float | None) -> str:
    if value is None:
        return _NONE
    return f"{round(value, 1) + 0.0:+.1f}" + (f" {MARK}" if value < -_VISIBLE else "")


def _label(ways: Sequence[Way], name: str) -> str:
    return next(way.label for way in ways if way.name == name)

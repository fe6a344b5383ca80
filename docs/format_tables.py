"""Write the tables of formats and warnings into ``formats.md``.

The tables come from those of the code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from renditions.model.format_entries import OutputFormat, Scale, SourceFormat
from renditions.model.formats import OUTPUT_FORMATS, SOURCE_FORMATS
from renditions.model.warning import WARNINGS

PAGE = Path(__file__).with_name("formats.md")
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
_NONE = "–"  # noqa: RUF001 - tables show an en dash for a missing value
_SHRINKS = {"none": _NONE, "halves": "by 2, 4 or 8", "any": "to any size", "drawn": "drawn at any size"}
_Entry = TypeVar("_Entry")
_Columns = dict[str, Callable[[_Entry], str]]

_INPUT: _Columns[SourceFormat] = {
    "format": lambda each: f"`{each.name}`",
    "suffixes": lambda each: ", ".join(f"`.{suffix}`" for suffix in each.suffixes),
    "media type": lambda each: f"`{each.media_type}`",
    "by default": lambda each: _yes(each.is_default),
    "decoder": lambda each: "libvips" if each.loader else each.libraries[0].distribution,
    "decodes smaller": lambda each: _SHRINKS[each.shrink_on_load],
    "frames or pages": lambda each: " and ".join(_parts(each)) or _NONE,
    "`lenient`": lambda each: _yes(each.is_salvageable),
    "`auto` gives": lambda each: f"`{each.auto}`",
    "extra": lambda each: _extra(each.extra),
}
_OUTPUT: _Columns[OutputFormat] = {
    "format": lambda each: f"`{each.name}`",
    "suffix": lambda each: f"`.{each.extension}`",
    "media type": lambda each: f"`{each.content_type}`",
    "transparency": lambda each: _yes(each.has_transparency),
    "frames or pages": lambda each: "frames" if each.has_animation else "pages" if each.has_pages else _NONE,
    "longest side": lambda each: _NONE if each.holds_file else f"{each.max_side:,}",
    "`quality`": lambda each: _scale(each.quality),
    "`effort`": lambda each: _scale(each.effort),
    "more fields": lambda each: ", ".join(f"`{name}`" for name in _fields(each)) or _NONE,
    "extra": lambda each: _extra(each.extra),
}


def describe() -> str:
    """Return the tables, as Markdown."""
    warnings = [f"| `{code}` | {meaning} |" for code, meaning in WARNINGS.items()]
    parts = [
        "## Input",
        *_table(_INPUT, SOURCE_FORMATS.values()),
        "## Output",
        *_table(_OUTPUT, OUTPUT_FORMATS.values()),
        "## Warnings",
        "\n".join(["| code | meaning |", "| --- | --- |", *warnings]),
    ]
    return "\n\n".join(parts)


def _table(columns: _Columns[_Entry], entries: Iterable[_Entry]) -> Iterator[str]:
    lines = [f"| {' | '.join(columns)} |", "| " + " | ".join(["---"] * len(columns)) + " |"]
    lines += [f"| {' | '.join(cell(each) for cell in columns.values())} |" for each in entries]
    yield "\n".join(lines)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _parts(each: SourceFormat) -> list[str]:
    return ["frames"] * each.has_animation + ["pages"] * each.has_pages


def _scale(scale: Scale | None) -> str:
    return f"{scale.low} to {scale.high}, {scale.default}" if scale else _NONE


def _fields(each: OutputFormat) -> list[str]:
    return ["lossless"] * each.has_lossless_choice + list(each.choices)


def _extra(name: str | None) -> str:
    return f"`{name}`" if name else _NONE


def main() -> None:
    """Write the tables into the page."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{describe()}\n\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()

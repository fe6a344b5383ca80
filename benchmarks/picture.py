"""Draw the main case's table as a plain SVG picture.

The picture follows the reader's light or dark theme.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from benchmarks.environments import Way
from benchmarks.measure import CaseResult
from benchmarks.report import BASES, case_table

_ROW, _TOP, _LABELS, _BARS, _NUMBERS = 34, 84, 320, 300, 80
_STYLE = """
    text { font: 14px system-ui, sans-serif; fill: #1f2328 }
    .title { font-size: 17px; font-weight: 600 }
    .soft { fill: #59636e; font-size: 12px }
    .ours { font-weight: 600 }
    .page { fill: #ffffff }
    .bar { fill: #afb8c1 }
    .ours-bar { fill: #0969da }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc }
      .soft { fill: #9198a1 }
      .page { fill: #0d1117 }
      .bar { fill: #4b535d }
      .ours-bar { fill: #4493f8 }
    }
"""


def draw(result: CaseResult, ways: Sequence[Way], machine: str) -> str:
    """Return the picture, with a bar of CPU time for each measured way.

    Beside each bar are the CPU time, its ratio to that of the first measured way in ``BASES``, the bytes and
    the quality.
    """
    head, *rows = case_table(result, ways)
    heading = next(text for name, text in BASES if name in result.samples)
    columns = [head.index(name) for name in ("CPU ms", heading, "bytes", "ΔQ")]
    shown = [(way, row) for way, row in zip(ways, rows, strict=True) if way.name in result.samples]
    longest = max(result.median_ms(way.name) for way, _ in shown)
    width = _LABELS + _BARS + _NUMBERS * len(columns) + 48
    height = _TOP + _ROW * len(shown) + 40
    right = [_LABELS + _BARS + _NUMBERS * (at + 1) + 24 for at in range(len(columns))]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">',
        f"<title>CPU time of {escape(result.case.label)} into four JPEG renditions</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="page" width="{width}" height="{height}" rx="8"/>',
        _text(24, 34, f"{result.case.label} into four renditions: CPU time", "title"),
        *(_text(x, 64, head[column], "soft", "end") for x, column in zip(right, columns, strict=True)),
    ]
    for at, (way, row) in enumerate(shown):
        middle = _TOP + _ROW * at + 12
        is_ours = way.name == "renditions"
        length = _BARS * result.median_ms(way.name) / longest
        kind = "ours" if is_ours else ""
        bar = "ours-bar" if is_ours else "bar"
        parts.append(_text(24, middle + 5, way.label, kind))
        parts.append(
            f'<rect class="{bar}" x="{_LABELS}" y="{middle - 9}" width="{length:.1f}" height="18" rx="3"/>'
        )
        parts += [
            _text(x, middle + 5, row[column], kind, "end") for x, column in zip(right, columns, strict=True)
        ]
    note = f"bytes and ΔQ (SSIMULACRA2) against a full decode. {machine}"
    parts += [_text(24, height - 16, note, "soft"), "</svg>\n"]
    return "\n".join(parts)


def _text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'

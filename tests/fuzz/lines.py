"""Count the engine's lines that run: ``python -m fuzz.lines --since COMMIT``.

The program counts the lines in functions, but only lines that were added since the commit. It renders each
undamaged seed with all recipes, and then the damaged files of the first numbers, all in this process. The
output says what share of the lines ran.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import renditions.imaging
from fuzz.seeds import seeds
from fuzz.trial import LIMITS, RECIPES, Order, file_of, order_of
from renditions.errors import Failed
from renditions.imaging.render import render

FOLDER = Path(renditions.imaging.__file__).parent
_HUNK = re.compile(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", re.MULTILINE)


def main() -> int:
    """Print how many added lines ran in each module and in all; return 0."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.lines", description=__doc__)
    parser.add_argument("--since", required=True, metavar="COMMIT")
    parser.add_argument("--files", type=int, default=2_000, help="how many damaged files")
    parser.add_argument("--show", action="store_true", help="list the lines that no file runs")
    arguments = parser.parse_args()
    added = {path: lines_in(path) & added_to(path, arguments.since) for path in FOLDER.rglob("*.py")}
    if not any(added.values()):
        print(f"No line of a function was added since {arguments.since}.")
        return 0
    run = trace(arguments.files)
    for path, lines in sorted(added.items()):
        missed = sorted(lines - run[str(path)])
        if lines:
            print(f"{path.relative_to(FOLDER)}: {len(lines) - len(missed)} of {len(lines)}")
            if arguments.show:
                source = path.read_text("utf-8").splitlines()
                print("".join(f"    {number}: {source[number - 1].strip()}\n" for number in missed), end="")
    total = sum(map(len, added.values()))
    found = sum(len(lines & run[str(path)]) for path, lines in added.items())
    print(f"{found} of {total} added lines run: {found / total:.1%}")
    return 0


def lines_in(path: Path) -> set[int]:
    """Return the numbers of the lines that run when a module's functions are called."""

    def walk(code: CodeType) -> Iterator[int]:
        for inner in filter(lambda each: isinstance(each, CodeType), code.co_consts):
            # The body of a class runs when it is imported.
            if inner.co_flags & 2:
                yield from (line for _, _, line in inner.co_lines() if line and line > inner.co_firstlineno)
            yield from walk(inner)

    return set(walk(compile(path.read_text("utf-8"), str(path), "exec")))


def added_to(path: Path, since: str) -> set[int]:
    """Return the numbers of the lines that a module has gained since this commit."""
    command = ["git", "diff", "--unified=0", since, "--", str(path)]
    changes = subprocess.run(command, cwd=FOLDER, check=True, capture_output=True, text=True).stdout
    return {
        number
        for start, count in _HUNK.findall(changes)
        for number in range(int(start), int(start) + int(count or 1))
    }


def trace(files: int) -> dict[str, set[int]]:
    """Render the seeds and this many damaged files; return the run lines by path."""
    run: dict[str, set[int]] = defaultdict(set)

    def follow(frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(str(FOLDER)):
            return None
        if event == "line":
            run[frame.f_code.co_filename].add(frame.f_lineno)
        return follow

    _forget()
    sys.settrace(follow)
    try:
        for turn, content in enumerate(seeds().values()):
            for at in range(len(RECIPES)):
                # Each recipe of a seed has other rules than the one before.
                _render(content, order_of((turn + at) * len(RECIPES) + at))
        for number in range(files):
            _render(file_of(number)[1], order_of(number))
    finally:
        sys.settrace(None)
    return run


def _forget() -> None:
    """Clear the engine's caches, so that cached functions run while they are traced."""
    for name, module in list(sys.modules.items()):
        if name.startswith(renditions.imaging.__name__):
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def _render(content: bytes, order: Order) -> None:
    try:
        render(content, order.accept, order.recipes, order.analyze, limits=LIMITS)
    except Failed as failure:
        print(f"failed: {failure}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

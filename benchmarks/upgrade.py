"""Count what an upgrade makes again: ``python -m benchmarks.upgrade OLD``.

Set ``PYTHONPATH=tests``. ``OLD`` is the older version's ``renditions`` command. This command makes five
renditions of each picture in the corpus of :mod:`benchmarks.bytes`. Then the present version plans, and makes
all renditions in another folder. For each engine revision, the table has the pictures and outputs that the
revision makes again, and how many of these outputs changed.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.bytes import FILE, PLACES, write_corpus
from commands import RENDITIONS
from renditions.model.revisions import REVISIONS

_RECIPES = {
    "thumb": 'format = "png"\nwidth = 160',
    "web": 'format = "webp"\nwidth = 320\nanimation = "keep"',
    "all": 'format = "jpeg"\nwidth = 320\nmetadata = "all"',
    "names": 'format = "jpeg"\nwidth = 320\nmetadata = "copyright"',
    "page": 'format = "pdf"\nwidth = 320',
}
_STALE = re.compile(r"(\w+) was made by an older engine \((.*?)\)")
_Output = tuple[str, str]
"""A picture and a rendition."""


def main() -> int:
    """Print the table; return 1 if an output changed without a raised revision."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.upgrade", description=__doc__)
    parser.add_argument("old", type=Path, help="the older version's command")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        old, new = Path(name, "old"), Path(name, "new")
        write_corpus(Path(name, "inbox"))
        for folder in (old, new):
            _write_pipeline(folder)
        _run(arguments.old, old, "sync")
        before = _read(old)
        planned = json.loads(_run(RENDITIONS, old, "plan", "--json"))
        _run(RENDITIONS, new, "sync")
        after = _read(new)
    changed = {output for output in before if before[output] != after.get(output)}
    stale = _find_stale(planned)
    print(_table(stale, changed, len(before)))
    unplanned = sorted(changed - set().union(*stale.values()))
    only_new = {picture for picture, _ in after.keys() - before.keys()}
    print(f"Made only by this version: {len(only_new)} pictures.")
    print("Changed without a revision:", ", ".join(map("/".join, unplanned)) or "none")
    return 1 if unplanned else 0


def _write_pipeline(folder: Path) -> None:
    folder.mkdir()
    renditions = "".join(
        f'[renditions.{name}]\nkey = "{{key}}/{name}"\n{fields}\n' for name, fields in _RECIPES.items()
    )
    (folder / FILE).write_text(PLACES.format(', "dicom"') + renditions, encoding="utf-8")


def _run(command: Path, folder: Path, *arguments: str) -> str:
    # The older version rejects some pictures, so the exit code isn't always 0.
    return subprocess.run(
        [command, *arguments], cwd=folder, check=False, stdout=subprocess.PIPE, text=True
    ).stdout


def _read(folder: Path) -> dict[_Output, bytes]:
    root = folder / "processed"
    return {(path.parent.name, path.name): path.read_bytes() for path in root.glob("[!.]*/*")}


def _find_stale(planned: list[dict[str, str]]) -> dict[str, set[_Output]]:
    """Return the outputs that will be made again, by the names of the revisions."""
    stale: dict[str, set[_Output]] = {revision.name: set() for revision in REVISIONS}
    for entry in planned:
        for rendition, names in _STALE.findall(entry["why"]):
            for name in names.split(", "):
                stale[name].add((entry["name"], rendition))
    return stale


def _table(stale: dict[str, set[_Output]], changed: set[_Output], count: int) -> str:
    lines = [
        "| revision | of | pictures | outputs | changed outputs |",
        "| ---: | --- | ---: | ---: | ---: |",
        *(
            f"| {each.number} | {each.kind} `{each.name}` | {_cells(stale[each.name], changed)} |"
            for each in REVISIONS
        ),
        f"| all | {count} outputs | {_cells(set().union(*stale.values()), changed)} |",
    ]
    return "\n".join(lines)


def _cells(outputs: set[_Output], changed: set[_Output]) -> str:
    pictures = {picture for picture, _ in outputs}
    return f"{len(pictures)} | {len(outputs)} | {len(outputs & changed)}"


if __name__ == "__main__":
    sys.exit(main())

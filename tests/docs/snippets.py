"""The code blocks of the pages, and the comments that say how they are tested.

A fenced block is tested by its language. Commands (``sh``) and programs (``python``) run in the folder of
their page's session. ``toml`` is checked as a pipeline file or a part of one. ``json`` and ``hcl`` are
parsed. ``text`` is an illustration, unless it is marked as file, output, not run or tested by.
A reader doesn't see the comments:

    <!-- scene: NAME -->          anywhere in the page: what the folder has at its start, see ``scenes``
    <!-- file: NAME -->           the block is written to this file of the session
    <!-- output -->               the last output has these lines in this order; … is any text
    <!-- exit: N -->              the commands end with this code
    <!-- background: TEXT -->     the commands run until the page ends; the next block waits for TEXT
    <!-- needs: PROGRAM… -->      anywhere in the page: without these, the page isn't tested
    <!-- long -->                 only `make docs-test` runs the block
    <!-- scene: NAME; long -->    the same, for all blocks of the page
    <!-- not run: REASON -->      can't be run by a test
    <!-- hidden: COMMANDS -->     commands that stand for what a reader does by hand
    <!-- hidden; long: … -->      the same, for `make docs-test`
    <!-- tested by: FILE -->      this file of tests runs the block
    <!-- page tested by: FILE --> the same, for all blocks of the page
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

from docs.pages import name_of

_PART = re.compile(
    r"^ *<!-- (?P<comment>.*?)\s*-->$|^(?P<indent> *)```(?P<language>\w*)\n(?P<code>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)
ILLUSTRATIONS = ("", "text")


@dataclass
class Snippet:
    """A code block, or hidden commands."""

    page: str
    line: int
    language: str
    code: str
    marks: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def is_illustration(self) -> bool:
        """Whether this only shows something, such as a tree of files."""
        return self.language in ILLUSTRATIONS and not self.marks.keys() & {
            "file",
            "output",
            "not run",
            "tested by",
        }

    @property
    def is_long(self) -> bool:
        return "long" in self.marks


@dataclass
class Page:
    """A page's snippets in their order, and the marks that apply to all of it."""

    name: str
    snippets: list[Snippet]
    marks: dict[str, str]

    @property
    def visible(self) -> list[Snippet]:
        """The snippets that a reader sees and may use."""
        return [each for each in self.snippets if "hidden" not in each.marks and not each.is_illustration]

    @property
    def is_long(self) -> bool:
        return "long" in self.marks


def read_page(path: Path) -> Page:
    """Return a page with its snippets."""
    text = path.read_text("utf-8")
    marks: dict[str, str] = {}
    return Page(name_of(path), list(_read(text, name_of(path), marks)), marks)


def _read(text: str, page: str, marks: dict[str, str]) -> Iterator[Snippet]:
    waiting: dict[str, str] = {}
    for part in _PART.finditer(text):
        line = text.count("\n", 0, part.start()) + 1
        if part["comment"] is not None:
            name, _, value = part["comment"].partition(":")
            if name.startswith("hidden"):
                own = {"hidden": "", **({"long": ""} if name.endswith("long") else {})}
                yield Snippet(page, line, "sh", dedent(value.strip("\n")).strip() + "\n", own)
            elif name in ("scene", "page tested by", "needs"):
                marks[name.removeprefix("page ")] = value.removesuffix("long").strip(" ;")
                marks |= {"long": ""} if value.endswith("; long") else {}
            elif name in ("file", "output", "exit", "background", "long", "not run", "tested by"):
                waiting[name] = value.strip()
        else:
            code = re.sub(f"^{part['indent']}", "", part["code"], flags=re.MULTILINE)
            yield Snippet(page, line, part["language"], code, waiting)
            waiting = {}

"""The pages of the documents: their text, their links, headings and sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "infra" / "terraform" / "README.md"]
    + list((ROOT / "docs").rglob("*.md"))
    + [path for path in (ROOT / "examples").rglob("*.md") if "node_modules" not in path.parts]
)
_FENCED = re.compile(r"^( *)```.*?^\1```$", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LIST_ITEM = re.compile(r"^\s*(?:[-*]|\d{1,2}\.) +")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"”)]*\s+(?=[A-Z0-9\"“(*]|[a-z]+: )")


def name_of(page: Path) -> str:
    """Return the page's path below the repository's root."""
    return page.relative_to(ROOT).as_posix()


def text_of(page: Path) -> str:
    """Return a page's text without code blocks and comments."""
    return _COMMENT.sub("", _FENCED.sub("\n\n", page.read_text("utf-8")))


def links_of(page: Path) -> Iterator[tuple[str, str]]:
    """Yield the path and the anchor of each link to another file or heading."""
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            yield path, anchor


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and the site name them."""
    headings = re.findall(r"^#{1,4} (.+)$", text_of(page), re.MULTILINE)
    texts = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", text.strip()).replace(" ", "-") for text in texts}


def sentences_of(page: Path) -> Iterator[str]:
    """Yield the sentences of a page, without tables, headings and code."""
    for paragraph in _paragraphs(page):
        plain = re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", paragraph)
        plain = re.sub(r"`[^`]*`", "Code", plain)
        yield from _SENTENCE_END.split(plain)


def _paragraphs(page: Path) -> Iterator[str]:
    for block in re.split(r"\n\s*\n", text_of(page)):
        lines: list[str] = []
        for line in block.splitlines():
            if line.startswith(("    ", "|", "#")) and not lines:
                continue
            if _LIST_ITEM.match(line) or line.startswith("|"):
                yield " ".join(lines)
                lines = []
            if not line.startswith("|"):
                lines.append(_LIST_ITEM.sub("", line).strip())
        yield " ".join(lines)


def count_words(sentence: str) -> int:
    """Return how many words a sentence has."""
    return sum(any(map(str.isalnum, word)) for word in sentence.split())

"""The links and the sentences of the documents, and the index of all pages."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
import recording

from docs.pages import PAGES, ROOT, anchors_of, count_words, links_of, name_of, sentences_of

MOST_WORDS = 35
INDEX = ROOT / "docs" / "index.md"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_link_on_a_page_leads_to_an_existing_file_and_heading(page: Path) -> None:
    broken = []
    for path, anchor in links_of(page):
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(f"{path}#{anchor}")
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_sentence_on_a_page_has_too_many_words(page: Path) -> None:
    assert [sentence for sentence in sentences_of(page) if count_words(sentence) > MOST_WORDS] == []


def test_the_index_of_the_documents_links_to_every_page() -> None:
    linked = {(INDEX.parent / path).resolve() for path, _ in links_of(INDEX)}
    assert [name_of(page) for page in PAGES if page not in linked and page != INDEX] == []


def test_the_recording_shows_the_commands_of_the_readme() -> None:
    """After a change, run ``python docs/recording.py``."""
    drawn = html.unescape(recording.TARGET.read_text("utf-8")).replace("\xa0", " ")
    shown = re.sub(r"<[^>]*>", "", drawn)
    assert [command for command in recording.read_commands()[1] if command not in shown] == []

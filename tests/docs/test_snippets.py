"""The commands and programs of the pages, which must work as the pages say.

`make docs-test` also runs the blocks that take long, and prints how many blocks it ran.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from docs.pages import PAGES, ROOT
from docs.sessions import WITH_LONG, run_page
from docs.snippets import Page, read_page

MOST_UNRUN_PERCENT = 5
EVERY_PAGE = [page for page in map(read_page, PAGES) if page.visible]
RUN_HERE = [page for page in EVERY_PAGE if "tested by" not in page.marks]


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[list[str]]]]:
    """Run the chosen pages, two at a time; yield the future problems of each."""
    items = (item for item in request.session.items if hasattr(item, "callspec"))
    chosen = [item.callspec.params.get("page") for item in items]
    pages = [page for page in RUN_HERE if page in chosen and not missing_programs(page)]
    endpoint = request.config.getoption("--endpoint")
    with ThreadPoolExecutor(2) as threads, pytest.MonkeyPatch.context() as patch:
        if endpoint:
            patch.setenv("DOCS_S3", endpoint)
        yield {
            page.name: threads.submit(problems_of, page, tmp_path_factory.mktemp("page")) for page in pages
        }


def missing_programs(page: Page) -> list[str]:
    """Return the programs that the page needs and this machine lacks."""
    path = f"{os.environ['PATH']}:/usr/sbin"  # where nginx is
    return [name for name in page.marks.get("needs", "").split() if not shutil.which(name, path=path)]


def problems_of(page: Page, folder: Path) -> list[str]:
    """Run a page; return what is wrong with the first snippet that fails."""
    for snippet, problem, _ in run_page(page, folder, with_long=WITH_LONG):
        if problem:
            return [f"{snippet.place}: {problem}"]
    return []


@pytest.mark.parametrize("page", RUN_HERE, ids=lambda page: page.name)
def test_each_snippet_on_a_page_runs_without_a_problem(
    page: Page, runs: dict[str, Future[list[str]]]
) -> None:
    if missing := missing_programs(page):
        pytest.skip(f"NOT TESTED: {', '.join(missing)} isn't installed")
    assert runs[page.name].result() == []


@pytest.mark.parametrize(
    "page", [page for page in EVERY_PAGE if page not in RUN_HERE], ids=lambda page: page.name
)
def test_the_test_file_that_a_page_names_mentions_this_page(page: Page) -> None:
    file = ROOT / page.marks["tested by"]
    assert Path(page.name).name in file.read_text("utf-8") or Path(page.name).parent.name in file.read_text(
        "utf-8"
    )


def test_only_few_snippets_are_not_run_and_each_gives_a_reason() -> None:
    counts: Counter[str] = Counter()
    for page in EVERY_PAGE:
        for snippet in page.visible:
            if "not run" in snippet.marks:
                assert len(snippet.marks["not run"].split()) > 2, snippet.place
                counts["not run"] += 1
            elif "tested by" in page.marks | snippet.marks:
                counts["run by another file of tests"] += 1
            elif page.is_long or snippet.is_long:
                counts["run by make docs-test"] += 1
            else:
                counts["run here"] += 1
    total = counts.total()
    print(f"\n{total} snippets on {len(EVERY_PAGE)} pages: {dict(counts)}")
    assert counts["not run"] * 100 <= total * MOST_UNRUN_PERCENT

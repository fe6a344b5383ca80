"""Settings of Sphinx, which builds the site from the pages: ``make docs``.

The source folder is the repository's root, so that a link from a page to ``../examples/README.md`` works on
the site as it does in plain Markdown. The navigation consists of the pages that ``index.md`` links to.
"""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent

project = "Renditions"
author = "The authors of Renditions"
root_doc = "docs/index"
extensions = ["myst_parser"]
include_patterns = [
    "docs/**.md",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "examples/README.md",
    "examples/**/README.md",
    "infra/terraform/README.md",
    "tests/imaging/**/README.md",
]
exclude_patterns = [".*", "build", "src", "benchmarks", "**/node_modules"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 4
"""Headings up to this level can be linked to, under the names that GitHub gives them."""
nitpicky = True
html_theme = "furo"
html_title = "Renditions"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
pygments_style = "friendly"
pygments_dark_style = "monokai"


def add_toctrees(_app: Sphinx, name: str, source: list[str]) -> None:
    """Give ``index.md`` a hidden table of contents for each of its parts.

    The tables are not in the page itself, because a reader of plain Markdown would see their source. The
    README, and pages that belong to the tests' files, are in no part.
    """
    if name == "README" or name.startswith("tests/"):
        source[0] = f"---\norphan: true\n---\n{source[0]}"
    if name != root_doc:
        return
    for heading, body in re.findall(r"^## (.+?)$(.*?)(?=^## |\Z)", source[0], re.DOTALL | re.MULTILINE):
        pages = dict.fromkeys(re.findall(r"\]\(([^)#:]+)\.md\)", body))
        lines = ["```{toctree}", ":hidden:", f":caption: {heading}", "", *pages, "```"]
        source[0] += "\n" + "\n".join(lines) + "\n"


def lead_to_the_index(app: Sphinx, error: Exception | None) -> None:
    """Write a first page that redirects to ``docs/index.html``."""
    if error is None:
        target = "docs/index.html"
        refresh = f'<meta http-equiv="refresh" content="0; url={target}">'
        page = f'<!doctype html>{refresh}<a href="{target}">{project}</a>'
        (Path(app.outdir) / "index.html").write_text(page, "utf-8")


def setup(app: Sphinx) -> None:
    """Register the functions of this file."""
    app.connect("source-read", add_toctrees)
    app.connect("build-finished", lead_to_the_index)

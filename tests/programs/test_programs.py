"""Python programs in examples/ and the snippets of docs/python.md.

They run with the installed wheel.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from commands import draw, write_pipeline

PROJECT = Path(__file__).parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]

WHERE = """
import renditions, sys
print(renditions.__file__)
print(renditions.__version__)
"""
TESTS = {
    "django": ("manage.py", "test"),
    "fastapi": ("-m", "pytest", "-q", "-p", "no:cacheprovider", "."),
    "celery": ("-m", "pytest", "-q", "-p", "no:cacheprovider", "."),
}


def test_programs_run_from_the_installed_wheel(run: Run, installed: Path, tmp_path: Path) -> None:
    ended = run(tmp_path, "-c", WHERE)
    assert ended.stdout.splitlines()[0] == str(installed / "renditions" / "__init__.py")
    assert run(tmp_path, "-m", "renditions", "--version").stdout.startswith("renditions ")


@pytest.mark.parametrize("example", TESTS)
def test_an_example_passes_its_own_tests(run: Run, tmp_path: Path, example: str) -> None:
    folder = tmp_path / example
    shutil.copytree(PROJECT / "examples" / example, folder)
    ended = run(folder, *TESTS[example])
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert re.search(r"\d+ passed|^OK$", ended.stdout + ended.stderr, re.MULTILINE)


NOTEBOOK = """
import nbformat, sys
from nbclient import NotebookClient
notebook = nbformat.read("renditions.ipynb", 4)
NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
for cell in notebook.cells:
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        print("output", output.output_type, *data, output.get("text", ""))
"""


def test_the_example_notebook_runs_and_shows_its_renditions(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "notebook"
    shutil.copytree(PROJECT / "examples" / "notebook", folder)
    draw(folder / "photo.jpg", 960, 640)
    draw(folder / "pictures" / "a.jpg")
    ended = run(folder, "-c", NOTEBOOK)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("image/webp") == 2
    assert "text/html" in ended.stdout
    assert "{'done': 1}" in ended.stdout


def test_the_snippets_of_the_python_page_run_and_print_their_results(run: Run, tmp_path: Path) -> None:
    text = (PROJECT / "docs" / "python.md").read_text("utf-8")
    snippets = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(snippets) >= 5
    write_pipeline(tmp_path, "[renditions.thumb]\nwidth = 100")
    draw(tmp_path / "photo.jpg")
    draw(tmp_path / "inbox" / "photo.jpg")
    (tmp_path / "snippets.py").write_text("\n".join(snippets))
    ended = run(tmp_path, "-W", "error", "snippets.py")
    assert ended.returncode == 0, ended.stderr
    assert "source-unreadable not a picture" in ended.stdout
    assert "{'done': 1} True" in ended.stdout
    assert "done ['photo.jpg/thumb.jpg']" in ended.stdout

"""The names that ``import renditions`` gives.

Each of them is a promise, see docs/python.md.
"""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

import renditions
from renditions import errors

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text("utf-8")

EXPORTED = [
    "Difference",
    "LoadedPipeline",
    "OpenPipeline",
    "Outcome",
    "Record",
    "Rendered",
    "RenderedPicture",
    "Summary",
    "__version__",
    "errors",
    "load",
    "open",
    "render",
]
ERRORS = [
    "Archived",
    "BindingRefused",
    "CatalogFailed",
    "CatalogFull",
    "CatalogLost",
    "CatalogRefused",
    "CatalogTooNew",
    "Conflict",
    "Failed",
    "ForeignOutput",
    "KeyRefused",
    "KeyTaken",
    "NoTimeLeft",
    "NotAccepted",
    "NotifyFailed",
    "NotifyRefused",
    "PipelineError",
    "Problem",
    "QueueFailed",
    "QueueRefused",
    "RecordUnreadable",
    "Rejected",
    "RenderTimedOut",
    "RenditionsError",
    "StoreFailed",
    "StoreFull",
    "StoreRefused",
    "Superseded",
    "Unconfined",
    "Undecodable",
    "Unrenderable",
    "UsageError",
    "WorkerDied",
]
METHODS = ["close", "manifest", "pipeline", "plan", "process", "record", "records", "sync", "watch"]


def test_the_package_exports_exactly_the_listed_names() -> None:
    assert renditions.__all__ == EXPORTED
    assert dir(renditions) == EXPORTED
    assert all(getattr(renditions, name) for name in EXPORTED)


def test_the_errors_module_has_exactly_the_listed_classes() -> None:
    own = [
        name for name, value in vars(errors).items() if getattr(value, "__module__", "") == errors.__name__
    ]
    assert sorted(own) == ERRORS


@pytest.mark.parametrize(
    "error",
    [
        errors.UsageError("no"),
        errors.PipelineError("a.toml", (errors.Problem("source", "a table", "nothing", 3),)),
        errors.PipelineError("a.toml", (), "can't read a.toml"),
        errors.KeyTaken("a.jpg", "b.jpg"),
        errors.ForeignOutput("a.jpg"),
        errors.RecordUnreadable("renditions.db", "a.jpg"),
        errors.CatalogLost(0, 3, 4),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_process_that_unpickles_an_error_gets_its_text_and_attributes(error: Exception) -> None:
    """An error that can't be unpickled ends a whole process pool."""
    for same in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - from this process
        assert (type(same), str(same), vars(same)) == (type(error), str(error), vars(error))


def test_an_open_pipeline_has_exactly_the_listed_public_names(tmp_path: Path) -> None:
    recipes = {"source": {"store": "in"}, "output": {"store": "out"}, "renditions": {"thumb": {"width": 9}}}
    with renditions.open(renditions.load(recipes, directory=tmp_path)) as pipeline:
        assert [name for name in dir(pipeline) if not name.startswith("_")] == METHODS


def test_an_unknown_name_raises_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'thumbnail'"):
        _ = renditions.thumbnail


def test_importing_the_package_imports_no_other_library() -> None:
    script = """
import sys
before = set(sys.modules)
import renditions
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(new - sys.stdlib_module_names))
renditions.load, renditions.open
print(sorted({"pyvips", "botocore", "typer", "rich"} & sys.modules.keys()))
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == ["['renditions']", "[]"]


def test_the_package_runs_as_a_module() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "renditions", "--version"], capture_output=True, text=True, check=True
    )
    assert ended.stdout == f"renditions {renditions.__version__}\n"


def rows_of(heading: str) -> list[str]:
    """Return the names in the first column of the table below a heading of the page."""
    section = PAGE.partition(f"### `{heading}`\n")[2].partition("\n#")[0]
    return re.findall(r"^\| `(\w+)", section, re.MULTILINE)


@pytest.mark.parametrize(
    "name", ["Difference", "LoadedPipeline", "Outcome", "Record", "Rendered", "RenderedPicture", "Summary"]
)
def test_the_attributes_that_the_python_page_lists_exist(name: str) -> None:
    kind = getattr(renditions, name)
    has = {spec.name for spec in dataclasses.fields(kind)} | set(dir(kind))
    listed = rows_of(name)
    assert listed
    assert set(listed) <= has

"""Checks of declared stores, catalogs and notice targets, and of their libraries."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from commands import run, write_pipeline
from renditions.cli.packaging import load_for_lambda
from renditions.deploy.bundle import find_libraries
from renditions.errors import PipelineError, UsageError
from renditions.model import backends
from renditions.model.backends import CATALOGS, NOTIFIERS, QUEUE, STORES, Backend
from renditions.model.catalog_place import CatalogPlace
from renditions.model.notify import Notify
from renditions.model.output_place import OutputPlace
from renditions.model.pipeline import Pipeline
from renditions.model.recipe import Rendition
from renditions.model.registry import resolve
from renditions.model.source import Source
from renditions.pipeline_file import backend_checks
from renditions.pipeline_file.backend_checks import (
    find_declared,
    find_lambda_problems,
    find_missing_libraries,
)
from renditions.pipeline_file.reading import LoadedPipeline
from renditions.runtime.parts import open_parts

BASE64 = '[renditions.text]\nformat = "base64"\n'
MAIL = '[[notify]]\non = ["done"]\nto = "mailto://ann:secret@mail.example"\n'
DESKTOP = Backend(
    "desktop:", '"desktop:"', "desktop:", "desktop:open", runs_on_lambda=False, libraries=("bell",)
)


def make_pipeline(source: str = "./in", output: str = "./out", notify: tuple[str, ...] = ()) -> Pipeline:
    return Pipeline(
        source=Source(store=source),
        output=OutputPlace(store=output),
        renditions={"text": Rendition(format="base64")},
        notify=tuple(Notify(on=("done",), to=target) for target in notify),
    )


@pytest.fixture
def desktop(monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """Add a notifier that only works on a laptop.

    Return a pipeline with it.
    """
    monkeypatch.setattr(backend_checks, "NOTIFIERS", (*NOTIFIERS, DESKTOP))
    return make_pipeline(notify=("log:", "desktop:"))


@pytest.mark.parametrize("command", [("check",), ("package", "-o", "bundle.zip"), ("plan",)])
def test_a_target_of_an_unknown_kind_is_refused_and_the_problem_names_its_field(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    write_pipeline(tmp_path, BASE64, MAIL)
    ended = run(tmp_path, *command)
    assert ended.code == 2
    forms = [backend.form for backend in NOTIFIERS]
    assert ": notify[0].to: expected" in ended.err
    assert all(form in ended.err for form in forms)
    assert not (tmp_path / "bundle.zip").exists()


def test_opening_a_target_of_an_unknown_kind_raises_an_error_that_names_the_target() -> None:
    with (
        pytest.raises(UsageError, match=r"notify\[1\]\.to: expected .*, found 'mailto://a'"),
        open_parts(make_pipeline(notify=("log:", "mailto://a")), Path()),
    ):
        pass


def test_the_problem_with_a_missing_library_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backend_checks, "is_installed", lambda module: module != "botocore")
    pipeline = make_pipeline(output="s3://photos-out/", notify=("log:", "events:default"))
    pipeline = replace(pipeline, catalog=CatalogPlace(store="dynamodb:Records"))
    assert [str(problem) for problem in find_missing_libraries(pipeline)] == [
        f"{place}: expected the library botocore for {form} (pip install 'renditions[aws]'), found none"
        for place, form in (
            ("output.store", '"s3://bucket/prefix/"'),
            ("catalog.store", '"dynamodb:TABLE"'),
            ("notify[1].to", '"events:BUS"'),
        )
    ]


def test_check_refuses_a_store_whose_library_is_not_installed(tmp_path: Path) -> None:
    write_pipeline(tmp_path, BASE64)
    text = (tmp_path / "renditions.toml").read_text().replace("./processed", "s3://photos-out/")
    (tmp_path / "renditions.toml").write_text(text)
    code = (
        "import importlib.util, sys; found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: None if name == 'botocore' else found(name)\n"
        "from renditions.cli import main; sys.argv = ['renditions', 'check']; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "output.store: expected the library botocore for" in ended.stderr
    assert "pip install 'renditions[aws]'" in ended.stderr


def test_package_refuses_a_target_that_a_function_can_not_use(
    desktop: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (problem,) = find_lambda_problems(desktop, is_built=False)
    assert str(problem).startswith("notify[1].to: expected ")
    assert "on Lambda, found 'desktop:'" in str(problem)
    monkeypatch.setattr("renditions.cli.packaging.load", lambda _: LoadedPipeline(desktop, tmp_path))
    with pytest.raises(PipelineError, match=r"renditions.toml: notify\[1\].to"):
        load_for_lambda(tmp_path / "renditions.toml")


def test_a_bundle_may_name_folders_and_a_file_that_the_environment_of_the_function_replaces() -> None:
    """The function's environment can name buckets and a table.

    The buckets replace the folders, and the table replaces the catalog's file.
    """
    pipeline = make_pipeline()
    assert list(find_lambda_problems(pipeline, is_built=False)) == []
    places = [problem.place for problem in find_lambda_problems(pipeline, is_built=True)]
    assert places == ["source.store", "output.store", "catalog.store"]


def test_a_bundle_contains_the_libraries_of_its_notifiers(desktop: Pipeline) -> None:
    assert find_libraries(desktop) == ("bell",)


@pytest.mark.parametrize("backend", [*STORES, *CATALOGS, *NOTIFIERS, QUEUE], ids=lambda backend: backend.form)
def test_the_opener_of_every_backend_exists(backend: Backend) -> None:
    assert callable(resolve(backend.opener))


def test_the_class_of_lease_owners_exists_under_its_registered_name() -> None:
    assert callable(resolve(backends.OWNER))


def test_the_backends_that_a_pipeline_declares_are_found_with_their_fields() -> None:
    declared = find_declared(make_pipeline("s3://photos", "./out", notify=("log:",)))
    assert [(each.place, each.backend.prefix) for each in declared] == [
        ("source.store", "s3://"),
        ("output.store", ""),
        ("catalog.store", "sqlite:"),
        ("notify[0].to", "log:"),
    ]


def test_checking_a_pipeline_imports_no_library_that_opens_its_parts(tmp_path: Path) -> None:
    write_pipeline(tmp_path, BASE64, '[[notify]]\non = ["done"]\nto = "events:default"\n')
    code = (
        "import json, sys; from pathlib import Path\n"
        "from renditions.pipeline_file.reading import load\n"
        "from renditions.pipeline_file.backend_checks import find_lambda_problems, find_missing_libraries\n"
        "pipeline = load(Path('renditions.toml')).pipeline\n"
        "assert not [*find_missing_libraries(pipeline), *find_lambda_problems(pipeline, is_built=False)]\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    modules = set(json.loads(told.stdout))
    assert not modules & {"botocore", "pyvips", "sqlite3", "watchfiles"}

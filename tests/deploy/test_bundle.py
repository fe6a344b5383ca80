"""The files in a bundle, and its bytes."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from jsonschema import Draft7Validator
from referencing import Registry

import renditions
from commands import run
from renditions.cli.packaging import _print_bundle, warn_of_size
from renditions.deploy.bill import write_bill
from renditions.deploy.bundle import PICTURES, Bundle, Part, Role, _own_files, build, find_libraries
from renditions.deploy.pins import Pins
from renditions.deploy.wheels import Target, _read_wheel, collect_libraries
from renditions.errors import Failed, UsageError
from renditions.model.pipeline import Accept, Pipeline
from renditions.pipeline_file.plain import from_plain
from renditions.pipeline_file.reading import load, parse, read_preset

HERE = Target("x86_64", f"{sys.version_info.major}.{sys.version_info.minor}")
NOT_HERE = Target("arm64", "3.99")
ELF_MACHINES = {"x86_64": 62, "arm64": 183}
"""The values of e_machine: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html"""


def preset(name: str) -> Pipeline:
    return parse(read_preset(name), name, Path(), {}).pipeline


def contents(bundle: Bundle) -> Mapping[str, bytes]:
    with zipfile.ZipFile(bundle.file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def build_from_index(pipeline: Pipeline, file: Path, target: Target, role: Role = PICTURES) -> Bundle:
    try:
        return build(pipeline, file, target, role)
    except Failed as error:
        pytest.fail(f"THIS TEST NEEDS THE PACKAGE INDEX (pip download), and could not use it: {error}")


def read_bill_schema() -> Draft7Validator:
    """Return the schema of a bill of materials, from CycloneDX's library."""
    folder = files("cyclonedx.schema") / "_res"
    schemas = [
        json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text())
        for name in ("bom-1.6", "spdx", "jsf-0.82")
    ]
    registry = Registry().with_contents([(schema["$id"], schema) for schema in schemas])
    return Draft7Validator(schemas[0], registry=registry)


def test_a_bundle_for_base64_is_small_and_has_no_compiled_file(tmp_path: Path) -> None:
    bundle = build(preset("base64"), tmp_path / "bundle.zip", NOT_HERE)
    assert bundle.size_bytes == bundle.file.stat().st_size < 1_000_000
    inside = contents(bundle)
    assert {name.rpartition(".")[2] for name in inside} == {"py", "json", "conf"}
    assert bundle.unzipped_bytes == sum(map(len, inside.values()))
    assert not bundle.has_bytecode
    assert {"lambda_function.py", "pipeline.json"} == {name for name in inside if "/" not in name}
    assert "renditions/serverless/function.py" in inside
    assert not any(
        name.startswith(tuple(f"renditions/{part}/" for part in ("cli", "demo", "deploy", "local", "web")))
        for name in inside
    )


def test_a_bundle_has_the_checked_pipeline(tmp_path: Path) -> None:
    pipeline = replace(preset("base64"), notify=preset("gallery").notify)
    bundle = build(pipeline, tmp_path / "bundle.zip", NOT_HERE)
    assert from_plain(json.loads(contents(bundle)["pipeline.json"])) == pipeline


def test_building_a_bundle_with_bytecode_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    hashes = set()
    for name in ("one.zip", "two.zip"):
        bundle = build(preset("base64"), tmp_path / name, HERE)
        assert bundle.has_bytecode
        hashes.add(hashlib.sha256(bundle.file.read_bytes()).hexdigest())
    assert len(hashes) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"one.zip", "two.zip"}


def test_the_bytes_of_a_bundle_change_with_the_pipeline_and_not_with_file_times(
    tmp_path: Path,
) -> None:
    """Terraform updates the function only if the bundle's bytes change."""
    touched = Path(renditions.__file__)
    before = touched.stat()
    hashes = []
    for number, more in enumerate(("", "", "data_uri = true\n")):
        folder = tmp_path / str(number)
        folder.mkdir()
        file = folder / "renditions.toml"
        file.write_text(read_preset("base64").replace('format = "base64"\n', f'format = "base64"\n{more}'))
        day = before.st_mtime + number * 86_400
        for path in (file, touched):
            os.utime(path, (day, day))
        bundle = build(load(file).pipeline, folder / "bundle.zip", HERE)
        hashes.append(hashlib.sha256(bundle.file.read_bytes()).hexdigest())
    os.utime(touched, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_changed_quality_changes_only_the_pipeline_in_the_bundle() -> None:
    one, other = (
        {file.path: file.content for file in _own_files(pipeline, PICTURES)}
        for pipeline in (preset("gallery"), with_quality(preset("gallery"), 71))
    )
    assert {path for path in one if one[path] != other[path]} == {"pipeline.json"}


def with_quality(pipeline: Pipeline, quality: int) -> Pipeline:
    changed = replace(pipeline.renditions["document"], quality=quality)
    return replace(pipeline, renditions={**pipeline.renditions, "document": changed})


def test_python_does_not_check_the_bytecode_in_a_bundle_against_its_source(tmp_path: Path) -> None:
    """In PEP 552, the flags 1 mean that the bytecode is hash-based and unchecked.

    The bytecode names the path that its source file has on Lambda.
    """
    inside = contents(build(preset("base64"), tmp_path / "bundle.zip", HERE))
    compiled = {name: content for name, content in inside.items() if name.endswith(".pyc")}
    sources = {name for name in inside if name.endswith(".py")}
    assert len(compiled) == len(sources)
    assert {content[4:8] for content in compiled.values()} == {b"\x01\0\0\0"}
    entry = inside[f"__pycache__/lambda_function.{sys.implementation.cache_tag}.pyc"]
    assert b"/var/task/lambda_function.py" in entry


def test_the_entries_of_a_bundle_are_sorted_undated_and_readable_by_all_users(tmp_path: Path) -> None:
    with zipfile.ZipFile(build(preset("base64"), tmp_path / "bundle.zip", NOT_HERE).file) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}


@pytest.mark.parametrize(
    ("name", "libraries"),
    [
        ("base64", ()),
        ("thumbnail", ("pyvips", "pyvips-binary", "pillow-heif")),
        ("shop", ("pyvips", "pyvips-binary", "fontpkg-open-sans")),
        ("gallery", ("pyvips", "pyvips-binary", "pillow-heif", "img2pdf")),
    ],
)
def test_a_bundle_has_the_libraries_that_the_pipeline_needs(name: str, libraries: tuple[str, ...]) -> None:
    assert find_libraries(preset(name)) == libraries


def test_a_bundle_contains_the_imaging_library_if_a_rule_needs_the_header() -> None:
    pipeline = replace(preset("base64"), accept=Accept(formats=("jpeg", "pdf"), min_width=200))
    assert find_libraries(pipeline) == ("pyvips", "pyvips-binary", "pypdfium2")


def test_a_bundle_has_dicom_libraries_if_dicom_is_accepted() -> None:
    pipeline = replace(preset("square"), accept=Accept(formats=("jpeg", "dicom")))
    assert find_libraries(pipeline) == (
        *("pyvips", "pyvips-binary"),
        *("pydicom", "pylibjpeg", "pylibjpeg-openjpeg"),
    )


def test_only_run_time_files_of_a_wheel_are_bundled(tmp_path: Path) -> None:
    wheel = tmp_path / "thing-1.2-py3-none-any.whl"
    kept = [
        "thing/__init__.py",
        "thing/fast.so",
        "thing.libs/libx.so.1",
        "thing-1.2.dist-info/METADATA",
        "thing-1.2.dist-info/entry_points.txt",
        "thing-1.2.dist-info/licenses/LICENSE",
    ]
    left = [
        "thing/tests/test_it.py",
        "thing/fast.pyx",
        "thing/fast.c",
        "thing/it.pyi",
        "thing/py.typed",
        "thing-1.2.dist-info/RECORD",
        "thing-1.2.dist-info/sboms/x.json",
        "thing-1.2.data/scripts/thing",
        "thing-1.2.data/headers/thing.h",
    ]
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in [*kept, *left, "thing-1.2.data/purelib/more.py"]:
            archive.writestr(name, "")
    files = list(_read_wheel(wheel))
    assert [file.path for file in files] == [*kept, "more.py"]
    assert {file.part for file in files} == {"thing 1.2"}


def test_building_a_bundle_fails_and_names_a_library_that_is_not_installed() -> None:
    with pytest.raises(UsageError, match=r"The bundle needs no-such-library, which isn't installed here"):
        list(collect_libraries(["no-such-library"], HERE, Pins()))


def test_building_a_bundle_for_a_platform_without_wheels_fails_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"can't download pyvips-binary, .* for arm64 and Python 2.7"):
        build(preset("thumbnail"), tmp_path / "bundle.zip", Target("arm64", "2.7"))
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_has_the_wheels_of_its_target_and_its_bill_lists_all_of_them(
    tmp_path: Path,
) -> None:
    target = Target("arm64", "3.13")
    bundle = build_from_index(preset("thumbnail"), tmp_path / "bundle.zip", target)
    assert bundle.size_bytes < 40_000_000
    compiled = {name: content for name, content in contents(bundle).items() if content[:4] == b"\x7fELF"}
    assert any("libvips" in name for name in compiled)
    assert {content[18] for content in compiled.values()} == {ELF_MACHINES[target.architecture]}
    assert bundle.parts[0].name.startswith("pyvips_binary ")
    assert sum(part.files for part in bundle.parts) == len(contents(bundle))

    write_bill(bundle.file, tmp_path / "bill.json")
    bill = json.loads((tmp_path / "bill.json").read_text())
    assert list(read_bill_schema().iter_errors(bill)) == []
    libraries = {library["purl"]: library for library in bill["components"] if library["type"] == "library"}
    assert {f"pkg:pypi/{part.name.replace(' ', '@').replace('_', '-')}" for part in bundle.parts} == {
        *libraries, "pkg:pypi/renditions"
    }  # fmt: skip
    assert all(library["licenses"] for library in libraries.values())
    listed = {file["name"]: file["hashes"][0]["content"] for file in bill["components"] if "purl" not in file}
    assert listed == {name: hashlib.sha256(content).hexdigest() for name, content in compiled.items()}
    whole = bill["metadata"]["component"]
    assert whole["hashes"][0]["content"] == hashlib.sha256(bundle.file.read_bytes()).hexdigest()


def test_package_prints_the_content_and_size_of_the_bundle(tmp_path: Path) -> None:
    (tmp_path / "renditions.toml").write_text(read_preset("base64"))
    data = run(tmp_path, "package", "-o", "pictures.zip", "--sbom", "pictures.cdx.json", "--json").data
    assert json.loads((tmp_path / "pictures.cdx.json").read_text())["components"] == []
    assert (data["file"], data["size_bytes"]) == ("pictures.zip", (tmp_path / "pictures.zip").stat().st_size)
    assert [part["name"] for part in data["parts"]] == ["renditions"]
    ended = run(tmp_path, "package", "-o", "no/such.zip")
    assert ended.code == 2
    assert "no/such.zip: No such file or directory. Choose another --output for package" in ended.err.replace(
        "\n", " "
    )


def test_package_lists_the_parts_of_a_bundle_with_the_largest_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parts = (Part("libvips 8", 3, 8_000_000), Part("renditions", 40, 80_000))
    _print_bundle(Bundle(Path("b.zip"), 8_080_000, 20_000_000, parts, has_bytecode=False), "3.13")
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        "in the bundle  files   zipped",
        "libvips 8          3   8.0 MB",
        "renditions        40  80.0 kB",
        "b.zip: 8.1 MB, 20.0 MB unzipped, handler lambda_function.lambda_handler",
    ]


def test_package_warns_of_a_bundle_that_lambda_accepts_only_from_a_bucket(
    capsys: pytest.CaptureFixture[str],
) -> None:
    warn_of_size(Bundle(Path("b.zip"), 50 * 2**20, 1, (), has_bytecode=True))
    assert not capsys.readouterr().err
    warn_of_size(Bundle(Path("b.zip"), 50 * 2**20 + 1, 1, (), has_bytecode=True))
    assert "warning: b.zip has 52.4 MB" in capsys.readouterr().err


def test_building_a_bundle_fails_with_the_reason_if_its_files_can_not_be_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("renditions.deploy.bundle._COMPILE", "raise OSError('No space left on device')")
    reason = (
        r"can't compile the bundle's files: \S+ ended with exit code 1 \(OSError: No space left on device\)"
    )
    with pytest.raises(Failed, match=reason):
        build(preset("base64"), tmp_path / "bundle.zip", HERE)
    assert list(tmp_path.iterdir()) == []


def test_building_a_bundle_says_what_to_do_if_the_disk_for_temporary_files_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(place: Path, _: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(place))

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(Failed, match=r"No space left on device.* Free space there, or set TMPDIR"):
        build(preset("base64"), tmp_path / "bundle.zip", HERE)
    assert list(tmp_path.iterdir()) == []


def test_building_a_bundle_gives_no_advice_about_temporary_files_if_something_else_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/opt/python")

    monkeypatch.setattr("renditions.deploy.bundle._find_python", lambda _: "/opt/python")
    monkeypatch.setattr("subprocess.run", fail)
    with pytest.raises(
        Failed, match=r"^can't build the bundle \(\[Errno 13\].*'/opt/python'\)\. Remove the cause"
    ):
        build(preset("base64"), tmp_path / "bundle.zip", HERE)


def test_building_a_bundle_says_what_to_do_if_there_is_no_folder_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(Failed, match=r"No such file or directory.* Free space there, or set TMPDIR"):
        build(preset("base64"), tmp_path / "bundle.zip", HERE)


def test_a_bundle_that_lambda_would_refuse_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bundle.zip"
    size_bytes = build(preset("base64"), file, NOT_HERE).unzipped_bytes
    file.unlink()
    monkeypatch.setattr("renditions.deploy.bundle.MOST_UNZIPPED_BYTES", size_bytes - 1)
    with pytest.raises(
        UsageError, match=rf"{size_bytes:,} bytes unzipped, .* at most {size_bytes - 1:,}\. Acc"
    ):
        build(preset("base64"), file, NOT_HERE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value", "choices"),
    [("--arch", "x86", "'arm64', 'x86_64'"), ("--python", "3.11", "'3.12', '3.13', '3.14'")],
)
@pytest.mark.parametrize("command", ["package", "deploy"])
def test_package_and_deploy_refuse_an_unsupported_processor_or_python(
    tmp_path: Path, command: str, option: str, value: str, choices: str
) -> None:
    ended = run(tmp_path, command, option, value)
    told = " ".join(ended.err.replace("│", " ").split())
    assert ended.code == 2
    assert f"Invalid value for '{option}': '{value}' is not one of {choices}." in told

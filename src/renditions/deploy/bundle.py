"""Build the zip that AWS Lambda runs.

The zip contains the modules of this package that a function uses, the libraries that the pipeline needs, and
the pipeline.

The same installation and the same pipeline give the same bytes. So a deployment changes only if its contents
change. The zip doesn't contain botocore, because Lambda's runtime includes it and keeps it up to date.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import renditions
from renditions.deploy.fonts import with_small_fonts
from renditions.deploy.pins import LOCKED, Pins
from renditions.deploy.wheels import BULK, File, Target, collect_libraries, open_temporary
from renditions.errors import Failed, UsageError
from renditions.imaging.extras import is_installed
from renditions.model.formats import OUTPUT_FORMATS, SOURCE_FORMATS
from renditions.model.pipeline import Pipeline
from renditions.pipeline_file.backend_checks import find_declared
from renditions.pipeline_file.plain import to_plain

LEFT_OUT = ("cli", "demo", "deploy", "local", "pipeline_file/presets")
"""The packages and folders that no function uses."""

_HEAD = '''"""The function's entry point. Lambda runs this once, when it starts the function."""

import os
from pathlib import Path

'''


@dataclass(frozen=True, slots=True)
class Role:
    """The kind of a Lambda function: its handler, and what its bundle contains."""

    handler: str
    """The text of the function's ``lambda_function.py``."""
    left_out: tuple[str, ...] = ()
    """The packages that the function doesn't use, in addition to ``LEFT_OUT``."""
    libraries: tuple[str, ...] = ()
    """The libraries that the function needs for every pipeline."""


PICTURES = Role(
    f"""{_HEAD}from renditions.serverless.function import open_function
from renditions.serverless.secrets import read_secrets

read_secrets(os.environ)
lambda_handler = open_function(Path(__file__).with_name("pipeline.json"), os.environ).handle
""",
    left_out=("web",),
)
API = Role(
    f"""{_HEAD}from renditions.serverless.gateway import open_gateway
from renditions.serverless.secrets import read_secrets

read_secrets(os.environ)
lambda_handler = open_gateway(Path(__file__).with_name("pipeline.json"), os.environ)
""",
    libraries=("mangum", "starlette"),
)

MOST_SENT_BYTES = 50 * 2**20
MOST_UNZIPPED_BYTES = 250 * 2**20
"""Lambda's limits on a bundle: for a zip that is uploaded directly, not through a bucket, and for the
unzipped content. Lambda's own error gives the second limit as 262144000 bytes.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

ZIP_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold."""

_COMPILE = """
import compileall, py_compile, sys
compileall.compile_dir(
    sys.argv[1], quiet=2, stripdir=sys.argv[1], prependdir="/var/task", workers=1,
    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
)
"""
"""The script that compiles the bundle, for the target's Python. It skips files that it can't compile."""


@dataclass(frozen=True, slots=True)
class Part:
    """One library in a bundle, or this package."""

    name: str
    files: int
    size_bytes: int
    """The size of the part's compressed files in the zip."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A zip that :func:`build` wrote."""

    file: Path
    size_bytes: int
    unzipped_bytes: int
    parts: tuple[Part, ...]
    """The parts, the largest first."""
    has_bytecode: bool
    """Whether the bundle has bytecode. It has some if this machine has the target's Python."""


def build(
    pipeline: Pipeline, file: Path, target: Target, role: Role = PICTURES, lock: Path = LOCKED
) -> Bundle:
    """Write the bundle that runs this pipeline.

    Args:
        pipeline: A checked pipeline. The function's environment can still replace its stores.
        file: The zip to write. If an error occurs, an existing file stays unchanged.
        target: The processor and the Python that the bundle runs on.
        role: The kind of the function.
        lock: The file with the hashes of the libraries, see ``Pins``.

    Raises:
        UsageError: The file can't be written, a library that the bundle needs isn't installed here, fonttools
            isn't installed although a watermark declares a font, a wheel isn't in the lock, the lock can't be
            read, there is neither pip nor uv, or the content is larger than Lambda allows.
        Failed: pip can't download a library for the target, the target's Python can't compile the files,
            there is no space for temporary files, or the bundled font can't be read.

    """
    libraries = (*role.libraries, *find_libraries(pipeline))
    files = [*_own_files(pipeline, role), *collect_libraries(libraries, target, Pins(lock))]
    bytecode = list(_compile(files, target))
    unzipped_bytes = sum(len(entry.content) for entry in files + bytecode)
    _check_size(unzipped_bytes, file)
    temporary = file.with_name(f".{file.name}.part")
    try:
        sizes = _write_zip(temporary, files + bytecode)
        temporary.replace(file)
    except OSError as error:
        raise UsageError(
            f"can't write {file}: {error.strerror}. Choose another --output for package, or "
            "another --folder for deploy."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return Bundle(
        file,
        file.stat().st_size,
        unzipped_bytes,
        tuple(sorted(_weigh(files + bytecode, sizes), key=lambda part: (-part.size_bytes, part.name))),
        bool(bytecode),
    )


def find_libraries(pipeline: Pipeline) -> tuple[str, ...]:
    """Return the libraries that a pipeline needs on Lambda, by their names on PyPI."""
    declared = [library for part in find_declared(pipeline) for library in part.backend.libraries]
    return (*_find_picture_libraries(pipeline), *dict.fromkeys(declared))


def _find_picture_libraries(pipeline: Pipeline) -> tuple[str, ...]:
    recipes = pipeline.renditions.values()
    rules = pipeline.accept
    needs_pixels = any(recipe.needs_pixels for recipe in recipes)
    if not needs_pixels and not rules.needs_header and not pipeline.analyze.is_wanted:
        return ()
    # By default the pipeline accepts all formats that this machine can read, and so must the function.
    sources = [SOURCE_FORMATS[name] for name in rules.formats]
    read = [each for each in sources if not each.is_default or is_installed(each.name)]
    made = [each for each in OUTPUT_FORMATS.values() if any(recipe.format == each.name for recipe in recipes)]
    libraries = [*(each.libraries for each in read), *(each.libraries for each in made)]
    extras = [library.distribution for each in libraries for library in each]
    if any(recipe.watermark and recipe.watermark.text for recipe in recipes):
        extras.append("fontpkg-open-sans")
    return ("pyvips", "pyvips-binary", *extras)


def _own_files(pipeline: Pipeline, role: Role) -> Iterator[File]:
    name = "renditions"
    root = Path(next(iter(renditions.__path__)))
    left_out = tuple(f"{folder}/" for folder in (*LEFT_OUT, *role.left_out))
    for path in filter(Path.is_file, root.rglob("*")):
        inner = path.relative_to(root).as_posix()
        if not inner.startswith(left_out) and not BULK.search(f"/{inner}"):
            yield File(name, f"renditions/{inner}", path.read_bytes())
    yield File(name, "lambda_function.py", role.handler.encode())
    yield File(
        name, "pipeline.json", json.dumps(to_plain(with_small_fonts(pipeline)), indent=1).encode() + b"\n"
    )


def _check_size(unzipped_bytes: int, file: Path) -> None:
    if unzipped_bytes > MOST_UNZIPPED_BYTES:
        raise UsageError(
            f"can't build {file}: its content has {unzipped_bytes:,} bytes unzipped, and Lambda accepts at "
            f"most {MOST_UNZIPPED_BYTES:,}. Accept fewer formats, or run renditions worker on a machine."
        )


def _compile(files: Iterable[File], target: Target) -> Iterator[File]:
    """Yield the bytecode of the files, if the target's Python is installed.

    A function can't store bytecode. Without bytecode in the bundle, each cold start would compile the files
    that it imports. The function's Python doesn't check the bytecode against its source, so the files' times
    don't matter.

    Raises:
        Failed: The interpreter ended with an error, or there is no space for temporary files.

    """
    python = _find_python(target.python)
    if python is None:
        return
    parts = {entry.path: entry.part for entry in files}
    with open_temporary() as folder:
        for entry in files:
            place = folder / entry.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(entry.content)
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        environ["PYTHONHASHSEED"] = "0"  # the order of sets in bytecode depends on it
        command = [python, "-P", "-S", "-s", "-c", _COMPILE, str(folder)]
        ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)  # noqa: S603 - no shell, our own words
        if ended.returncode:
            reason = (ended.stderr.strip().splitlines() or ["no message"])[-1]
            raise Failed(
                f"can't compile the bundle's files: {python} ended with exit code {ended.returncode} "
                f"({reason}). Check this Python, and the space for temporary files"
            )
        for path in folder.rglob("*.pyc"):
            inner = PurePosixPath(path.relative_to(folder).as_posix())
            source = inner.parent.parent / f"{inner.name.partition('.')[0]}.py"
            yield File(parts[str(source)], str(inner), path.read_bytes())


def _find_python(version: str) -> str | None:
    """Return an installed and working interpreter of this version.

    Return None if there is none.
    """
    for python in (sys.executable, shutil.which(f"python{version}")):
        if python is None:
            continue
        code = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2])"
        ended = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=False)  # noqa: S603 - as below
        if ended.stdout == f"cpython {version}\n":
            return python
    return None


def _write_zip(file: Path, entries: Iterable[File]) -> Mapping[str, int]:
    """Write the entries in the order of their paths, all with the same date.

    Return their zipped sizes.
    """
    sizes = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for entry in sorted(entries, key=lambda entry: entry.path):
            info = zipfile.ZipInfo(entry.path, ZIP_DATE)
            info.create_system = 3  # Unix, so that unzipping uses the mode below
            info.external_attr = 0o100644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, entry.content)
            sizes[entry.path] = info.compress_size
    return sizes


def _weigh(entries: Iterable[File], sizes: Mapping[str, int]) -> Iterator[Part]:
    paths: dict[str, list[str]] = {}
    for entry in entries:
        paths.setdefault(entry.part, []).append(entry.path)
    for name, inside in paths.items():
        yield Part(name, len(inside), sum(sizes[path] for path in inside))

"""Open the stores that a pipeline names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from renditions.core.bin import Bin
from renditions.core.ports import Store
from renditions.core.read_only import ReadOnlyStore
from renditions.errors import UsageError
from renditions.model.pipeline import Pipeline
from renditions.model.places import parse_store
from renditions.model.registry import Shared, resolve
from renditions.pipeline_file.backend_checks import Declared, describe_missing, find_declared


def open_source(pipeline: Pipeline, directory: Path, shared: Shared) -> Store:
    """Open only the pipeline's source. With ``read_only``, the store refuses changes.

    Raises:
        UsageError: A library for the source isn't installed, or AWS has no region or profile configured.

    """
    source, *_ = find_declared(pipeline)
    store: Store = load_opener(source)(parse_store(source.url, directory), pipeline.source, shared)
    return ReadOnlyStore(store) if pipeline.source.read_only else store


def open_bin(pipeline: Pipeline, directory: Path, shared: Shared) -> Bin | None:
    """Open the bin of the source.

    Return None if the source is read-only, or if a source of this kind has no bin.
    """
    source, *_ = find_declared(pipeline)
    opener = source.backend.bin_opener
    if pipeline.source.read_only or opener is None:
        return None
    opened: Bin = resolve(opener)(parse_store(source.url, directory), shared)
    return opened


def open_output(pipeline: Pipeline, directory: Path, shared: Shared) -> Store:
    """Open only the pipeline's output store.

    Raises:
        UsageError: A library for the store isn't installed, or AWS has no region or profile configured.

    """
    _, output, *_ = find_declared(pipeline)
    store: Store = load_opener(output)(parse_store(output.url, directory), pipeline.output, shared)
    return store


def load_opener(declared: Declared) -> Any:
    """Import the function that opens a part.

    :mod:`renditions.model.backends` describes its arguments.

    Raises:
        UsageError: A library of the part isn't installed.

    """
    try:
        return resolve(declared.backend.opener)
    except ModuleNotFoundError as error:
        if declared.backend.extra is None:
            raise
        raise UsageError(str(describe_missing(declared, error.name or ""))) from error

"""Check whether the stores, catalog and notice targets can be opened.

The reader has already checked the forms of the URLs. To open a URL, a machine also needs the right libraries,
and a function on Lambda can't open every kind of URL. For a pipeline that the reader hasn't checked, the
functions here raise the error of :func:`find_declared`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from renditions.errors import Problem, UsageError
from renditions.model.backends import CATALOGS, NOTIFIERS, STORES, Backend, spell_forms
from renditions.model.pipeline import Pipeline
from renditions.model.registry import is_installed, resolve


@dataclass(frozen=True, slots=True)
class Declared:
    """One store, catalog or notice target, as a pipeline declares it."""

    place: str
    """The dotted path of its field in the pipeline file."""
    url: str
    backend: Backend
    table: Sequence[Backend]
    variable: str | None = None
    """The environment variable that can name another store or table on Lambda; None for a notice target."""


def find_declared(pipeline: Pipeline) -> tuple[Declared, ...]:
    """Return the source, the output store, the catalog and then each notice target.

    Raises:
        UsageError: The kind of a URL is unknown.

    """
    return (
        _find("source.store", pipeline.source.store, STORES, "SOURCE_BUCKET"),
        _find("output.store", pipeline.output.store, STORES, "OUTPUT_BUCKET"),
        _find("catalog.store", pipeline.catalog.store, CATALOGS, "TABLE_NAME"),
        *(
            _find(f"notify[{number}].to", notify.to, NOTIFIERS)
            for number, notify in enumerate(pipeline.notify)
        ),
    )


def _find(place: str, url: str, table: Sequence[Backend], variable: str | None = None) -> Declared:
    for backend in table:
        if url.startswith(backend.prefix):
            return Declared(place, url, backend, table, variable)
    raise UsageError(str(Problem(place, spell_forms(table), repr(url))))


def find_missing_libraries(pipeline: Pipeline) -> Iterator[Problem]:
    """Yield a problem for each store, catalog or target that lacks a library here."""
    for declared in find_declared(pipeline):
        for module in declared.backend.modules:
            if not is_installed(module):
                yield describe_missing(declared, module)


def describe_missing(declared: Declared, module: str) -> Problem:
    """Return the problem of a missing library, with the command that installs it."""
    extra = declared.backend.extra
    return Problem(
        declared.place,
        f"the library {module} for {declared.backend.form} (pip install 'renditions[{extra}]')",
        "none",
    )


def find_target_problems(pipeline: Pipeline, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Yield a problem for each notice target's URL or secret that isn't valid.

    A variable in it isn't set in ``environ``, or the value is invalid.
    """
    _, _, _, *targets = find_declared(pipeline)
    for notify, target in zip(pipeline.notify, targets, strict=True):
        if target.backend.checker:
            table = target.place.rpartition(".")[0]
            yield from resolve(target.backend.checker)(table, notify, environ)


def find_lambda_problems(pipeline: Pipeline, *, is_built: bool) -> Iterator[Problem]:
    """Yield a problem for each place in the pipeline that Lambda can't open.

    A place is a store, a catalog or a notice target. Also yield a problem for ``[accept] fonts = "system"``,
    because a function's machine has no fonts.

    Args:
        pipeline: A checked pipeline.
        is_built: Whether the function already runs. Until then, its environment may still name a bucket or a
            table instead of a folder or a file.

    """
    for declared in find_declared(pipeline):
        if declared.backend.runs_on_lambda or (declared.variable and not is_built):
            continue
        usable = spell_forms([backend for backend in declared.table if backend.runs_on_lambda])
        instead = f" (or {declared.variable} in the environment)" if declared.variable else ""
        yield Problem(declared.place, f"{usable} on Lambda{instead}", repr(declared.url))
    if pipeline.accept.fonts == "system":
        yield Problem("accept.fonts", "'bundled' on Lambda, where a machine has no fonts", "'system'")

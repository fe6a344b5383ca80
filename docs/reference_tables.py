"""Write the tables of the reference that come from the code.

``python docs/reference_tables.py`` writes ``reference/commands.md``, ``reference/http.md``,
``reference/metrics.md`` and the cures in ``errors.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from renditions.cli.app import app
from renditions.errors import RenditionsError
from renditions.model.warning import WARNINGS
from renditions.serverless.telemetry import METRICS
from renditions.web.causes import ADVICE
from renditions.web.operations import ALWAYS, SUBJECTS, Operation, Parameter
from renditions.web.problems import REQUEST_CODES

DOCUMENTS = Path(__file__).parent
BEGIN, END = "<!-- generated: begin -->\n", "<!-- generated: end -->"
CALLERS_ADVICE: Mapping[str, str] = {
    "disk-full": "Free space on the server's disk, and then upload again.",
    "error": "Read the message: it says what failed and what to do.",
    "invalid-usage": "Correct the call. `--help` lists the options, `renditions list` the names.",
    "invalid-pipeline": "Correct the fields that the message names. `renditions check` lists all mistakes.",
    "other-pipeline": "Use the right pipeline file. Or hand the catalog over: `renditions sync --rebind`.",
    "catalog-lost": "Restore the catalog from a backup, or take the outputs over: `renditions sync --adopt`.",
    "superseded": "Use the version of the pipeline file that was applied last, or apply yours.",
    "changed-meanwhile": "Read it again, and repeat the call.",
    "invalid-request": "Correct the parameters or the body that `errors` and `detail` name.",
    "unauthorized": "Send the token: `Authorization: Bearer …`. The server prints it when it starts.",
    "forbidden": "Send the request from the server's own page, or allow the origin with `--allow-origin`.",
    "not-found": "Check the name. `GET /pictures` lists the names.",
    "method-not-allowed": "See the methods in [the API](reference/http.md).",
    "conflict": "Read the picture again, and repeat the request with its new ETag.",
    "request-too-large": "Send a smaller file, or raise `[accept] max_bytes`.",
    "unsupported-media-type": "Send JSON, with `Content-Type: application/json`.",
    "range-not-satisfiable": "Ask for a range within the file.",
    "unknown-host": "Start the server with `--allowed-host NAME:PORT`.",
    "too-many-requests": "Wait as long as `Retry-After` says.",
    "answer-too-large": "Ask for fewer records, or take the file from the URL in `links`.",
    "busy": "Wait as long as `Retry-After` says.",
}
"""What to do about the codes that no picture has."""


def table(headings: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    lines = ["| " + " | ".join(headings) + " |", "| " + " | ".join("---" for _ in headings) + " |"]
    return "\n".join([*lines, *("| " + " | ".join(cells) + " |" for cells in rows)])


def describe_commands() -> str:
    """Return a section for each command, with its arguments and options."""
    group = typer.main.get_command(app)
    sections = ["## Before the command", table(("option", "meaning"), _options(group.params))]
    for name in group.list_commands(None):  # type: ignore[attr-defined]
        command = group.get_command(None, name)  # type: ignore[attr-defined]
        inner = getattr(command, "commands", {})
        found = {f"{name} {each}": inner[each] for each in inner} or {name: command}
        for full, each in found.items():
            sections += [f"## `renditions {full}`", _summary(each)]
            if rows := list(_options(each.params)):
                sections.append(table(("argument or option", "meaning"), iter(rows)))
    return "\n\n".join(sections)


def _summary(command: Any) -> str:
    return " ".join((command.help or "").split())


def _options(params: list[Any]) -> Iterator[tuple[str, str]]:
    for each in params:
        if each.name in ("help", "install_completion", "show_completion"):
            continue
        if each.param_type_name == "argument":
            name = each.metavar or each.name.upper()
        else:
            name = " ".join(filter(None, (", ".join((*each.opts, *each.secondary_opts)), each.metavar)))
        yield f"`{name}`", _meaning(each)


def _meaning(param: Any) -> str:
    parts = [(param.help or "").rstrip()]
    if choices := getattr(param.type, "choices", None):
        parts.append(f"One of {', '.join(f'`{each}`' for each in choices)}.")
    if (low := getattr(param.type, "min", None)) is not None:
        high = getattr(param.type, "max", None)
        parts.append(f"From {low}{'' if high is None else f' to {high}'}.")
    default = param.default
    if isinstance(default, str | int) and not isinstance(default, bool) and param.name != "workers":
        parts.append(f"By default `{default}`.")
    if param.name == "workers":
        parts.append("By default one for each processor.")
    if param.envvar:
        parts.append(f"Also by the variable `{param.envvar}`.")
    return " ".join(filter(None, parts)).replace("|", "\\|").replace("<", "&lt;")


def describe_api() -> str:
    """Return a section for each subject of the API, with a table of its requests."""
    always = ", ".join(str(int(status)) for status in ALWAYS)
    sections = [f"Every request can also be answered with {always}."]
    for subject, operations in SUBJECTS.items():
        sections += [
            f"## {subject.capitalize()}",
            table(("request", "what it does", "answers"), _requests(operations)),
        ]
        parameters = {each.name: each for operation in operations for each in operation.query}
        if parameters:
            rows = ((f"`{each.name}`", _values(each), each.description) for each in parameters.values())
            sections.append(table(("parameter", "values", "meaning"), rows))
    return "\n\n".join(sections)


def _requests(operations: tuple[Operation, ...]) -> Iterator[tuple[str, str, str]]:
    for each in operations:
        query = "&".join(f"{one.name}=" for one in each.query)
        request = f"`{each.method.upper()} {each.path}{'?' + query if query else ''}`"
        signed = " A signed URL needs no token." if each.is_signable else ""
        answers = ", ".join(str(int(status)) for status in (*each.answers, *each.problems))
        yield request, f"{each.summary}.{signed}", answers


def _values(parameter: Parameter) -> str:
    schema = parameter.schema
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    limits = [
        f"{word} {schema[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema
    ]
    return " ".join([str(schema.get("type", "")), *limits])


def describe_metrics() -> str:
    """Return the table of the metrics."""
    rows = (
        (f"`{name}`", each.unit, ", ".join(f"`{one}`" for one in each.dimensions.split(", ")), each.meaning)
        for name, each in METRICS.items()
    )
    return table(("metric", "unit", "dimensions", "meaning"), rows)


def list_codes(parent: type[RenditionsError] = RenditionsError) -> list[str]:
    """Return the codes of the package's errors, each before those of its subclasses."""
    below = [each for each in parent.__subclasses__() if each.__module__ == RenditionsError.__module__]
    return [parent.code, *(code for child in below for code in list_codes(child))]


def describe_cures() -> str:
    """Return the table of what to do, for every code of an error and of a warning."""
    codes = dict.fromkeys([*list_codes(), *REQUEST_CODES.values(), *map(str, WARNINGS)])
    advice = {**ADVICE, **CALLERS_ADVICE}
    return table(("code", "what to do"), ((f"`{code}`", advice[code]) for code in codes))


PAGES: Mapping[str, Callable[[], str]] = {
    "reference/commands.md": describe_commands,
    "reference/http.md": describe_api,
    "reference/metrics.md": describe_metrics,
    "errors.md": describe_cures,
}


def read_generated(name: str) -> str:
    """Return what the page has between the marks."""
    return (DOCUMENTS / name).read_text("utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def main() -> None:
    """Replace what the pages have between the marks."""
    for name, describe in PAGES.items():
        before, _, rest = (DOCUMENTS / name).read_text("utf-8").partition(BEGIN)
        text = f"{before}{BEGIN}\n{describe()}\n\n{END}{rest.partition(END)[2]}"
        (DOCUMENTS / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()

"""The command that builds a function's bundle."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from renditions.cli import display
from renditions.cli.app import FileOption, JsonOption, chosen_file
from renditions.cli.console import messages
from renditions.cli.markup import escape
from renditions.deploy.bill import write_bill
from renditions.deploy.bundle import (
    API,
    MOST_SENT_BYTES,
    PICTURES,
    Bundle,
    build,
)
from renditions.deploy.negotiation import write_function
from renditions.deploy.pins import LOCKED
from renditions.deploy.wheels import ARCHITECTURE, PYTHON, Architecture, Target
from renditions.errors import PipelineError
from renditions.model.pipeline import Pipeline
from renditions.pipeline_file.backend_checks import find_lambda_problems
from renditions.pipeline_file.reading import load

ArchitectureOption = Annotated[
    Architecture, typer.Option("--arch", help="The processor that the function runs on.")
]
PythonOption = Annotated[
    Literal["3.12", "3.13", "3.14"], typer.Option(help="The function's version of Python.")
]
"""Lambda's Python versions on Amazon Linux 2023. The C library of earlier systems is too old for the wheels.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html"""

LockOption = Annotated[
    Path,
    typer.Option(
        "--lock",
        metavar="FILE",
        help="A requirements file with versions and hashes of the libraries (default: the libraries that "
        "this version was tested with).",
        show_default=False,
    ),
]


def package(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The zip to write.")] = Path(
        "bundle.zip"
    ),
    architecture: ArchitectureOption = ARCHITECTURE,
    python: PythonOption = PYTHON,
    file: FileOption = None,
    lock: LockOption = LOCKED,
    *,
    is_api: Annotated[
        bool, typer.Option("--api", help="Build the function that serves the API behind API Gateway.")
    ] = False,
    bill: Annotated[
        Path | None,
        typer.Option(
            "--sbom",
            metavar="FILE",
            help="Also write a list of the bundle's contents to this file (CycloneDX), for scanners.",
        ),
    ] = None,
    accept_function: Annotated[
        Path | None,
        typer.Option(
            "--accept-function",
            metavar="FILE",
            help="Also write CloudFront's function that chooses formats (JavaScript) to this file.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Build the zip that AWS Lambda runs. It contains the pipeline."""
    pipeline = load_for_lambda(chosen_file(context, file))
    bundle = build(pipeline, output, Target(architecture, python), API if is_api else PICTURES, lock)
    if bill:
        write_bill(bundle.file, bill)
    if accept_function:
        write_function(pipeline, accept_function)
    if as_json:
        display.print_json(dataclasses.asdict(bundle) | {"file": str(bundle.file)})
    else:
        _print_bundle(bundle, python)
    warn_of_size(bundle)


def load_for_lambda(file: Path) -> Pipeline:
    """Read the pipeline file for a function, and print its warnings.

    Raises:
        PipelineError: The file can't be read or isn't valid, or a function can't use what it declares.

    """
    loaded = load(file)
    for warning in loaded.warnings:
        messages.print(f"[yellow]warning:[/] {escape(str(warning))}")
    if problems := tuple(find_lambda_problems(loaded.pipeline, is_built=False)):
        raise PipelineError(str(file), loaded.locate(problems))
    return loaded.pipeline


def warn_of_size(bundle: Bundle) -> None:
    """Warn if Lambda accepts the bundle only through a bucket."""
    if bundle.size_bytes > MOST_SENT_BYTES:
        messages.print(
            f"[yellow]warning:[/] {escape(str(bundle.file))} has {display.format_bytes(bundle.size_bytes)}, "
            f"and Lambda accepts at most {display.format_bytes(MOST_SENT_BYTES)} directly. Upload it to a "
            "bucket, and create the function from there. renditions deploy and the Terraform module do this."
        )


def _print_bundle(bundle: Bundle, python: str) -> None:
    """Print the parts of a bundle, the largest first."""
    console = display.make_data_console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("in the bundle", overflow="fold")
    table.add_column("files", justify="right")
    table.add_column("zipped", justify="right")
    for part in bundle.parts:
        table.add_row(escape(part.name), f"{part.files:,}", display.format_bytes(part.size_bytes))
    console.print(table)
    console.print(
        f"{escape(str(bundle.file))}: {display.format_bytes(bundle.size_bytes)}, "
        f"{display.format_bytes(bundle.unzipped_bytes)} unzipped, handler lambda_function.lambda_handler",
        soft_wrap=True,
    )
    if not bundle.has_bytecode:
        messages.print(
            f"python{python} isn't installed here, so the bundle has no bytecode: cold starts take longer."
        )

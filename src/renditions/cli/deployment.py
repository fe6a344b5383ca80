"""The commands that deploy a pipeline to AWS and destroy the deployment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from renditions.cli import display
from renditions.cli.app import FileOption, JsonOption, chosen_file
from renditions.cli.console import messages
from renditions.cli.packaging import (
    ArchitectureOption,
    LockOption,
    PythonOption,
    load_for_lambda,
    warn_of_size,
)
from renditions.cli.questions import ask
from renditions.deploy.bundle import build
from renditions.deploy.pins import LOCKED
from renditions.deploy.terraform import BUNDLE, Deployment, find_program
from renditions.deploy.wheels import Target

FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--folder", metavar="FOLDER", help="Terraform's folder (default: deployment/ beside the file)."
    ),
]
NameOption = Annotated[
    str | None,
    typer.Option(
        "--name", metavar="NAME", help="The deployment's name (default: that of the pipeline file's folder)."
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", help="Apply the plan without asking.")]

NAME_ADVICE = (
    "If they say that a log group already exists, another deployment has this name: choose another --name."
)


def deploy(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    file: FileOption = None,
    folder: FolderOption = None,
    architecture: ArchitectureOption = "arm64",
    python: PythonOption = "3.13",
    lock: LockOption = LOCKED,
    name: NameOption = None,
    *,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Build the bundle and deploy it to AWS with Terraform or OpenTofu."""
    path = chosen_file(context, file)
    deployment = _open_deployment(path, folder)
    pipeline = load_for_lambda(path)
    target = Target(architecture, python)
    name = deployment.choose_name(path, name)
    deployment.write(pipeline, target, path, name)
    if deployment.takes("name"):
        messages.print(f"Deploying as {name}.")
    warn_of_size(build(pipeline, deployment.folder / BUNDLE, target, lock=lock))
    if deployment.plan():
        ask("Apply this plan?", yes=yes)
        deployment.apply(NAME_ADVICE)
    outputs = deployment.read_outputs()
    if as_json:
        display.print_json(dict(outputs))
    else:
        typer.echo(f"Upload pictures to {outputs['upload_to']}")


def destroy(
    context: typer.Context,
    file: FileOption = None,
    folder: FolderOption = None,
    *,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Also delete pictures, renditions and records.")
    ] = False,
    yes: YesOption = False,
) -> None:
    """Destroy the deployment; keep buckets and the table unless you pass --pictures."""
    deployment = _open_deployment(chosen_file(context, file), folder)
    if not deployment.plan_destruction(with_pictures=pictures):
        messages.print("There is nothing to destroy.")
        return
    what = "all this, with every picture, rendition and record" if pictures else "all this"
    ask(f"Destroy {what}?", yes=yes)
    if pictures:
        deployment.unlock_pictures()
    deployment.apply()
    if not pictures:
        messages.print(
            "Pictures, renditions and records are kept: renditions deploy uses them again, "
            "renditions destroy --pictures deletes them."
        )


def _open_deployment(file: Path, folder: Path | None) -> Deployment:
    return Deployment((folder or file.parent / "deployment").absolute(), find_program())

"""The commands that deploy a pipeline to AWS and destroy the deployment."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
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
)
from renditions.cli.questions import ask, is_yes
from renditions.deploy.bundle import build
from renditions.deploy.pins import LOCKED
from renditions.deploy.terraform import BUNDLE, Deployment, find_program
from renditions.deploy.wheels import ARCHITECTURE, PYTHON, Target
from renditions.errors import UsageError
from renditions.model.pipeline import Pipeline
from renditions.model.places import S3Place, parse_store

FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        metavar="FOLDER",
        help="Terraform's folder (default: deployment/ beside the pipeline file).",
    ),
]
NameOption = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="NAME",
        help="The deployment's name (default: its present name, or else the name of the "
        "pipeline file's folder).",
    ),
]
SyncOption = Annotated[
    bool | None,
    typer.Option(
        "--sync/--no-sync",
        help="Compare all pictures with the pipeline afterwards (default: ask after a change, "
        "unless you pass --yes).",
        show_default=False,
    ),
]
PlanOnlyOption = Annotated[bool, typer.Option("--plan-only", help="Show the plan, and apply nothing.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Apply the plan without asking.")]

NOT_APPLIED = "Nothing was applied. To apply the plan, run renditions deploy."
SYNC_QUESTION = "Compare all pictures with the pipeline now?"
TICK = {"source": "renditions", "detail-type": "Reconcile"}
"""The schedule's message to the function."""
NAME_ADVICE = (
    "If the messages say that a log group already exists, another deployment has this name: choose another "
    "--name."
)


def deploy(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    file: FileOption = None,
    folder: FolderOption = None,
    architecture: ArchitectureOption = ARCHITECTURE,
    python: PythonOption = PYTHON,
    lock: LockOption = LOCKED,
    name: NameOption = None,
    *,
    plan_only: PlanOnlyOption = False,
    sync: SyncOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Build the bundle and deploy it to AWS with Terraform or OpenTofu."""
    path = chosen_file(context, file)
    deployment = _open_deployment(path, folder)
    pipeline = load_for_lambda(path)
    target = Target(architecture, python)
    _check_buckets(deployment, pipeline, target)
    name = deployment.choose_name(path, name)
    deployment.write(pipeline, target, path, name)
    for variable in deployment.find_unset(pipeline):
        messages.print(
            f"The function gets no {variable}, so notices that need it can't be sent. Add it to secrets in "
            f"{deployment.folder / 'main.tf'}, as in docs/lambda.md.",
            style="yellow",
        )
    if deployment.takes("name"):
        messages.print(f"Deploying as {name}.")
    build(pipeline, deployment.folder / BUNDLE, target, lock=lock)
    is_changed = deployment.plan()
    if plan_only:
        messages.print(NOT_APPLIED)
        return
    if is_changed:
        ask("Apply this plan?", yes=yes, otherwise=NOT_APPLIED)
        deployment.apply(NAME_ADVICE)
    outputs = deployment.read_outputs()
    if sync is None and is_changed:
        sync = not yes and is_yes(SYNC_QUESTION)
        if not sync:
            messages.print("To compare all pictures with the pipeline now, run renditions deploy --sync.")
    if sync:
        _start_sync(deployment)
    if as_json:
        display.print_json(dict(outputs))
    elif "upload_to" in outputs:  # people edit main.tf
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


def _check_buckets(deployment: Deployment, pipeline: Pipeline, target: Target) -> None:
    """Check the buckets that the pipeline names, and report what main.tf ignores.

    Raises:
        UsageError: The deployment can't use a bucket.

    """
    unused = deployment.find_unused(pipeline, target)
    for value in unused:
        messages.print(
            f"{deployment.folder / 'main.tf'} ignores a value of the pipeline: it doesn't use "
            f"var.pipeline.{value}. Add it as in module/README.md, or move main.tf away to get a new one.",
            style="yellow",
        )
    for value, store, sends_events in (
        ("input_bucket", pipeline.source.store, True),
        ("output_bucket", pipeline.output.store, False),
    ):
        place = parse_store(store, Path())
        if isinstance(place, S3Place) and value not in unused:
            _load_aws().check_bucket(place.bucket, sends_events=sends_events)


def _start_sync(deployment: Deployment) -> None:
    """Have the deployed function compare all pictures with its pipeline.

    Raise UsageError if there is no such function.
    """
    function = deployment.read_function()
    if function is None:
        raise UsageError(
            f"{deployment.folder} has no function that could sync. Check main.tf: it must call the module."
        )
    _load_aws().start_function(function, TICK)
    messages.print("The function compares all pictures with the pipeline now. Its log shows what it finds.")


def _load_aws() -> ModuleType:
    """Import the module that calls AWS without Terraform.

    Raises:
        UsageError: botocore isn't installed.

    """
    try:
        from renditions.aws import deployed  # noqa: PLC0415 - only here, an extra
    except ModuleNotFoundError as error:
        raise UsageError(f"{error.name} isn't installed. Run: pip install 'renditions[aws]'") from error
    return deployed


def _open_deployment(file: Path, folder: Path | None) -> Deployment:
    return Deployment((folder or file.parent / "deployment").absolute(), find_program())

"""The option ``--from-terraform``: reads a deployment from Terraform's outputs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from renditions.deploy.terraform import Deployment, find_program
from renditions.errors import UsageError
from renditions.serverless.secrets import read_secrets

FromTerraformOption = Annotated[
    Path | None,
    typer.Option(
        "--from-terraform",
        metavar="DIR",
        help="Take the function's environment variables and secrets from the deployment in this Terraform "
        "folder.",
    ),
]


@dataclass(frozen=True, slots=True)
class Deployed:
    """The environment and the queues of a deployment."""

    environment: Mapping[str, str]
    """This process's environment, with the function's variables."""
    queue: str
    """The URL of the queue; empty without one."""
    dead_letter_queue: str
    """The URL of the dead-letter queue; empty if it isn't known."""


def read_deployed(folder: Path | None, queue: str | None) -> Deployed:
    """Return the deployment in Terraform's folder.

    Without a folder, the result has this process's own environment.

    Args:
        folder: The folder of Terraform's root module.
        queue: The queue that the command line names. It takes precedence over the deployment's queue.

    Raises:
        UsageError: There is no such folder, its ``main.tf`` lacks the output ``environment``, neither
            Terraform nor OpenTofu is installed, AWS has no region configured, or botocore isn't installed but
            a secret must be read.
        Failed: Terraform failed, or a secret that the function reads can't be read.

    """
    if folder is None:
        return Deployed(os.environ, queue or "", "")
    if not folder.is_dir():
        raise UsageError(
            f"--from-terraform: there is no folder {str(folder)!r}. Name Terraform's root folder."
        )
    outputs = Deployment(folder.absolute(), find_program()).read_outputs()
    environment = outputs.get("environment")
    if environment is None:
        raise UsageError(
            f'--from-terraform: {folder} has no output "environment". Add it to main.tf as in '
            "docs/worker.md, and apply it with Terraform."
        )
    variables = {name: str(value) for name, value in environment.items()}
    dead_letter_queue = str(outputs.get("dead_letter_queue_url") or "")
    merged = {**os.environ, **variables}
    read_secrets(merged)
    return Deployed(merged, queue or variables.get("QUEUE_URL", ""), dead_letter_queue)

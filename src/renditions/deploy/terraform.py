"""A deployment: a folder in which Terraform or OpenTofu runs.

main.tf                     calls the module; ``deploy`` writes it only if it doesn't exist: users edit it
pipeline.auto.tfvars.json   the values of the pipeline and its bundle; ``deploy`` writes it each time
module/                     this version of the module; ``deploy`` writes it each time
bundle.zip                  ``deploy`` builds it each time; the same content gives the same bytes
terraform.tfstate, …        Terraform's own files
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from renditions.deploy.wheels import Target
from renditions.errors import Failed, UsageError
from renditions.model.pipeline import Pipeline
from renditions.model.places import S3Place, parse_store

MODULE = Path(__file__).with_name("module")
PROGRAMS = ("terraform", "tofu")
BUNDLE = "bundle.zip"
SETTINGS = "pipeline.auto.tfvars.json"
PLAN = "deployment.tfplan"

UNLOCKED = "-var=keep_pictures=false"

KEPT = (
    "aws_s3_bucket",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_ownership_controls",
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_bucket_policy",
    "aws_s3_bucket_lifecycle_configuration",
    "aws_dynamodb_table",
)
"""The types of the resources that hold or protect pictures, renditions and records."""

MAIN = """\
# `renditions deploy` wrote this file once and won't change it again, so you can edit it. module/README.md
# lists all inputs of the module.

module "renditions" {
  source = "./module"

  bundle        = "${path.module}/bundle.zip"
  function      = { architecture = var.pipeline.architecture, python = var.pipeline.python }
  input         = { prefix = var.pipeline.input_prefix }
  output        = { prefix = var.pipeline.output_prefix }
  table         = { name = var.pipeline.table, key = var.pipeline.table_key }
  keep_pictures = var.keep_pictures

  # notices = { emails = ["me@example.com"] }
}

variable "pipeline" {
  description = "Values of the pipeline file. `renditions deploy` writes them to pipeline.auto.tfvars.json."
  type = object({
    architecture  = string
    python        = string
    input_prefix  = string
    output_prefix = string
    table         = string
    table_key     = string
  })
}

variable "keep_pictures" {
  description = "Whether to protect pictures and records. `renditions destroy --pictures` sets it to false."
  type        = bool
  default     = true
}

output "upload_to" {
  value = module.renditions.upload_to
}

output "output_bucket" {
  value = module.renditions.output_bucket
}

output "table" {
  value = module.renditions.table
}

# For `renditions worker` and `renditions dlq` with --from-terraform.
output "environment" {
  value = module.renditions.environment
}

output "dead_letter_queue_url" {
  value = module.renditions.dead_letter_queue_url
}
"""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment's folder, and the program (Terraform or OpenTofu) that runs in it.

    The program's messages go to stderr. The methods raise ``Failed`` if the program ends with an error.
    """

    folder: Path
    program: str

    def write(self, pipeline: Pipeline, target: Target) -> None:
        """Write the files that the program reads, except the bundle.

        Raises:
            UsageError: A file can't be written.

        """
        settings = {"pipeline": describe_pipeline(pipeline, target)}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not (self.folder / "main.tf").exists():
                (self.folder / "main.tf").write_text(MAIN, "utf-8")
            (self.folder / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", "utf-8")
            not_needed = shutil.ignore_patterns(".terraform*", "tests")
            shutil.copytree(MODULE, self.folder / "module", dirs_exist_ok=True, ignore=not_needed)
        except OSError as error:
            raise UsageError(f"can't write {self.folder} ({error}). Choose another --folder.") from error

    def plan(self) -> bool:
        """Show the changes that a deployment would make; return whether there are any."""
        self._run("init", "-input=false")
        return self._plan()

    def plan_destruction(self, *, with_pictures: bool) -> bool:
        """Show what ``destroy`` would destroy.

        Return whether there is anything to destroy.

        Args:
            with_pictures: Whether to destroy everything, also pictures, renditions and records.

        Raises:
            UsageError: Nothing was deployed from this folder.

        """
        if not (self.folder / "main.tf").exists():
            raise UsageError(
                f"{self.folder} has no deployment. Name its folder with --folder, or run renditions deploy."
            )
        self._run("init", "-input=false")
        kept, others = self._find_resources()
        if with_pictures:
            return bool(kept or others) and self._plan("-destroy", UNLOCKED)
        return bool(others) and self._plan("-destroy", *_as_targets(others))

    def unlock_pictures(self) -> None:
        """Unprotect the buckets and the table, and plan to destroy everything."""
        kept, _ = self._find_resources()
        if kept:
            self._run("apply", "-input=false", "-auto-approve", UNLOCKED, *_as_targets(kept))
        self._plan("-destroy", UNLOCKED)

    def apply(self) -> None:
        """Apply the last plan."""
        self._run("apply", "-input=false", PLAN)

    def read_outputs(self) -> Mapping[str, Any]:
        """Return the outputs of ``main.tf``."""
        return {name: output["value"] for name, output in json.loads(self._read("output", "-json")).items()}

    def _find_resources(self) -> tuple[list[str], list[str]]:
        """Return Terraform's addresses of the deployed resources.

        The first list has the resources whose type is in ``KEPT``, the second one all others.
        """
        deployed = [line for line in self._read("state", "list").splitlines() if ".data." not in line]
        kept = [address for address in deployed if any(f".{kind}." in address for kind in KEPT)]
        return kept, [address for address in deployed if address not in kept]

    def _plan(self, *options: str) -> bool:
        # https://developer.hashicorp.com/terraform/cli/commands/plan#detailed-exitcode
        code = self._call("plan", "-input=false", "-detailed-exitcode", f"-out={PLAN}", *options)
        if code not in (0, 2):
            raise self._failed("plan", code)
        return code == 2

    def _run(self, *arguments: str) -> None:
        if code := self._call(*arguments):
            raise self._failed(arguments[0], code)

    def _call(self, *arguments: str) -> int:
        command = [self.program, *arguments]
        return subprocess.run(command, cwd=self.folder, stdout=sys.stderr, check=False).returncode  # noqa: S603 - no shell, our own words

    def _read(self, *arguments: str) -> str:
        command = [self.program, *arguments]
        ended = subprocess.run(command, cwd=self.folder, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - as above
        if ended.returncode:
            raise self._failed(arguments[0], ended.returncode)
        return ended.stdout

    def _failed(self, command: str, code: int) -> Failed:
        return Failed(f"{self.program} {command} failed with exit code {code}. Its messages above say why.")


def describe_pipeline(pipeline: Pipeline, target: Target) -> dict[str, str]:
    """Return the module's variable ``pipeline``: a pipeline's values and its bundle."""
    source = parse_store(pipeline.source.store, Path())
    output = parse_store(pipeline.output.store, Path())
    kind, _, table = pipeline.catalog.store.partition(":")
    return {
        "architecture": target.architecture,
        "python": target.python,
        "input_prefix": source.prefix if isinstance(source, S3Place) else "",
        "output_prefix": output.prefix if isinstance(output, S3Place) else "processed/",
        "table": table if kind == "dynamodb" else "ImageMetadata",
        "table_key": pipeline.catalog.key,
    }


def find_program() -> str:
    """Return the path of Terraform, or of OpenTofu if Terraform isn't installed.

    Raises:
        UsageError: Neither is installed.

    """
    for name in PROGRAMS:
        if path := shutil.which(name):
            return path
    raise UsageError(
        "can't find terraform or tofu on the PATH. Install one of them "
        "(https://developer.hashicorp.com/terraform/install or https://opentofu.org/docs/intro/install)"
    )


def _as_targets(addresses: Iterable[str]) -> list[str]:
    return [f"-target={address}" for address in addresses]

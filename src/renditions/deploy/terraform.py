"""A deployment: a folder that Terraform or OpenTofu runs in, written once; then it belongs to its owner.

main.tf                     calls the module; written if it isn't there, then left alone
pipeline.auto.tfvars.json   values of the pipeline and its bundle, written each time
module/                     the module of this version, written each time
bundle.zip                  built each time; the same bytes unless something changed
terraform.tfstate, …        Terraform's own
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
"""The types of the resources that hold pictures, renditions and records, and of those that protect them."""

MAIN = """\
# Written by `renditions deploy`, and yours from now on: your changes here stay. module/README.md has all
# inputs of the module.

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
  description = "What the pipeline file says; `renditions deploy` writes it into pipeline.auto.tfvars.json."
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
  description = "False only while `renditions destroy --pictures` deletes everything."
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
"""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment's folder, and the program that runs in it.

    The program's messages go to stderr. Methods raise ``Failed`` if it ends with an error.
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
            raise UsageError(f"{self.folder} can't be written: {error}") from error

    def plan(self) -> bool:
        """Show what would change; return whether anything would."""
        self._run("init", "-input=false")
        return self._plan()

    def plan_destruction(self, *, with_pictures: bool) -> bool:
        """Show what would be destroyed: everything, or all but pictures, renditions and records.

        Returns whether there is anything to destroy.

        Raises:
            UsageError: Nothing was deployed from this folder.

        """
        if not (self.folder / "main.tf").exists():
            raise UsageError(
                f"{self.folder} has no deployment: name its --folder, or make one with renditions deploy"
            )
        self._run("init", "-input=false")
        kept, others = self._find_resources()
        if with_pictures:
            return bool(kept or others) and self._plan("-destroy", UNLOCKED)
        return bool(others) and self._plan("-destroy", *_as_targets(others))

    def unlock_pictures(self) -> None:
        """Turn off the protection of buckets and table, and plan to destroy everything."""
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
        """Return Terraform's addresses of the deployed resources: of the kept types, and of all others."""
        deployed = [line for line in self._read("state", "list").splitlines() if ".data." not in line]
        kept = [address for address in deployed if any(f".{kind}." in address for kind in KEPT)]
        return kept, [address for address in deployed if address not in kept]

    def _plan(self, *options: str) -> bool:
        # https://developer.hashicorp.com/terraform/cli/commands/plan#detailed-exitcode
        code = self._call("plan", "-input=false", "-detailed-exitcode", f"-out={PLAN}", *options)
        if code not in (0, 2):
            raise Failed(f"{self.program} plan failed with exit code {code}")
        return code == 2

    def _run(self, *arguments: str) -> None:
        if code := self._call(*arguments):
            raise Failed(f"{self.program} {arguments[0]} failed with exit code {code}")

    def _call(self, *arguments: str) -> int:
        command = [self.program, *arguments]
        return subprocess.run(command, cwd=self.folder, stdout=sys.stderr, check=False).returncode  # noqa: S603 - no shell, our own words

    def _read(self, *arguments: str) -> str:
        command = [self.program, *arguments]
        ended = subprocess.run(command, cwd=self.folder, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - as above
        if ended.returncode:
            raise Failed(f"{self.program} {arguments[0]} failed with exit code {ended.returncode}")
        return ended.stdout


def describe_pipeline(pipeline: Pipeline, target: Target) -> dict[str, str]:
    """Return the values that the module needs of a pipeline and its bundle: the variable ``pipeline``."""
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
    """Return the path of Terraform or OpenTofu, whichever is installed.

    Raises:
        UsageError: Neither is.

    """
    for name in PROGRAMS:
        if path := shutil.which(name):
            return path
    raise UsageError(
        "can't find terraform or tofu on the PATH: install one of them "
        "(https://developer.hashicorp.com/terraform/install or https://opentofu.org/docs/intro/install)"
    )


def _as_targets(addresses: Iterable[str]) -> list[str]:
    return [f"-target={address}" for address in addresses]

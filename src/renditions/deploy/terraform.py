"""A deployment: a folder in which Terraform or OpenTofu runs.

main.tf                     calls the module; ``deploy`` writes it only if it doesn't exist: users edit it
pipeline.auto.tfvars.json   the values of the pipeline and its bundle; ``deploy`` writes it each time
module/                     this version of the module; ``deploy`` writes it each time
bundle.zip                  ``deploy`` builds it each time; the same content gives the same bytes
accept.js                   the function for CloudFront; ``deploy`` writes it each time if main.tf names it
terraform.tfstate, …        Terraform's own files
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from renditions.deploy.negotiation import write_function
from renditions.deploy.wheels import Target
from renditions.errors import Failed, UsageError
from renditions.model.pipeline import Pipeline
from renditions.model.places import S3Place, parse_store
from renditions.model.references import find_variables

MODULE = Path(__file__).with_name("module")
PROGRAMS = ("terraform", "tofu")
BUNDLE = "bundle.zip"
ACCEPT_FUNCTION = "accept.js"
SETTINGS = "pipeline.auto.tfvars.json"
PLAN = "deployment.tfplan"

LONGEST_NAME = 32
NAME = rf"(?!xn--|sthree-|amzn-s3-demo-)[a-z][a-z0-9-]{{1,{LONGEST_NAME - 2}}}[a-z0-9]"
"""The pattern of a deployment's name. The module's variable ``name`` has the same rule."""
NAME_FORM = (
    f"3 to {LONGEST_NAME} lower-case letters, digits and hyphens, beginning with a letter, not ending with a "
    "hyphen, and not beginning with xn--, sthree- or amzn-s3-demo-"
)

UNLOCKED = "-var=keep_pictures=false"

KEPT = (
    "aws_apigatewayv2_api",
    "aws_s3_bucket",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_ownership_controls",
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_bucket_policy",
    "aws_s3_bucket_cors_configuration",
    "aws_s3_bucket_lifecycle_configuration",
    "aws_s3_bucket_versioning",
    "aws_cloudfront_distribution",
    "aws_cloudfront_function",
    "aws_cloudfront_key_group",
    "aws_cloudfront_origin_access_control",
    "aws_cloudfront_public_key",
    "aws_cloudfront_response_headers_policy",
    "aws_dynamodb_table",
    "aws_cloudwatch_log_group",
)
"""The types of the resources that hold or protect pictures, renditions and records.

Some are in the list for other reasons. The kept table has the deployment's name. The log group reserves this
name, so that no other deployment can take it. The output bucket's policy names CloudFront's distribution, and
the distribution names the HTTP API. Without its stage and routes, this API answers nothing. No resource in
the list depends on a type outside it: if Terraform destroys a resource, it also destroys everything that
depends on it.
"""

MAIN = Path(__file__).with_name("deployment.tf").read_text("utf-8")
"""The text of a new ``main.tf``."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment's folder, and the program (Terraform or OpenTofu) that runs in it.

    The program's messages go to stderr. The methods raise ``Failed`` if the program ends with an error.
    """

    folder: Path
    program: str

    def choose_name(self, file: Path, wanted: str | None) -> str:
        """Return the deployment's name.

        This is the wanted name, or else the deployment's present name, or else a name made from the pipeline
        file's folder.

        Raises:
            UsageError: The wanted name is invalid, or has no effect because ``main.tf`` sets the name. Or
                the deployment has another name already, belongs to another pipeline file, or has settings
                that can't be read.

        """
        former = self._read_settings()
        if former.get("file", file.name) != file.name:
            raise UsageError(
                f"{self.folder} has the deployment of {former['file']}, not of {file.name}. Choose another "
                f'--folder. If you renamed the file, change "file" in {self.folder / SETTINGS}.'
            )
        if wanted and not is_name(wanted):
            raise UsageError(f"--name: {wanted!r} can't be the deployment's name. Choose {NAME_FORM}")
        if not self.takes("name"):
            if wanted:
                raise UsageError(
                    f"--name has no effect: {self.folder / 'main.tf'} sets the name itself. Change it there."
                )
            return str(former.get("name", name_after(file)))
        name = former.get("name")
        if name and wanted not in (None, name) and self.is_deployed():
            raise UsageError(
                f"{self.folder} has the deployment {name}, whose name can't change. "
                f"Choose another --folder for {wanted}."
            )
        return wanted or str(name or name_after(file))

    def write(self, pipeline: Pipeline, target: Target, file: Path, name: str) -> None:
        """Write the files that the program reads, except the bundle.

        Raises:
            UsageError: A file can't be read or written, or CloudFront can't choose this pipeline's formats.

        """
        table = name if self.takes("name") else self._read_settings().get("table", name)
        described = describe_pipeline(pipeline, target, name, table) | {"file": file.name}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not (self.folder / "main.tf").exists():
                (self.folder / "main.tf").write_text(MAIN, "utf-8")
            settings = json.dumps({"pipeline": described}, indent=2)
            (self.folder / SETTINGS).write_text(settings + "\n", "utf-8")
            # A file left from an older version of the module would declare resources a second time.
            if (self.folder / "module").exists():
                shutil.rmtree(self.folder / "module")
            not_needed = shutil.ignore_patterns(".terraform*", "tests")
            shutil.copytree(MODULE, self.folder / "module", ignore=not_needed)
            main = (self.folder / "main.tf").read_text("utf-8")
        except OSError as error:
            raise UsageError(f"can't write {self.folder} ({error}). Choose another --folder.") from error
        if ACCEPT_FUNCTION in main:
            write_function(pipeline, self.folder / ACCEPT_FUNCTION)

    def plan(self) -> bool:
        """Run ``init``, plan and show the changes; return whether there are any."""
        self._run("init", "-input=false")
        return self._plan()

    def plan_destruction(self, *, with_pictures: bool) -> bool:
        """Plan and show what ``destroy`` would destroy.

        Return whether there is anything to destroy.

        Args:
            with_pictures: Whether to destroy everything, also pictures, renditions and records.

        Raises:
            UsageError: Nothing was deployed from this folder.

        """
        if not (self.folder / "main.tf").exists():
            raise UsageError(
                f"{self.folder} has no deployment. Name a deployment's folder with --folder, or run "
                "renditions deploy."
            )
        self._run("init", "-input=false")
        kept, others = self._find_resources()
        if with_pictures:
            return bool(kept or others) and self._plan("-destroy", UNLOCKED)
        return bool(others) and self._plan("-destroy", *_as_targets(others))

    def unlock_pictures(self) -> None:
        """Remove the buckets' and the table's protection; plan to destroy everything.

        Raises:
            UsageError: The table or a bucket is still protected. The destruction would fail there, after it
                destroyed the functions.

        """
        kept, _ = self._find_resources()
        if kept:
            self._run("apply", "-input=false", "-auto-approve", UNLOCKED, *_as_targets(kept))
        if locked := [one["address"] for one in self._read_resources() if _is_locked(one)]:
            raise UsageError(
                f"can't destroy {', '.join(locked)}: the module still protects the pictures. Nothing was "
                f"destroyed. In {self.folder / 'main.tf'}, give the module keep_pictures = var.keep_pictures."
            )
        self._plan("-destroy", UNLOCKED)

    def apply(self, advice: str = "") -> None:
        """Apply the last plan. If that fails, the error ends with ``advice``."""
        if code := self._call("apply", "-input=false", PLAN):
            raise self._failed("apply", code, advice)

    def read_outputs(self) -> Mapping[str, Any]:
        """Return the values of the outputs of ``main.tf``, by name."""
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

    def takes(self, value: str) -> bool:
        """Return whether ``main.tf`` uses a value of the variable ``pipeline``.

        The ``main.tf`` of an older version lacks the values that were added later. If ``main.tf`` is missing,
        the answer is about the one that :meth:`write` would write.
        """
        main = self.folder / "main.tf"
        return f"var.pipeline.{value}" in (main.read_text("utf-8") if main.exists() else MAIN)

    def is_deployed(self) -> bool:
        """Run ``init``, and return whether Terraform's state has a resource on AWS."""
        self._run("init", "-input=false")
        return any(one["type"].startswith("aws_") for one in self._read_resources())

    def find_unused(self, pipeline: Pipeline, target: Target) -> list[str]:
        """Return the names of values that ``main.tf`` should use and doesn't.

        The ``main.tf`` of an older version lacks the values that were added later.
        """
        described = describe_pipeline(pipeline, target, "", "")
        values = ("input_bucket", "output_bucket", "cors_origins", "event_buses", "mail_senders")
        return [value for value in values if described[value] and not self.takes(value)]

    def find_unset(self, pipeline: Pipeline) -> list[str]:
        """Return the variables of the notices that ``main.tf`` doesn't name.

        Targets and secrets of notices refer to these environment variables. The function gets them from the
        module's input ``secrets``.
        """
        main = (self.folder / "main.tf").read_text("utf-8")
        targets = "".join(f"{entry.to} {entry.secret or ''}" for entry in pipeline.notify)
        return [name for name in dict.fromkeys(find_variables(targets)) if name not in main]

    def read_function(self) -> str | None:
        """Return the ARN of the deployed function for pictures; None if there is none."""
        arns = [
            str(one["values"]["arn"])
            for one in self._read_resources()
            if (one["type"], one["name"]) == ("aws_lambda_function", "this")
        ]
        return arns[0] if arns else None

    def _read_resources(self) -> list[Mapping[str, Any]]:
        """Return the managed resources in Terraform's state, with their values."""
        state = json.loads(self._read("show", "-json"))
        return list(_find_resources(state.get("values", {}).get("root_module", {})))

    def _read_settings(self) -> dict[str, Any]:
        """Return the pipeline's values of the last deployment; empty if there was none.

        Raises:
            UsageError: The file can't be read.

        """
        file = self.folder / SETTINGS
        try:
            settings: dict[str, Any] = (
                json.loads(file.read_text("utf-8"))["pipeline"] if file.exists() else {}
            )
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(
                f"can't read {file}: {error}. Restore it, or choose another --folder."
            ) from error
        return settings

    def _failed(self, command: str, code: int, advice: str = "") -> Failed:
        what = f"{self.program} {command} failed with exit code {code}. Its messages above say why."
        return Failed(f"{what} {advice}".strip())


def is_name(text: str) -> bool:
    """Return whether a deployment can have this name."""
    return bool(re.fullmatch(NAME, text))


def name_after(file: Path) -> str:
    """Make a deployment's name from the name of the pipeline file's folder.

    If that gives no valid name, return ``renditions``.
    """
    folder = unicodedata.normalize("NFKD", file.absolute().parent.name).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "-", folder.lower()).lstrip("-0123456789")[:LONGEST_NAME].rstrip("-")
    return name if is_name(name) else "renditions"


def describe_pipeline(pipeline: Pipeline, target: Target, name: str, former_table: str) -> dict[str, Any]:
    """Return the module's variable ``pipeline``: a pipeline's values and its bundle.

    Args:
        pipeline: The pipeline.
        target: The processor and the Python of the pipeline's bundle.
        name: The deployment's name.
        former_table: The deployment's present table. It is used if the pipeline names none.

    """
    source = parse_store(pipeline.source.store, Path())
    output = parse_store(pipeline.output.store, Path())
    kind, _, table = pipeline.catalog.store.partition(":")
    return {
        "name": name,
        "architecture": target.architecture,
        "python": target.python,
        "input_bucket": source.bucket if isinstance(source, S3Place) else None,
        "input_prefix": source.prefix if isinstance(source, S3Place) else "",
        "output_bucket": output.bucket if isinstance(output, S3Place) else None,
        "output_prefix": output.prefix if isinstance(output, S3Place) else "processed/",
        "cors_origins": list(pipeline.output.cors_origins),
        "table": table if kind == "dynamodb" else former_table,
        "table_key": pipeline.catalog.key,
        "event_buses": sorted(
            {entry.to.removeprefix("events:") for entry in pipeline.notify if entry.to.startswith("events:")}
        ),
        "mail_senders": sorted({entry.sender for entry in pipeline.notify if entry.sender}),
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


def _find_resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield each managed resource of a module and of the modules in it."""
    yield from (one for one in module.get("resources", ()) if one["mode"] == "managed")
    for child in module.get("child_modules", ()):
        yield from _find_resources(child)


def _is_locked(resource: Mapping[str, Any]) -> bool:
    """Return whether a destruction would fail at this table or bucket of the module."""
    match resource["type"], resource["name"]:
        case "aws_dynamodb_table", "this":
            return bool(resource["values"].get("deletion_protection_enabled"))
        case "aws_s3_bucket", "this":
            return not resource["values"].get("force_destroy")
        case _:
            return False


def _as_targets(addresses: Iterable[str]) -> list[str]:
    return [f"-target={address}" for address in addresses]

"""Plan Terraform roots with the real provider, and read the plans."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.terraform import copy_module, run_terraform

PROVIDER = """
provider "aws" {
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}
"""


@dataclass(frozen=True)
class Plan:
    """A plan to create everything."""

    shown: Mapping[str, Any]
    """The plan as ``terraform show -json`` prints it."""
    graph: str
    """The dependencies of the resources, as ``terraform graph`` prints them."""

    def resources(self, module: str) -> dict[str, dict[str, Any]]:
        """Return the planned values of a module's resources, by their addresses in it."""
        prefix = f"module.{module}."
        return {
            change["address"].removeprefix(prefix): change["change"]["after"]
            for change in self.shown["resource_changes"]
            if change["address"].startswith(prefix) and change["mode"] == "managed"
        }

    def dependencies(self, module: str) -> set[tuple[str, str]]:
        """Return pairs of resources' types of a module: the first depends on the second."""
        name = rf'"(?:\[root\] )?module\.{module}\.(\w+)\.[^"]*"'
        return set(re.findall(rf"{name} -> {name}", self.graph))

    def references(self, module: str, kind: str, argument: str) -> dict[str, str]:
        """Return an argument's first reference in each resource, by the resource's name.

        ``kind`` is the type of the resources.
        """
        called = self.shown["configuration"]["root_module"]["module_calls"][module]["module"]
        return {
            resource["name"]: resource["expressions"][argument]["references"][0]
            for resource in called["resources"]
            if resource["type"] == kind
        }


def plan_calls(folder: Path, calls: Mapping[str, str]) -> Plan:
    """Return the plan of a root with several calls of the module and an empty bundle.

    Args:
        folder: A new folder for the root.
        calls: The arguments of each call except ``source`` and ``bundle``, by the call's name.

    """
    copy_module(folder / "module")
    bundle = '"${path.module}/module/tests/empty.zip"'
    blocks = [
        f'module "{name}" {{\n  source = "./module"\n  bundle = {bundle}\n{arguments}\n}}\n'
        for name, arguments in calls.items()
    ]
    (folder / "main.tf").write_text(PROVIDER + "\n".join(blocks))
    return plan_root(folder)


def plan_root(folder: Path) -> Plan:
    """Return the plan of the root in a folder.

    Fail on a warning, because the provider warns about arguments that a later version removes.
    """
    for arguments in (
        ("init", "-input=false", "-backend=false"),
        ("plan", "-input=false", "-out=plan"),
    ):
        ended = run_terraform(folder, *arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Warning:" not in ended.stdout, ended.stdout
    shown = json.loads(run_terraform(folder, "show", "-json", "plan").stdout)
    return Plan(shown, run_terraform(folder, "graph").stdout)

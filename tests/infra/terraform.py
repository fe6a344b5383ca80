"""Run Terraform for the tests, with the providers of a mirror if there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

MODULE = Path(__file__).parents[2] / "infra" / "terraform"
MIRROR = Path(os.environ.get("TF_PLUGIN_MIRROR", "/opt/tf-plugins"))
"""A folder of providers, for machines that can't reach the registry. Without it, the registry is used."""


def find_terraform() -> str | None:
    """Return the path of Terraform or OpenTofu, or None."""
    return shutil.which("terraform") or shutil.which("tofu")


needs_terraform = pytest.mark.skipif(
    find_terraform() is None, reason="NOT TESTED: neither terraform nor tofu is installed"
)


def run_terraform(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Terraform in this directory; return its output and exit code.

    A failure raises no error.
    """
    program = find_terraform()
    assert program
    environment = {
        **os.environ,
        "TF_CLI_CONFIG_FILE": str(write_settings(directory)),
        "TF_IN_AUTOMATION": "1",
        "NO_COLOR": "1",
    }
    return subprocess.run(
        [program, *arguments], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )


def write_settings(directory: Path) -> Path:
    """Write Terraform's settings; return their file.

    The settings say where Terraform gets the providers.
    """
    settings = directory / "settings.tfrc"
    mirror = f'provider_installation {{\n  filesystem_mirror {{\n    path = "{MIRROR}"\n  }}\n}}\n'
    settings.write_text(mirror if MIRROR.is_dir() else "")
    return settings


def copy_module(target: Path) -> Path:
    """Copy the module's own files; return the folder.

    So Terraform doesn't write its files into the original.
    """
    return Path(shutil.copytree(MODULE, target, ignore=shutil.ignore_patterns(".terraform*", "*.py")))

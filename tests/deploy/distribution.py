"""The built wheel, installed alone, which plans a deployment of each preset.

``make test-distribution`` builds it with ``python -m build``. Its environment has no pip. A server on this
machine stands for AWS.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deploy.test_distribution import PROJECT, UV
from infra.planned import PROVIDER
from infra.terraform import find_terraform, write_settings
from renditions.pipeline_file.reading import preset_names


@pytest.fixture(scope="module")
def renditions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build and install the wheel; return the command of its environment."""
    folder = tmp_path_factory.mktemp("installed")
    frontend = (UV, "tool", "run", "--quiet", "--from", "build", "python", "-m", "build")
    subprocess.run([*frontend, "--outdir", folder, PROJECT], check=True, stdout=subprocess.DEVNULL)
    (wheel,) = folder.glob("*.whl")
    environment = folder / "environment"
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    python = environment / "bin" / "python"
    lock = PROJECT / "src" / "renditions" / "deploy" / "locked.txt"
    install = (UV, "pip", "install", "--quiet", "--python", python)
    subprocess.run([*install, "--requirements", lock], check=True)
    subprocess.run([*install, "--no-deps", wheel], check=True)
    assert subprocess.run([python, "-c", "import pip"], check=False, capture_output=True).returncode == 1
    return python.with_name("renditions")


@pytest.mark.parametrize("preset", preset_names())
def test_an_installed_wheel_plans_the_deployment_of_each_preset(
    aws: None, renditions: Path, tmp_path: Path, preset: str
) -> None:
    assert find_terraform(), "THESE TESTS NEED terraform or tofu"
    environment = {
        **os.environ,
        "PATH": f"{UV.parent}:{os.environ['PATH']}",
        "TF_CLI_ARGS_plan": "-no-color",
        "TF_CLI_CONFIG_FILE": str(write_settings(tmp_path)),
    }
    environment.pop("PYTHONPATH", None)

    def run(*arguments: str) -> str:
        ended = subprocess.run(
            [renditions, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stderr

    run("init", "--preset", preset)
    (tmp_path / "deployment").mkdir()
    (tmp_path / "deployment" / "provider.tf").write_text(PROVIDER)
    shown = run("deploy", "--plan-only")
    assert "module.renditions.aws_lambda_function.this will be created" in shown
    assert "Nothing was applied" in shown
    with zipfile.ZipFile(tmp_path / "deployment" / "bundle.zip") as bundle:
        pipeline = json.loads(bundle.read("pipeline.json"))
        compiled = {name for name in bundle.namelist() if "aarch64" in name}
    assert pipeline["renditions"]
    assert bool(compiled) is (preset != "base64")

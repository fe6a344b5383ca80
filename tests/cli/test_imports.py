"""The modules that commands import, and what Ctrl-C does during the import.

Checking a pipeline file doesn't import the libraries that the file needs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from commands import RENDITIONS, write_pipeline
from renditions.cli.app import COMMANDS
from renditions.model.formats import OUTPUT_FORMATS

CHECK = """
import sys
from renditions.cli import main
sys.argv = ["renditions", "check", "--pipeline", sys.argv[1]]
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
libraries = {"pyvips", "botocore", "pillow_heif", "pydicom", "img2pdf"}
print(sorted(libraries & sys.modules.keys()), file=sys.stderr)
"""


def test_checking_a_pipeline_imports_neither_libvips_nor_botocore(tmp_path: Path) -> None:
    renditions = "".join(
        f'[renditions.{each.name}]\nformat = "{each.name}"\n'
        for each in OUTPUT_FORMATS.values()
        if not each.holds_file
    )
    write_pipeline(tmp_path, renditions)
    file = tmp_path / "renditions.toml"
    file.write_text(
        file.read_text()
        + '[accept]\nformats = ["jpeg", "heic", "svg", "pdf", "dicom"]\n'
        + '[[notify]]\non = ["done"]\nto = "sns:arn:aws:sns:eu-west-1:123456789012:topic"\n'
    )
    ended = subprocess.run([sys.executable, "-c", CHECK, file], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr.splitlines()[-1] == "[]"


MODULES = """
import sys
from renditions.cli import main
sys.argv = ["renditions", *sys.argv[1:]]
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
print(*sorted(name for name in sys.modules if name.startswith("renditions.cli.")), file=sys.stderr)
"""


def _cli_modules(*arguments: str) -> set[str]:
    ended = subprocess.run(
        [sys.executable, "-c", MODULES, *arguments], capture_output=True, text=True, check=True
    )
    return {name.removeprefix("renditions.cli.") for name in ended.stderr.splitlines()[-1].split()}


def test_the_schema_command_imports_no_module_of_another_command() -> None:
    of_commands = {reference.partition(":")[0].rpartition(".")[2] for reference in COMMANDS.values()}
    assert not _cli_modules("--version") & of_commands
    assert _cli_modules("schema") & of_commands == {"files"}


@pytest.mark.parametrize("command", [(str(RENDITIONS),), (sys.executable, "-m", "renditions")])
def test_ctrl_c_while_the_command_line_is_imported_ends_it_quietly_with_130(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")  # as Python does at Ctrl-C
    ended = subprocess.run(
        [*command, "--version"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")

"""``check`` imports none of the libraries that the pipeline file needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from commands import write_pipeline
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

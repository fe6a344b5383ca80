"""The modules that a cold start of the function imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from renditions.pipeline_file.plain import to_plain
from renditions.pipeline_file.reading import parse, read_preset

START = """
import json, os, sys
from pathlib import Path
from renditions.serverless.function import open_function
from renditions.serverless.secrets import read_secrets
read_secrets(os.environ)
open_function(Path(sys.argv[1]), os.environ)
print(json.dumps(sorted(sys.modules)))
"""

ENVIRON = {
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
    "SOURCE_BUCKET": "photos-in",
    "OUTPUT_BUCKET": "photos-out",
    "TABLE_NAME": "records",
    "QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/pictures",
    "SNS_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:pictures",
}

ELSEWHERE = (
    # Other entry points, and what only they need.
    "renditions.api", "renditions.cli", "renditions.deploy", "renditions.local", "renditions.web",
    "renditions.serverless.gateway", "renditions.runtime.alone", "renditions.runtime.machine",
    "renditions.runtime.running", "renditions.runtime.status", "renditions.messages.worker",
    "renditions.messages.dead_letter_queue", "renditions.core.strays",
    # Reading the text of a pipeline file. A bundle has a checked pipeline.
    "renditions.pipeline_file.reading", "renditions.pipeline_file.lines", "renditions.pipeline_file.schema",
    "msgspec", "tomllib",
    # The engine, which the first picture loads.
    "renditions.imaging.decode", "renditions.imaging.vips", "renditions.imaging.formats",
    "renditions.imaging.analysis", "renditions.imaging.watermark", "pyvips", "cffi", "PIL", "pillow_heif",
    "pypdfium2", "pydicom", "img2pdf",
    # Catalogs, notice targets and clients that the pipeline doesn't declare.
    "renditions.aws.edge", "renditions.notices.apprise", "renditions.notices.eventbridge",
    "renditions.notices.webhook", "apprise", "boto3", "sqlite3", "smtplib", "asyncio",
)  # fmt: skip


@pytest.mark.parametrize("preset", ["thumbnail", "gallery"])
def test_a_cold_start_imports_neither_the_engine_nor_modules_of_other_entry_points(
    preset: str, tmp_path: Path
) -> None:
    """The first picture waits until the imports are done."""
    file = tmp_path / "pipeline.json"
    file.write_text(json.dumps(to_plain(parse(read_preset(preset), preset, tmp_path, {}).pipeline)))
    ended = subprocess.run(
        [sys.executable, "-c", START, file],
        env=os.environ | ENVIRON,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    modules = json.loads(ended.stdout)

    assert [name for name in modules if f"{name}.".startswith(tuple(f"{one}." for one in ELSEWHERE))] == []

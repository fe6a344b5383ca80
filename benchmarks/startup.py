"""Compare the cold start with that of boto3: ``python -m benchmarks.startup``.

The benchmark builds the bundles of three presets for this Python, with bytecode, and unpacks them. It uses
fresh processes of one environment, which has boto3 like Lambda's runtime. One kind of process imports a
bundle's handler, which opens the pipeline and creates the clients of S3, DynamoDB and SNS. The other kind
imports boto3 and creates the same clients. They take turns in shuffled order, and each ratio compares two
starts of one round. The results go into ``docs/performance.md``.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import UnavailableError, boto3_python
from benchmarks.report import Table, describe_machine, replace_section, to_markdown, to_text, today
from renditions.deploy.bundle import build
from renditions.deploy.wheels import Architecture, Target
from renditions.errors import RenditionsError
from renditions.pipeline_file.reading import parse, read_preset

_ROUNDS = 25
_PRESETS = ("base64", "thumbnail", "gallery")
_BASE = "boto3 with the same clients"
_MOST = 1.5
"""The largest allowed cost of the function's start, as a share of boto3's."""
_TIMED = """
import time
started = time.process_time()
{}
print(time.process_time() - started)
"""
_BOTO3 = "import boto3\nfor service in ('s3', 'dynamodb', 'sns'): boto3.client(service)"
_HANDLER = "from lambda_function import lambda_handler"
_ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "SOURCE_BUCKET": "photos-in",
    "OUTPUT_BUCKET": "photos-out",
    "TABLE_NAME": "ImageMetadata",
    "SNS_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:image-status",
    # A function can't write to its folder.
    "PYTHONDONTWRITEBYTECODE": "1",
}


@dataclass(frozen=True, slots=True)
class Start:
    """One way to start: the program of a fresh process, and its import path."""

    code: str
    path: str = ""
    """The folder that comes before the environment's own libraries in the import path."""


def main() -> int:
    """Measure, print the table, and write it into the document.

    Return 1 if a bundle's start costs too much, or if nothing can be measured.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    rounds = parser.parse_args().rounds
    try:
        python = boto3_python()
    except UnavailableError as reason:
        print(f"!! nothing can be measured: {reason}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as name:
        try:
            bundles = {f"the bundle of {preset}": _unpack(preset, Path(name)) for preset in _PRESETS}
        except RenditionsError as reason:
            print(f"!! nothing can be measured: {reason}", file=sys.stderr)
            return 1
        seconds = _measure(python, {_BASE: Start(_BOTO3)} | bundles, rounds)
    ratios = {
        way: statistics.median(ours / base for ours, base in zip(seconds[way], seconds[_BASE], strict=True))
        for way in seconds
    }
    table: Table = [["CPU time of a start", "ms", "of boto3"]]
    table += [[way, f"{1e3 * statistics.median(seconds[way]):.0f}", f"{ratios[way]:.2f}"] for way in seconds]
    print(to_text(table))
    text = (
        f"`python -m benchmarks.startup`, {today()}, {rounds} rounds, Python {platform.python_version()}, "
        f"on {describe_machine()}.\n\n{to_markdown(table)}"
    )
    replace_section("startup", text)
    return int(max(ratios.values()) > _MOST)


def _unpack(preset: str, folder: Path) -> Start:
    """Build and unpack the preset's bundle for this machine; return how to start it."""
    architecture: Architecture = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    target = Target(architecture, f"{sys.version_info.major}.{sys.version_info.minor}")
    pipeline = parse(read_preset(preset), preset, folder, {}).pipeline
    bundle = build(pipeline, folder / f"{preset}.zip", target)
    with zipfile.ZipFile(bundle.file) as archive:
        archive.extractall(folder / preset)
    return Start(_HANDLER, str(folder / preset))


def _measure(python: str, ways: Mapping[str, Start], rounds: int) -> dict[str, list[float]]:
    """Return each way's CPU seconds in each round, except the first one.

    The first round fills caches.
    """
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds + 1):
        for way in random.sample(list(ways), len(ways)):
            start = ways[way]
            ended = subprocess.run(
                [python, "-c", _TIMED.format(start.code)],
                env=_ENVIRONMENT | {"PATH": os.environ["PATH"], "PYTHONPATH": start.path},
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            if number:
                seconds[way].append(float(ended.stdout))
    return seconds


if __name__ == "__main__":
    sys.exit(main())

"""A function that may take only as much memory as its control group.

``tests/serverless/limited.py`` starts it in AWS's own runtime client.
"""

from __future__ import annotations

import os
from pathlib import Path

Path(os.environ["CONTROL_GROUP"], "cgroup.procs").write_text(str(os.getpid()))

from renditions.serverless.function import open_function  # noqa: E402 - its memory must count too

function = open_function(Path("pipeline.json"), os.environ)
lambda_handler = function.handle

"""The OpenAPI document, compared with the real server.

A property-based tester finds no difference. This test sends some hundreds of requests; ``make test-api``
sends thousands.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from commands import draw, write_pipeline
from web.browser import served

RENDITIONS = (
    "[renditions.thumb]\nwidth = 60\n[renditions.zoom]\nwidth = 90\nformat = 'webp'\non_demand = true\n"
)
EXAMPLES = int(os.environ.get("API_EXAMPLES", "2"))
"""How many requests each phase generates for each operation, in addition to those for its schema's limits."""
AMBIGUOUS = """\
[[operations]]
include-path = "/pictures/{name}/process"
[operations.checks]
unsupported_method.enabled = false
"""
"""The tester's settings. ``GET /pictures/x/process?again=true`` reads the picture ``x/process``, so the
server refuses the query and not the method.
"""
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


def test_generated_requests_get_the_answers_that_the_openapi_document_describes(tmp_path: Path) -> None:
    write_pipeline(tmp_path, RENDITIONS)
    for number in range(3):
        draw(tmp_path / "inbox" / f"{number}.jpg", seed=number)
    (tmp_path / "inbox" / "bad.jpg").write_text("no picture")
    (tmp_path / "schemathesis.toml").write_text(AMBIGUOUS)
    with served(tmp_path) as address:
        ended = subprocess.run(
            [
                SCHEMATHESIS, "--no-color", "run", f"{address}/openapi.json",
                "--max-examples", str(EXAMPLES), "--seed", "1", "--generation-database", "none",
                "--exclude-path", "/events",  # it never ends
            ],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    counted = re.search(r"([\d,]+) generated", ended.stdout)
    assert counted, ended.stdout
    sent = int(counted[1].replace(",", ""))
    print(f"{sent:,} requests")
    assert sent > 200

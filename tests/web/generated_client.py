"""A client that openapi-python-client generates from the OpenAPI document.

``make test-client`` runs the test, because the generator's libraries don't fit beside those of the tests.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from commands import draw, write_pipeline
from web.browser import served

GENERATOR = ("openapi-python-client==0.29.1", "openapi-python-client")
UV = Path(sys.executable).with_name("uv")

USE = """
import sys
from renditions_client import Client
from renditions_client.api.changes import run_batch
from renditions_client.api.files import read_rendition
from renditions_client.api.pictures import list_pictures, process_picture
from renditions_client.models import BatchRequest, BatchRequestAction

client = Client(sys.argv[1], raise_on_unexpected_status=True)
assert process_picture.sync("a.jpg", client=client).result in ("done", "unchanged")
page = list_pictures.sync(client=client, limit=1, history=True)
assert [each.name for each in page.pictures] == ["a.jpg"], page
assert page.pictures[0].history[-1].status == "done"
answer = read_rendition.sync_detailed("thumb", "a.jpg", client=client)
assert answer.content.startswith(b"\\xff\\xd8"), answer
batch = BatchRequest(BatchRequestAction.DELETE, ["a.jpg", "b.jpg"])
results = run_batch.sync(client=client, body=batch).results
assert [each.problem is None for each in results] == [True, False], results
"""


def test_a_generated_client_has_no_warnings_and_works(tmp_path: Path) -> None:
    write_pipeline(tmp_path, "[renditions.thumb]\nwidth = 40\n")
    draw(tmp_path / "inbox" / "a.jpg")
    (tmp_path / "config.json").write_text(json.dumps({"package_name_override": "renditions_client"}))
    with served(tmp_path) as url:
        generated = subprocess.run(
            [
                *(UV, "tool", "run", "--quiet", "--from", *GENERATOR, "generate", "--url"),
                *(f"{url}/openapi.json", "--meta", "none", "--fail-on-warning", "--config", "config.json"),
                *("--output-path", "renditions_client"),
            ],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert generated.returncode == 0, generated.stdout + generated.stderr
        assert "warning" not in (generated.stdout + generated.stderr).lower()
        used = subprocess.run(
            [UV, "tool", "run", "--quiet", "--from", GENERATOR[0], "python", "-c", USE, url],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert used.returncode == 0, used.stderr

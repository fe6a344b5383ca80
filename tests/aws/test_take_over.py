"""Commands from another machine on a catalog whose pipeline a deployment set."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from aws.account import Account
from commands import draw, run
from contract.cloud import name_of
from renditions.errors import Superseded
from renditions.pipeline_file.plain import to_plain
from renditions.pipeline_file.reading import load, read_preset
from renditions.serverless.bundled import Bundled, open_bundled

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return an account with two pictures, after pointing the environment at it."""
    made = Account(name_of(tmp_path))
    for variable, value in made.environ().items():
        monkeypatch.setenv(variable, value)
    (tmp_path / "renditions.toml").write_text(read_preset("thumbnail"))
    for seed, name in enumerate(("one.jpg", "two.jpg")):
        draw(tmp_path / name, seed=seed)
        made.upload(name, (tmp_path / name).read_bytes())
    return made


def deploy(folder: Path, at: str) -> Bundled:
    """Return a function that was deployed at this time with the folder's pipeline."""
    bundled = folder / "bundled.json"
    bundled.write_text(json.dumps(to_plain(load(folder / "renditions.toml").pipeline)))
    return open_bundled(bundled, {**os.environ, "DEPLOYED_AT": at})


def change(folder: Path, width: int) -> None:
    """Have the folder's pipeline make thumbnails of this width."""
    (folder / "renditions.toml").write_text(read_preset("thumbnail").replace("200", str(width)))


def test_a_sync_replaces_the_pipeline_of_a_deployment_only_with_the_option_take_over(
    tmp_path: Path, account: Account
) -> None:
    function = deploy(tmp_path, "2026-01-02T00:00:00Z")
    assert function.process("one.jpg").result == "done"
    assert run(tmp_path, "sync").code == 0, "the same pipeline doesn't differ"
    outputs = account.read_outputs()
    change(tmp_path, 90)
    for command in ("sync", "plan"):
        refused = run(tmp_path, command)
        assert refused.code == 2
        assert "A deployment set the pipeline of this catalog at 2026-01-02T00:00:00Z" in refused.err
        assert "renditions sync --take-over" in refused.err
    assert account.read_outputs() == outputs
    assert run(tmp_path, "plan", "--take-over").code == 0
    assert account.read_outputs() == outputs
    taken = run(tmp_path, "sync", "--take-over")
    assert taken.code == 0, taken.err
    made = account.read_outputs()
    assert made.keys() == outputs.keys()
    assert all(made[key] != outputs[key] for key in made if not key.startswith(".renditions/"))
    with pytest.raises(Superseded):
        function.process("one.jpg")
    assert run(tmp_path, "sync").code == 0, "from then on, this file is in force"
    newer = deploy(tmp_path, "2026-01-03T00:00:00Z")
    assert newer.process("one.jpg").result == "unchanged"
    change(tmp_path, 80)
    assert run(tmp_path, "sync").code == 2, "the newest deployment is in force"

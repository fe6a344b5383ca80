"""deploy and destroy: the files that they write, and how they call Terraform.

Here a script stands for Terraform. It records its calls and answers like the real program.
``infra/applied.py`` runs the real one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import hcl2
import pytest

from commands import RENDITIONS, Ended
from infra.terraform import MODULE
from renditions.deploy import terraform
from renditions.deploy.terraform import (
    ACCEPT_FUNCTION,
    MAIN,
    NAME_FORM,
    Deployment,
    describe_pipeline,
    find_program,
    name_after,
)
from renditions.deploy.wheels import Target
from renditions.errors import UsageError
from renditions.pipeline_file.reading import parse, read_preset

TARGET = Target("arm64", "3.13")

PROGRAM = """#!{python}
import json, pathlib, sys
with pathlib.Path("calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
match sys.argv[1]:
    case "plan":
        print("what would change")
        sys.exit(pathlib.Path("plan-code").exists() and int(pathlib.Path("plan-code").read_text()) or 2)
    case "state":
        print(pathlib.Path("deployed").read_text(), end="")
    case "show":
        print(pathlib.Path("state.json").read_text())
    case "output":
        print(json.dumps({{"upload_to": {{"value": "s3://pictures/"}}}}))
    case "apply" if pathlib.Path("broken").exists():
        sys.exit(1)
"""

DEPLOYED = """\
module.renditions.data.aws_caller_identity.current
module.renditions.aws_cloudwatch_log_group.this
module.renditions.aws_dynamodb_table.this
module.renditions.aws_lambda_function.this
module.renditions.aws_s3_bucket.this["input"]
module.renditions.aws_s3_bucket_notification.this[0]
module.renditions.aws_s3_bucket_policy.this["input"]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a pipeline file.

    The program that stands for Terraform is on the PATH.
    """
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "terraform").write_text(PROGRAM.format(python=sys.executable))
    (programs / "terraform").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    (tmp_path / "renditions.toml").write_text(read_preset("base64"))
    (tmp_path / "deployment").mkdir()
    (tmp_path / "deployment" / "deployed").write_text(DEPLOYED)
    return tmp_path


def run(folder: Path, *arguments: str, answer: str = "") -> Ended:
    ended = subprocess.run(
        [RENDITIONS, *arguments], cwd=folder, input=answer, capture_output=True, text=True, check=False
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def calls(folder: Path) -> list[list[str]]:
    return [json.loads(line) for line in (folder / "deployment" / "calls").read_text().splitlines()]


@pytest.mark.parametrize("command", ["deploy", "destroy"])
def test_deploy_and_destroy_fail_and_write_nothing_without_terraform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    (tmp_path / "renditions.toml").write_text(read_preset("base64"))
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = run(tmp_path, command)
    assert ended.code == 2
    assert "can't find terraform or tofu on the PATH. Install one of them" in ended.err.replace("\n", " ")
    assert [path.name for path in tmp_path.iterdir()] == ["renditions.toml"]


def test_deploy_prefers_terraform_and_otherwise_uses_tofu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="terraform or tofu"):
        find_program()
    for name in ("tofu", "terraform"):
        shutil.copy("/bin/true", tmp_path / name)
        assert find_program() == str(tmp_path / name)


def test_deploy_shows_the_plan_and_applies_it_after_the_answer_yes(folder: Path) -> None:
    ended = run(folder, "deploy", answer="y\n")
    assert (ended.code, ended.out) == (0, "Upload pictures to s3://pictures/\n"), ended.err
    assert "what would change" in ended.err
    assert [call[0] for call in calls(folder)] == ["init", "plan", "apply", "output"]
    deployment = folder / "deployment"
    assert {path.name for path in deployment.iterdir()} >= {"main.tf", "bundle.zip", "module"}
    assert {path.name for path in (deployment / "module").iterdir()} == {
        path.name for path in MODULE.iterdir() if path.suffix in (".tf", ".md")
    }
    assert run(folder, "deploy", "--yes", "--json").data == {"upload_to": "s3://pictures/"}


@pytest.mark.parametrize(
    ("command", "answer"), [(("deploy",), "n\n"), (("destroy",), ""), (("destroy", "--pictures"), "\n")]
)
def test_deploy_and_destroy_apply_nothing_without_the_answer_yes(
    folder: Path, command: tuple[str, ...], answer: str
) -> None:
    (folder / "deployment" / "main.tf").write_text("# mine")
    assert run(folder, *command, answer=answer).code == 1
    assert "apply" not in [call[0] for call in calls(folder)]


def test_deploy_writes_its_folder_and_says_after_the_answer_no_that_nothing_was_applied(
    folder: Path,
) -> None:
    ended = run(folder, "deploy", answer="n\n")
    assert (folder / "deployment" / "bundle.zip").exists()
    assert (ended.code, "Nothing was changed" in ended.err) == (1, False)
    assert "Nothing was applied. To apply the plan, run renditions deploy." in ended.err.replace("\n", " ")


def test_deploy_with_the_option_plan_only_applies_nothing(folder: Path) -> None:
    ended = run(folder, "deploy", "--plan-only", "--yes", "--sync")
    assert (ended.code, ended.out) == (0, ""), ended.err
    assert "what would change" in ended.err
    assert "Nothing was applied" in ended.err
    assert [call[0] for call in calls(folder)] == ["init", "plan"]


def test_deploy_writes_the_function_that_chooses_formats_if_main_tf_uses_this_function(
    tmp_path: Path,
) -> None:
    text = read_preset("web").replace("{version}", "{hash}")
    pipeline = parse(text, "web", tmp_path, {}).pipeline
    deployment = Deployment(tmp_path / "new", "terraform")
    deployment.write(pipeline, TARGET, tmp_path / "renditions.toml", "shop")
    assert not (tmp_path / "new" / ACCEPT_FUNCTION).exists()
    (tmp_path / "new" / "main.tf").write_text(f'accept_function = "${{path.module}}/{ACCEPT_FUNCTION}"')
    deployment.write(pipeline, TARGET, tmp_path / "renditions.toml", "shop")
    assert "image/avif" in (tmp_path / "new" / ACCEPT_FUNCTION).read_text()


def test_deploy_keeps_main_tf_and_rewrites_the_module(folder: Path) -> None:
    pipeline = parse(read_preset("base64"), "base64", folder, {}).pipeline
    deployment = Deployment(folder / "new", "terraform")
    deployment.write(pipeline, TARGET, folder / "renditions.toml", "shop")
    (folder / "new" / "main.tf").write_text("# mine")
    (folder / "new" / "module" / "main.tf").write_text("# of an older version")
    (folder / "new" / "module" / "storage.tf").write_text("# which later versions don't have")
    deployment.write(pipeline, TARGET, folder / "renditions.toml", "shop")
    assert (folder / "new" / "main.tf").read_text() == "# mine"
    assert (folder / "new" / "module" / "main.tf").read_text() == (MODULE / "main.tf").read_text()
    assert not (folder / "new" / "module" / "storage.tf").exists()


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Shop Photos", "shop-photos"),
        ("2024 Käse", "kase"),
        ("a" * 40, "a" * 32),
        (f"{'a' * 31}_b", "a" * 31),
        ("写真", "renditions"),
        ("sthree-x", "renditions"),
    ],
)
def test_the_default_name_of_a_deployment_is_made_from_the_name_of_its_folder(folder: str, name: str) -> None:
    assert name_after(Path("/projects") / folder / "renditions.toml") == name


def test_the_module_describes_a_valid_name_as_the_option_name_does() -> None:
    assert f'"Expected {NAME_FORM}."' in (MODULE / "variables.tf").read_text()


def settings_of(folder: Path) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads((folder / "deployment" / terraform.SETTINGS).read_text())[
        "pipeline"
    ]
    return settings


def test_deploy_shows_the_name_of_the_deployment_and_gives_this_name_to_the_table(folder: Path) -> None:
    ended = run(folder, "deploy", "--yes", "--name", "shop")
    assert (ended.code, "Deploying as shop." in ended.err) == (0, True), ended.err
    assert (settings_of(folder)["name"], settings_of(folder)["table"]) == ("shop", "shop")
    # The folder's name doesn't matter any more.
    assert "Deploying as shop." in run(folder, "deploy", "--yes").err


def test_the_name_of_a_deployment_changes_only_while_nothing_is_deployed(folder: Path) -> None:
    assert run(folder, "deploy", "--yes", "--name", "shop").code == 0
    state = folder / "deployment" / "state.json"
    resource = {"mode": "managed", "type": "aws_cloudwatch_log_group"}
    module = {"child_modules": [{"resources": [resource]}]}
    state.write_text(json.dumps({"values": {"root_module": module}}))
    ended = run(folder, "deploy", "--yes", "--name", "other")
    assert ended.code == 2
    assert "has the deployment shop, whose name can't change" in ended.err.replace("\n", " ")
    resource["type"] = "terraform_data"
    state.write_text(json.dumps({"values": {"root_module": module}}))
    assert run(folder, "deploy", "--yes", "--name", "other").code == 0
    assert (settings_of(folder)["name"], settings_of(folder)["table"]) == ("other", "other")
    assert run(folder, "deploy", "--name", "No Name").code == 2


def test_an_older_deployment_keeps_its_name_and_its_table(folder: Path) -> None:
    deployment = folder / "deployment"
    (deployment / "main.tf").write_text(MAIN.replace("  name          = var.pipeline.name\n", ""))
    (deployment / terraform.SETTINGS).write_text('{"pipeline": {"table": "ImageMetadata"}}')
    ended = run(folder, "deploy", "--yes")
    assert (ended.code, "Deploying as" in ended.err) == (0, False), ended.err
    assert settings_of(folder)["table"] == "ImageMetadata"
    ended = run(folder, "deploy", "--yes", "--name", "shop")
    assert ended.code == 2
    assert "sets the name itself. Change it there." in ended.err.replace("\n", " ")


def test_deploy_refuses_a_folder_with_the_deployment_of_another_pipeline_file(folder: Path) -> None:
    assert run(folder, "deploy", "--yes").code == 0
    (folder / "second.toml").write_text(read_preset("base64"))
    ended = run(folder, "deploy", "--yes", "-p", "second.toml")
    assert ended.code == 2
    assert "has the deployment of renditions.toml, not of second.toml" in ended.err.replace("\n", " ")


def test_deploy_without_changes_succeeds_and_applies_nothing(folder: Path) -> None:
    (folder / "deployment" / "plan-code").write_text("0 ")
    program = folder / "programs" / "terraform"
    program.write_text(program.read_text().replace("or 2)", "or 0)"))
    assert run(folder, "deploy").code == 0
    assert [call[0] for call in calls(folder)] == ["init", "plan", "output"]


def test_deploy_succeeds_if_main_tf_has_no_output_upload_to(folder: Path) -> None:
    program = folder / "programs" / "terraform"
    program.write_text(program.read_text().replace('"upload_to"', '"other"'))
    ended = run(folder, "deploy", "--yes")
    assert (ended.code, ended.out) == (0, ""), ended.err


def test_deploy_fails_if_terraform_fails(folder: Path) -> None:
    (folder / "deployment" / "plan-code").write_text("1")
    ended = run(folder, "deploy", "--yes")
    assert ended.code == 1
    assert "terraform plan failed with exit code 1" in ended.err
    (folder / "deployment" / "plan-code").unlink()
    (folder / "deployment" / "broken").touch()
    failed = run(folder, "deploy", "--yes").err
    assert "terraform apply failed with exit code 1" in failed
    assert "another deployment has this name: choose another --name" in failed.replace("\n", " ")


def test_destroy_keeps_the_buckets_and_the_table(folder: Path) -> None:
    (folder / "deployment" / "main.tf").write_text("# mine")
    assert run(folder, "destroy", "--yes").code == 0
    _, _, plan, apply = calls(folder)
    assert "-destroy" in plan
    assert [option for option in plan if option.startswith("-target")] == [
        "-target=module.renditions.aws_lambda_function.this",
        "-target=module.renditions.aws_s3_bucket_notification.this[0]",
    ]
    assert apply == ["apply", "-input=false", "deployment.tfplan"]


def test_destroy_with_the_option_pictures_unlocks_the_pictures_and_destroys_everything(folder: Path) -> None:
    (folder / "deployment" / "main.tf").write_text("# mine")
    (folder / "deployment" / "state.json").write_text("{}")
    assert run(folder, "destroy", "--pictures", "--yes").code == 0
    _, _, shown, _, unlock, _, plan, apply = calls(folder)
    assert shown[-2:] == plan[-2:] == ["-destroy", "-var=keep_pictures=false"]
    assert [option for option in unlock if option.startswith("-target")] == [
        "-target=module.renditions.aws_cloudwatch_log_group.this",
        "-target=module.renditions.aws_dynamodb_table.this",
        '-target=module.renditions.aws_s3_bucket.this["input"]',
        '-target=module.renditions.aws_s3_bucket_policy.this["input"]',
    ]
    assert apply == ["apply", "-input=false", "deployment.tfplan"]


@pytest.mark.parametrize(
    ("kind", "name", "values", "code"),
    [
        ("aws_dynamodb_table", "this", {"deletion_protection_enabled": True}, 2),
        ("aws_s3_bucket", "this", {"force_destroy": False}, 2),
        ("aws_dynamodb_table", "this", {"deletion_protection_enabled": False}, 0),
        ("aws_s3_bucket", "this", {"force_destroy": True}, 0),
        ("aws_s3_bucket", "mine", {"force_destroy": False}, 0),
    ],
)
def test_destroy_destroys_no_function_if_the_table_or_a_bucket_stays_protected(
    folder: Path, kind: str, name: str, values: dict[str, bool], code: int
) -> None:
    """For example, a main.tf can give the module ``keep_pictures = true``."""
    (folder / "deployment" / "main.tf").write_text("# mine")
    address = f"module.renditions.{kind}.{name}"
    resource = {"mode": "managed", "type": kind, "name": name, "address": address, "values": values}
    module = {"child_modules": [{"resources": [resource]}]}
    (folder / "deployment" / "state.json").write_text(json.dumps({"values": {"root_module": module}}))
    ended = run(folder, "destroy", "--pictures", "--yes")
    assert ended.code == code, ended.err
    applied = ["apply", "-input=false", "deployment.tfplan"] in calls(folder)
    assert applied == (code == 0)
    refusal = f"can't destroy {address}: the module still protects the pictures. Nothing was destroyed."
    assert (refusal in ended.err.replace("\n", " ")) == (code == 2)


def test_destroy_finds_nothing_to_destroy_if_only_kept_resources_are_left(folder: Path) -> None:
    (folder / "deployment" / "main.tf").write_text("# mine")
    (folder / "deployment" / "deployed").write_text("module.renditions.aws_dynamodb_table.this\n")
    ended = run(folder, "destroy")
    assert (ended.code, "There is nothing to destroy" in ended.err) == (0, True)


def test_destroy_without_a_deployment_is_refused(folder: Path) -> None:
    ended = run(folder, "destroy")
    assert ended.code == 2
    assert "has no deployment" in ended.err


@pytest.mark.parametrize(
    ("stores", "settings"),
    [
        (("./inbox", "./processed", "sqlite:renditions.db"), ("", "processed/", "shop")),
        (("s3://inn/uploads", "s3://out", "dynamodb:Shop"), ("uploads/", "", "Shop")),
    ],
)
def test_the_terraform_module_gets_the_values_of_the_pipeline(
    tmp_path: Path, stores: tuple[str, str, str], settings: tuple[str, str, str]
) -> None:
    source, output, catalog = stores
    text = (
        f'[source]\nstore = "{source}"\n[output]\nstore = "{output}"\n'
        'cors_origins = ["https://shop.example"]\n'
        f'[catalog]\nstore = "{catalog}"\nkey = "image_id"\n[renditions.thumb]\n'
    )
    text += '[[notify]]\non = ["done"]\nto = "events:pictures"\n'
    text += '[[notify]]\non = ["done"]\nto = "ses:ann@example.org"\nsender = "shop@example.org"\n'
    told = describe_pipeline(parse(text, "test", tmp_path, {}).pipeline, TARGET, "shop", "shop")
    assert (told["event_buses"], told["mail_senders"]) == (["pictures"], ["shop@example.org"])
    assert told["cors_origins"] == ["https://shop.example"]
    buckets = ("inn", "out") if source.startswith("s3") else (None, None)
    assert (told["input_bucket"], told["output_bucket"]) == buckets
    assert (told["input_prefix"], told["output_prefix"], told["table"]) == settings
    assert (told["table_key"], told["architecture"], told["python"]) == ("image_id", "arm64", "3.13")


def test_deploy_warns_if_main_tf_does_not_use_a_bucket_that_the_pipeline_names(folder: Path) -> None:
    bucket = "s3://my-bucket/in/"
    text = read_preset("base64").replace('store = "./inbox"', f'store = "{bucket}"', 1)
    (folder / "renditions.toml").write_text(text)
    assert bucket in text
    (folder / "deployment" / "main.tf").write_text("# mine")
    ended = run(folder, "deploy", "--yes")
    assert (ended.code, "it doesn't use var.pipeline.input_bucket" in ended.err.replace("\n", " ")) == (
        0,
        True,
    )


def test_deploy_warns_if_main_tf_does_not_give_the_function_a_secret_of_the_pipeline(folder: Path) -> None:
    notify = '[[notify]]\non = ["done"]\nto = "webhook:https://example.com/"\nsecret = "${WEBHOOK_SECRET}"\n'
    (folder / "renditions.toml").write_text(f"{read_preset('base64')}\n{notify}")
    warning = "The function gets no WEBHOOK_SECRET"
    assert warning in run(folder, "deploy", "--yes", "--no-sync").err.replace("\n", " ")
    main = folder / "deployment" / "main.tf"
    main.write_text(
        main.read_text().replace("notices = {", 'secrets = { WEBHOOK_SECRET = "arn" }\n  notices = {')
    )
    assert warning not in run(folder, "deploy", "--yes", "--no-sync").err.replace("\n", " ")


def test_deploy_offers_to_compare_all_pictures_after_a_change(folder: Path) -> None:
    ended = run(folder, "deploy", answer="y\nn\n")
    assert "Compare all pictures with the pipeline now?" in ended.err
    assert "run renditions deploy --sync" in ended.err
    (folder / "deployment" / "state.json").write_text("{}")
    ended = run(folder, "deploy", "--yes", "--sync")
    assert ended.code == 2
    assert "has no function that could sync" in ended.err.replace("\n", " ")
    assert "Compare" not in run(folder, "deploy", "--yes", "--no-sync").err


def test_every_argument_and_output_in_main_tf_exists_in_the_module() -> None:
    """Every argument in main.tf is a variable of the module.

    Every output in main.tf is one of the module's outputs.
    """
    written = hcl2.loads(MAIN)
    ((called,),) = (block.values() for block in written["module"])
    known = names_in((MODULE / "variables.tf").read_text(), "variable")
    assert called.keys() - {"source"} - {name for name in called if name.startswith("__")} <= known
    outputs = names_in((MODULE / "outputs.tf").read_text(), "output")
    assert names_in(MAIN, "output") <= outputs


def test_destroy_keeps_all_settings_of_the_buckets_except_the_notification() -> None:
    """The notification names a queue or a function, which are destroyed."""
    kinds = {kind for file in MODULE.glob("*.tf") for kind in names_in(file.read_text(), "resource")}
    assert set(terraform.KEPT) <= kinds
    settings = {kind for kind in kinds if kind.startswith("aws_s3_bucket_")}
    assert settings - set(terraform.KEPT) == {"aws_s3_bucket_notification"}


def names_in(text: str, kind: str) -> set[str]:
    blocks: list[dict[str, Any]] = hcl2.loads(text).get(kind, [])
    return {name.strip('"') for block in blocks for name in block}

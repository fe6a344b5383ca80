"""The examples on AWS: each pipeline in AWS's own runtime client.

moto stands for the services. The prefixes and the table's key come from the example's Terraform root.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hcl2
import pytest
from PIL import Image

from contract.cloud import CLIENTS, name_of
from imaging.dicoms import SECRET
from infra.terraform import MODULE
from renditions.pipeline_file.plain import to_plain
from renditions.pipeline_file.reading import load
from serverless.deployed import link_runtime, make_cloud, read, start, unpack, upload
from systems.places import EXAMPLES, NAMES, commands_of, draw_photographs, read_module_call

EVERYTHING = """
[source]
store = "./inbox"
[accept]
formats = ["jpeg", "png", "webp", "avif", "gif", "tiff", "heic", "dicom"]
[output]
store = "./processed"
[renditions.document]
format = "pdf"
watermark = { text = "mark" }
"""
"""A pipeline whose bundle has the libraries of every example."""


@dataclass(frozen=True)
class System:
    """The results of an example."""

    environ: dict[str, str]
    answer: Any
    log: list[dict[str, Any]] = field(repr=False)
    notices: dict[str, dict[str, Any]]
    """The notices that were published to the topic, by picture: the event's name and the notice."""

    def item(self, picture: str) -> dict[str, Any]:
        key = {self.environ["TABLE_KEY"]: {"S": picture}}
        item = CLIENTS.dynamodb.get_item(TableName=self.environ["TABLE_NAME"], Key=key)["Item"]
        return {name: next(iter(value.values())) for name, value in item.items()}

    def size_of(self, key: str, folder: Path) -> tuple[int, int]:
        (folder / "seen").write_bytes(read(self.environ, key))
        with Image.open(folder / "seen") as picture:
            return picture.size


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs") / "Pictures"
    draw_photographs(folder)
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an unpacked bundle with every library.

    The examples only replace its pipeline.
    """
    return unpack(EVERYTHING, tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return link_runtime(tmp_path_factory.mktemp("runtime"))


def put_pipeline(file: Path, engine: Path, target: Path) -> Path:
    """Put this pipeline into a folder, with links to the bundle's libraries."""
    target.mkdir()
    for path in engine.iterdir():
        if path.name not in ("lambda_function.py", "pipeline.json", "__pycache__"):
            (target / path.name).symlink_to(path)
    shutil.copy(engine / "lambda_function.py", target)
    (target / "pipeline.json").write_text(json.dumps(to_plain(load(file).pipeline)))
    return target


def run(code: Path, runtime: Path, folder: Path, called: dict[str, Any], *pictures: Path) -> System:
    """Upload the pictures to the system of a Terraform root; return the results."""
    name = name_of(folder)
    key = called.get("table", {}).get("key", "image_name")
    environ = make_cloud(name, key) | {
        "PYTHONPATH": str(runtime),
        "SOURCE_PREFIX": called.get("input", {}).get("prefix", ""),
        "OUTPUT_PREFIX": called.get("output", {}).get("prefix", "processed/"),
        "TABLE_KEY": key,
    }
    queue = CLIENTS.sqs.create_queue(QueueName=name)["QueueUrl"]
    CLIENTS.sns.subscribe(TopicArn=environ["SNS_TOPIC_ARN"], Protocol="sqs", Endpoint=arn_of(queue))
    with start(code, folder, environ) as function:
        answer = upload(function, environ, *pictures).value
        log = function.log_lines()
    notices = {}
    for message in CLIENTS.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", ()):
        published = json.loads(message["Body"])
        notice = json.loads(published["Message"])
        event = published["MessageAttributes"]["event"]["Value"]
        notices[notice["image_name"]] = notice | {"event": event}
    return System(environ, answer, log, notices)


def arn_of(queue: str) -> str:
    answer = CLIENTS.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])


def test_the_thumbnail_example_gives_the_results_on_its_page(
    aws: None, engine: Path, runtime: Path, photographs: Path, tmp_path: Path
) -> None:
    """The example makes processed/thumb_photo.jpg of 200×113.

    It also makes the item and the log that the page describes.
    """
    code = put_pipeline(EXAMPLES / "thumbnail" / "renditions.toml", engine, tmp_path / "task")
    system = run(code, runtime, tmp_path, read_module_call("thumbnail"), photographs / "photo.jpg")
    assert system.size_of("processed/thumb_photo.jpg", tmp_path) == (200, 113)
    item = system.item("photo.jpg")
    assert (item["original_width"], item["original_height"]) == ("1920", "1080")
    assert (item["processed_width"], item["processed_height"]) == ("200", "113")
    begun, ended = (line for line in system.log if line.get("key") == "photo.jpg")
    bucket = system.environ["SOURCE_BUCKET"]
    assert begun["message"] == f"Processing image from bucket: {bucket}, key: photo.jpg"
    assert (begun["event"], begun["bucket"]) == ("ObjectCreated:Put", bucket)
    assert (ended["original"]["width"], ended["original"]["height"]) == (1920, 1080)
    assert (ended["renditions"]["thumb"]["width"], ended["renditions"]["thumb"]["height"]) == (200, 113)
    assert ended["original"]["size_bytes"] == (photographs / "photo.jpg").stat().st_size
    assert ended["metadata_stored"] is True


def test_the_square_example_gives_the_results_on_its_page(
    aws: None, engine: Path, runtime: Path, photographs: Path, tmp_path: Path
) -> None:
    """The example writes the square to the bucket of OUTPUT_BUCKET.

    The Terraform root sets an empty prefix, so the key begins with the picture's name.
    """
    code = put_pipeline(EXAMPLES / "square" / "renditions.toml", engine, tmp_path / "task")
    system = run(code, runtime, tmp_path, read_module_call("square"), photographs / "photo.jpg")
    assert system.size_of("photo.jpg/square.jpg", tmp_path) == (200, 200)
    assert system.item("photo.jpg")["status"] == "done"


@pytest.mark.parametrize(("file", "key"), [("renditions.toml", "image_id"), ("by-name.toml", "image_name")])
def test_the_base64_example_gives_the_results_on_its_page(
    aws: None, runtime: Path, photographs: Path, tmp_path: Path, file: str, key: str
) -> None:
    """The zip has no imaging library and no machine code.

    Both catalog keys work.
    """
    code = unpack((EXAMPLES / "base64" / file).read_text(), tmp_path)
    suffixes = {path.suffix for path in code.rglob("*") if path.is_file()}
    assert suffixes == {".py", ".pyc", ".json", ".conf"}
    assert (tmp_path / "bundle.zip").stat().st_size < 2_000_000  # libvips alone takes more
    called = read_module_call("base64")
    assert called["trigger"] == "direct"
    called["table"]["key"] = key
    system = run(code, runtime, tmp_path, called, photographs / "photo.jpg")
    assert system.item("photo.jpg")["status"] == "done"
    assert len(read(system.environ, "photo.jpg.txt")) > (photographs / "photo.jpg").stat().st_size


def test_the_gallery_example_gives_the_results_on_its_page(
    aws: None, engine: Path, runtime: Path, photographs: Path, tmp_path: Path
) -> None:
    """The example makes three sizes and a PDF.

    It sends a notice of success, and one of failure with the reason.
    """
    code = put_pipeline(EXAMPLES / "gallery" / "renditions.toml", engine, tmp_path / "task")
    pictures = photographs / "photo.jpg", photographs / "broken.jpg"
    system = run(code, runtime, tmp_path, read_module_call("gallery"), *pictures)
    sizes = [system.size_of(f"processed/photo.jpg/{name}.jpg", tmp_path) for name in ("small", "large")]
    assert sizes == [(300, 169), (1200, 675)]
    assert read(system.environ, "processed/photo.jpg/document.pdf").startswith(b"%PDF")
    assert {name: notice["event"] for name, notice in system.notices.items()} == {
        "photo.jpg": "done",
        "broken.jpg": "rejected",
    }
    assert system.notices["broken.jpg"]["reason"] == system.item("broken.jpg")["reason"]


def test_the_platform_example_gives_the_results_on_its_page(
    aws: None, engine: Path, runtime: Path, photographs: Path, tmp_path: Path
) -> None:
    """The example processes uploads/.

    The page's own query finds rejected pictures by status and time.
    """
    code = put_pipeline(EXAMPLES / "platform" / "renditions.toml", engine, tmp_path / "task")
    called = read_module_call("platform")
    assert called["trigger"] == "eventbridge"
    system = run(code, runtime, tmp_path, called, photographs / "photo.png", photographs / "tiny.png")
    assert system.size_of("processed/photo.png/page.webp", tmp_path) == (960, 540)
    options = dict(re.findall(r"--([a-z-]+) '?([^-'][^']*?)'?(?= --| \\\n|\n|$)", query_of_the_page()))
    found = CLIENTS.dynamodb.query(
        TableName=system.environ["TABLE_NAME"],
        IndexName=options["index-name"],
        ScanIndexForward=False,
        KeyConditionExpression=options["key-condition-expression"],
        ExpressionAttributeNames=json.loads(options["expression-attribute-names"]),
        ExpressionAttributeValues=json.loads(options["expression-attribute-values"]),
    )
    assert [item["image_name"]["S"] for item in found["Items"]] == ["tiny.png"]
    assert "min_width requires at least 640" in found["Items"][0]["reason"]["S"]
    assert options["table-name"] == called["table"]["name"]


@pytest.mark.parametrize(
    ("use", "picture", "made", "size"),
    [
        ("shop", "photo.jpg", "product.jpg", (800, 800)),
        ("social", "photo.jpg", "face.png", (256, 256)),
        ("archive", "photo.jpg", "copy.jpg", (1920, 1080)),
        ("medical", "scan.dcm", "preview.png", (240, 135)),
    ],
)
def test_the_other_platform_pipelines_give_the_results_on_their_page(
    aws: None,
    engine: Path,
    runtime: Path,
    photographs: Path,
    tmp_path: Path,
    *,
    use: str,
    picture: str,
    made: str,
    size: tuple[int, int],
) -> None:
    """Each pipeline runs from its own file.

    No notice, record or output has data of the patient in a DICOM file.
    """
    code = put_pipeline(EXAMPLES / "platform" / f"{use}.toml", engine, tmp_path / "task")
    called = read_module_call("platform")
    system = run(code, runtime, tmp_path, called, photographs / picture, photographs / "named.dcm")
    assert system.size_of(f"processed/{picture}/{made}", tmp_path) == size
    assert system.item(picture)["status"] == "done"
    told = repr((system.item(picture), system.log, system.notices, system.answer))
    assert SECRET not in told
    for found in CLIENTS.s3.list_objects_v2(Bucket=system.environ["OUTPUT_BUCKET"])["Contents"]:
        assert SECRET.encode() not in read(system.environ, found["Key"])
    if use == "medical":
        assert "BurnedInAnnotation" in system.item("named.dcm")["reason"]


def query_of_the_page() -> str:
    return commands_of("platform", "On AWS").partition("aws dynamodb query ")[2]


@pytest.mark.parametrize("name", NAMES)
def test_the_terraform_files_of_an_example_match_the_module_and_the_pipeline(name: str) -> None:
    called = read_module_call(name)
    variables = {
        key.strip('"'): body
        for block in hcl2.loads((MODULE / "variables.tf").read_text())["variable"]
        for key, body in block.items()
    }
    assert called.keys() - {"source"} <= variables.keys()
    assert (EXAMPLES / name / called["source"]).resolve() == MODULE
    assert called["bundle"] == "${path.module}/bundle.zip"
    pipeline = load(EXAMPLES / name / "renditions.toml").pipeline
    assert called.get("table", {}).get("key", "image_name") == pipeline.catalog.key
    used = set(re.findall(r"module\.renditions\.(\w+)", (EXAMPLES / name / "main.tf").read_text()))
    outputs = hcl2.loads((MODULE / "outputs.tf").read_text())["output"]
    assert used <= {key.strip('"') for block in outputs for key in block}

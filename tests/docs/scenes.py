"""Scenes: each prepares the folder in which a page's snippets run.

``<!-- scene: NAME -->`` in a page names one of these. A scene returns variables of the environment. It can
also return a text of the page, such as a path. The test then replaces this text by its value.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from urllib.request import Request, urlopen

from botocore.session import Session

from commands import draw, run
from contract.cloud import ACCESS_KEY, REGION, SECRET_KEY, environment_of, run_moto
from docs.pages import ROOT
from docs.snippets import read_page
from infra.planned import PROVIDER
from infra.terraform import copy_module, write_settings
from systems.places import copy_example

_PROJECT = """
[source]
store  = "./inbox"
settle = "0.001 s"

[output]
store    = "./processed"
base_url = "/images/"

[renditions.thumb]
width  = 200
height = 200

[renditions.photo]
widths  = [480, 960]
formats = ["webp", "jpeg"]
"""


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _empty(home: Path, _stack: ExitStack) -> Mapping[str, str]:
    return {}


def _photos(home: Path, _stack: ExitStack) -> Mapping[str, str]:
    """Put four photos into the home folder's ``Pictures``."""
    draw(home / "Pictures" / "photo.jpg", 1920, 1080, seed=1)
    draw(home / "Pictures" / "boat.jpg", 1000, 1500, seed=4)
    draw(home / "Pictures" / "2024" / "beach.jpg", 1200, 900, seed=2)
    draw(home / "Pictures" / "people" / "ada.jpg", 600, 900, seed=3)
    return {}


def _project(home: Path, stack: ExitStack) -> Mapping[str, str]:
    """Make a synced project of the four photos; the session starts in it."""
    _photos(home, stack)
    (home / "Pictures").rename(home / "inbox")
    (home / "renditions.toml").write_text(_PROJECT)
    ended = run(home, "sync")
    assert ended.code == 0, ended.err
    return {}


def _site(home: Path, stack: ExitStack) -> Mapping[str, str]:
    """Make the folder that the first tutorial ends with, and start a server like AWS."""
    _photos(home, stack)
    site = home / "my-site"
    site.mkdir()
    (home / "Pictures").rename(site / "photos")
    for subfolder in ("2024", "people"):
        shutil.rmtree(site / "photos" / subfolder)
    page = read_page(ROOT / "docs" / "tutorials" / "photos-on-a-page.md")
    (pipeline,) = (each.code for each in page.snippets if each.marks.get("file") == "renditions.toml")
    (site / "renditions.toml").write_text(pipeline)
    ended = run(site, "sync")
    assert ended.code == 0, ended.err
    return _stand_for_aws(home, site / "deployment", stack)


def _example(home: Path, stack: ExitStack) -> Mapping[str, str]:
    """Copy the example ``thumbnail`` and the module, and start a server like AWS."""
    _photos(home, stack)
    copy_module(home / "infra" / "terraform")
    example = copy_example("thumbnail", home / "examples" / "thumbnail")
    (home.parent / "directory").write_text(str(example))
    return _stand_for_aws(home, example, stack)


def _repository(home: Path, _stack: ExitStack) -> Mapping[str, str]:
    """Begin in a copy of the package's sources.

    A folder below the home folder stands for ``/opt/renditions``.
    """
    copied = home / "repository"
    copied.mkdir()
    names = ("src", "tests", "docs", "README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml")
    for name in names:
        path = ROOT / name
        (shutil.copytree if path.is_dir() else shutil.copy)(path, copied / name)
    (home.parent / "directory").write_text(str(copied))
    return {"/opt/renditions": f"{home}/opt"}


def _stand_for_aws(home: Path, root: Path, stack: ExitStack) -> Mapping[str, str]:
    """Start a server that stands for AWS, and prepare the folder of Terraform's root.

    The server runs no functions. Return the environment.
    """
    environment = stack.enter_context(run_moto())
    body = b'{"lambda": {"use_docker": false}}'
    headers = {"Content-Type": "application/json"}
    url = f"{environment['AWS_ENDPOINT_URL']}/moto-api/config"
    urlopen(Request(url, body, headers), timeout=30).close()  # noqa: S310 - moto's
    root.mkdir(exist_ok=True)
    (root / "provider.tf").write_text(PROVIDER)
    return environment | {
        "TF_CLI_CONFIG_FILE": str(write_settings(home)),
        "TF_IN_AUTOMATION": "1",
        "NO_COLOR": "1",
    }


def _buckets(home: Path, stack: ExitStack) -> Mapping[str, str]:
    """Start a server that speaks S3's API, with two photos in one of its two buckets.

    The server is moto's, or the one at the URL in the variable ``DOCS_S3``.
    """
    endpoint = os.environ.get("DOCS_S3")
    environment = environment_of(endpoint) if endpoint else stack.enter_context(run_moto())
    client = Session().create_client(
        "s3",
        region_name=REGION,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )
    place = {"LocationConstraint": REGION}
    for name in ("photos-in", "photos-out"):
        client.create_bucket(Bucket=name, CreateBucketConfiguration=place)
    for seed in (1, 2):
        draw(home / "drawn.jpg", 640, 480, seed)
        client.put_object(Bucket="photos-in", Key=f"{seed}.jpg", Body=(home / "drawn.jpg").read_bytes())
    return environment | {
        "https://s3.example.org": environment["AWS_ENDPOINT_URL"],
        "AWS_ACCESS_KEY_ID=…": f"AWS_ACCESS_KEY_ID={ACCESS_KEY}",
        "AWS_SECRET_ACCESS_KEY=…": f"AWS_SECRET_ACCESS_KEY={SECRET_KEY}",
    }


SCENES: Mapping[str, Callable[[Path, ExitStack], Mapping[str, str]]] = {
    "empty": _empty,
    "photos": _photos,
    "project": _project,
    "site": _site,
    "buckets": _buckets,
    "example": _example,
    "repository": _repository,
}

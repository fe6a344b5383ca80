"""Signed URLs and forms, the reuse of URLs, and the choice of a preview."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs, urlsplit

import pytest

from contract.catalogs import NOW
from renditions.aws.clients import Clients
from renditions.aws.signing import Signer
from renditions.errors import KeyRefused, StoreRefused
from renditions.model.original import Original
from renditions.model.places import S3Place
from renditions.model.record import Output, Record
from renditions.web.links import LINK_SECONDS, BucketLinks, LocalLinks, find_small


def open_signer(monkeypatch: pytest.MonkeyPatch, bucket: str = "my-bucket", **environ: str) -> Signer:
    settings = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-central-1"}
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name, value in (settings | environ).items():
        monkeypatch.setenv(name, value)
    return Signer(Clients().signing_s3, S3Place(bucket, "in/"))


@pytest.mark.parametrize(
    ("region", "origin"),
    [
        ("eu-central-1", "https://my-bucket.s3.eu-central-1.amazonaws.com"),
        ("us-east-1", "https://my-bucket.s3.amazonaws.com"),
        ("cn-north-1", "https://my-bucket.s3.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_signed_urls_on_aws_use_the_host_of_the_configured_region(
    monkeypatch: pytest.MonkeyPatch, region: str, origin: str
) -> None:
    """The global host of a new bucket answers with a redirect.

    An upload doesn't follow the redirect.
    """
    signer = open_signer(monkeypatch, AWS_REGION=region)
    assert signer.origin == origin
    assert signer.sign_download("a b.jpg", 60).startswith(f"{origin}/in/a%20b.jpg?")
    assert signer.sign_upload("a.jpg", "image/jpeg", 9, 60)[0] == f"{origin}/"


def test_a_signed_url_of_a_bucket_with_dots_has_the_bucket_in_its_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert open_signer(monkeypatch, "my.bucket").origin == "https://s3.eu-central-1.amazonaws.com"


def test_a_signed_url_has_the_host_of_a_custom_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = open_signer(monkeypatch, AWS_ENDPOINT_URL="http://storage.example:9000")
    assert signer.origin == "http://storage.example:9000"
    assert signer.sign_download("a.jpg", 60).startswith("http://storage.example:9000/my-bucket/in/a.jpg?")


def test_a_signed_url_contains_its_expiry_time_and_the_file_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signer = open_signer(monkeypatch)
    fields = parse_qs(urlsplit(signer.sign_download("a.jpg", 60, 'é"\r\n.jpg')).query)
    assert fields["X-Amz-Expires"] == ["60"]
    assert fields["response-content-disposition"] == ["attachment; filename*=UTF-8''%C3%A9%22%0D%0A.jpg"]
    with pytest.raises(KeyRefused):
        signer.sign_download("../../a.jpg", 60)


def test_a_signed_form_allows_only_one_key_one_type_and_one_size(monkeypatch: pytest.MonkeyPatch) -> None:
    _, fields = open_signer(monkeypatch).sign_upload("a b.jpg", "image/jpeg", 9, 60)
    conditions = json.loads(base64.b64decode(fields["policy"]))["conditions"]
    free = [each for each in conditions if isinstance(each, list)]
    exact = {name: value for each in conditions if isinstance(each, dict) for name, value in each.items()}
    assert free == [["content-length-range", 9, 9]]
    assert exact.items() >= {"key": "in/a b.jpg", "Content-Type": "image/jpeg", "bucket": "my-bucket"}.items()


def test_a_signed_form_asks_s3_for_an_answer_with_the_etag(monkeypatch: pytest.MonkeyPatch) -> None:
    _, fields = open_signer(monkeypatch).sign_upload("a.jpg", "image/jpeg", 9, 60)
    assert fields["success_action_status"] == "201"
    assert {"success_action_status": "201"} in json.loads(base64.b64decode(fields["policy"]))["conditions"]


def test_signing_without_credentials_raises_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/",
        "AWS_SHARED_CREDENTIALS_FILE": "/",
    }
    open_signer(monkeypatch, **nowhere)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    signer = Signer(Clients().signing_s3, S3Place("my-bucket", "in/"))
    with pytest.raises(StoreRefused, match=r"s3://my-bucket/in/: .*credentials"):
        _ = signer.origin


def test_a_signed_url_is_reused_for_half_of_its_lifetime() -> None:
    signed: list[tuple[str, int, str | None]] = []

    def sign(key: str, seconds: int, file_name: str | None) -> str:
        signed.append((key, seconds, file_name))
        return f"{key} {len(signed)}"

    now = 10.0 * LINK_SECONDS
    links = BucketLinks(sign, sign, clock_seconds=lambda: now)
    output = Output("thumb", "out/a.jpg", "e1", "s", "f", "jpeg", 1)
    record = Record("a/a.jpg", "done", NOW, etag="s")
    for _ in range(2):
        assert (links.original(record), links.rendition(record, output)) == ("a/a.jpg 1", "out/a.jpg 2")
    assert signed == [("a/a.jpg", LINK_SECONDS, "a.jpg"), ("out/a.jpg", LINK_SECONDS, None)]
    assert links.original(Record("a/a.jpg", "done", NOW, etag="new")) == "a/a.jpg 3"
    now += LINK_SECONDS / 2
    assert links.original(record) == "a/a.jpg 4"


def test_the_preview_is_the_smallest_rendition_that_browsers_can_show() -> None:
    sizes = {"pdf": None, "webp": 300, "jpeg": 200, "tiff": 100}
    outputs = tuple(Output(name, name, "e", "s", "f", name, 1, width, width) for name, width in sizes.items())
    links = LocalLinks(has_previews=True)
    assert find_small(links, Record("a.jpg", "done", NOW, outputs=outputs)) == "/renditions/jpeg/a.jpg?v=e"
    pdf = Record("a.jpg", "done", NOW, etag="1", outputs=outputs[:1], original=Original(9, "heic"))
    assert find_small(links, pdf) == "/previews/a.jpg?v=1"
    assert find_small(LocalLinks(), pdf) is None

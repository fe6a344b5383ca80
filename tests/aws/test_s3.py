"""The store in S3 beyond the contract: keys, versions, encryption and errors."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker
from urllib3.exceptions import SSLError
from urllib3.response import HTTPResponse

from aws.answers import Answer, answering
from contract.cloud import CLIENTS, REGION, name_of
from contract.stores import keys, put
from renditions.aws.clients import PASSING, Clients
from renditions.aws.s3 import S3Store
from renditions.core.ports import IfAbsent, IfMatch
from renditions.errors import Archived, Conflict, KeyRefused, StoreFailed, StoreRefused, UsageError
from renditions.model.places import S3Place
from renditions.model.source import Source

pytestmark = pytest.mark.usefixtures("aws")

ODD_KEYS = {
    "empty part": "a//b.jpg",
    "leading slash": "/a.jpg",
    "only slashes": "//",
    "trailing slash": "a/",
    "dot parts": "a/./b",
    "leading dot part": "./a",
    "dot dot part": "a/../b.jpg",
    "encoded slash": "a%2Fb",
    "control characters": "a\x01\x1f\x7fb.jpg",
    "1,024 bytes": "é" * 512,
    "no part of a folder": "a" * 300 + "/b",
}


@pytest.fixture
def bucket(tmp_path: Path) -> str:
    name = name_of(tmp_path)
    CLIENTS.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


@pytest.fixture
def store(bucket: str) -> S3Store:
    return S3Store(CLIENTS.s3, S3Place(bucket, ""))


def xml_error(status: int, code: str, extra: str = "") -> Answer:
    """Return an error in the form of S3's answers."""
    return Answer(status, f"<Error><Code>{code}</Code><Message>words</Message>{extra}</Error>")


@pytest.mark.parametrize("key", ODD_KEYS.values(), ids=ODD_KEYS)
def test_a_bucket_accepts_unusual_keys(store: S3Store, key: str) -> None:
    stored = store.put(key, b"odd", IfAbsent(), "image/jpeg")
    assert stored.key == key
    assert store.head(key) == stored
    assert store.get(key) == (stored, b"odd")
    assert list(store.list()) == [stored]
    store.delete(key, IfMatch(stored.etag))
    assert keys(store) == []


def test_unusual_keys_are_distinct_and_listed_in_order(store: S3Store) -> None:
    odd = [key for key in ODD_KEYS.values() if "\x01" not in key]
    odd += ["a/b.jpg", "b.jpg", "a/b", "a", "a b", "a+b", "a%20b", "a\x01\x1f\x7fb.jpg"]
    for key in odd:
        store.put(key, key.encode(), IfAbsent(), "image/jpeg")
    assert keys(store) == sorted(odd, key=str.encode)
    for key in odd:
        got = store.get(key)
        assert got
        assert got[1] == key.encode()


@pytest.mark.parametrize("key", ["../a", "a/../../b", "é" * 513])
def test_a_key_that_s3_can_not_hold_is_refused(store: S3Store, key: str) -> None:
    with pytest.raises(KeyRefused):
        store.put(key, b"", IfAbsent(), "image/jpeg")


def test_objects_outside_the_prefix_are_not_listed_and_the_prefix_counts_in_the_length(bucket: str) -> None:
    whole, below = S3Store(CLIENTS.s3, S3Place(bucket, "")), S3Store(CLIENTS.s3, S3Place(bucket, "in/"))
    put(whole, "in/")  # AWS's console creates such an object for a folder
    put(whole, "in/a.jpg")
    put(whole, "inner/b.jpg")
    assert keys(below) == ["a.jpg"]
    below.put("x" * 1021, b"", IfAbsent(), "image/jpeg")
    with pytest.raises(KeyRefused, match="1,025"):
        below.head("x" * 1022)


def test_a_folder_marker_is_listed_but_does_not_count_as_a_picture(store: S3Store) -> None:
    put(store, "2026/", b"")
    assert keys(store) == ["2026/"]
    assert not Source(store="s3://bucket", match=("*",)).matches("2026/")


def test_an_object_is_stored_with_its_media_type_and_the_declared_cache_control(bucket: str) -> None:
    store = S3Store(CLIENTS.s3, S3Place(bucket, ""), cache_control="public, max-age=60")
    store.put("a", b"", IfAbsent(), "image/avif")
    answer = CLIENTS.s3.head_object(Bucket=bucket, Key="a")
    assert (answer["ContentType"], answer["CacheControl"]) == ("image/avif", "public, max-age=60")


def test_the_store_reads_and_changes_the_newest_versions_of_a_versioned_bucket(
    store: S3Store, bucket: str
) -> None:
    CLIENTS.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = put(store, "a", b"one")
    second = put(store, "a", b"two")
    with pytest.raises(Conflict):
        store.delete("a", IfMatch(first.etag))
    store.delete("a", IfMatch(second.etag))
    assert store.head("a") is None
    assert store.get("a") is None
    assert keys(store) == []
    with pytest.raises(Conflict):
        store.put("a", b"three", IfMatch(second.etag), "image/jpeg")
    third = store.put("a", b"three", IfAbsent(), "image/jpeg")
    assert store.get("a") == (third, b"three")


def test_purge_deletes_older_versions_and_delete_markers(store: S3Store, bucket: str) -> None:
    CLIENTS.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put(store, "a", b"one")
    store.delete("a", IfMatch(put(store, "a", b"two").etag))
    put(store, "ab", b"old")
    stays = put(store, "ab", b"new")
    assert store.purge("a") == 2
    assert store.purge("ab") == 1
    assert store.get("ab") == (stays, b"new")
    left = CLIENTS.s3.list_object_versions(Bucket=bucket)
    assert [entry["Key"] for entry in left["Versions"]] == ["ab"]
    assert "DeleteMarkers" not in left


def test_a_key_that_the_store_uses_for_its_own_files_is_refused(store: S3Store) -> None:
    with pytest.raises(KeyRefused):
        store.put(".renditions/catalogs/x.json", b"", IfAbsent(), "image/jpeg")


@pytest.mark.parametrize("algorithm", ["AES256", "aws:kms"])
def test_objects_in_an_encrypted_bucket_can_be_read_listed_replaced_and_deleted(
    store: S3Store, bucket: str, algorithm: str
) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}
    CLIENTS.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    stored = put(store, "a", b"one")
    assert store.get("a") == (stored, b"one")
    assert list(store.list()) == [stored]
    store.delete("a", IfMatch(put(store, "a", b"two").etag))


def test_the_etag_of_a_multipart_upload_is_read_without_quotes_and_can_be_used_as_a_condition(
    store: S3Store, bucket: str
) -> None:
    target = {"Bucket": bucket, "Key": "a"}
    upload = CLIENTS.s3.create_multipart_upload(**target)["UploadId"]
    parts = [b"x" * 5 * 2**20, b"y"]
    sent = [
        CLIENTS.s3.upload_part(**target, UploadId=upload, PartNumber=number, Body=part)
        for number, part in enumerate(parts, 1)
    ]
    CLIENTS.s3.complete_multipart_upload(
        **target,
        UploadId=upload,
        MultipartUpload={
            "Parts": [{"ETag": part["ETag"], "PartNumber": number} for number, part in enumerate(sent, 1)]
        },
    )
    found = store.head("a")
    assert found
    assert found.etag.endswith("-2")
    assert '"' not in found.etag
    assert store.get("a") == (found, b"".join(parts))
    put(store, "a", b"new", IfMatch(found.etag))


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_reading_an_archived_object_raises_an_error_with_instructions(
    store: S3Store, bucket: str, storage_class: str
) -> None:
    CLIENTS.s3.put_object(Bucket=bucket, Key="a.jpg", Body=b"old", StorageClass=storage_class)
    (listed,) = store.list()
    assert listed.is_archived
    found = store.head("a.jpg")
    assert found
    assert found.is_archived
    with pytest.raises(Archived, match=r"Restore .*/a\.jpg\. Then .* run renditions retry a\.jpg$"):
        store.get("a.jpg")
    CLIENTS.s3.restore_object(Bucket=bucket, Key="a.jpg", RestoreRequest={"Days": 1})
    restored = store.head("a.jpg")
    assert restored
    assert restored.is_archived is False
    assert store.get("a.jpg") == (restored, b"old")


@pytest.mark.parametrize(
    ("entry", "is_archived"),
    [
        ({"StorageClass": "STANDARD"}, False),
        ({"StorageClass": "GLACIER_IR"}, False),
        ({"StorageClass": "GLACIER"}, True),
        ({"StorageClass": "GLACIER", "RestoreStatus": {"IsRestoreInProgress": True}}, True),
        ({"StorageClass": "DEEP_ARCHIVE", "RestoreStatus": {"IsRestoreInProgress": False}}, False),
        ({"StorageClass": "INTELLIGENT_TIERING"}, None),
    ],
)
def test_a_listing_says_whether_an_object_must_be_restored(
    entry: dict[str, Any], is_archived: bool | None
) -> None:
    class Client:
        def get_paginator(self, _: str) -> Client:
            return self

        def paginate(self, **asked: Any) -> list[Any]:
            assert asked["OptionalObjectAttributes"] == ["RestoreStatus"]
            return [{"IsTruncated": False, "Contents": [{"Key": "a", "ETag": '"e"', "Size": 1} | entry]}]

    (found,) = S3Store(Client(), S3Place("bucket", "")).list()
    assert found.is_archived is is_archived


@pytest.mark.parametrize(
    ("answer", "is_archived"),
    [
        ({}, False),
        ({"StorageClass": "GLACIER", "Restore": 'ongoing-request="true"'}, True),
        ({"StorageClass": "INTELLIGENT_TIERING"}, False),
        ({"StorageClass": "INTELLIGENT_TIERING", "ArchiveStatus": "ARCHIVE_ACCESS"}, True),
    ],
)
def test_a_request_for_one_object_says_whether_it_must_be_restored(
    answer: dict[str, Any], *, is_archived: bool
) -> None:
    class Client:
        def head_object(self, **_: Any) -> dict[str, Any]:
            return {"ETag": '"e"', "ContentLength": 1} | answer

    found = S3Store(Client(), S3Place("bucket", "")).head("a")
    assert found
    assert found.is_archived is is_archived


def test_using_a_missing_bucket_raises_an_error() -> None:
    store = S3Store(CLIENTS.s3, S3Place("no-such-bucket-here", "in/"))
    for use in (
        lambda: store.head("a"),
        lambda: store.get("a"),
        lambda: keys(store),
        lambda: store.delete("a", IfMatch("0")),
        lambda: store.put("a", b"", IfAbsent(), "image/jpeg"),
        lambda: store.put("a", b"", IfMatch("0"), "image/jpeg"),
    ):
        with pytest.raises(
            StoreRefused, match=r"NoSuchBucket.*\. Check the name, the account and the region$"
        ) as refusal:
            use()
        assert not refusal.value.retryable


def test_a_request_that_s3_throttles_is_sent_again() -> None:
    found = Answer(200, "content", {"ETag": '"e1"'})
    with answering([xml_error(503, "SlowDown"), found]) as (clients, seen):
        got = S3Store(clients.s3, S3Place("bucket", "")).get("a")
    assert got
    assert got[1] == b"content"
    assert seen == ["GET /bucket/a"] * 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (xml_error(403, "AccessDenied"), StoreRefused),
        (xml_error(403, "InvalidAccessKeyId"), StoreRefused),
        (xml_error(400, "ExpiredToken"), StoreRefused),
        (xml_error(400, "KMS.DisabledException"), StoreRefused),
        (xml_error(501, "NotImplemented"), StoreRefused),
        (xml_error(408, "Timeout"), StoreFailed),
        (xml_error(409, "OperationAborted"), StoreFailed),
        (Answer(200, "half", {"ETag": '"e1"'}, announced_bytes=9), StoreFailed),
        (xml_error(403, "InvalidObjectState", "<StorageClass>GLACIER</StorageClass>"), Archived),
    ],
    ids=lambda value: value.body[:40] if isinstance(value, Answer) else "",
)
def test_errors_of_s3_are_raised_as_errors_of_this_package(answer: Answer, error: type[Exception]) -> None:
    with answering([answer]) as (clients, _), pytest.raises(error) as raised:
        S3Store(clients.s3, S3Place("bucket", "in/")).get("a")
    assert type(raised.value) is error
    assert "s3://bucket/in/a" in str(raised.value)


def test_an_object_that_is_damaged_on_the_way_causes_a_retryable_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read_damaged(*_: object, **__: object) -> bytes:
        raise SSLError("decryption failed or bad record mac")

    damaged = Answer(200, "content", {"ETag": '"e1"', "x-amz-checksum-crc32": "AAAAAA=="})
    with answering([damaged]) as (clients, _):
        store = S3Store(clients.s3, S3Place("bucket", ""))
        with pytest.raises(StoreFailed, match="did not match calculated checksum") as by_checksum:
            store.get("a")
        monkeypatch.setattr(HTTPResponse, "read", read_damaged)
        with pytest.raises(StoreFailed, match="bad record mac") as by_tls:
            store.get("a")
    for raised in (by_checksum, by_tls):
        assert type(raised.value) is StoreFailed
        assert "s3://bucket/a: no whole answer arrived" in str(raised.value)


@pytest.mark.parametrize(
    "answer", [xml_error(409, "ConditionalRequestConflict"), xml_error(412, "PreconditionFailed")]
)
@pytest.mark.parametrize("condition", [IfAbsent(), IfMatch("e0")], ids=["absent", "match"])
def test_a_write_whose_condition_fails_raises_a_conflict(answer: Answer, condition: Any) -> None:
    with answering([answer]) as (clients, _), pytest.raises(Conflict):
        S3Store(clients.s3, S3Place("bucket", "")).put("a", b"", condition, "image/jpeg")


@pytest.mark.parametrize("status", [409, 412])
def test_deleting_an_object_that_was_replaced_a_moment_ago_raises_a_conflict(status: int) -> None:
    """S3 checks the condition again, after the store's own check."""
    there = Answer(200, "", {"ETag": '"e1"'})
    with answering([there, xml_error(status, "PreconditionFailed")]) as (clients, seen):
        with pytest.raises(Conflict):
            S3Store(clients.s3, S3Place("bucket", "")).delete("a", IfMatch("e1"))
        assert seen == ["HEAD /bucket/a", "DELETE /bucket/a"]


def test_an_unreachable_server_causes_a_retryable_error() -> None:
    with answering([Answer(200)]) as (clients, _):
        client = clients.s3
    with pytest.raises(StoreFailed) as failure:
        S3Store(client, S3Place("bucket", "")).put("a", b"", IfAbsent(), "image/jpeg")
    assert type(failure.value) is StoreFailed


def test_a_request_without_credentials_causes_a_permanent_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(StoreRefused, match="credentials"):
        S3Store(Clients().s3, S3Place("bucket", "")).head("a")


def test_an_unreachable_provider_of_credentials_causes_a_retryable_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A container on AWS asks such a provider again whenever its credentials end."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    ends_at = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    given = {"AccessKeyId": "a", "SecretAccessKey": "s", "Token": "t", "Expiration": ends_at}
    with answering([Answer(200, json.dumps(given)), Answer(503)]) as (_, seen):
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{os.environ['AWS_ENDPOINT_URL']}/role")
        store = S3Store(Clients().s3, S3Place("bucket", ""))
        with pytest.raises(StoreFailed, match="credentials can't be retrieved") as failure:
            store.head("a")
    assert set(seen) == {"GET /role"}
    assert type(failure.value) is StoreFailed


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("AWS_REGION", "eu west", "'eu west' doesn't match a supported format"),
        ("AWS_ENDPOINT_URL", "localhost", "Invalid endpoint: localhost"),
        ("AWS_SECRET_ACCESS_KEY", "", "Partial credentials found in env"),
        ("AWS_CONFIG_FILE", "[default", "Unable to parse config file"),
        ("AWS_CONFIG_FILE", "[default]\nrole_arn = r\nsource_profile = none", 'source_profile "none"'),
    ],
)
def test_wrong_settings_of_aws_cause_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, why: str
) -> None:
    if name == "AWS_CONFIG_FILE":
        (tmp_path / "config").write_text(value)
        value = str(tmp_path / "config")
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=f"can't call AWS with these settings: .*{why}.*Check the variables"):
        _ = Clients().s3


def test_a_missing_region_causes_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    with pytest.raises(UsageError, match="AWS_REGION"):
        _ = Clients().dynamodb


def test_presigned_urls_use_signature_version_4() -> None:
    url = CLIENTS.s3.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url


def test_each_error_that_botocore_retries_counts_as_retryable() -> None:
    codes = (
        ThrottledRetryableChecker._THROTTLED_ERROR_CODES + TransientRetryableChecker._TRANSIENT_ERROR_CODES
    )
    assert set(codes) <= PASSING

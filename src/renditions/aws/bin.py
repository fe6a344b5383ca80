"""The bin of a source in a versioned bucket.

A deletion leaves a delete marker, and the original stays as an older version. An object
``.renditions/bin/DELETION.json`` below the store's prefix names that version. Listings skip ``.renditions/``.
In a bucket without versions a deletion is final, so there is no bin.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

from botocore.exceptions import ClientError

from renditions.aws.clients import Clients, error_code, reported
from renditions.aws.s3 import CONDITION_FAILED, MISSING, OWN, etag_of, full_key
from renditions.core.bin import DELETION_PATTERN, Binned, make_name_conflict
from renditions.core.ports import IfMatch, StoredObject
from renditions.errors import Conflict, StoreFailed, StoreRefused
from renditions.model.places import S3Place
from renditions.model.registry import Shared

log = logging.getLogger(__name__)

_BIN = f"{OWN}bin/"
_VERSIONING_SECONDS = 60.0
"""How long to remember whether the bucket keeps versions."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """The bin's facts about one deletion."""

    key: str
    etag: str
    size_bytes: int
    version: str
    """The id of the version that the key had."""
    content_type: str


class S3Bin:
    """A :class:`~renditions.core.bin.Bin` in the bucket of its source.

    Any number of threads, processes and machines can use it at the same time.
    """

    def __init__(self, client: Any, place: S3Place) -> None:
        self._client = client
        self._place = place
        self._versioning = False, 0.0

    def is_available(self) -> bool:
        """Return whether the bucket keeps versions. The answer may be a minute old.

        Return False, and log a warning, if S3 refuses the request.
        """
        is_versioned, until = self._versioning
        if time.monotonic() >= until:
            is_versioned = self._read_versioning() == "Enabled"
            self._versioning = is_versioned, time.monotonic() + _VERSIONING_SECONDS
        return is_versioned

    def _read_versioning(self) -> str | None:
        try:
            with self._reported():
                answer = self._client.get_bucket_versioning(Bucket=self._place.bucket)
        except StoreRefused as error:
            log.warning(
                "%s. So there is no bin: a deletion is final. A bin needs the permission "
                "s3:GetBucketVersioning",
                error,
            )
            return None
        status: str | None = answer.get("Status")
        return status

    def put(self, key: str, condition: IfMatch, deletion: str) -> Binned | None:
        """See :meth:`~renditions.core.bin.Bin.put`.

        The entry is written before the deletion, so a crash between the two loses no original.
        """
        target = self._target(key)
        with self._reported(key):
            try:
                there = self._client.head_object(**target)
            except ClientError as error:
                if error_code(error) in MISSING:
                    return None
                raise
            if etag_of(there) != condition.etag:
                raise Conflict(
                    f"{key!r} changed since it was read, so it was not moved to the bin. Try again"
                )
            size_bytes, version = there["ContentLength"], there.get("VersionId", "null")
            entry = _Entry(key, etag_of(there), size_bytes, version, there["ContentType"])
            self._client.put_object(
                **self._entry_target(deletion),
                Body=json.dumps(asdict(entry)).encode(),
                ContentType="application/json",
            )
            try:
                self._client.delete_object(**target, IfMatch=condition.etag)
            except ClientError as error:
                if error_code(error) not in (*CONDITION_FAILED, *MISSING):
                    raise
                if self._is_done(key, version, error):
                    return Binned(deletion, key, size_bytes)
                self._client.delete_object(**self._entry_target(deletion))
                if error_code(error) in MISSING:
                    return None
                raise Conflict(
                    f"{key!r} changed since it was read, so it was not moved to the bin. Try again"
                ) from error
        return Binned(deletion, key, size_bytes)

    def _is_done(self, key: str, version: str, refusal: ClientError) -> bool:
        """Return whether an earlier attempt made the refused deletion.

        If the answer to the first attempt got lost, botocore deletes again:

            A  delete → marker …the answer is lost…   delete → refused, and the version is below the marker
        """
        if not refusal.response["ResponseMetadata"].get("RetryAttempts", 0):
            return False
        newest, below = self._find_newest(key)
        return bool(newest and _is_marker(newest) and below and below["VersionId"] == version)

    def deletions(self) -> Sequence[str]:
        """See :meth:`~renditions.core.bin.Bin.deletions`."""
        start = self._place.prefix + _BIN
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._place.bucket, Prefix=start
        )
        with self._reported():
            names = [
                entry["Key"].removeprefix(start).removesuffix(".json")
                for page in pages
                for entry in page.get("Contents", ())
            ]
        return sorted(name for name in names if re.fullmatch(DELETION_PATTERN, name))

    def read(self, deletion: str) -> Binned | None:
        """See :meth:`~renditions.core.bin.Bin.read`."""
        entry = self._read(deletion)
        return Binned(deletion, entry.key, entry.size_bytes) if entry else None

    def restore(self, deletion: str, key: str) -> StoredObject | None:
        """See :meth:`~renditions.core.bin.Bin.restore`.

        If the key has an object, this method checks that it is the original. If the deletion's marker is
        still the newest version, this method removes the marker. Otherwise it writes the original again, on
        the condition that the key has no object. An upload between the request for the versions and the
        removal of the marker stays the newest version.
        """
        entry = self._read(deletion)
        if entry is None or entry.key != key:
            return None
        newest, below = self._find_newest(key)
        if newest and not _is_marker(newest):
            back = self._check_same(newest, entry)
        elif newest and below and below["VersionId"] == entry.version:
            with self._reported(key):
                self._client.delete_object(**self._target(key), VersionId=newest["VersionId"])
            newest, _ = self._find_newest(key)
            if newest is None or _is_marker(newest):
                raise Conflict(f"{key!r} was deleted again meanwhile, so it was not restored. Try again")
            back = self._check_same(newest, entry)
        else:
            restored = self._write_again(entry)
            if restored is None:
                return None
            back = restored
        self._drop_entry(deletion)
        return back

    def drop(self, deletion: str) -> None:
        """See :meth:`~renditions.core.bin.Bin.drop`.

        If the original is the newest version, it was restored, so this method keeps it. If only the
        deletion's marker remains, this method deletes the marker too.
        """
        entry = self._read(deletion)
        if entry is None:
            return
        newest, below = self._find_newest(entry.key)
        target = self._target(entry.key)
        if newest and newest["VersionId"] != entry.version:
            with self._reported(entry.key):
                self._client.delete_object(**target, VersionId=entry.version)
                if _is_marker(newest) and below and below["VersionId"] == entry.version:
                    after, rest = self._find_newest(entry.key)
                    if after and after["VersionId"] == newest["VersionId"] and rest is None:
                        self._client.delete_object(**target, VersionId=newest["VersionId"])
        self._drop_entry(deletion)

    def _check_same(self, newest: dict[str, Any], entry: _Entry) -> StoredObject:
        """Return the key's object; raise Conflict if it isn't the original."""
        if newest["VersionId"] != entry.version and etag_of(newest) != entry.etag:
            raise make_name_conflict(entry.key)
        return StoredObject(entry.key, etag_of(newest), newest["Size"])

    def _write_again(self, entry: _Entry) -> StoredObject | None:
        """Write the original again from its version; return None if that version is gone.

        Raise Conflict if the key has an object by now.
        """
        target = self._target(entry.key)
        with self._reported(entry.key):
            try:
                content = self._client.get_object(**target, VersionId=entry.version)["Body"].read()
                answer = self._client.put_object(
                    **target, IfNoneMatch="*", Body=content, ContentType=entry.content_type
                )
            except ClientError as error:
                if error_code(error) in (*MISSING, "NoSuchVersion"):
                    return None
                if error_code(error) in CONDITION_FAILED:
                    raise Conflict(
                        f"{entry.key!r} was created meanwhile, so nothing was restored there. Try again"
                    ) from error
                raise
        return StoredObject(entry.key, etag_of(answer), len(content))

    def _find_newest(self, key: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Return the newest version of the key and the one below it, or None for each.

        Delete markers count as versions. S3 lists the newest version of a key first, and a key before all
        longer ones that begin with it.
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
        """
        target = self._target(key)
        with self._reported(key):
            page = self._client.list_object_versions(Bucket=target["Bucket"], Prefix=target["Key"], MaxKeys=2)
        listed = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        found = [each for each in listed if each["Key"] == target["Key"]]
        found.sort(key=lambda each: not each["IsLatest"])
        newest = found[0] if found else None
        return newest, found[1] if len(found) > 1 else None

    def _read(self, deletion: str) -> _Entry | None:
        with self._reported():
            try:
                answer = self._client.get_object(**self._entry_target(deletion))
                return _Entry(**json.loads(answer["Body"].read()))
            except ClientError as error:
                if error_code(error) in MISSING:
                    return None
                raise

    def _drop_entry(self, deletion: str) -> None:
        with self._reported():
            self._client.delete_object(**self._entry_target(deletion))

    def _entry_target(self, deletion: str) -> dict[str, str]:
        return {"Bucket": self._place.bucket, "Key": f"{self._place.prefix}{_BIN}{deletion}.json"}

    def _target(self, key: str) -> dict[str, str]:
        return {"Bucket": self._place.bucket, "Key": full_key(self._place.prefix, key)}

    def _reported(self, key: str = "") -> AbstractContextManager[None]:
        where = f"{self._place.spell()}{key}"
        return reported(where, passing=StoreFailed, lasting=StoreRefused)


def _is_marker(version: dict[str, Any]) -> bool:
    return "ETag" not in version


def open_bin(place: S3Place, shared: Shared) -> S3Bin:
    """Return the bin of the source at ``s3://bucket/prefix/``."""
    return S3Bin(shared.get(Clients).s3, place)

"""A store in an S3 bucket, below a prefix.

The bucket may be versioned: then conditions apply to the newest version, and deleting leaves a marker. It
may be encrypted, if the caller may use the encryption key. It must list its objects in the order
of their keys. All buckets do so, except directory buckets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from botocore.exceptions import ClientError

from renditions.aws.clients import Clients, error_code, reported
from renditions.core.ports import PIECE_BYTES, Condition, IfMatch, OnObstacle, OnUnreadable, StoredObject
from renditions.errors import Archived, Conflict, KeyRefused, StoreFailed, StoreRefused
from renditions.model.folding import EXACT, Folding
from renditions.model.output_place import OutputPlace
from renditions.model.places import S3Place
from renditions.model.registry import Shared
from renditions.model.shell import as_argument
from renditions.model.source import Source

MAX_KEY_BYTES = 1024

OWN = ".renditions/"
"""The start of the store's own keys, below its prefix."""
_CATALOGS = f"{OWN}catalogs/"
_WRITER = "renditions-writer"
"""The metadata field that names the writer of an object."""
MISSING = ("404", "NoSuchKey")
"""The error codes for a missing object. botocore gives the number if the answer has no body, or if a
character of the key makes the answer's XML unreadable."""
CONDITION_FAILED = ("412", "409", "PreconditionFailed", "ConditionalRequestConflict")


class S3Store:
    """A :class:`~renditions.core.ports.Store` in a bucket.

    Any number of threads, processes and machines can use the bucket at the same time. An ETag is S3's own,
    without its quotes: 32 hexadecimal digits; for an object that was uploaded in parts, a dash and the number
    of parts follow. If the answer to a write gets lost, botocore sends the write again. The second write may
    find the object of the first one. The method then raises ``Conflict``, like any write whose condition
    doesn't hold.

    Args:
        client: An S3 client.
        place: The bucket, and the prefix of all keys.
        cache_control: The ``Cache-Control`` header with which S3 serves the objects.

    """

    is_cheaper_to_list = True

    def __init__(self, client: Any, place: S3Place, cache_control: str | None = None) -> None:
        self._client = client
        self._place = place
        self._headers = {"CacheControl": cache_control} if cache_control else {}

    def list(
        self,
        after: str = "",
        prefix: str = "",
        on_unreadable: OnUnreadable | None = None,  # noqa: ARG002 - no part of a bucket can be unreadable
        on_obstacle: OnObstacle | None = None,  # noqa: ARG002 - a bucket has only objects
    ) -> Iterator[StoredObject]:
        """See :meth:`Store.list <renditions.core.ports.Store.list>`.

        At most 1,000 objects are in memory at once.
        """
        # botocore asks for percent-encoded keys by itself and decodes them: XML can't hold every character.
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._place.bucket,
            Prefix=self._place.prefix + prefix,
            OptionalObjectAttributes=["RestoreStatus"],
            **({"StartAfter": self._place.prefix + after} if after else {}),
        )
        with self._reported():
            for page in pages:
                if "IsTruncated" not in page:  # every listing has this element
                    raise StoreFailed(
                        f"{self._place.spell()}: can't list: the answer isn't an S3 listing. "
                        "Check AWS_ENDPOINT_URL and any proxy."
                    )
                for entry in page.get("Contents", ()):
                    # The prefix itself may be an object: consoles create one for a folder.
                    key = entry["Key"].removeprefix(self._place.prefix)
                    if key and not key.startswith(OWN):
                        yield StoredObject(key, etag_of(entry), entry["Size"], is_archived=_in_archive(entry))

    def head(self, key: str) -> StoredObject | None:
        """See :meth:`Store.head <renditions.core.ports.Store.head>`."""
        target = self._target(key)
        with self._reported(key):
            try:
                answer = self._client.head_object(**target)
            except ClientError as error:
                if error_code(error) not in MISSING:
                    raise
                self._confirm_missing(key)
                return None
        return StoredObject(key, etag_of(answer), answer["ContentLength"], is_archived=_in_archive(answer))

    def get(self, key: str) -> tuple[StoredObject, bytes] | None:
        """See :meth:`Store.get <renditions.core.ports.Store.get>`.

        Raises:
            Archived: The object is in an archive. A person must restore it first.

        """
        target = self._target(key)
        with self._reported(key):
            try:
                answer = self._client.get_object(**target)
                content = answer["Body"].read()
            except ClientError as error:
                if error_code(error) in MISSING:
                    return None
                if error_code(error) == "InvalidObjectState":
                    raise self._archived(key, error) from error
                raise
        return StoredObject(key, etag_of(answer), len(content)), content

    def stream(
        self, key: str, condition: IfMatch, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        """See :meth:`Store.stream <renditions.core.ports.Store.stream>`."""
        # A range can't be empty: S3 ignores one that ends before it starts, and sends the whole object.
        last = "" if stop is None else max(stop - 1, start)
        part = {"Range": f"bytes={start}-{last}"} if start or stop is not None else {}
        with self._reported(key):
            try:
                answer = self._client.get_object(**self._target(key), IfMatch=f'"{condition.etag}"', **part)
            except ClientError as error:
                if error_code(error) in (*MISSING, *CONDITION_FAILED):
                    raise Conflict(
                        f"can't read {self._place.spell()}{key}: it was changed or deleted. Try again"
                    ) from error
                if error_code(error) == "InvalidRange":
                    return
                if error_code(error) == "InvalidObjectState":
                    raise self._archived(key, error) from error
                raise
            if stop is None or stop > start:
                yield from answer["Body"].iter_chunks(PIECE_BYTES)
            else:
                answer["Body"].close()

    def is_spelled(self, key: str) -> bool:  # noqa: ARG002 - a bucket has one spelling for each key
        """See :meth:`Store.is_spelled <renditions.core.ports.Store.is_spelled>`."""
        return True

    def folding(self) -> Folding:
        """Return ``EXACT``: to S3, keys are equal only if all their bytes are."""
        return EXACT

    def put(
        self, key: str, content: bytes, condition: Condition, content_type: str, writer: str = ""
    ) -> StoredObject:
        """See :meth:`Store.put <renditions.core.ports.Store.put>`."""
        # The ETag has no quotes: S3 accepts both forms, some other servers accept only the form without
        # quotes.
        only_if = {"IfMatch": condition.etag} if isinstance(condition, IfMatch) else {"IfNoneMatch": "*"}
        target = self._target(key)
        headers = self._headers | ({"Metadata": {_WRITER: writer}} if writer else {})
        with self._reported(key):
            try:
                answer = self._client.put_object(
                    **target, **only_if, **headers, Body=content, ContentType=content_type
                )
            except ClientError as error:
                is_gone = isinstance(condition, IfMatch) and error_code(error) in MISSING
                if is_gone or error_code(error) in CONDITION_FAILED:
                    raise Conflict(
                        f"{key!r} changed since it was read, so it was not written. Try again"
                    ) from error
                raise
        return StoredObject(key, etag_of(answer), len(content))

    def has_folder(self, prefix: str) -> bool:  # noqa: ARG002
        """Return False: a bucket has no folders."""
        return False

    def obstacle(self, key: str) -> None:  # noqa: ARG002
        """Return None: in a bucket, nothing blocks a key."""
        return

    def writer_of(self, key: str) -> str | None:
        """See :meth:`~renditions.core.ports.Store.writer_of`; the metadata has the id."""
        with self._reported(key):
            try:
                answer = self._client.head_object(**self._target(key))
            except ClientError as error:
                if error_code(error) in MISSING:
                    return None
                raise
        writer: str | None = answer.get("Metadata", {}).get(_WRITER)
        return writer

    def rewrite_headers(self, key: str, condition: IfMatch) -> StoredObject | None:
        """See :meth:`rewrite_headers <renditions.core.ports.Store.rewrite_headers>`.

        S3 copies the object onto itself if the object still has this ETag. The copy has the same type and
        metadata.
        """
        target = self._target(key)
        with self._reported(key):
            try:
                there = self._client.head_object(**target, IfMatch=condition.etag)
                answer = self._client.copy_object(
                    **target,
                    **self._headers,
                    CopySource={"Bucket": target["Bucket"], "Key": target["Key"]},
                    CopySourceIfMatch=condition.etag,
                    ContentType=there["ContentType"],
                    Metadata=there.get("Metadata", {}),
                    MetadataDirective="REPLACE",
                )
            except ClientError as error:
                if error_code(error) in (*CONDITION_FAILED, *MISSING):
                    raise Conflict(
                        f"{key!r} changed since it was read, so its headers were not rewritten. Try again"
                    ) from error
                raise
        return StoredObject(key, etag_of(answer["CopyObjectResult"]), there["ContentLength"])

    def delete(self, key: str, condition: IfMatch) -> None:
        """See :meth:`Store.delete <renditions.core.ports.Store.delete>`.

        S3 checks the condition itself (since September 2025; the caller needs ``s3:GetObject`` for it). Some
        other servers ignore the condition, so this method first compares the ETag itself. Only on such a
        server can the deletion destroy an object that was written between the comparison and the deletion.
        """
        there = self.head(key)
        if there is None:
            return
        if there.etag != condition.etag:
            raise Conflict(f"{key!r} changed since it was read, so it was not deleted. Try again")
        with self._reported(key):
            try:
                self._client.delete_object(**self._target(key), IfMatch=condition.etag)
            except ClientError as error:
                if error_code(error) in CONDITION_FAILED:
                    raise Conflict(
                        f"{key!r} changed since it was read, so it was not deleted. Try again"
                    ) from error
                if error_code(error) not in MISSING:
                    raise

    def purge(self, key: str) -> int:
        """See :meth:`Store.purge <renditions.core.ports.Store.purge>`.

        This method removes the delete markers last: without the newest marker, an older version would become
        visible again.
        """
        target = self._target(key)
        pages = self._client.get_paginator("list_object_versions").paginate(
            Bucket=target["Bucket"], Prefix=target["Key"]
        )
        old: list[str] = []
        markers: list[str] = []
        with self._reported(key):
            for page in pages:
                for name, ids in (("Versions", old), ("DeleteMarkers", markers)):
                    ids += [
                        entry["VersionId"]
                        for entry in page.get(name, ())
                        if entry["Key"] == target["Key"] and not (name == "Versions" and entry["IsLatest"])
                    ]
                if page.get("NextKeyMarker") != target["Key"]:
                    break  # this key is listed before all longer keys that begin with it
            for version in (*old, *markers):
                self._client.delete_object(**target, VersionId=version)
        return len(old)

    def register(self, catalog_id: str, text: str) -> None:
        """See :meth:`Store.register <renditions.core.ports.Store.register>`."""
        key = self._place.prefix + _CATALOGS + f"{catalog_id}.json"
        if self._read_own(key) != text:
            with self._reported():
                self._client.put_object(
                    Bucket=self._place.bucket, Key=key, Body=text.encode(), ContentType="application/json"
                )

    def registered(self) -> Mapping[str, str]:
        """See :meth:`Store.registered <renditions.core.ports.Store.registered>`."""
        start = self._place.prefix + _CATALOGS
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._place.bucket, Prefix=start
        )
        with self._reported():
            keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        texts = {key.removeprefix(start).removesuffix(".json"): self._read_own(key) for key in keys}
        return {catalog_id: text for catalog_id, text in texts.items() if text is not None}

    def mark(self, catalog_id: str) -> bool:  # noqa: ARG002
        """Return False: a bucket needs no marker, because no other bucket has its name."""
        return False

    def is_marked(self, catalog_id: str) -> bool:  # noqa: ARG002
        """Return True: a bucket needs no marker."""
        return True

    def _read_own(self, key: str) -> str | None:
        with self._reported():
            try:
                answer = self._client.get_object(Bucket=self._place.bucket, Key=key)
                return str(answer["Body"].read().decode(errors="replace"))
            except ClientError as error:
                if error_code(error) in MISSING:
                    return None
                raise

    def _target(self, key: str) -> dict[str, str]:
        if key.startswith(OWN):
            raise KeyRefused(f"expected a key outside {OWN}, the store's own folder, found {key!r}")
        return {"Bucket": self._place.bucket, "Key": full_key(self._place.prefix, key)}

    def _confirm_missing(self, key: str) -> None:
        """Raise an error if the bucket is missing too, not only the object.

        The answer to HEAD has no body, so it doesn't say which of the two is missing. If the bucket is
        missing, its pictures must not look deleted.
        """
        try:
            self._client.get_object(**self._target(key), Range="bytes=0-0")["Body"].close()
        except ClientError as error:
            # InvalidRange means that there is an empty object: it was written after the first read.
            if error_code(error) not in (*MISSING, "InvalidRange"):
                raise

    def _archived(self, key: str, error: ClientError) -> Archived:
        storage_class = error.response.get("Error", {}).get("StorageClass", "an archive")
        return Archived(
            f"can't be read because it is in {storage_class}. Restore {self._place.spell()}{key}. Then the "
            f"next sync makes its renditions. To make them at once, run renditions retry {as_argument(key)}"
        )

    def _reported(self, key: str = "") -> AbstractContextManager[None]:
        where = f"{self._place.spell()}{key}"
        return reported(where, passing=StoreFailed, lasting=StoreRefused)


def etag_of(answer: dict[str, Any]) -> str:
    """Return the ETag in an answer, without its quotes."""
    return str(answer["ETag"]).strip('"')


def _in_archive(answer: dict[str, Any]) -> bool | None:
    """Return whether an object must be restored from an archive before a read.

    ``answer`` is the object's metadata or its entry in a listing. The result is None if the answer doesn't
    say enough. Sources: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html and
    API_RestoreStatus.html
    """
    is_entry = "Key" in answer
    match answer.get("StorageClass"):
        case "GLACIER" | "DEEP_ARCHIVE" if is_entry:
            return answer.get("RestoreStatus", {}).get("IsRestoreInProgress") is not False
        case "GLACIER" | "DEEP_ARCHIVE":
            return 'ongoing-request="false"' not in answer.get("Restore", "")
        case "INTELLIGENT_TIERING" if not is_entry:
            return "ArchiveStatus" in answer
        case None | "STANDARD" | "STANDARD_IA" | "ONEZONE_IA" | "REDUCED_REDUNDANCY" | "GLACIER_IR":
            return False
        case _:
            return None


def full_key(prefix: str, key: str) -> str:
    """Return the object's whole key, with the prefix.

    Raises:
        KeyRefused: S3 doesn't accept such a key.

    """
    full = f"{prefix}{key}"
    try:
        size_bytes = len(full.encode())
    except UnicodeEncodeError as error:
        raise KeyRefused(f"expected a key of Unicode text, found {key!r}") from error
    if not key:
        raise KeyRefused(f"expected a key below the prefix {prefix!r}, found none")
    if size_bytes > MAX_KEY_BYTES:
        limit = f"a key of at most {MAX_KEY_BYTES:,} bytes with its prefix {prefix!r}"
        raise KeyRefused(f"expected {limit}, found {size_bytes:,}. Shorten the name or the rendition's key")
    depth = 0
    for part in full.split("/"):
        depth += -1 if part == ".." else 1
        if depth < 0:
            raise KeyRefused(f"expected a key whose '..' parts stay inside the bucket, found {full!r}")
    return full


def open_store(place: S3Place, declared: Source | OutputPlace, shared: Shared) -> S3Store:
    """Return the store at ``s3://bucket/prefix/``."""
    cache_control = declared.cache_control if isinstance(declared, OutputPlace) else None
    return S3Store(shared.get(Clients).s3, place, cache_control)

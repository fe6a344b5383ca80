"""Signed URLs of a bucket. Each allows one action for a limited time."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

from renditions.aws.clients import reported
from renditions.aws.s3 import full_key
from renditions.errors import StoreFailed, StoreRefused
from renditions.model.places import S3Place


class Signer:
    """A signer of URLs for objects below a prefix. Signing needs no request to S3.

    The methods raise ``StoreRefused`` if there are no credentials, ``StoreFailed`` if the credentials can't
    be retrieved now, and ``KeyRefused`` for a key that S3 doesn't accept.

    Args:
        client: An S3 client, see :attr:`Clients.signing_s3 <renditions.aws.clients.Clients.signing_s3>`.
        place: The bucket and the prefix.

    """

    def __init__(self, client: Any, place: S3Place) -> None:
        self._client = client
        self._place = place

    @property
    def origin(self) -> str:
        """The scheme and host of the signed URLs.

        Reading it raises the same errors as the methods, except ``KeyRefused``.
        """
        address = urlsplit(self.sign_download("x", 1))
        return f"{address.scheme}://{address.netloc}"

    def sign_download(self, key: str, seconds: int, file_name: str | None = None) -> str:
        """Return a URL that allows reading one object for this many seconds.

        With a ``file_name``, browsers save the object under this name instead of showing it.
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        """
        disposition = (
            {"ResponseContentDisposition": f"attachment; filename*=UTF-8''{quote(file_name, safe='')}"}
            if file_name
            else {}
        )
        parameters = self._target(key) | disposition
        with reported(self._place.spell(), passing=StoreFailed, lasting=StoreRefused):
            return str(
                self._client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=seconds)
            )

    def sign_upload(
        self, key: str, content_type: str, size_bytes: int, seconds: int
    ) -> tuple[str, dict[str, str]]:
        """Return the URL and form fields that allow uploads of this type and size.

        They are valid for this many seconds. The key must not contain ``${filename}``, which S3 replaces. S3
        answers such an upload with status 201 and XML that has the object's ETag: a page of another origin
        can't read the header ``ETag`` if the bucket's CORS rule doesn't expose it.

        https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
        """
        target = self._target(key)
        with reported(self._place.spell(), passing=StoreFailed, lasting=StoreRefused):
            answer = self._client.generate_presigned_post(
                **target,
                Fields={"Content-Type": content_type, "success_action_status": "201"},
                Conditions=[
                    {"Content-Type": content_type},
                    {"success_action_status": "201"},
                    ["content-length-range", size_bytes, size_bytes],
                ],
                ExpiresIn=seconds,
            )
        return answer["url"], answer["fields"]

    def _target(self, key: str) -> dict[str, str]:
        return {"Bucket": self._place.bucket, "Key": full_key(self._place.prefix, key)}

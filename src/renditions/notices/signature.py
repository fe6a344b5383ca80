"""Signatures of webhooks, for the sender and for receivers in Python.

    from renditions.notices.signature import BadSignature, verify

    try:
        verify(request.headers, request.body, os.environ["WEBHOOK_SECRET"])
    except BadSignature as error:
        return Response(str(error), status=401)

The scheme is that of Standard Webhooks (https://www.standardwebhooks.com), which has libraries for many
languages. The header ``webhook-signature`` has one or more signatures with spaces between them. Each is
``v1,`` and the Base64 form of the HMAC-SHA256 of ``ID.TIMESTAMP.BODY``: the headers ``webhook-id`` and
``webhook-timestamp`` (seconds since 1970), and the body's bytes. This module needs only the standard library.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Mapping

REPLAY_SECONDS = 300
"""How far a message's timestamp may be from the receiver's clock, in seconds."""

FEWEST_BYTES = 24
MOST_BYTES = 64

_HEADERS = ("id", "timestamp", "signature")
_SECONDS = re.compile(r"[0-9]{1,15}")
_PREFIX = "whsec_"
_HOW_TO_MAKE = f'To make one: echo "{_PREFIX}$(openssl rand -base64 32)"'


class BadSignature(ValueError):
    """A message isn't valid: its signature, its headers or its timestamp is wrong."""


def parse_secrets(text: str) -> list[bytes]:
    """Return the secrets in a text, decoded from Base64. Spaces separate them.

    Raises:
        ValueError: There is no secret, or a secret doesn't have the right form. The error doesn't contain it.

    """
    secrets = [_parse_secret(each) for each in text.split()]
    if not secrets:
        raise ValueError(f"expected at least one secret, found none. {_HOW_TO_MAKE}")
    return secrets


def _parse_secret(text: str) -> bytes:
    try:
        secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except ValueError:  # not Base64, or not ASCII
        secret = b""
    if not (text.startswith(_PREFIX) and FEWEST_BYTES <= len(secret) <= MOST_BYTES):
        raise ValueError(
            f"expected {_PREFIX} and {FEWEST_BYTES} to {MOST_BYTES} bytes in Base64. {_HOW_TO_MAKE}"
        ) from None
    return secret


def sign(message_id: str, timestamp: str, body: bytes, secret: bytes) -> str:
    """Return one signature in the form of the header ``webhook-signature``."""
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    return f"v1,{base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()}"


def make_headers(message_id: str, body: bytes, secrets: str, now: float) -> dict[str, str]:
    """Return the headers of a message, signed with each secret.

    So a receiver needs to know only one of the secrets, for example while they are replaced.

    Args:
        message_id: The message's id.
        body: The message's body.
        secrets: The secret, or several secrets with spaces between them.
        now: The time in seconds since 1970.

    Raises:
        ValueError: There is no secret, or a secret doesn't have the right form.

    """
    timestamp = str(int(now))
    signatures = (sign(message_id, timestamp, body, secret) for secret in parse_secrets(secrets))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def verify(headers: Mapping[str, str], body: bytes, secrets: str, now: float | None = None) -> None:
    """Check that a message is recent, and that its sender knows one of the secrets.

    A message is recent for ``REPLAY_SECONDS``. Within this time, a copy of the message is valid, too. A
    receiver can recognise a copy by its ``webhook-id``.

    Args:
        headers: The request's headers.
        body: The request's body, before anything parses it.
        secrets: The secret, or several secrets with spaces between them.
        now: The time in seconds since 1970; None to read the clock.

    Raises:
        BadSignature: A header is missing or wrong, no signature is valid, or the timestamp is more than
            ``REPLAY_SECONDS`` from now.
        ValueError: There is no secret, or a secret doesn't have the right form.

    """
    given = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp, signatures = (given.get(f"webhook-{name}", "") for name in _HEADERS)
    is_readable = bool(message_id and signatures) and f"{message_id}{signatures}".isascii()
    if not is_readable or not _SECONDS.fullmatch(timestamp):
        raise BadSignature(
            "the message lacks one of the headers webhook-id, webhook-timestamp and webhook-signature, one "
            "of them isn't ASCII, or webhook-timestamp isn't a time in seconds. Check that the sender signs "
            "its messages, and that no proxy changes headers"
        )
    if abs((time.time() if now is None else now) - int(timestamp)) > REPLAY_SECONDS:
        raise BadSignature(
            f"the message's timestamp is more than {REPLAY_SECONDS} seconds away from now. If it is new, "
            "check this machine's clock"
        )
    expected = [sign(message_id, timestamp, body, secret).encode() for secret in parse_secrets(secrets)]
    # Compare all of them, so that the time says nothing about which one is valid.
    found = [hmac.compare_digest(one, each.encode()) for one in expected for each in signatures.split()]
    if not any(found):
        raise BadSignature(
            "no signature of the message is valid. Check that the sender has the same secret, and that the "
            "body is unchanged"
        )

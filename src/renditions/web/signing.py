"""Signed URLs.

With a signed URL, a client can read one rendition or original without a token, until the URL expires.

    keys = SigningKeys.parse(os.environ["RENDITIONS_SIGNING_KEYS"])
    keys.sign("/i/thumb/photo.jpg", expires_at_seconds=int(time.time()) + 3600)
    # /i/thumb/photo.jpg?expires=1798761600&key=2026&signature=…

The signature is the HMAC-SHA256 of the expiry, the key's id and the decoded path, each on a line, in
hexadecimal. It doesn't cover other parameters: ``v`` only says for how long the answer may be cached. This
module imports no web framework, so a program that builds pages can use it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from renditions.errors import UsageError

SIGNING_KEYS = "RENDITIONS_SIGNING_KEYS"
"""The environment variable with the keys: ``ID:SECRET,ID:SECRET``.

The first key signs; signatures of all keys are accepted.
"""

RENDITION_PATHS = ("/i/", "/renditions/")
SIGNED_PATHS = (*RENDITION_PATHS, "/originals/")
"""The paths below which URLs can be signed."""

FEWEST_CHARACTERS = 32
"""How many characters a secret must have, so that an attacker can't guess it."""

_KEY = re.compile(rf"([A-Za-z0-9_-]{{1,32}}):([^\s,]{{{FEWEST_CHARACTERS},}})")
_EXPIRY = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A secret, and the id by which URLs name it."""

    id: str
    secret: bytes = field(repr=False)

    def sign(self, path: str, expires: str) -> str:
        """Return the signature of a decoded path."""
        text = f"{expires}\n{self.id}\n{path}"
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The keys of signed URLs. The first one signs; signatures of all are valid.

    To replace a key, put a new one before it. Remove the old key when the last URL with it has expired.
    """

    keys: tuple[SigningKey, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the keys of a text like ``2027:SECRET,2026:SECRET``.

        Raises:
            UsageError: The text isn't valid. The message doesn't quote the text, because it may be a secret.

        """
        found = [_KEY.fullmatch(part.strip()) for part in text.split(",")]
        keys = tuple(SigningKey(match[1], match[2].encode()) for match in found if match)
        if len(keys) < len(found) or len({key.id for key in keys}) < len(keys):
            raise UsageError(
                f"can't read the keys in {SIGNING_KEYS}: expected ID:SECRET,ID:SECRET, with different ids of "
                f"letters, digits, - or _, and secrets of at least {FEWEST_CHARACTERS} characters. To make a "
                "secret, run python -c 'import secrets; print(secrets.token_urlsafe(32))'."
            )
        return cls(keys)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self | None:
        """Return the keys in ``RENDITIONS_SIGNING_KEYS``; None if it is missing or empty.

        Raise UsageError if the keys aren't valid.
        """
        text = environ.get(SIGNING_KEYS)
        return cls.parse(text) if text else None

    @classmethod
    def derive(cls, secret: bytes) -> Self:
        """Derive the only key of a server for which no keys are configured.

        The server also signs its upload forms with ``secret``.
        """
        return cls((SigningKey("own", hmac.new(secret, b"signed URLs", hashlib.sha256).digest()),))

    def sign(self, url: str, *, expires_at_seconds: int, root_path: str = "") -> str:
        """Return a URL or a path with its signature.

        Args:
            url: The URL of a rendition or an original, percent-encoded, as the API's ``links`` have it.
            expires_at_seconds: When the URL expires, in Unix time. Browsers keep a picture only under the
                same URL, so round this time, for example to the next full hour.
            root_path: The path with which the URL begins if the server has ``--root-path``. It isn't signed.

        Raises:
            UsageError: This path can't be signed, the URL is already signed, or the time is invalid.

        """
        split = urlsplit(url)
        path = unquote(split.path).removeprefix(root_path.rstrip("/"))
        key, expires = self.keys[0], str(expires_at_seconds)
        if not path.startswith(SIGNED_PATHS) or is_signed(split.query):
            raise UsageError(
                f"can't sign {url!r}: expected an unsigned URL below {' or '.join(SIGNED_PATHS)}"
            )
        if not _EXPIRY.fullmatch(expires):
            raise UsageError(
                f"can't sign {url!r}: expected expires_at_seconds as a Unix time of at most 15 digits, "
                f"found {expires}"
            )
        given = {"expires": expires, "key": key.id, "signature": key.sign(path, expires)}
        return split._replace(query="&".join(filter(None, (split.query, urlencode(given))))).geturl()

    def find_problem(self, path: str, query: str, now_seconds: float) -> str | None:
        """Return why a request's signature is wrong; None if it is valid.

        Args:
            path: The decoded path.
            query: The query, as it was sent.
            now_seconds: The present Unix time.

        """
        given: dict[str, list[str]] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            given.setdefault(name, []).append(value)
        match [given.get(name) for name in ("expires", "key", "signature")]:
            case [[expires], [key_id], [signature]] if _EXPIRY.fullmatch(expires):
                pass
            case _:
                return "expected expires, key and signature in a signed URL, once each"
        key = next((key for key in self.keys if key.id == key_id), None)
        if key is None or not hmac.compare_digest(key.sign(path, expires).encode(), signature.encode()):
            return "The URL's signature is wrong, or its key is no longer accepted. Get a new URL."
        if now_seconds > int(expires):
            return "The signed URL has expired. Get a new URL."
        return None


def is_signed(query: str) -> bool:
    """Return whether a URL's query has a signature, valid or not."""
    return any(name == "signature" for name, _ in parse_qsl(query, keep_blank_values=True))

"""A secret in a file, which stays the same when a program starts again."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from renditions.errors import Failed
from renditions.local.locks import NotFree, take_lock

SECRET_BYTES = 32


def keep_secret(path: Path) -> bytes:
    """Return the secret in this file; create the file if it is missing.

    Only the owner may read the file that this function creates. All callers get the same secret, even at the
    same time. If the secret is incomplete after a crash, this function replaces it.

    Raises:
        Failed: The file can't be read or written, or another process has locked it for too long.

    """
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            take_lock(file)
            secret = os.pread(file, SECRET_BYTES, 0)
            if len(secret) < SECRET_BYTES:
                secret = secrets.token_bytes(SECRET_BYTES)
                os.pwrite(file, secret, 0)
                os.fsync(file)
            return secret
        finally:
            os.close(file)
    except NotFree as error:
        raise Failed(f"can't read the secret {path}: {error}") from error
    except OSError as error:
        raise Failed(
            f"can't read or write the secret {error.filename or path}: {error.strerror}. Check the file's "
            "permissions and the disk"
        ) from error

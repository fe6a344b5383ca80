"""The SHA-256 of each library file that may go into a bundle, from a lock.

``locked.txt`` is the lock of this version of Renditions, with the libraries of all extras. ``make locked``
writes it from ``uv.lock``, and ``make lint`` compares both files. A user with other versions names another
lock.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from renditions.errors import UsageError

LOCKED = Path(__file__).with_name("locked.txt")
"""Requirements with hashes, as pip reads them:
https://pip.pypa.io/en/stable/topics/secure-installs/#hash-checking-mode"""

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*==\s*([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})\b")
_ADVICE = (
    "install the locked versions, or name your own requirements file with hashes with --lock "
    "(uv export, pip-compile --generate-hashes and others write one)"
)


class Pins:
    """The libraries of a lock, with their hashes.

    Args:
        file: A requirements file with ``NAME==VERSION --hash=sha256:…``. Lines without a version are ignored.

    Raises:
        UsageError: The file can't be read, or has no hash.

    """

    def __init__(self, file: Path = LOCKED) -> None:
        self._file = file
        try:
            text = file.read_text(encoding="utf-8").replace("\\\n", " ")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it isn't a text file"
            raise UsageError(f"can't read {file}: {reason}. Choose another --lock") from error
        self._hashes: Mapping[tuple[str, str], frozenset[str]] = {
            (_normalize(found[1]), found[2]): frozenset(_HASH.findall(line))
            for line in text.splitlines()
            if (found := _REQUIREMENT.match(line))
        }
        if not any(self._hashes.values()):
            raise UsageError(f"{file} has no library with a hash. Choose another --lock")

    @property
    def libraries(self) -> tuple[tuple[str, str], ...]:
        """The names and versions of the libraries, sorted."""
        return tuple(sorted(self._hashes))

    def insist_on(self, name: str, version: str) -> frozenset[str]:
        """Return the hashes of the files of this library in this version.

        Raises:
            UsageError: The lock has no hash for this version.

        """
        if hashes := self._hashes.get((_normalize(name), version)):
            return hashes
        locked = [known for library, known in self._hashes if library == _normalize(name)]
        known = f"only version {' and '.join(locked)}" if locked else "no version of this library"
        known = "no hash for this version" if version in locked else known
        raise UsageError(
            f"{name} {version} can't go into the bundle: {self._file} has {known}. To build it, {_ADVICE}"
        )

    def check(self, wheel: Path) -> None:
        """Raise UsageError if the lock lacks the SHA-256 of this wheel."""
        name, version = wheel.name.split("-")[:2]
        found = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if found not in self.insist_on(name, version):
            raise UsageError(
                f"{wheel.name} can't go into the bundle: pip's index or cache has it with the SHA-256 "
                f"{found}, which isn't in {self._file}. Find out who changed it (pip config list shows the "
                "index, pip cache purge empties the cache)"
            )


def _normalize(name: str) -> str:
    """Return the library's name in the form for comparisons.

    https://packaging.python.org/en/latest/specifications/name-normalization/
    """
    return re.sub(r"[-_.]+", "-", name).lower()

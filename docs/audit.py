"""``python docs/audit.py [INDEX]``: looks up known flaws of the locked libraries.

The index is PyPI by default. The program asks the index about every library, even after it found a flaw or
got no answer. In both cases it exits with 1: a library without an answer may have flaws.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from renditions.deploy.pins import Pins

INDEX = "https://pypi.org"
TIMEOUT_SECONDS = 30.0
ATTEMPTS = 2


def audit(index: str = INDEX) -> int:
    """Print the flaws, and return the exit code.

    After the flaws, print the libraries that the index gave no answer for.
    """
    libraries = Pins().libraries

    def look_up(library: tuple[str, str]) -> list[str] | Exception:
        for attempt in range(ATTEMPTS):
            try:
                return list(read_flaws(index, *library))
            except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
                if isinstance(error, HTTPError):
                    error.close()  # The error keeps the connection open.
                if attempt == ATTEMPTS - 1:
                    return error
        raise AssertionError("unreachable")

    with ThreadPoolExecutor(8) as threads:
        answers = dict(zip(libraries, threads.map(look_up, libraries), strict=True))
    unasked = {library: answer for library, answer in answers.items() if isinstance(answer, Exception)}
    flaws = [
        f"{name} {version}: {flaw}"
        for (name, version), answer in answers.items()
        if not isinstance(answer, Exception)
        for flaw in answer
    ]
    for flaw in flaws:
        print(flaw)
    print(f"{index} knows {len(flaws)} flaws of {len(libraries) - len(unasked)} libraries.")
    if unasked:
        print(f"It gave no answer for {len(unasked)} libraries. Try again, or check these by hand:")
        for (name, version), error in unasked.items():
            print(f"{name} {version}: {error}")
    return 1 if flaws or unasked else 0


def read_flaws(index: str, name: str, version: str) -> Iterator[str]:
    """Yield the known flaws of one version.

    Source: https://docs.pypi.org/api/json/#get-a-release
    """
    with urlopen(f"{index}/pypi/{name}/{version}/json", timeout=TIMEOUT_SECONDS) as answer:
        page: dict[str, Any] = json.load(answer)
    for flaw in page["vulnerabilities"]:
        if flaw.get("withdrawn") is None:
            fixed = ", ".join(flaw.get("fixed_in") or ()) or "no version"
            names = ", ".join([flaw["id"], *(flaw.get("aliases") or ())])
            yield f"{names}, fixed in {fixed}. {flaw.get('link') or ''}".rstrip()


if __name__ == "__main__":
    sys.exit(audit(*sys.argv[1:2]))

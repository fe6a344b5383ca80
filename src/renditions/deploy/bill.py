"""The software bill of materials of a bundle.

Scanners use it to look up known flaws of libraries. The format is CycloneDX 1.6, JSON:
https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesParser
from importlib.metadata import version
from pathlib import Path
from typing import Any

from renditions.errors import UsageError

COMPILED = re.compile(r"\.so(\.\d+)*$")


def write_bill(bundle: Path, file: Path) -> None:
    """Write the bill of a bundle.

    The same zip gives the same bill. The bill lists each library with its version, its package URL and, if
    its metadata names one, its licence. It also lists each compiled file with its SHA-256, because wheels
    don't say which libraries are linked into their compiled files.

    Raises:
        UsageError: The file can't be written.

    """
    checksum = hashlib.sha256(bundle.read_bytes()).hexdigest()
    with zipfile.ZipFile(bundle) as archive:
        components = list(_find_components(archive))
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "bundle",
                "name": "renditions",
                "version": version("renditions"),
                "hashes": [{"alg": "SHA-256", "content": checksum}],
            }
        },
        "components": components,
        "dependencies": [{"ref": "bundle", "dependsOn": [component["bom-ref"] for component in components]}],
    }
    try:
        file.write_text(json.dumps(bill, indent=1) + "\n")
    except OSError as error:
        raise UsageError(f"can't write {file}: {error.strerror}. Choose another --sbom.") from error


def _find_components(archive: zipfile.ZipFile) -> Iterator[dict[str, Any]]:
    for path in archive.namelist():  # the paths are sorted in a bundle
        if re.fullmatch(r"[^/]+\.dist-info/METADATA", path):
            yield _describe_library(BytesParser().parsebytes(archive.read(path), headersonly=True))
        elif COMPILED.search(path):
            checksum = hashlib.sha256(archive.read(path)).hexdigest()
            hashes = [{"alg": "SHA-256", "content": checksum}]
            yield {"type": "file", "bom-ref": path, "name": path, "hashes": hashes}


def _describe_library(metadata: Message) -> dict[str, Any]:
    """Return a library's component, from its metadata.

    The licence comes from the fields of PEP 639, or from the older fields.
    """
    name, release = metadata["Name"], metadata["Version"]
    # https://github.com/package-url/purl-spec/blob/main/types-doc/pypi-definition.md
    package_url = f"pkg:pypi/{name.lower().replace('_', '-')}@{release}"
    component = {
        "type": "library",
        "bom-ref": package_url,
        "name": name,
        "version": release,
        "purl": package_url,
    }
    prefix = "License :: OSI Approved :: "
    classifiers = (text for text in metadata.get_all("Classifier", ()) if text.startswith(prefix))
    if expression := metadata["License-Expression"]:
        return component | {"licenses": [{"expression": expression}]}
    if licence := metadata["License"] or next(classifiers, "").removeprefix(prefix):
        return component | {"licenses": [{"license": {"name": licence}}]}
    return component

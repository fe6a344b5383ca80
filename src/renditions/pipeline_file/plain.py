"""Convert a checked pipeline to plain data for JSON, and back without checks.

A function's bundle contains its pipeline in this form. The build checks the pipeline, so a function that
reads it needs only the standard library.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from renditions.model import plain
from renditions.model.pipeline import Pipeline


def to_plain(pipeline: Pipeline) -> dict[str, Any]:
    """Return the pipeline as dicts, lists, texts and numbers, without defaults.

    Files are texts in Base64.
    """
    converted: dict[str, Any] = plain.to_plain(pipeline, lambda content: base64.b64encode(content).decode())
    return converted


def from_plain(converted: Mapping[str, Any]) -> Pipeline:
    """Return the pipeline from the form of :func:`to_plain`, without checks."""
    pipeline: Pipeline = plain.from_plain(Pipeline, converted, base64.b64decode)
    return pipeline

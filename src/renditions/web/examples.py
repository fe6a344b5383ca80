"""Examples of requests and answers for the API's description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from renditions.model.formats import SOURCE_FORMATS
from renditions.model.pipeline import Pipeline

_TIME = "2026-05-04T09:30:00.000000Z"
_ETAG = "1717a0c3e1f25d00-3a8f0"

_BINNED = {
    "deletion": "20260504T093000.000000Z-1f0c9a27",
    "name": "2026/photo.jpg",
    "size_bytes": 239_856,
    "deleted_at": _TIME,
    "kept_until": "2026-05-11T09:30:00.000000Z",
}

EXAMPLES: Mapping[str, Any] = {
    "Problem": {
        "title": "Bad Request",
        "status": 400,
        "code": "invalid-request",
        "detail": "expected a whole number from 1 to 200, found '0'",
        "errors": [{"part": "limit", "detail": "expected a whole number from 1 to 200, found '0'"}],
    },
    "Binned": _BINNED,
    "Bin": {"pictures": [_BINNED], "count": 1},
    "Restored": {"name": "2026/photo.jpg"},
    "Focus": {"x": 30, "y": 62.5},
    "RetryRequest": {"statuses": ["failed"]},
    "Retried": {"retried": 3, "next": None},
    "AllowRequest": {"count": 60},
    "Allowed": {"allowed": 60},
    "Problems": {
        "groups": [
            {
                "status": "failed",
                "code": "worker-died",
                "count": 1,
                "meaning": "A worker process ended while it started or processed a picture.",
                "advice": "Try again. If it fails again, raise [limits] memory.",
                "pictures": [{"name": "2026/photo.jpg", "reason": "the worker process was ended by SIGSEGV"}],
            }
        ],
        "checked": 1,
        "next": None,
    },
    "Stats": {
        "pictures": 1,
        "by_status": {"processing": 0, "done": 1, "rejected": 0, "failed": 0},
        "original_bytes": 239_856,
        "renditions": 1,
        "rendition_bytes": 5_120,
        "replaced_bytes": 239_856,
        "processing_seconds": 0.214,
    },
    "Status": {
        "by_status": {"processing": 0, "done": 1, "rejected": 0, "failed": 0},
        "held": [],
        "reasons": [],
        "unsent_notices": [],
        "troubles": [],
        "polling": None,
        "former_patterns": False,
        "superseded": None,
        "generation": 1,
        "file_problem": None,
        "read_only": False,
        "keep_deleted_seconds": 0,
    },
    "Formats": {
        "sources": [{"format": "jpeg", "suffixes": ["jpg", "jpeg"], "type": "image/jpeg"}],
        "shown": [{"format": "avif", "type": "image/avif"}, {"format": "jpeg", "type": "image/jpeg"}],
    },
    "Events": "id: 1777887000000000\nevent: hello\ndata: {}\n\n",
    "Health": {"status": "ok"},
    "Ready": {"status": "ready"},
}
"""Examples that are the same for all pipelines, by the name of their schema."""


def describe_examples(pipeline: Pipeline) -> dict[str, Any]:
    """Return examples of bodies and answers, by the name of their schema."""
    name = _example_name(pipeline)
    rendition = next(iter(pipeline.renditions))
    made = {rendition: {"key": f"{rendition}/{name}"}}
    picture = {
        "name": name,
        pipeline.catalog.key: name,
        "status": "done",
        "timestamp": _TIME,
        "original_size_bytes": 239_856,
        "renditions": {
            rendition: {
                **made[rendition],
                "etag": _ETAG,
                "source_etag": _ETAG,
                "fingerprint": "9c1f2b7d",
                "format": "jpeg",
                "size_bytes": 5_120,
            }
        },
        "attempts": 0,
        "revision": 2,
    }
    form = {"key": name, "Content-Type": "image/jpeg", "policy": "eyJrZXki…", "x-signature": "5f2d…"}
    difference = {"name": name, "action": "create", "why": "it is new", "make": made, "delete": []}
    return {
        **EXAMPLES,
        "UploadRequest": {"name": name, "type": _example_type(pipeline), "size_bytes": 239_856},
        "UploadForm": {"name": name, "url": "/uploads/file", "fields": form, "expires_at": 1_777_887_900},
        "Picture": picture,
        "PicturePage": {"pictures": [picture], "next": None},
        "Outcome": {
            "name": name,
            "result": "done",
            "reason": None,
            "code": None,
            "renditions": made,
            "picture": picture,
        },
        "BatchRequest": {"action": "retry", "names": [name]},
        "BatchResults": {"results": [{"name": name, "problem": None}]},
        "Plan": {"counts": {"create": 1}, "differences": [difference]},
    }


def _example_name(pipeline: Pipeline) -> str:
    """Return the name of a picture of the first accepted format."""
    return f"photo.{SOURCE_FORMATS[pipeline.accept.formats[0]].suffixes[0]}"


def _example_type(pipeline: Pipeline) -> str:
    return SOURCE_FORMATS[pipeline.accept.formats[0]].media_type

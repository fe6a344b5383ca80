"""Invalidate CloudFront's copies of outputs that changed.

CloudFront keeps an object until its ``Cache-Control`` ends. So a key needs an invalidation when its object is
replaced or deleted. Deleted objects whose keys have a version are left out.
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote

from renditions.aws.clients import Clients, reported
from renditions.core.ports import Condition, IfMatch, Store, StoredObject
from renditions.core.read_through import ReadThrough
from renditions.errors import Failed
from renditions.model.fields import parse_template
from renditions.model.keys import DIGITS
from renditions.model.pipeline import Pipeline
from renditions.model.registry import Shared

MOST_PATHS = 3000
"""How many paths one distribution may invalidate at once.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html"""

VERSIONS: Mapping[str, str] = {
    "hash": rf"[0-9a-f]{{{DIGITS}}}",
    "version": rf"[0-9a-f]{{{DIGITS}}}",
    "etag": r"[0-9a-f]{32}(?:-[0-9]+)?",
}
"""The fields of a key template that change with the content, and a pattern for the value of each."""


class Edge:
    """The changed keys that CloudFront may have, and their invalidation.

    Many threads may use it.

    Args:
        distribution: The ID of CloudFront's distribution.
        templates: The key templates of the pipeline.
        clients: The AWS clients.

    """

    def __init__(self, distribution: str, templates: Iterable[str], clients: Clients) -> None:
        self._distribution = distribution
        self._clients = clients
        self._versioned = [re.compile(_find_form(one)) for one in templates if _has_version(one)]
        self._keys: set[str] = set()
        self._lock = threading.Lock()

    def watch(self, store: Store) -> Store:
        """Return the store, wrapped so that this object learns which keys change."""
        return _Watched(store, self._note)

    def _note(self, key: str, *, is_deleted: bool) -> None:
        """Remember a changed key.

        A deleted object whose key has a version doesn't count: the new version has another key, so pages no
        longer link to the deleted object.
        """
        if not (is_deleted and any(form.fullmatch(key) for form in self._versioned)):
            with self._lock:
                self._keys.add(key)

    def invalidate(self) -> int:
        """Invalidate the keys that changed since the last call; return their number.

        Raises:
            Failed: CloudFront didn't accept a request. The old objects of this request, and of those that
                would follow it, stay cached until they expire: a later call doesn't repeat these keys.

        """
        with self._lock:
            keys, self._keys = sorted(self._keys), set()
        for start in range(0, len(keys), MOST_PATHS):
            paths = [f"/{quote(key)}" for key in keys[start : start + MOST_PATHS]]
            with reported(f"distribution {self._distribution}", passing=Failed, lasting=Failed):
                self._clients.cloudfront.create_invalidation(
                    DistributionId=self._distribution,
                    InvalidationBatch={
                        "Paths": {"Quantity": len(paths), "Items": paths},
                        "CallerReference": uuid.uuid4().hex,
                    },
                )
        return len(keys)


class _Watched(ReadThrough):
    """A store that passes calls on, and reports replaced and deleted keys.

    It doesn't report an object under a new key, because CloudFront can't have it yet. It doesn't report
    changed headers either: otherwise such a change would invalidate every object.
    """

    def __init__(self, store: Store, note: Callable[..., None]) -> None:
        super().__init__(store)
        self._store = store
        self._note = note
        self.folding = store.folding
        self.rewrite_headers = store.rewrite_headers
        self.purge = store.purge
        self.register = store.register
        self.mark = store.mark

    def put(
        self, key: str, content: bytes, condition: Condition, content_type: str, writer: str = ""
    ) -> StoredObject:
        """Write the object; report the key if the object replaced another one."""
        written = self._store.put(key, content, condition, content_type, writer)
        if isinstance(condition, IfMatch):
            self._note(key, is_deleted=False)
        return written

    def delete(self, key: str, condition: IfMatch) -> None:
        """Delete the object, and report the key."""
        self._store.delete(key, condition)
        self._note(key, is_deleted=True)


def open_edge(distribution: str, pipeline: Pipeline, shared: Shared) -> Edge:
    """Return the edge of a distribution for a pipeline's keys, without a request."""
    templates = [recipe.key_template(name) for name, recipe in pipeline.renditions.items()]
    return Edge(distribution, templates, shared.get(Clients))


def _has_version(template: str) -> bool:
    return any(field in VERSIONS for _, field in parse_template(template))


def _find_form(template: str) -> str:
    """Return a regular expression for the keys of a template."""
    return "".join(
        re.escape(literal) + (VERSIONS.get(field, "(?s:.*)") if field else "")
        for literal, field in parse_template(template)
    )

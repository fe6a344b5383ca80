"""The parts of a pipeline that are on AWS, opened from what the pipeline file says."""

from __future__ import annotations

from renditions.aws.clients import Clients
from renditions.aws.dynamodb import DynamoCatalog
from renditions.aws.s3 import S3Store
from renditions.aws.signing import Signer
from renditions.aws.sns import EventBridgeNotifier, SnsNotifier
from renditions.aws.sqs import Queue
from renditions.core.ports import Catalog, Notifier
from renditions.errors import UsageError
from renditions.model.pipeline import S3Place


class Cloud:
    """Opens parts, all with the same clients. Nothing is asked of AWS before a part is used."""

    def __init__(self) -> None:
        self._clients = Clients()

    def open_store(self, place: S3Place, cache_control: str | None = None) -> S3Store:
        """Return the store of ``s3://bucket/prefix/``."""
        return S3Store(self._clients.s3, place, cache_control)

    def open_signer(self, place: S3Place) -> Signer:
        """Return what signs addresses of ``s3://bucket/prefix/``."""
        return Signer(self._clients.signing_s3, place)

    def open_catalog(self, table: str, key_name: str) -> Catalog:
        """Return the catalog of ``dynamodb:TABLE``."""
        return DynamoCatalog(self._clients.dynamodb, table, key_name)

    def open_notifier(self, target: str) -> Notifier:
        """Return the notifier of ``sns:ARN`` or ``events:BUS``.

        Raises:
            UsageError: The target is something else.

        """
        kind, _, name = target.partition(":")
        match kind:
            case "sns":
                return SnsNotifier(self._clients.sns, name)
            case "events":
                return EventBridgeNotifier(self._clients.events, name)
        raise UsageError(f"notify: expected log:, sns:ARN or events:BUS, found {target!r}")

    def open_queue(self, url: str) -> Queue:
        """Return the queue of this URL."""
        return Queue(self._clients.sqs, url)

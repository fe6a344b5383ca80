"""The state of all pictures together, as the API shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from renditions.core.binding import hold
from renditions.core.difference import Difference
from renditions.core.leases import PERMISSION_LASTS, permit_removal
from renditions.model.binding import Held
from renditions.model.items import format_time
from renditions.model.record import STATUSES
from renditions.model.totals import Totals
from renditions.runtime.bin import keeps_deleted
from renditions.runtime.status import read_status
from renditions.web.problems import ApiError
from renditions.web.service import Service

MOST_PLANNED = 1_000
"""How many differences a plan lists at most. Its counts include all differences."""


def describe_status(service: Service) -> dict[str, Any]:
    """Return the state of the catalog, of the pipeline file and of this process.

    ``read_only`` is true if the source is read-only, or if this process must not write (``superseded``).
    """
    keep_deleted, refusal = service.parts.pipeline.source.keep_deleted, service.find_refusal()
    found = read_status(
        service.parts,
        service.count().by_status,
        waiting=service.waiting.outcomes(),
        polling=service.find_polling(),
    )
    return found.to_item() | {
        "troubles": [each.to_item() for each in service.readiness.latest()],
        "read_only": service.parts.pipeline.source.read_only or refusal is not None,
        "keep_deleted_seconds": keep_deleted if keeps_deleted(service.parts) else 0,
        "superseded": str(refusal) if refusal else None,
        "generation": found.binding.generation_number if found.binding else None,
        "file_problem": service.find_file_problem(),
    }


def allow_removals(service: Service, count: int) -> dict[str, Any]:
    """Permit the removal of the missing pictures for a day, and request it.

    ``count`` is the number of missing pictures that the person saw. Return how many removals are permitted.

    Raises:
        ApiError: More pictures are missing by now. No removal is permitted, and the catalog stores the new
            number.
        Superseded: The catalog uses another version of the pipeline file.

    """
    service.insist_in_force()
    catalog, now = service.parts.catalog, datetime.now(UTC)
    binding = catalog.read_binding()
    others = [held for held in (binding.held if binding else ()) if held.what != "removals"]
    missing = sum(each.action == "hold" for each in service.parts.plan())
    if missing > count:
        hold(
            catalog,
            [*others, Held("removals", missing, "more pictures are missing than a person allowed", now)],
        )
        detail = (
            f"Expected at most {count:,} missing pictures, as in the request, found {missing:,}. So no "
            "removal was allowed. Check the number and send it again."
        )
        raise ApiError(HTTPStatus.CONFLICT, detail, [("count", detail)])
    hold(catalog, others)
    allowed = 0
    for each in service.parts.plan():
        if each.action == "hold" and each.record:
            allowed += permit_removal(catalog, each.record, now + PERMISSION_LASTS)
            service.hint(each.name)
    return {"allowed": allowed}


def describe_plan(differences: Iterator[Difference]) -> dict[str, Any]:
    """Return the number of pictures by action, and the first differences.

    Return at most ``MOST_PLANNED`` differences: those of pictures that need an action or have a warning.
    """
    counts: Counter[str] = Counter()
    listed: list[Mapping[str, Any]] = []
    for difference in differences:
        counts[difference.action] += 1
        if (difference.action != "keep" or difference.warning) and len(listed) < MOST_PLANNED:
            listed.append(difference.to_item())
    return {"counts": dict(counts), "differences": listed}


def count_totals(service: Service) -> dict[str, Any]:
    """Return the totals of pictures, renditions, bytes and processing time."""
    counted = service.count()
    totals = sum(counted.by_status.values(), Totals())
    return {
        "counted_at": format_time(counted.at) if counted.at else None,
        "pictures": totals.pictures,
        "by_status": {status: counted.by_status[status].pictures for status in STATUSES},
        "original_bytes": totals.original_bytes,
        "renditions": totals.renditions,
        "rendition_bytes": totals.rendition_bytes,
        "replaced_bytes": totals.replaced_bytes,
        "processing_seconds": round(totals.processing_microseconds / 1e6, 3),
    }

"""Have CloudFront fetch again the outputs that a function or a worker changed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from renditions.errors import RenditionsError
from renditions.model.backends import EDGE
from renditions.model.registry import resolve
from renditions.runtime.parts import Parts

log = logging.getLogger(__name__)

Invalidate = Callable[[Mapping[str, Any]], None]
"""Invalidates the outputs that changed since the last call.

A failure is logged with the given fields. The pictures stay done.
"""


def watch_outputs(parts: Parts, environ: Mapping[str, str]) -> tuple[Parts, Invalidate]:
    """Remember the outputs that change, to invalidate CloudFront's copies of them.

    Return parts that remember these outputs, and the function that invalidates them. The variable
    ``DISTRIBUTION_ID`` names CloudFront's distribution. Without it nothing is invalidated.
    """
    distribution = environ.get("DISTRIBUTION_ID")
    if not distribution:
        return parts, lambda _: None
    edge = resolve(EDGE)(distribution, parts.declared, parts.shared)

    def invalidate(fields: Mapping[str, Any]) -> None:
        try:
            count = edge.invalidate()
        except RenditionsError as error:
            log.error(  # noqa: TRY400 - the message is enough
                "Can't invalidate outputs: %s. CloudFront may serve old files until they expire.",
                error,
                extra={"fields": fields},
            )
        else:
            if count:
                log.info("Outputs that CloudFront fetches again: %d", count)

    return replace(parts, output=edge.watch(parts.output)), invalidate

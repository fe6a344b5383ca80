"""One request about many pictures, with an answer for each name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from renditions.errors import RenditionsError
from renditions.web.bin import delete_picture
from renditions.web.demand import request_rendition
from renditions.web.pictures import retry_picture
from renditions.web.problems import ApiError, error_item
from renditions.web.service import Service

MOST_NAMES = 100
"""How many pictures one request can name."""

ACTIONS: Mapping[str, Callable[[Service, str, str], object]] = {
    "delete": lambda service, name, _: delete_picture(service, name),
    "retry": lambda service, name, _: retry_picture(service, name),
    "demand": lambda service, name, rendition: request_rendition(service, rendition, name),
}
"""The actions on each picture. Only ``demand`` uses the rendition."""


def run_batch(service: Service, action: str, names: Sequence[Any], rendition: str) -> dict[str, Any]:
    """Run one action on each of the pictures, and return the result for each name.

    A name that appears twice has one result. If the action fails for a picture, its result has the problem,
    and the action still runs on the others.

    Raises:
        ApiError: The action is unknown, or the names aren't 1 to 100 texts. No action has run.
    """
    problems = []
    if action not in ACTIONS:
        problems.append(("action", f"expected one of {', '.join(ACTIONS)}, found {action!r}"))
    if not 1 <= len(names) <= MOST_NAMES:
        problems.append(("names", f"expected 1 to {MOST_NAMES} names, found {len(names)}"))
    if wrong := [name for name in names if not isinstance(name, str)]:
        problems.append(("names", f"expected texts, found {wrong[0]!r}"[:100]))
    if problems:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid request", problems)
    return {"results": [_run(service, ACTIONS[action], name, rendition) for name in dict.fromkeys(names)]}


def _run(
    service: Service, action: Callable[[Service, str, str], object], name: str, rendition: str
) -> dict[str, Any]:
    try:
        action(service, name, rendition)
    except (ApiError, RenditionsError) as error:
        return {"name": name, "problem": error_item(error)}
    return {"name": name, "problem": None}

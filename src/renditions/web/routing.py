"""What all routes share: names in paths, strict queries, and errors as answers."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from renditions.errors import RenditionsError
from renditions.web.operations import known_queries
from renditions.web.problems import ApiError, answer_error
from renditions.web.requests import StrictQuery

LEAST_COMPRESSED_BYTES = 1_000
"""The shortest answer that is compressed."""

UNCOMPRESSED = ("image/*", "application/octet-stream", "application/pdf", "text/plain", "text/event-stream")
"""The media types that aren't compressed: stored files, and events, which must arrive one by one."""


class _NameConvertor(Convertor[str]):
    """A picture's name in a path.

    It may contain any character, also slashes and line breaks.
    """

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("name", _NameConvertor())


def make_application(routes: Sequence[BaseRoute]) -> Starlette:
    """Return the application with these routes.

    This function changes the routes of the API's operations: they then refuse unknown query parameters.
    """
    own = [route for route in routes if isinstance(route, Route)]
    paths = {spell(route) for route in own}
    for route in own:
        route.app = StrictQuery(route.app, known_queries(spell(route), paths))
    app = Starlette(
        routes=routes,
        exception_handlers={
            ApiError: answer_error,
            RenditionsError: answer_error,
            HTTPException: answer_error,
            ClientDisconnect: _end,
            HTTPStatus.METHOD_NOT_ALLOWED: _refuse_method,
        },
    )
    app.add_middleware(
        GZipMiddleware,
        minimum_size=LEAST_COMPRESSED_BYTES,
        compresslevel=6,
        exclude_content_types=UNCOMPRESSED,
    )
    app.router.redirect_slashes = False  # 'a' and 'a/' are the names of two pictures
    return app


def spell(route: Route) -> str:
    """Return the route's path as the API's description spells it."""
    return route.path.replace(":name", "")


def _end(_: Request, __: Exception) -> Response:
    """Return an answer for a client that has gone; the server doesn't send it."""
    return Response(status_code=HTTPStatus.BAD_REQUEST)


def _refuse_method(request: Request, error: Exception) -> Response:
    """Refuse a wrong method, and name the allowed ones (RFC 9110, 15.5.6)."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    path = next((route.path for route in routes if route.path_regex.match(request.url.path)), None)
    methods = {method for route in routes if route.path == path for method in route.methods or ()}
    methods = methods or {"GET", "HEAD"}  # the path is a static file
    response = answer_error(request, error)
    response.headers["Allow"] = ", ".join(sorted(methods))
    return response

"""The web application: its routes and its endpoints."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Iterable
from http import HTTPStatus
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from renditions.core.ports import StoredObject
from renditions.model.formats import SOURCE_FORMATS
from renditions.model.recipe import Focus
from renditions.web import pictures, state
from renditions.web.answers import answer_file, answer_json
from renditions.web.batch import run_batch
from renditions.web.bin import BinApi
from renditions.web.cors import share
from renditions.web.demand import demand
from renditions.web.formats import describe_formats
from renditions.web.guard import COOKIE, Guard, is_signed_url, is_token
from renditions.web.headers import Labelled, restrict
from renditions.web.limits import Gate
from renditions.web.openapi import describe_api
from renditions.web.pages import EVENTS, FILES, LOG_OUT, PAGES, PageFiles, Pages, answer_page, offer_formats
from renditions.web.previews import PreviewApi, Previews
from renditions.web.problems import ApiError, problem
from renditions.web.reach import Reach
from renditions.web.readiness import summarize
from renditions.web.requests import (
    MOST_BODY_BYTES,
    check_body,
    limit_body,
    parse_number,
    read_flag,
    read_json,
    read_limit,
    read_query,
)
from renditions.web.routing import make_application, spell
from renditions.web.service import Service
from renditions.web.signing import SigningKeys
from renditions.web.uploads import LocalUploads, Uploads

FORM_OVERHEAD_BYTES = 20_000
"""How many bytes the body of an upload may have beyond the largest accepted file."""

MOST_UPLOADS = 100
"""How many uploads the server receives at once."""

MOST_IN_MEMORY = 4
"""How many uploaded files the server reads whole into memory at once, to store them."""

MOST_PROCESSED = 8
"""The server handles at most this many requests at once that may wait for a picture.

These are the requests for renditions below ``/i/``, and those to process a picture.
"""

SCRIPTABLE_TYPES = (
    *(each.media_type for each in SOURCE_FORMATS.values() if each.is_scriptable),
    "application/octet-stream",
)
"""The server offers originals of these types only as downloads, because they may contain script."""


def make_app(
    service: Service,
    *,
    secret: bytes,
    reach: Reach,
    token: str | None = None,
    keys: SigningKeys | None = None,
    is_public: bool = False,
    previews: Previews | None = None,
) -> ASGIApp:
    """Return the ASGI application.

    Args:
        service: The parts and functions that answer the requests.
        secret: The key that signs upload forms.
        reach: Where clients reach the server.
        token: The access token. None if every client that can reach the server may use it.
        keys: The keys of signed URLs. By default there is one, which is derived from ``secret``.
        is_public: Whether every client may read renditions without a token, and every site may embed them.
        previews: The maker of previews; None if the server makes none.

    Raises:
        UsageError: The server's path looks like one of the application's own paths.

    """
    api = _LocalApi(service, LocalUploads(service, secret, reach.root_path), token, reach.root_path)
    routes = [
        *_routes(api),
        Route("/login", api.log_in, methods=["GET", "POST"]),
        Route("/logout", api.log_out, methods=["POST"]),
        Route("/uploads/file", api.receive_upload, methods=["POST"]),
        Route("/events", api.listen),
        Route("/previews/{name:name}", PreviewApi(service, previews).show),
    ]
    reach.check_paths(route.path for route in routes if isinstance(route, Route | Mount))
    keys = keys or SigningKeys.derive(secret)
    guarded = Guard(make_application(routes), reach, token, keys, is_public)
    shared = share(
        guarded,
        guarded.is_open,
        picture_origins=service.parts.pipeline.output.cors_origins,
        api_origins=reach.allowed_origins,
    )
    return Labelled(shared, restrict())


def make_api(service: Service, uploads: Uploads, origins: Iterable[str], pages: Pages = PAGES) -> ASGIApp:
    """Return the application for a gateway that authorizes requests itself.

    It has no live events, no previews, no log-out, and no route that receives files.

    Args:
        service: The parts and functions that answer the requests.
        uploads: Makes the upload forms.
        origins: The other origins to which the page uploads pictures, and from which it reads them.
        pages: The HTML pages, with the URL of their files.

    """
    log_in = Route("/login", pages.show("token.html"))
    application = make_application([*_routes(_Api(service, uploads, pages=pages)), log_in])
    shared = share(application, is_signed_url, picture_origins=service.parts.pipeline.output.cors_origins)
    return Labelled(shared, restrict(origins, pages.other_url))


def _routes(api: _Api) -> list[BaseRoute]:
    """Return the routes that a gateway can serve.

    They work without lasting connections and without uploads to this server.
    """
    return [
        Route("/", api.show_page),
        Route("/docs", api.pages.show("docs.html")),
        Mount(f"/{FILES}".rstrip("/"), PageFiles()),
        Route("/openapi.json", api.describe),
        Route("/uploads", api.make_upload, methods=["POST"]),
        Route("/pictures", api.list_pictures),
        Route("/pictures/{name:name}/process", api.process_picture, methods=["POST"]),
        Route("/pictures/{name:name}/focus", api.set_focus, methods=["PUT"]),
        Route("/pictures/{name:name}/focus", api.clear_focus, methods=["DELETE"]),
        Route("/pictures/{name:name}", api.show_picture),
        Route("/pictures/{name:name}", api.bin.delete_picture, methods=["DELETE"]),
        Route("/bin", api.bin.list_bin),
        Route("/bin/{deletion}/{name:name}", api.bin.restore, methods=["POST"]),
        Route("/originals/{name:name}", api.read_original),
        Route("/i/{rendition}/{name:name}", api.demand_rendition),
        Route("/renditions/{rendition}/{name:name}", api.read_rendition),
        Route("/retry", api.retry, methods=["POST"]),
        Route("/batch", api.run_batch, methods=["POST"]),
        Route("/problems", api.list_problems),
        Route("/plan", api.show_plan),
        Route("/removals/allow", api.allow_removals, methods=["POST"]),
        Route("/stats", api.show_stats),
        Route("/status", api.show_status),
        Route("/formats", api.show_formats),
        Route("/health", _tell_health),
        Route("/ready", api.show_readiness),
    ]


class _Api:
    """The endpoints of the API.

    Endpoints that aren't ``async`` run in a thread, because stores and catalogs can be slow.
    """

    def __init__(self, service: Service, uploads: Uploads, root_path: str = "", pages: Pages = PAGES) -> None:
        self._service = service
        self.pages = pages
        self.bin = BinApi(service)
        self._root_path = root_path
        self._uploads = uploads
        self._waiting = Gate(MOST_PROCESSED, "pictures for waiting clients")

    def show_page(self, _: Request) -> Response:
        return answer_page(self.read_page())

    def read_page(self) -> str:
        return offer_formats(self.pages.read("index.html"), self._service.parts.pipeline.accept.formats)

    def describe(self, request: Request) -> Response:
        paths = {spell(route) for route in request.app.routes if isinstance(route, Route)}
        return JSONResponse(describe_api(self._service.parts.pipeline, paths, self._root_path))

    async def make_upload(self, request: Request) -> Response:
        self._service.insist_writable()
        body = await read_json(request)
        name, content_type, size_bytes, replace = check_body(
            body, {"name": str, "type": str, "size_bytes": int}, {"replace": False}
        )
        await run_in_threadpool(self._service.readiness.insist_room, size_bytes)
        form = await run_in_threadpool(
            self._uploads.make_form, name, content_type, size_bytes, replace=replace
        )
        return JSONResponse(form.to_item(), HTTPStatus.CREATED)

    def list_pictures(self, request: Request) -> Response:
        page = pictures.list_pictures(
            self._service,
            read_query(request, "status"),
            read_query(request, "prefix") or "",
            read_query(request, "cursor"),
            read_limit(request),
            history=read_flag(request, "history"),
        )
        return answer_json(request, page)

    def list_problems(self, request: Request) -> Response:
        found = pictures.list_problems(
            self._service, read_query(request, "status"), read_query(request, "cursor")
        )
        return answer_json(request, found)

    def show_picture(self, request: Request) -> Response:
        record = pictures.find_picture(self._service, request.path_params["name"])
        return answer_json(request, pictures.show_picture(self._service, record))

    def process_picture(self, request: Request) -> Response:
        name, again = request.path_params["name"], read_flag(request, "again")
        with self._waiting.enter():
            return JSONResponse(pictures.process_picture(self._service, name, again=again))

    async def set_focus(self, request: Request) -> Response:
        x, y = check_body(await read_json(request), {"x": float, "y": float}, {})
        return await run_in_threadpool(self._focus, request, pictures.parse_focus(x, y))

    def clear_focus(self, request: Request) -> Response:
        return self._focus(request, None)

    def _focus(self, request: Request, focus: Focus | None) -> Response:
        record = pictures.set_focus(self._service, request.path_params["name"], focus)
        return JSONResponse(pictures.show_picture(self._service, record))

    async def retry(self, request: Request) -> Response:
        body = await read_json(request, is_optional=True)
        statuses, cursor, code = check_body(body, {}, {"statuses": ["failed"], "cursor": "", "code": ""})
        retried = await run_in_threadpool(
            pictures.retry_pictures, self._service, statuses, cursor or None, code
        )
        return JSONResponse(retried)

    async def run_batch(self, request: Request) -> Response:
        action, names, rendition = check_body(
            await read_json(request), {"action": str, "names": list}, {"rendition": ""}
        )
        return JSONResponse(await run_in_threadpool(run_batch, self._service, action, names, rendition))

    async def allow_removals(self, request: Request) -> Response:
        (count,) = check_body(await read_json(request), {"count": int}, {})
        return JSONResponse(await run_in_threadpool(state.allow_removals, self._service, count))

    def show_plan(self, _: Request) -> Response:
        return JSONResponse(state.describe_plan(self._service.parts.preview()))

    def show_status(self, request: Request) -> Response:
        return answer_json(request, state.describe_status(self._service))

    def show_stats(self, request: Request) -> Response:
        return answer_json(request, state.count_totals(self._service))

    def show_readiness(self, _: Request) -> Response:
        troubles = self._service.readiness.check()
        if not troubles:
            return JSONResponse({"status": "ready"}, headers={"Cache-Control": "no-store"})
        errors = [each.to_item() for each in troubles]
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, summarize(troubles), "not-ready", errors=errors)

    def show_formats(self, request: Request) -> Response:
        return answer_json(request, describe_formats())

    def read_original(self, request: Request) -> Response:
        name = request.path_params["name"]
        original = pictures.read_original(self._service, name)
        headers = {"Cache-Control": "no-cache"}
        if original.content_type in SCRIPTABLE_TYPES:
            headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name.rpartition('/')[2])}"
        return answer_file(request, original, headers)

    def demand_rendition(self, request: Request) -> Response:
        with self._waiting.enter():
            rendition = demand(self._service, **request.path_params)
        if self._service.redirect:
            return RedirectResponse(
                self._service.redirect(rendition.found.key), headers={"Cache-Control": "no-cache"}
            )
        return self._answer_rendition(request, rendition)

    def read_rendition(self, request: Request) -> Response:
        return self._answer_rendition(request, pictures.read_rendition(self._service, **request.path_params))

    def _answer_rendition(self, request: Request, rendition: pictures.Download) -> Response:
        # A URL that contains the ETag always has the same content.
        is_fixed = request.query_params.get("v") == rendition.found.etag
        declared = self._service.parts.pipeline.output.cache_control
        headers = {"Cache-Control": (declared or "max-age=31536000, immutable") if is_fixed else "no-cache"}
        return answer_file(request, rendition, headers)


class _LocalApi(_Api):
    """The endpoints of ``renditions serve``."""

    def __init__(self, service: Service, uploads: LocalUploads, token: str | None, root_path: str) -> None:
        super().__init__(service, uploads, root_path)
        self._reception = uploads
        self._token = token
        self._path = f"{root_path}/"
        self._receiving = Gate(MOST_UPLOADS, "uploads")
        self._in_memory = asyncio.Semaphore(MOST_IN_MEMORY)

    def show_page(self, _: Request) -> Response:
        text = self.read_page().replace("<!-- events -->", EVENTS)
        return answer_page(text.replace("<!-- log out -->", LOG_OUT) if self._token else text)

    async def log_in(self, request: Request) -> Response:
        if request.method == "GET":
            return HTMLResponse(self.pages.read("login.html"))
        limited = Request(request.scope, limit_body(request, MOST_BODY_BYTES))
        async with limited.form(max_files=0, max_fields=2) as form:
            given = str(form.get("token", ""))
        if not is_token(given, self._token):
            wrong = "<p class=reason role=alert>Wrong token: try again.</p>"
            text = self.pages.read("login.html").replace("<!-- problem -->", wrong)
            return HTMLResponse(text, HTTPStatus.UNAUTHORIZED)
        place = request.query_params.get("to")
        response = RedirectResponse(f"/?{place}" if place else "/", HTTPStatus.SEE_OTHER)
        # With "strict", a person who follows a link from another site would have to log in again. The guard
        # refuses what another site's page requests.
        is_secure = request.url.scheme == "https"
        response.set_cookie(COOKIE, given, path=self._path, httponly=True, samesite="lax", secure=is_secure)
        return response

    def log_out(self, _: Request) -> Response:
        """Have the browser delete the token and its cached pictures."""
        response = RedirectResponse("/login", HTTPStatus.SEE_OTHER, {"Clear-Site-Data": '"cache"'})
        response.delete_cookie(COOKIE, path=self._path, httponly=True, samesite="lax")
        return response

    async def receive_upload(self, request: Request) -> Response:
        self._service.insist_writable()
        limit = self._service.parts.pipeline.accept.max_bytes + FORM_OVERHEAD_BYTES
        limited = Request(request.scope, limit_body(request, limit))
        with self._receiving.enter():
            await run_in_threadpool(self._service.readiness.insist_room, 0)
            try:
                async with limited.form(
                    max_files=1, max_fields=10, max_part_size=FORM_OVERHEAD_BYTES
                ) as form:
                    stored = await self._store(form)
            except (MultiPartException, KeyError) as error:
                detail = (
                    f"can't read the upload form ({error}). Send its fields and a file as multipart/form-data"
                )
                raise ApiError(HTTPStatus.BAD_REQUEST, detail) from error
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                detail = "The server's disk for temporary files is full. Free space there, and upload again"
                raise ApiError(HTTPStatus.INSUFFICIENT_STORAGE, detail) from error
        headers = {"ETag": f'"{stored.etag}"', "Location": f"/pictures/{quote(stored.key)}"}
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)

    async def _store(self, form: FormData) -> StoredObject:
        fields = {key: value for key, value in form.items() if isinstance(value, str)}
        conditions = self._reception.check_form(fields)
        file = form.get("file")
        if file is None or isinstance(file, str):
            raise ApiError(HTTPStatus.BAD_REQUEST, "expected a file in the field 'file', found none")
        async with self._in_memory:
            return await run_in_threadpool(self._reception.receive, conditions, await file.read())

    async def listen(self, request: Request) -> Response:
        last = request.headers.get("last-event-id", "")
        events: AsyncIterator[str] = self._service.announcements.listen(parse_number(last))
        return StreamingResponse(
            events,
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )


async def _tell_health(_: Request) -> Response:
    """Answer the health check.

    This endpoint is ``async``, so it needs no thread: all threads may be busy.
    """
    return JSONResponse({"status": "ok"})

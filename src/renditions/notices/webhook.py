"""Notices through a signed HTTP request.

The body is the JSON of :meth:`Notice.to_item <renditions.model.notices.Notice.to_item>`. The form of the
signature is in :mod:`renditions.notices.signature`.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from renditions.errors import NotifyFailed, NotifyRefused, Problem
from renditions.model.backends import find_notifier
from renditions.model.digest import Digest
from renditions.model.fields import hash_of
from renditions.model.items import format_time
from renditions.model.notices import Notice
from renditions.model.notify import Notify
from renditions.model.references import VariableUnset, fill_in
from renditions.model.registry import Shared
from renditions.notices.signature import make_headers, parse_secrets

TIMEOUT_SECONDS = 10.0
"""How long the receiver may take to accept the connection, and then for its answer."""

PASSING = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
"""The statuses below 500 after which trying again may help."""
_REDIRECTS = frozenset(
    {
        HTTPStatus.MOVED_PERMANENTLY,
        HTTPStatus.FOUND,
        HTTPStatus.SEE_OTHER,
        HTTPStatus.TEMPORARY_REDIRECT,
        HTTPStatus.PERMANENT_REDIRECT,
    }
)


class WebhookNotifier:
    """A notifier that posts JSON to a URL: the target ``webhook:https://…``.

    It is a :class:`~renditions.core.notify.Notifier`. It follows no redirects: the receiver must answer at
    the declared URL with a status from 200 to 299.
    """

    def __init__(self, notify: Notify, environ: Mapping[str, str] = os.environ) -> None:
        self._notify = notify
        self._environ = environ

    def send(self, notice: Notice) -> None:
        """See :meth:`Notifier.send <renditions.core.notify.Notifier.send>`."""
        request = self._make_request(notice)
        try:
            with _opener().open(request, timeout=TIMEOUT_SECONDS):
                return
        except urllib.error.HTTPError as answer:
            with answer:
                raise self._refusal(answer) from None
        # Not the library's own error as the cause: it may contain the URL.
        except urllib.error.URLError as error:
            raise self._failed(str(error.reason)) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._failed(str(error) or type(error).__name__) from None

    def _make_request(self, notice: Notice) -> urllib.request.Request:
        body = json.dumps(notice.to_item()).encode()
        try:
            url = _fill_in_url(self._notify, self._environ)
            secrets = fill_in(self._notify.secret or "", self._environ)
        except VariableUnset as error:
            raise NotifyRefused(
                f"{self._notify.spelled}: {error}. Set it, and start Renditions again (for a function: "
                "deploy again)"
            ) from None
        except ValueError as error:
            raise NotifyRefused(
                f"{self._notify.spelled}: {error}. Correct them, and start Renditions again (for a function: "
                "deploy again)"
            ) from None
        try:
            headers = make_headers(_id_of(notice), body, secrets, time.time())
        except ValueError as error:
            raise NotifyRefused(f"{self._notify.spelled}: the secret isn't valid: {error}") from None
        headers |= {"Content-Type": "application/json", "User-Agent": "renditions"}
        return urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - checked by its pattern

    def _refusal(self, answer: urllib.error.HTTPError) -> NotifyFailed:
        """Return the error for an answer whose status isn't from 200 to 299."""
        status = f"the receiver answered with status {answer.code}"
        if answer.code in _REDIRECTS:
            return NotifyRefused(
                f"{self._notify.spelled}: {status}, a redirect. Redirects aren't followed. Declare the final "
                "URL as the target"
            )
        can_pass = answer.code >= 500 or answer.code in PASSING
        error = NotifyFailed if can_pass else NotifyRefused
        return error(f"{self._notify.spelled}: {status}. Check the URL, and the receiver's log")

    def _failed(self, why: str) -> NotifyFailed:
        return NotifyFailed(
            f"{self._notify.spelled}: can't reach the receiver, or its answer isn't HTTP ({why}). Check the "
            "URL and the network"
        )


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A handler that makes every redirect an error."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class _Limited(io.RawIOBase):
    """What a socket receives within ``TIMEOUT_SECONDS`` in all.

    A socket's own timeout is for each part that arrives. So the head of an answer that comes byte by byte
    could take for ever.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock, self._received = sock, sock.makefile("rb", buffering=0)
        self._ends_at = time.monotonic() + TIMEOUT_SECONDS

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if (seconds := self._ends_at - time.monotonic()) <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(seconds)
        return self._received.readinto(buffer)

    def close(self) -> None:
        self._received.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **named: Any) -> None:
        super().__init__(sock, *arguments, **named)
        self.fp.close()
        self.fp = io.BufferedReader(_Limited(sock))


class _Limits(urllib.request.AbstractHTTPHandler):
    """A handler that reads an answer, also one of a proxy, as an ``_Answer``."""

    def do_open(self, http_class: Any, *arguments: Any, **named: Any) -> Any:
        limited: Any = type(http_class.__name__, (http_class,), {"response_class": _Answer})
        return super().do_open(limited, *arguments, **named)


class _Http(_Limits, urllib.request.HTTPHandler):
    pass


class _Https(_Limits, urllib.request.HTTPSHandler):
    pass


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_NoRedirects, _Http, _Https)


def _fill_in_url(notify: Notify, environ: Mapping[str, str]) -> str:
    """Return the webhook's URL with the values of its variables.

    Raises:
        VariableUnset: A variable is unset or empty.
        ValueError: With the values, the URL isn't valid. The error doesn't contain them.

    """
    target = fill_in(notify.to, environ).strip()
    url = target.removeprefix("webhook:")
    try:
        is_valid = find_notifier(target) is not None and urlsplit(url).port != 0
    except ValueError:  # the port isn't a number, or a bracket is missing
        is_valid = False
    if not is_valid:
        raise ValueError("the URL isn't valid with the values of its environment variables")
    return url


def _id_of(notice: Notice) -> str:
    """Return a notice's message id, which is the same at each attempt to send it.

    The id of a digest depends on the notices in it.
    """
    notices = notice.subject.pictures if isinstance(notice.subject, Digest) else (notice,)
    return f"msg_{hash_of([[each.event, each.name, format_time(each.timestamp)] for each in notices])}"


def find_problems(place: str, notify: Notify, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Yield the problems of the URL and of the secret.

    There is a problem if a variable in them isn't set, or if the URL or the secret is invalid.
    """
    try:
        _fill_in_url(notify, environ)
    except VariableUnset as error:
        yield Problem(f"{place}.to", f"a value in the environment variable {error.name}", "none")
    except ValueError:
        yield Problem(f"{place}.to", "a valid URL with the values of its variables", "an invalid one")
    try:
        parse_secrets(fill_in(notify.secret or "", environ))
    except VariableUnset as error:
        yield Problem(f"{place}.secret", f"a value in the environment variable {error.name}", "none")
    except ValueError as error:
        yield Problem(f"{place}.secret", f"a valid secret in {notify.secret}", f"an invalid one: {error}")


def open_notifier(notify: Notify, _shared: Shared) -> WebhookNotifier:
    """Return the notifier of ``webhook:URL``."""
    return WebhookNotifier(notify)

"""Notices through apprise: e-mail by SMTP, chats and many other services.

apprise has a URL for each service, which usually contains a password or a token. So a pipeline file names
only the environment variable with the URL, and apprise's own log messages are never shown: they can
contain parts of the URL.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping

import apprise

from renditions.errors import NotifyFailed, NotifyRefused, Problem
from renditions.model.notices import Notice
from renditions.model.notify import Notify
from renditions.model.references import VariableUnset, fill_in, find_variables
from renditions.model.registry import Shared
from renditions.model.wording import make_subject, make_text

for _name in ("apprise", "urllib3", "requests_oauthlib", "oauthlib"):
    # Their debug messages have the path of a request, and so the token.
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


class AppriseNotifier:
    """A notifier for the target ``apprise:${VARIABLE}``.

    It is a :class:`~renditions.core.notify.Notifier`. The variable has a URL of apprise, or several with
    spaces between them. A notice counts as delivered only if each of these services accepts it.
    """

    def __init__(self, notify: Notify, environ: Mapping[str, str] = os.environ) -> None:
        self._notify = notify
        self._environ = environ

    def send(self, notice: Notice) -> None:
        """See :meth:`Notifier.send <renditions.core.notify.Notifier.send>`."""
        spelled = self._notify.spelled
        try:
            services = _open_services(fill_in(self._notify.to, self._environ).removeprefix("apprise:"))
        except VariableUnset as error:
            raise NotifyRefused(
                f"{spelled}: {error}. Set it, and start Renditions again (for a function: deploy again)"
            ) from None
        if services is None:
            raise NotifyRefused(
                f"{spelled}: apprise doesn't know this form of URL. Correct the value of the environment "
                f"variable {_variable_of(self._notify)}"
            )
        kind = apprise.NotifyType.WARNING if notice.is_trouble else apprise.NotifyType.INFO
        try:
            is_sent = services.notify(
                title=make_subject(notice, self._notify),
                body=make_text(notice, self._notify),
                notify_type=kind,
                body_format=apprise.NotifyFormat.TEXT,
            )
        except Exception as error:  # noqa: BLE001 - a service's code may raise anything, with its URL
            raise NotifyFailed(
                f"{spelled}: apprise's code for this service failed ({type(error).__name__}). Check the URL, "
                "or install another version of apprise"
            ) from None
        if not is_sent:
            raise NotifyFailed(
                f"{spelled}: the service can't be reached or refused the notice. For the reason, run: "
                f'apprise -vvv -b test "${_variable_of(self._notify)}"'
            )


def _open_services(urls: str) -> apprise.Apprise | None:
    """Return the services of these URLs.

    Return None if there are no URLs, or if apprise doesn't know one of them.
    """
    services = apprise.Apprise(asset=apprise.AppriseAsset(app_id="Renditions", async_mode=False))
    return services if services.add(urls.split()) and len(services) else None


def find_problems(place: str, notify: Notify, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Yield a problem if the variable isn't set or has a URL unknown to apprise."""
    try:
        urls = fill_in(notify.to, environ).removeprefix("apprise:")
    except VariableUnset as error:
        yield Problem(f"{place}.to", f"a value in the environment variable {error.name}", "none")
        return
    if _open_services(urls) is None:
        expected = f"only URLs that apprise supports in the environment variable {_variable_of(notify)}"
        yield Problem(f"{place}.to", expected, "another URL")


def _variable_of(notify: Notify) -> str:
    (name,) = find_variables(notify.to)
    return name


def open_notifier(notify: Notify, _shared: Shared) -> AppriseNotifier:
    """Return the notifier of ``apprise:${VARIABLE}``."""
    return AppriseNotifier(notify)

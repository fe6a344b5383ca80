"""Where clients reach the server, and which proxies and origins it trusts.

That is its host names, its path behind a proxy, and other origins whose pages may use the API.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from renditions.errors import UsageError

LOOPBACK = ("127.0.0.1", "::1", "localhost")
EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared with, not listened on

_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_ROOT_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")
_ORIGIN = re.compile(rf"https?://{_HOST.pattern}")


@dataclass(frozen=True, slots=True)
class Reach:
    """Where clients reach the server, and which proxies the server believes."""

    host: str = "127.0.0.1"
    """The address on which the server listens."""
    allowed_hosts: tuple[str, ...] = ()
    """Further host names by which clients reach the server, each with its port if browsers show one."""
    root_path: str = ""
    """The path below which a proxy serves this server, such as ``/gallery``. Empty if there is none."""
    trusted_proxies: tuple[str, ...] = ()
    """The addresses and networks whose ``X-Forwarded-…`` headers the server believes."""
    allowed_origins: tuple[str, ...] = ()
    """The other origins whose pages may use the API."""

    @classmethod
    def parse(
        cls,
        host: str,
        *,
        allowed_hosts: Iterable[str] = (),
        root_path: str = "",
        trusted_proxies: Iterable[str] = (),
        allowed_origins: Iterable[str] = (),
    ) -> Self:
        """Parse a user's options; raise UsageError if one of them isn't valid."""
        root_path = root_path.rstrip("/")
        reach = cls(
            host,
            tuple(map(str.lower, allowed_hosts)),
            root_path,
            tuple(trusted_proxies),
            tuple(map(str.lower, allowed_origins)),
        )
        if not host:  # the system would listen on every address
            raise UsageError("--host: expected an address such as 127.0.0.1, found ''")
        if not _ROOT_PATH.fullmatch(root_path):
            raise UsageError(f"--root-path: expected a path like /gallery, found {root_path!r}")
        for name in reach.allowed_hosts:
            if not _HOST.fullmatch(name):
                raise UsageError(
                    f"--allowed-host: expected a name like pictures.example or pictures.example:8443, "
                    f"found {name!r}"
                )
        for origin in reach.allowed_origins:
            if not _ORIGIN.fullmatch(origin):
                raise UsageError(
                    f"--allow-origin: expected an origin like https://shop.example, found {origin!r}"
                )
        for proxy in reach.trusted_proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError as error:
                raise UsageError(
                    f"--trusted-proxy: expected an address or a network, such as 10.0.0.5 or 10.0.0.0/24, "
                    f"found {proxy!r} ({error})"
                ) from error
        return reach

    def make_url(self, scheme: str, port: int) -> str:
        """Return the URL at which the server listens."""
        return f"{scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{port}/"

    @property
    def is_for_others(self) -> bool:
        """Whether other machines can reach the server, directly or through a proxy."""
        return self.host not in LOOPBACK or bool(self.allowed_hosts or self.root_path or self.trusted_proxies)

    def is_own_host(self, host: str) -> bool:
        """Return whether a ``Host`` header names this server.

        An attacker can let a domain's name resolve to this machine (DNS rebinding), but can't do so with a
        literal address. So a server that listens on every address accepts every literal address.
        """
        name = _name_of(host)
        own = {self.host.strip("[]").lower(), *LOOPBACK, *map(_name_of, self.allowed_hosts)}
        return name in own or (self.host in EVERY_ADDRESS and _is_address(name))

    def is_own_origin(self, origin: str, host: str) -> bool:
        """Return whether an ``Origin`` header names this server.

        ``host`` is the request's ``Host`` header.
        """
        return origin.partition("://")[2].lower() in (host.lower(), *self.allowed_hosts)

    def is_trusted_proxy(self, address: str) -> bool:
        """Return whether the server believes ``X-Forwarded-…`` headers of this address."""
        if not self.trusted_proxies or not _is_address(address):
            return False
        parsed = ipaddress.ip_address(address)
        return any(parsed in ipaddress.ip_network(proxy) for proxy in self.trusted_proxies)

    def check_paths(self, paths: Iterable[str]) -> None:
        """Raise UsageError if ``root_path`` looks like a path of the application itself.

        With such a ``root_path``, the server couldn't see whether a proxy has removed it from a request's
        path.
        """
        first = self.root_path.split("/")[1:2]
        if first and any(path.split("/")[1] == first[0] for path in paths):
            raise UsageError(
                f"--root-path: {self.root_path!r} begins like a path of the API. Choose another path, such "
                "as /gallery"
            )


def _name_of(host: str) -> str:
    """Return a ``Host`` header without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True

"""Where clients reach the server: host names, proxies, a path, other origins."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from renditions.errors import UsageError
from renditions.model.recipe import Rendition
from renditions.web.app import make_app
from renditions.web.guard import MOST_WRONG_TOKENS
from renditions.web.links import LocalLinks
from renditions.web.pages import FILES, STATIC
from renditions.web.placing import place
from renditions.web.reach import Reach
from renditions.web.server import open_listener
from renditions.web.signing import SigningKeys
from web.test_api import FORM, open_service
from world import World

TOKEN = "right"  # noqa: S105 - the tests' own
PROXY, CLIENT = "10.0.0.5", "203.0.113.7"
BEARER = {"authorization": f"Bearer {TOKEN}"}
SHOP = "https://shop.example"


@pytest.mark.parametrize(
    ("host", "url"), [("127.0.0.1", "http://127.0.0.1:8080/"), ("::1", "http://[::1]:8080/")]
)
def test_the_url_of_a_server_on_an_ipv6_address_has_brackets(host: str, url: str) -> None:
    assert Reach.parse(host).make_url("http", 8080) == url


def test_an_empty_host_is_refused_because_it_would_mean_every_address() -> None:
    with pytest.raises(UsageError, match="--host: expected an address"):
        Reach.parse("")


def test_the_error_about_a_port_in_use_advises_another_port_and_that_about_a_host_another_host() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=r"in use\)\. Another program uses the port\."):
            open_listener("127.0.0.1", port)
    with pytest.raises(UsageError, match=r"\)\. Choose an address of this machine as --host\.$") as refused:
        open_listener("192.0.2.1", port)  # an address for documentation, RFC 5737
    assert "attempting" not in str(refused.value)


def test_the_error_about_an_ipv6_address_has_it_in_brackets_as_in_a_url() -> None:
    with pytest.raises(UsageError, match=r"^can't listen on \[2001:db8::1\]:8000 \("):
        open_listener("2001:db8::1", 8000)  # an address for documentation, RFC 3849


@contextmanager
def opened(
    reach: Reach, *, url: str = "http://localhost", peer: str = CLIENT, **options: Any
) -> Iterator[TestClient]:
    """Yield a client of a server that is reached as ``reach`` says."""
    world = World()
    world.pipeline = replace(world.pipeline, renditions={"thumb": Rendition()})
    service = replace(open_service(world), links=LocalLinks(reach.root_path))
    app = place(make_app(service, secret=b"secret", reach=reach, **options), reach)
    with TestClient(app, url, client=(peer, 1000), follow_redirects=False) as client:
        yield client


def upload(client: TestClient, below: str = "", headers: dict[str, str] | None = None) -> Any:
    form = client.post(f"{below}/uploads", json=FORM, headers=headers).json()
    return client.post(form["url"], data=form["fields"], files={"file": ("x", b"one")}, headers=headers)


@pytest.mark.parametrize(
    ("reach", "host", "is_own"),
    [
        (Reach(), "localhost:8080", True),
        (Reach(), "[::1]:8080", True),
        (Reach(), "192.168.1.5", False),
        (Reach(), "pictures.example", False),
        (Reach(allowed_hosts=("pictures.example",)), "Pictures.Example:8080", True),
        (Reach(allowed_hosts=("pictures.example:8443",)), "pictures.example:8443", True),
        (Reach(allowed_hosts=("pictures.example",)), "evil.pictures.example", False),
        (Reach("0.0.0.0"), "192.168.1.5:8080", True),  # noqa: S104 - nothing listens
        (Reach("::"), "[fd00::5]:8080", True),
        (Reach("0.0.0.0"), "pictures.example", False),  # noqa: S104
        (Reach("0.0.0.0"), "192.168.1.5.evil.example", False),  # noqa: S104
        (Reach("0.0.0.0"), "[", False),  # noqa: S104
        (Reach("192.168.1.5"), "192.168.1.5", True),
        (Reach("192.168.1.5"), "192.168.1.6", False),
    ],
)
def test_a_server_answers_only_requests_for_its_own_names_and_addresses(
    reach: Reach, host: str, is_own: bool
) -> None:
    with opened(reach) as client:
        answer = client.get("/stats", headers={"host": host})
    assert answer.status_code == (200 if is_own else 421)
    if not is_own:
        assert "--allowed-host" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"allowed_hosts": ["https://a.example/"]}, "--allowed-host: expected a name"),
        ({"allowed_hosts": ["*"]}, "--allowed-host: expected a name"),
        ({"root_path": "gallery"}, "--root-path: expected a path"),
        ({"root_path": "/a/../b"}, "--root-path: expected a path"),
        ({"root_path": "/a b"}, "--root-path: expected a path"),
        ({"root_path": "//a"}, "--root-path: expected a path"),
        ({"trusted_proxies": ["proxy.example"]}, "--trusted-proxy: expected an address"),
        ({"trusted_proxies": ["10.0.0.5/24"]}, "host bits set"),
        ({"allowed_origins": ["shop.example"]}, "--allow-origin: expected an origin"),
        ({"allowed_origins": ["https://shop.example/"]}, "--allow-origin: expected an origin"),
        ({"allowed_origins": ["*"]}, "--allow-origin: expected an origin"),
    ],
)
def test_the_refusal_of_an_invalid_option_names_the_option(options: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=re.escape(why)):
        Reach.parse("127.0.0.1", **options)


@pytest.mark.parametrize("root_path", ["/pictures", "/i/more", "/docs"])
def test_a_root_path_that_begins_like_a_path_of_the_api_is_refused(root_path: str) -> None:
    with pytest.raises(UsageError, match="begins like a path of the API"), opened(Reach(root_path=root_path)):
        pass


@pytest.mark.parametrize(
    ("reach", "is_for_others"),
    [
        (Reach(), False),
        (Reach("::1"), False),
        (Reach("0.0.0.0"), True),  # noqa: S104 - nothing listens
        (Reach(allowed_hosts=("a.example",)), True),
        (Reach(trusted_proxies=("127.0.0.1",)), True),
        (Reach(root_path="/a"), True),
        (Reach(allowed_origins=(SHOP,)), False),
    ],
)
def test_a_server_is_for_others_if_other_machines_reach_it_directly_or_through_a_proxy(
    reach: Reach, is_for_others: bool
) -> None:
    assert reach.is_for_others is is_for_others


def test_forwarded_schemes_and_hosts_are_used_only_from_a_trusted_proxy() -> None:
    reach = Reach(allowed_hosts=("pictures.example",), trusted_proxies=("10.0.0.0/24",))
    forwarded = {
        "host": "127.0.0.1",
        "x-forwarded-for": CLIENT,
        "x-forwarded-proto": "https",
        "x-forwarded-host": "evil.example, pictures.example:8443",
        "origin": "https://pictures.example:8443",
    }
    for peer, is_believed in ((PROXY, True), ("10.0.1.5", False)):
        with opened(reach, peer=peer, token=TOKEN) as client:
            answer = client.post("/login", data={"token": TOKEN}, headers=forwarded)
        assert answer.status_code == (303 if is_believed else 403)
        assert ("Secure" in answer.headers.get("set-cookie", "")) is is_believed


@pytest.mark.parametrize("forwarded_host", ["other.example", "pictures.example, other.example"])
def test_the_server_uses_the_last_of_several_forwarded_hosts(forwarded_host: str) -> None:
    reach = Reach(allowed_hosts=("pictures.example",), trusted_proxies=(PROXY,))
    with opened(reach, peer=PROXY) as client:
        assert client.get("/stats", headers={"x-forwarded-host": forwarded_host}).status_code == 421
        assert client.get("/stats", headers={"x-forwarded-host": "pictures.example"}).status_code == 200


def test_wrong_tokens_through_a_trusted_proxy_lock_out_only_the_client_that_sent_them() -> None:
    with opened(Reach(trusted_proxies=(PROXY,)), peer=PROXY, token=TOKEN) as client:

        def log_in(address: str, token: str) -> int:
            forwarded = {"x-forwarded-for": address}
            return client.post("/login", data={"token": token}, headers=forwarded).status_code

        for number in range(MOST_WRONG_TOKENS + 1):
            # What the guesser sends stands before what the proxy adds.
            answered = log_in(f"198.51.100.{number}, {CLIENT}", "wrong")
        assert answered == 429
        assert log_in(CLIENT, TOKEN) == 429
        assert log_in("203.0.113.8", TOKEN) == 303


def test_forwarded_addresses_from_a_client_that_is_not_a_trusted_proxy_are_ignored() -> None:
    with opened(Reach(trusted_proxies=(PROXY,)), token=TOKEN) as client:
        for number in range(MOST_WRONG_TOKENS + 1):
            forwarded = {"x-forwarded-for": f"198.51.100.{number}"}
            answered = client.post("/login", data={"token": "wrong"}, headers=forwarded).status_code
    assert answered == 429


@pytest.mark.parametrize("passed", ["", "/a/gallery"], ids=["removed by the proxy", "passed on"])
def test_links_and_redirects_to_the_server_begin_with_the_root_path(passed: str) -> None:
    reach = Reach(root_path="/a/gallery")
    with opened(reach, token=TOKEN) as client:
        page = client.get(f"{passed}/", headers={"accept": "text/html"})
        assert (page.status_code, page.headers["location"]) == (303, "/a/gallery/login")
        logged_in = client.post(f"{passed}/login", data={"token": TOKEN})
        assert logged_in.headers["location"] == "/a/gallery/"
        assert "Path=/a/gallery/" in logged_in.headers["set-cookie"]
        client.cookies.clear()  # the test's client would keep it from paths without /a/gallery/
        form = client.post(f"{passed}/uploads", json=FORM, headers=BEARER).json()
        assert form["url"] == "/a/gallery/uploads/file"
        sent = {"data": form["fields"], "files": {"file": ("x", b"one")}, "headers": BEARER}
        answer = client.post(f"{passed}/uploads/file", **sent)
        assert answer.headers["location"] == "/a/gallery/pictures/a/photo.jpg"
        links = client.get(f"{passed}/pictures/a/photo.jpg", headers=BEARER).json()["links"]
        assert links["original"] == "/a/gallery/originals/a/photo.jpg"
        assert links["renditions"]["thumb"].startswith("/a/gallery/renditions/thumb/a/photo.jpg?v=")
        described = client.get(f"{passed}/openapi.json", headers=BEARER).json()
        assert described["servers"] == [{"url": "/a/gallery"}]
        logged_out = client.post(f"{passed}/logout")
        assert logged_out.headers["location"] == "/a/gallery/login"
        assert "Path=/a/gallery/" in logged_out.headers["set-cookie"]
        assert client.get(f"{passed}/{FILES}app.js").status_code == 200


def test_the_root_path_without_its_last_slash_redirects_to_the_page() -> None:
    with opened(Reach(root_path="/gallery")) as client:
        answer = client.get("/gallery")
    assert (answer.status_code, answer.headers["location"]) == (308, "/gallery/")


def test_the_signature_of_a_url_does_not_cover_the_root_path() -> None:
    keys = SigningKeys.parse("one:" + "x" * 40)
    with opened(Reach(root_path="/gallery"), token=TOKEN, keys=keys) as client:
        upload(client, "/gallery", BEARER)
        for path in ("/i/thumb/a/photo.jpg", "/originals/a/photo.jpg"):
            url = keys.sign(f"/gallery{path}", expires_at_seconds=10**11, root_path="/gallery/")
            assert url.startswith(f"/gallery{path}?expires=")
            assert client.get(url).status_code == 200
            assert client.get(url.removeprefix("/gallery")).status_code == 200


def test_the_pages_of_the_server_have_no_links_with_absolute_paths() -> None:
    """An absolute path leads out of the path below which a proxy serves the page."""
    for file in STATIC.iterdir():
        if file.name.endswith((".html", ".css")):
            assert not re.search(r"""(href|src|action)=["']?/|url\(["']?/""", file.read_text("utf-8")), (
                file.name
            )
        if file.name.endswith(".js"):
            calls = r"""\b(fetch|EventSource|assign|replace)\(['"`]/"""
            assert not re.search(calls, file.read_text("utf-8")), file.name


def test_pages_of_an_allowed_origin_can_use_the_api_and_pages_of_other_origins_can_not() -> None:
    with opened(Reach(allowed_origins=(SHOP,)), token=TOKEN) as client:
        cross = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}
        for origin, is_allowed in ((SHOP, True), ("https://other.example", False)):
            asked = {"origin": origin, "access-control-request-method": "PUT"}
            asked["access-control-request-headers"] = "authorization, content-type"
            preflight = client.options("/pictures/a/photo.jpg/focus", headers=asked)
            assert (preflight.status_code == 200) is is_allowed
            assert (preflight.headers.get("access-control-allow-origin") == SHOP) is is_allowed
            sent = upload(client, headers={"origin": origin, **cross, **BEARER}) if is_allowed else None
            assert sent is None or sent.status_code == 204
            answer = client.get("/pictures", headers={"origin": origin, **cross, **BEARER})
            assert (answer.status_code == 200) is is_allowed
            assert answer.headers.get("access-control-allow-origin") == (SHOP if is_allowed else None)
            assert "origin" in answer.headers["vary"].lower()
            assert "access-control-allow-credentials" not in answer.headers
        assert (
            "ETag"
            in client.get("/pictures", headers={"origin": SHOP, **BEARER}).headers[
                "access-control-expose-headers"
            ]
        )


def test_a_refusal_can_be_read_by_pages_of_an_allowed_origin() -> None:
    with opened(Reach(allowed_origins=(SHOP,)), token=TOKEN) as client:
        answer = client.get("/pictures", headers={"origin": SHOP})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, SHOP)


@pytest.mark.parametrize(
    ("host", "origin", "is_own"),
    [
        ("127.0.0.1:8080", "https://pictures.example", True),
        ("127.0.0.1:8080", "https://pictures.example:8443", False),
        ("localhost", "https://localhost:8443", True),  # nginx's $host has no port
        ("127.0.0.1:8080", "https://other.example", False),
        ("127.0.0.1:8080", "null", False),
    ],
)
def test_pages_of_allowed_hosts_may_upload_although_a_proxy_changes_the_host(
    host: str, origin: str, is_own: bool
) -> None:
    with opened(Reach(allowed_hosts=("pictures.example", "localhost:8443"))) as client:
        answer = client.post("/uploads", json=FORM, headers={"host": host, "origin": origin})
    assert answer.status_code == (201 if is_own else 403)

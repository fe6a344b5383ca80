"""The real server as other machines reach it.

The tests use TLS, a literal address, and nginx as a proxy.
"""

from __future__ import annotations

import http.client
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from commands import RENDITIONS, draw, write_pipeline
from renditions.web.guard import MOST_WRONG_TOKENS
from web.browser import (
    find_port,
    make_certificate,
    start_server,
    trust,
    wait_for,
)
from web.test_connections import wait_until
from web.test_sites import embed, other_site
from web.vanishing import CLIENTS, Vanishing

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
TOKEN = "right"  # noqa: S105 - the tests' own

NGINX_SETTINGS = """\
{user} daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr warn;
events {{ worker_connections 500; }}
http {{
  access_log off;
  client_max_body_size 60m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen {host}:{port} ssl;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    location /gallery/ {{
      proxy_pass http://127.0.0.1:{inner}{removes};
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
    }}
  }}
}}
"""
"""The settings in docs/web.md, with nginx's files in the test's folder. nginx sets ``Host`` to ``inner``."""


@dataclass(frozen=True)
class Behind:
    """A server behind nginx."""

    folder: Path
    port: int
    tls: ssl.SSLContext
    host: str

    @property
    def url(self) -> str:
        return f"https://{self.host}:{self.port}/gallery"

    def log_in(self, token: str, address: str) -> int:
        """Log in from a network address; return the status."""
        connection = http.client.HTTPSConnection(
            "localhost", self.port, source_address=(address, 0), context=self.tls
        )
        connection.request(
            "POST",
            "/gallery/login",
            f"token={token}",
            {"Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-For": "198.51.100.1"},
        )
        with closing(connection), connection.getresponse() as answer:
            return answer.status


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pipeline(tmp_path, 'cors_origins = ["*"]\n[renditions.thumb]\nwidth = 90\n')
    draw(tmp_path / "inbox" / "a b" / "c+d%2F.jpg")
    return tmp_path


@contextmanager
def behind_nginx(folder: Path, removes: str, *options: str, lan: Vanishing | None = None) -> Iterator[Behind]:
    """Yield a folder's server behind nginx, with TLS and below a path.

    With ``lan``, nginx and the server run in the namespace of ``lan``, at the address of another machine.
    Skip the test if nginx is missing.
    """
    if NGINX is None:
        pytest.skip("NOT TESTED: nginx isn't installed (Debian: nginx-light)")
    certificate, key = make_certificate(folder)
    port, inner = find_port(), find_port()
    host, enter = (CLIENTS[0], lan.enter) if lan else ("127.0.0.1", ())
    (folder / "nginx.conf").write_text(
        NGINX_SETTINGS.format(
            folder=folder,
            host=host,
            port=port,
            inner=inner,
            user="user root;" if os.geteuid() == 0 else "",
            certificate=certificate,
            key=key,
            removes=removes,
        )
    )
    reach = ("--root-path", "/gallery", "--trusted-proxy", "127.0.0.1", "--token", TOKEN)
    server = start_server(folder, inner, *reach, *options, enter=enter)
    nginx = subprocess.Popen([*enter, NGINX, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"])
    try:
        tls = trust(certificate)
        tls.check_hostname = lan is None  # the certificate is for localhost
        behind = Behind(folder, port, tls, host if lan else "localhost")
        wait_for(behind.url, behind.tls)
        yield behind
    finally:
        nginx.terminate()
        server.terminate()
        nginx.wait(60)
        assert server.wait(60) in (0, 130)


@pytest.mark.parametrize("removes", ["", "/"], ids=["path passed on", "path removed"])
def test_the_page_works_behind_nginx_below_a_path_with_tls(
    browser: Browser, folder: Path, removes: str
) -> None:
    with behind_nginx(folder, removes) as behind:
        page = browser.new_page(ignore_https_errors=True)
        failed: list[str] = []
        page.on("response", lambda each: failed.append(each.url) if each.status >= 400 else None)
        page.goto(behind.url)
        page.fill("#token", TOKEN)
        page.click("text=Log in")
        page.wait_for_selector("#connection:text-is('live')")
        (cookie,) = page.context.cookies()
        assert (cookie["path"], cookie["secure"], cookie["httpOnly"]) == ("/gallery/", True, True)
        draw(folder / "new.jpg", seed=2)
        page.set_input_files("#choose", folder / "new.jpg")
        page.wait_for_selector("#uploads .good")
        shown = "() => [...document.querySelectorAll('#gallery img')].map((each) => each.naturalWidth)"
        assert wait_until(lambda: page.evaluate(shown) == [90, 90])
        page.click("footer a")
        page.wait_for_selector("#operations h2")
        trial = page.locator("section", has=page.get_by_text("GET /stats", exact=True)).locator(".trial")
        trial.locator("summary").click()
        trial.get_by_role("button").click()
        expect(trial).to_contain_text('"pictures": 2')
        page.click("text=Pictures")
        page.click("text=Log out")
        page.wait_for_selector("#token")
        assert page.url == f"{behind.url}/login"
        assert not failed
        page.context.close()


def test_wrong_tokens_through_nginx_lock_out_only_the_client_that_sent_them(folder: Path) -> None:
    with behind_nginx(folder, "") as behind:
        guesses = {behind.log_in("wrong", "127.0.0.2") for _ in range(MOST_WRONG_TOKENS + 1)}
        assert guesses == {401, 429}
        assert behind.log_in(TOKEN, "127.0.0.2") == 429
        assert behind.log_in(TOKEN, "127.0.0.3") == 303


def test_a_page_of_an_allowed_origin_uses_the_api_behind_nginx_and_embeds_a_signed_picture(
    browser: Browser, folder: Path
) -> None:
    name = "a b/c+d%2F.jpg"
    with other_site() as site, behind_nginx(folder, "", "--allow-origin", site) as behind:
        signed = subprocess.run(
            [RENDITIONS, "sign", "thumb", name, "--root-path", "/gallery"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        url = f"https://localhost:{behind.port}{signed.stdout.strip()}"
        page = browser.new_page(ignore_https_errors=True)
        assert embed(page, url) == "shown"
        page.goto(site)
        listed = page.evaluate(
            """async ([url, token]) => {
              const headers = { Authorization: `Bearer ${token}` };
              const answer = await fetch(`${url}/pictures`, { headers });
              const { pictures } = await answer.json();
              const focus = { method: 'PUT', body: '{"x": 0.1, "y": 0.2}',
                headers: { ...headers, 'Content-Type': 'application/json' } };
              const name = pictures[0].name.split('/').map(encodeURIComponent).join('/');
              const set = await fetch(`${url}/pictures/${name}/focus`, focus);
              return [pictures.map((each) => each.name), answer.headers.get('etag') !== null, set.status];
            }""",
            [behind.url, TOKEN],
        )
        assert listed == [[name], True, 200]
        # The site has another port at the same host name, so this is a third origin.
        with other_site() as third:
            page.goto(third)
            refused = page.evaluate(
                "([url, token]) => fetch(`${url}/pictures`,"
                " { headers: { Authorization: `Bearer ${token}` } }).then(() => 'read', () => 'refused')",
                [behind.url, TOKEN],
            )
            assert refused == "refused"
            signed_picture = page.evaluate("(url) => fetch(url).then((each) => each.status)", url)
            assert signed_picture == 200
        page.context.close()


@pytest.mark.parametrize("certificate_only", [True, False])
def test_a_missing_or_invalid_key_of_a_certificate_is_refused_with_the_reason(
    folder: Path, certificate_only: bool
) -> None:
    certificate, key = make_certificate(folder)
    key.write_text("no key")
    options = ["--tls-cert", str(certificate), *([] if certificate_only else ["--tls-key", str(key)])]
    command = [str(RENDITIONS), "serve", "--port", str(find_port()), *options]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    expected = "TLS needs both files" if certificate_only else "Both must be readable PEM files"
    assert ended.returncode == 2
    assert expected in " ".join(ended.stderr.split())


def test_a_server_that_listens_on_every_address_accepts_an_ip_address_as_host_but_no_other_domain(
    folder: Path,
) -> None:
    certificate, key = make_certificate(folder)
    tls = trust(certificate)
    port = find_port()
    options = ("--host", "0.0.0.0", "--tls-cert", str(certificate), "--tls-key", str(key))  # noqa: S104
    server = start_server(folder, port, *options, "--token", TOKEN)
    try:
        wait_for(f"https://localhost:{port}", tls)
        tls.check_hostname = False  # the certificate has no further address
        for host, status in (("127.0.0.9", 200), ("pictures.example", 421)):
            connection = http.client.HTTPSConnection("127.0.0.9", port, context=tls)
            sent = {"Authorization": f"Bearer {TOKEN}", "Host": f"{host}:{port}"}
            connection.request("GET", "/stats", headers=sent)
            with connection.getresponse() as answer:
                assert answer.status == status
            connection.close()
    finally:
        server.terminate()
        assert server.wait(60) in (0, 130)

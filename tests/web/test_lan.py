"""The page of a server on another machine of the network."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from commands import RENDITIONS, draw, write_pipeline
from web.browser import open_browser
from web.test_connections import wait_until
from web.test_proxies import TOKEN, behind_nginx
from web.test_sites import embed, other_site
from web.vanishing import CLIENTS, vanishing


def test_uploads_the_gallery_and_embedding_work_over_a_lan_address(tmp_path: Path) -> None:
    """Nginx and the server run in one network namespace, and the browser in another."""
    name = "a b/c+d%2F.jpg"
    write_pipeline(tmp_path, 'cors_origins = ["*"]\n[renditions.thumb]\nwidth = 90\n')
    draw(tmp_path / "inbox" / name)
    with ExitStack() as stack:
        try:
            lan = stack.enter_context(vanishing())
        except OSError as error:
            pytest.skip(f"NOT TESTED: this user can't make network namespaces ({error})")
        site = stack.enter_context(other_site())
        options = ("--allow-origin", site, "--allowed-host", CLIENTS[0])
        behind = stack.enter_context(behind_nginx(tmp_path, "/", *options, lan=lan))
        browser = stack.enter_context(open_browser())
        page = browser.new_page(ignore_https_errors=True)
        page.goto(behind.url)
        page.fill("#token", TOKEN)
        page.click("text=Log in")
        page.wait_for_selector("#connection:text-is('live')")
        draw(tmp_path / "new.jpg", seed=2)
        page.set_input_files("#choose", tmp_path / "new.jpg")
        page.wait_for_selector("#uploads .good")
        shown = "() => [...document.querySelectorAll('#gallery img')].map((each) => each.naturalWidth)"
        assert wait_until(lambda: page.evaluate(shown) == [90, 90])
        command = [str(RENDITIONS), "sign", "thumb", name, "--root-path", "/gallery"]
        signed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        url = f"https://{behind.host}:{behind.port}{signed.stdout.strip()}"
        assert embed(page, url) == "shown"
        page.goto(site)
        count = page.evaluate(
            """async ([url, token]) => {
              const headers = { Authorization: `Bearer ${token}` };
              const answer = await fetch(`${url}/pictures`, { headers });
              return (await answer.json()).pictures.length;
            }""",
            [behind.url, TOKEN],
        )
        assert count == 2

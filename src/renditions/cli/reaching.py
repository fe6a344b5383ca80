"""The options of ``serve`` about addresses, access, previews and the log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

HostOption = Annotated[str, typer.Option(help="The address to listen on.")]
PortOption = Annotated[int, typer.Option(min=1, max=65_535, help="The port to listen on.")]
TokenOption = Annotated[
    str | None,
    typer.Option(
        envvar="RENDITIONS_TOKEN",
        help="Access token. Generated if the server is reachable from other machines, also through a proxy.",
    ),
]
AllowedHostOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="A host name in the URLs of clients, with the port if their URLs have one. Repeatable.",
    ),
]
RootPathOption = Annotated[
    str,
    typer.Option(metavar="PATH", help="The path below which a proxy serves the server, such as /gallery."),
]
TrustedProxyOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ADDRESS",
        help="An address or network of proxies, whose X-Forwarded-For, -Proto and -Host headers the server "
        "believes. Repeatable.",
    ),
]
AllowOriginOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ORIGIN",
        help="Another origin whose pages may use the API, such as https://shop.example. Repeatable.",
    ),
]
TlsCertOption = Annotated[
    Path | None, typer.Option(help="A PEM file with the server's certificate and its chain, to speak HTTPS.")
]
TlsKeyOption = Annotated[Path | None, typer.Option(help="The PEM file with the certificate's key.")]
PublicOption = Annotated[
    bool,
    typer.Option(
        "--public", help="Let every client read renditions without the token, and let every site embed them."
    ),
]
NoPreviewsOption = Annotated[
    bool, typer.Option("--no-previews", help="Make no previews of originals that browsers can't show.")
]
AccessLogOption = Annotated[bool, typer.Option(help="Log a line for each request (never with --quiet).")]

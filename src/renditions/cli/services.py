"""The commands that run until the user stops them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from renditions.cli import display
from renditions.cli.app import WORKERS, FileOption, JsonOption, WorkersOption, chosen_file
from renditions.cli.console import messages
from renditions.cli.from_terraform import FromTerraformOption, read_deployed
from renditions.cli.markup import escape
from renditions.cli.opening import opened, stopping
from renditions.cli.reaching import (
    AccessLogOption,
    AllowedHostOption,
    AllowOriginOption,
    HostOption,
    NoPreviewsOption,
    PortOption,
    PublicOption,
    RootPathOption,
    TlsCertOption,
    TlsKeyOption,
    TokenOption,
    TrustedProxyOption,
)
from renditions.cli.syncing import UnattendedOption, make_start
from renditions.core.binding import FOLLOWS
from renditions.core.outcome import Outcome
from renditions.demo.folder import prepare
from renditions.errors import Superseded, UsageError
from renditions.messages.tick import Tick
from renditions.messages.worker import Worker
from renditions.model.places import S3Place, parse_store
from renditions.pipeline_file.reading import LoadedPipeline, load
from renditions.runtime import machine
from renditions.runtime.edge import watch_outputs
from renditions.runtime.machine import open_workers
from renditions.runtime.parts import now, open_queue
from renditions.runtime.reload import PipelineFile, Session, run_reloading
from renditions.web.signing import SigningKeys

NOTICE_SECONDS = 30.0
"""How many seconds a worker may send due notices before it takes further messages."""

QueueOption = Annotated[
    str | None,
    typer.Option(
        "--queue", envvar="QUEUE_URL", help="The URL of the SQS queue with messages about pictures."
    ),
]


def watch(
    context: typer.Context,
    file: FileOption = None,
    workers: WorkersOption = WORKERS,
    *,
    unattended: UnattendedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Sync, and then process each picture that arrives or changes, until Ctrl-C."""
    retries = display.Retries()

    def tell(outcome: Outcome) -> None:
        retries.print(outcome)
        is_final = outcome.again_after is None and outcome.notice_after is None
        if not is_final or outcome.result == "unchanged":
            return
        if as_json:
            display.print_json_line(outcome.to_item())
        else:
            display.print_outcome(outcome)

    def run(session: Session) -> None:
        parts = session.parts
        if session.standing is None:
            raise Superseded(
                "can't watch: this catalog uses another version of the pipeline file. Run "
                "renditions sync to apply this version"
            )
        with open_workers(parts, workers, session.standing) as opened:
            messages.print(f"watching {escape(parts.pipeline.source.store)} (Ctrl-C to stop)")
            machine.watch(session, opened, on_outcome=tell)

    path = chosen_file(context, file)
    _run(path, _load(path), run, unattended=unattended)


def _report_workers() -> None:
    """Make the pool log how worker processes are confined, when the first one starts."""
    _log_progress_of("renditions.local.workers.pool")


def _log_progress_of(module: str) -> None:
    """Make a module log its progress, unless the user wants only data and errors."""
    if not messages.quiet:
        logging.getLogger(module).setLevel(logging.INFO)


def _load(path: Path) -> LoadedPipeline:
    """Load the pipeline file and print its warnings."""
    loaded = load(path, os.environ)
    for warning in loaded.warnings:
        messages.print(f"[yellow]warning:[/] {escape(str(warning))}")
    return loaded


def _run(path: Path, loaded: LoadedPipeline, run: Callable[[Session], None], *, unattended: bool) -> None:
    """Call ``run`` with each version of the pipeline file that applies, until Ctrl-C."""
    _report_workers()
    with stopping() as stop:
        file = PipelineFile(path, os.environ, make_start(unattended=unattended))
        run_reloading(file, loaded, stop, run)


def serve(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    file: FileOption = None,
    workers: WorkersOption = WORKERS,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8080,
    token: TokenOption = None,
    *,
    allowed_host: AllowedHostOption = None,
    root_path: RootPathOption = "",
    trusted_proxy: TrustedProxyOption = None,
    allow_origin: AllowOriginOption = None,
    tls_cert: TlsCertOption = None,
    tls_key: TlsKeyOption = None,
    public: PublicOption = False,
    no_previews: NoPreviewsOption = False,
    access_log: AccessLogOption = True,
    unattended: UnattendedOption = False,
    demo: Annotated[
        bool, typer.Option("--demo", help="Serve the demo's folder; create it first if it doesn't exist.")
    ] = False,
) -> None:
    """Serve a page for uploads and a gallery, and the API, until Ctrl-C."""
    from renditions.web.reach import Reach  # noqa: PLC0415 - only here, an extra
    from renditions.web.server import Access, make_token, open_certificate, open_listener  # noqa: PLC0415
    from renditions.web.server import serve as serve_session  # noqa: PLC0415

    if demo:
        if file or context.obj:
            raise UsageError("serve: --demo has its own pipeline file. Use either --demo or --pipeline.")
        file = prepare(Path("demo"), None, keeps_file=True)
    reach = Reach.parse(
        host,
        allowed_hosts=allowed_host or (),
        root_path=root_path,
        trusted_proxies=trusted_proxy or (),
        allowed_origins=allow_origin or (),
    )
    tls = open_certificate(tls_cert, tls_key)
    made = make_token() if token is None and reach.is_for_others else None
    logs_requests = access_log and not messages.quiet
    if logs_requests:
        logging.getLogger("renditions.access").setLevel(logging.INFO)
    keys = SigningKeys.read(os.environ)
    access = Access(reach, tls, token or made, keys, public, not no_previews, logs_requests)
    path = chosen_file(context, file)
    loaded = _load(path)
    with open_listener(host, port) as listener:
        url = reach.make_url("https" if tls else "http", port)
        messages.print(f"{escape(url)} (Ctrl-C to stop)")
        if made:  # A token that the user chose stays out of the log.
            messages.print(f"token: {escape(made)}")
        _run(
            path,
            loaded,
            lambda session: serve_session(session, listener, access, workers),
            unattended=unattended,
        )


def worker(
    context: typer.Context,
    queue: QueueOption = None,
    from_terraform: FromTerraformOption = None,
    file: FileOption = None,
    workers: WorkersOption = WORKERS,
    *,
    as_json: JsonOption = False,
) -> None:
    """Process a queue's messages, as the function on Lambda does, until Ctrl-C.

    SIGTERM stops the worker too.
    """
    deployed = read_deployed(from_terraform, queue)
    if not deployed.queue:
        raise UsageError(
            "worker: no queue. Name its URL with --queue or QUEUE_URL, or use --from-terraform with a "
            "deployment that has a queue."
        )

    def tell(outcome: Outcome) -> None:
        if outcome.result == "unchanged" or (outcome.result == "waiting" and outcome.again_after is not None):
            return
        if as_json:
            display.print_json_line(outcome.to_item())
        else:
            display.print_outcome(outcome)

    _log_progress_of("renditions.messages.worker")
    _report_workers()
    with opened(context, file, environ=deployed.environment) as unwatched, stopping() as stop:
        parts, invalidate = watch_outputs(unwatched, deployed.environment)
        store = parts.pipeline.source.store
        place = parse_store(store, Path())
        if not isinstance(place, S3Place):
            raise UsageError(
                f"worker: expected a source in a bucket, found {store!r}. Change [source] store in the "
                "pipeline file, or set SOURCE_BUCKET."
            )
        taken = open_queue(deployed.queue, parts.shared)
        standing = parts.bind(FOLLOWS)
        messages.print(f"taking messages from {escape(deployed.queue)} (Ctrl-C to stop)")
        guard = parts.make_guard(standing, is_attended=False)
        tick = Tick(parts.plan_tick, guard, place, taken.send, parts.end_run, now)
        with open_workers(parts, workers, standing) as started:
            worker = Worker(
                taken,
                place,
                started.processing(stop),
                tick,
                started.threads,
                tell,
                send_due=partial(parts.outbox.send_due, NOTICE_SECONDS),
                invalidate=partial(invalidate, {}),
            )
            worker.run(stop)

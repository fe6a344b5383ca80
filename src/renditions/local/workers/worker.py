"""A worker process, which renders the pictures that the pool sends, one by one."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Collection

from renditions.local.workers.confine import confine
from renditions.local.workers.messages import JobReceiver, encode_error, encode_ready, encode_rendering
from renditions.local.workers.wire import pack, receive, send
from renditions.model.registry import resolve


def work(descriptor: int, render: str, layers: Collection[str]) -> None:
    """Render the jobs from the socket until its other end is closed.

    The first answer says how the worker is confined, or why it can't start.

    Args:
        descriptor: The socket.
        render: The function to call, as ``module:name``. Its module imports what most pictures need.
        layers: The names of the layers that confine this process.

    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # service managers send these to all processes at once
    logging.getLogger().addHandler(logging.NullHandler())  # libraries' own messages aren't for the user
    try:
        try:
            function = resolve(render)
            states = confine(layers, descriptor)
        except Exception as error:  # noqa: BLE001 - the pool raises any error
            send(descriptor, pack(encode_error(error)))
            return
        # The first other thread: some layers bind only those that start later.
        threading.Thread(target=_end_with_parent, daemon=True).start()
        send(descriptor, pack(encode_ready(states)))
        receiver = JobReceiver()
        while True:
            content, parts = receive(descriptor, sys.maxsize)
            try:
                job, picture = receiver.decode(content, parts)
                rendering = function(picture, job.accept, job.recipes, job.analyze, limits=job.limits)
                answer = pack(*encode_rendering(rendering))
            except Exception as error:  # noqa: BLE001 - the pool raises any error
                answer = pack(encode_error(error))
            send(descriptor, answer)
    except (EOFError, ConnectionError):
        return


def _end_with_parent() -> None:
    """Wait until the parent closes this process's stdin or dies, and then end."""
    os.read(0, 1)
    os._exit(0)

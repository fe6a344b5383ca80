"""moto's server on a free port of this machine, which it prints; one request at a time.

AWS promises that each request happens as a whole. moto promises it only if no two are in work at once:
of 800 conditional steps from several threads, it loses some.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from typing import Any

from moto.moto_server import werkzeug_app
from moto.moto_server.utilities import RegexConverter
from werkzeug.serving import make_server


class Serialised:
    """A WSGI application that answers one request after the other."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self._lock:
            return list(self._application(environ, start_response))


class AnyPath(RegexConverter):
    """moto's routes, for keys with line breaks too."""

    def __init__(self, url_map: Any, *items: Any) -> None:
        super().__init__(url_map, *items)
        self.regex = f"(?s:{items[0]})"


if __name__ == "__main__":
    vars(werkzeug_app)["RegexConverter"] = AnyPath
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = Serialised(werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True)
    print(server.server_port, flush=True)
    server.serve_forever()

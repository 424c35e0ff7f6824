"""A real HTTP server on this machine that takes what is posted to it."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Listener:
    """A server on this machine that answers with the ``statuses`` in turn, the last one for ever."""

    def __init__(self, statuses: list[int], headers: dict[str, str]) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.paths: list[str] = []
        self.url = ""
        self._statuses, self._headers = statuses, headers

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        self.got.append((dict(handler.headers.items()), body))
        self.paths.append(handler.path)
        status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        handler.send_response(status)
        for name, value in self._headers.items():
            handler.send_header(name, value)
        handler.end_headers()


@contextmanager
def listening(
    *statuses: int, tls: ssl.SSLContext | None = None, headers: dict[str, str] | None = None
) -> Iterator[Listener]:
    listener = Listener(list(statuses) or [204], headers or {})

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            listener.answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    listener.url = f"{'https' if tls else 'http'}://localhost:{server.server_address[1]}/hook/token"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield listener
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

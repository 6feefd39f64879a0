"""The demo's pager: a webhook on loopback that receives notices as a doctor's phone would."""

import json
import queue
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

PAGES_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One notice as it arrived: its key (equal on a repeat) and its title."""

    key: str
    title: str


class Pager:
    """Receives notices on a port of its own; what arrived is taken with `take`."""

    def __init__(self) -> None:
        self._received: queue.Queue[Received] = queue.Queue(PAGES_MAX)
        pages = self._received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the name is http.server's
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                key = self.headers.get("Idempotency-Key", "")
                try:
                    pages.put_nowait(Received(key=key, title=str(json.loads(body)["title"])))
                except (ValueError, KeyError, queue.Full):
                    self.send_error(503)
                    return
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing: the milestones tell."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="pager", daemon=True)

    @property
    def address(self) -> str:
        """Host and port, for apprise URLs."""
        return f"127.0.0.1:{self._server.server_port}"

    def take(self) -> list[Received]:
        """Give what has arrived since the last time."""
        taken = []
        while True:
            try:
                taken.append(self._received.get_nowait())
            except queue.Empty:
                return taken

    def __enter__(self) -> Self:
        """Begin to receive."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

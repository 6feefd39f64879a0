"""An SMS gateway that keeps the contract of docs/sms-gateway.md, on loopback, and can be made to misbehave."""

import json
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

TOKEN = "s3cret-t0ken"


class SmsGateway:
    """Sends each key once. `trouble` holds what goes wrong with the next calls, in order:

    a number is answered as it is; 'late' takes the message and answers when `go_on` is set; 'dies' takes it and ends
    the connection without an answer; 'trickles' sends a status line that never ends until `go_on` is set.
    """

    def __init__(self) -> None:
        self.trouble: list[int | str] = []
        self.sent: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.go_on = Event()
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                gateway.calls.append((self.path, dict(self.headers), body))
                self._answer(body)

            def _answer(self, body: dict[str, Any]) -> None:
                trouble = gateway.trouble.pop(0) if gateway.trouble else None
                if isinstance(trouble, int):
                    self._status(trouble)
                    return
                known = self._take(body)
                if trouble == "late":
                    gateway.go_on.wait(60)
                if trouble == "trickles":
                    self._trickle()
                if trouble in ("dies", "late", "trickles"):
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                self._status(known)

            def _take(self, body: dict[str, Any]) -> int:
                key = self.headers["Idempotency-Key"]
                if self.headers["Authorization"] != f"Bearer {TOKEN}":
                    return 401
                if key in gateway.sent:
                    return 409
                gateway.sent[key] = body
                return 202

            def _trickle(self) -> None:
                self.wfile.write(b"HTTP/1.0 202 ")
                while not gateway.go_on.wait(0.5):
                    self.wfile.write(b".")

            def _status(self, status: int) -> None:
                self.send_response(status)
                if status // 100 == 3:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # who hung up is what is tested
        self.thread = Thread(target=self.server.serve_forever, daemon=True)

    def url(self, *, token: str = TOKEN, number: str = "13800000001", more: str = "") -> str:
        """Give the address of a channel through it."""
        return f"sms://{token}@127.0.0.1:{self.server.server_port}/v1/send?to={number}{more}"

    def close(self) -> None:
        """End it."""
        self.go_on.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

"""What ingest shows over HTTP beside its work: its counters, and whether readings can be stored now."""

import json
import threading
from collections.abc import Callable, Iterable
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer


def serve_pages(host: str, port: int, registry: CollectorRegistry, *, trouble: Callable[[], str | None]) -> None:
    """Serve /metrics, /ready (503 and the trouble's name while there is one) and /healthz from a daemon thread.

    Raises OSError where the port is taken.
    """
    metrics = make_wsgi_app(registry)

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/ready":
            why = trouble()
            if why is None:
                return _json(start_response, "200 OK", {"status": "ready"})
            return _json(start_response, "503 Service Unavailable", {"status": "not ready", "trouble": why})
        if environ["PATH_INFO"] == "/healthz":
            return _json(start_response, "200 OK", {"status": "alive"})
        page: Iterable[bytes] = metrics(environ, start_response)
        return page

    server = make_server(host, port, answer, ThreadingWSGIServer, handler_class=_Quiet)
    threading.Thread(target=server.serve_forever, daemon=True, name="pages").start()


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: Prometheus asks every few seconds."""


def _json(start_response: StartResponse, status: str, content: dict[str, object]) -> list[bytes]:
    start_response(status, [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
    return [json.dumps(content).encode() + b"\n"]

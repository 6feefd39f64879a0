"""Runs the HTTP intake until SIGTERM or SIGINT."""

import ipaddress
import math
import signal

import structlog
import uvicorn
from prometheus_client import start_http_server

from ingest.http.app import create_app
from ingest.http.metrics import HttpMetrics
from ingest.listening import port_named, sockets_on
from ingest.settings import IngestSettings

KEEP_ALIVE_S = 20

log = structlog.get_logger(__name__)


def serve(settings: IngestSettings) -> None:
    """Serve; what is being stored when told to stop is finished and answered first."""
    metrics = HttpMetrics()
    if settings.ingest_http_metrics_port:
        host, port = settings.ingest_metrics_host, settings.ingest_http_metrics_port
        with port_named(host, port, setting="HEARTHWATCH_INGEST_HTTP_METRICS_PORT"):
            start_http_server(port, host, metrics.registry)
    certificate, key = settings.ingest_http_certificate_file, settings.ingest_http_key_file
    if certificate is None and not _is_loopback(settings.ingest_http_host):
        log.warning("tokens and readings can be read on the way: give a certificate, or let a proxy do TLS")
    config = uvicorn.Config(
        create_app(settings, metrics),
        host=settings.ingest_http_host,
        port=settings.ingest_http_port,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=settings.ingest_http_connections_max,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=math.ceil(settings.ingest_http_patience_s + settings.ingest_http_body_s),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ended)
    host, port = settings.ingest_http_host, settings.ingest_http_port
    with port_named(host, port, setting="HEARTHWATCH_INGEST_HTTP_PORT"):
        sockets = sockets_on(host, port)
    log.info("the HTTP intake starts", host=host, port=port)
    uvicorn.Server(config).run(sockets)
    log.info("the HTTP intake has stopped")


def _ended(*_: object) -> None:
    """Let a stop that was asked for be a good end: uvicorn raises the signal again when it is through."""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

"""Builds ingest from its settings and runs it until SIGTERM or SIGINT."""

import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from ingest.broker.configs import Configs
from ingest.broker.intake import Intake, Limits
from ingest.broker.mailbox import BrokerAddress, Mailbox
from ingest.broker.pages import serve_pages
from ingest.broker.word import Word
from ingest.listening import port_named
from ingest.settings import IngestSettings
from ingest.store.database import Database
from ingest.store.metrics import Metrics
from ingest.store.readiness import Readiness
from vitals.clock import ClinicalClock
from vitals.reading import scaled
from vitals.signals import Signal

log = structlog.get_logger(__name__)


def build(settings: IngestSettings, stopping: threading.Event, metrics: Metrics) -> Intake:
    """Put the parts together."""
    clock = ClinicalClock.parse(settings.clock_origin, settings.clock_speed)

    def now_ms() -> int:
        return int(clock.at(datetime.now(UTC)).timestamp() * 1000)

    address = BrokerAddress(
        host=settings.broker_host,
        port=settings.broker_port,
        client_id=settings.ingest_client_id,
        username=settings.ingest_broker_username,
        password=settings.ingest_broker_password,
        ca_file=settings.ingest_broker_ca_file,
        certificate_file=settings.ingest_broker_certificate_file,
        key_file=settings.ingest_broker_key_file,
        session_expiry_s=settings.ingest_session_expiry_s,
        receive_maximum=settings.ingest_receive_maximum,
    )
    limits = Limits(
        window_s=settings.ingest_window_ms / 1000,
        messages_max=settings.ingest_batch_messages,
        rows_max=settings.ingest_batch_rows,
        retention_days=settings.ingest_retention_days,
        urgent_spo2_below=scaled(Signal.SPO2, settings.ingest_urgent_spo2_below),
    )
    mailbox, database = Mailbox(address, now_ms, stopping), Database(settings.database_dsn)
    configs = Configs(database, mailbox, metrics)
    word = Word(
        database,
        mailbox,
        process=settings.ingest_client_id,
        now=lambda: clock.at(datetime.now(UTC)),
        speed=settings.clock_speed,
    )

    def beside() -> None:
        configs.turn()
        word.turn()

    return Intake(
        mailbox,
        database,
        metrics,
        limits=limits,
        now_ms=now_ms,
        stopping=stopping,
        beside=beside,
    )


def run(settings: IngestSettings) -> None:
    """Run until told to stop."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    metrics = Metrics()
    intake = build(settings, stopping, metrics)
    if settings.ingest_metrics_port:
        host, port = settings.ingest_metrics_host, settings.ingest_metrics_port
        trouble = _looking(metrics, Readiness(settings.database_dsn))
        metrics.look_when_asked(trouble)
        with port_named(host, port, setting="HEARTHWATCH_INGEST_METRICS_PORT"):
            serve_pages(host, port, metrics.registry, trouble=trouble)
    log.info("ingest starts", broker=f"{settings.broker_host}:{settings.broker_port}")
    intake.run()
    log.info("ingest has stopped")


def _looking(metrics: Metrics, readiness: Readiness) -> Callable[[], str | None]:
    """Name what is in the way of readings: as the last attempt to store had it, else as the database answers now."""

    def trouble() -> str | None:
        found = metrics.trouble or readiness.trouble()
        return None if found is None else str(found)

    return trouble

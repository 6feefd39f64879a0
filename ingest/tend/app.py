"""Builds time-driven work from the settings, and runs both lanes of it until SIGTERM or SIGINT."""

import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from functools import partial

from prometheus_client import start_http_server

from ingest.listening import port_named
from ingest.rejected.lift_waiting import LiftWaiting
from ingest.settings import IngestSettings
from ingest.tend.adding_up import add_up
from ingest.tend.columnstore import compress
from ingest.tend.metrics import TendingMetrics
from ingest.tend.moving import move_samples
from ingest.tend.packing import Packing
from ingest.tend.retention import drop_rollups, drop_samples, forget_rejected, trim_log
from ingest.tend.rollups import roll_hours, roll_minutes
from ingest.tend.tending import Job, Lane, Tender
from vitals.clock import ClinicalClock

INTERRUPT_EVERY_S = 1.0
MOVING_EVERY_S = 5.0
"""How soon a correction of who wore a device is carried out: the right patient waits to be judged."""


def jobs(settings: IngestSettings, metrics: TendingMetrics) -> dict[str, Job]:
    """List the jobs, the most urgent first: after a long time away roll-ups come before retention."""
    days = _days
    hourly_s = float(settings.ingest_tend_retention_every_s)
    raw = partial(
        drop_samples,
        kept=days(settings.ingest_retention_days),
        margin=timedelta(minutes=settings.ingest_evidence_margin_minutes),
    )
    minutes = partial(drop_rollups, whole="minute_rollup", kept=days(settings.ingest_minute_rollup_days))
    hours = partial(drop_rollups, whole="hour_rollup", kept=days(settings.ingest_hour_rollup_days))
    waiting = LiftWaiting(retention_days=settings.ingest_retention_days)
    rejected = partial(forget_rejected, kept=days(settings.ingest_rejected_days))
    return {
        "moving": Job(every_s=MOVING_EVERY_S, turn=move_samples),
        "minute_rollups": Job(every_s=settings.ingest_tend_minutes_every_s, turn=roll_minutes),
        "hour_rollups": Job(every_s=settings.ingest_tend_hours_every_s, turn=roll_hours),
        "waiting": Job(every_s=settings.ingest_tend_waiting_every_s, turn=waiting),
        "accounts": Job(every_s=settings.ingest_tend_accounts_every_s, turn=partial(add_up, metrics=metrics)),
        "intake_log": Job(every_s=60.0, turn=partial(trim_log, kept=days(settings.ingest_log_days))),
        "rejected": Job(every_s=hourly_s, turn=rejected),
        "raw_samples": Job(every_s=hourly_s, turn=raw),
        "old_minutes": Job(every_s=hourly_s, turn=minutes),
        "old_hours": Job(every_s=hourly_s, turn=hours),
        "packing": Job(
            every_s=settings.ingest_tend_packing_every_s,
            turn=Packing(kept=days(settings.ingest_retention_days)),
            lane=Lane.PATIENT,
        ),
        "compression": Job(
            every_s=hourly_s,
            turn=partial(compress, offline=days(settings.ingest_offline_days)),
            lane=Lane.PATIENT,
        ),
    }


def run(settings: IngestSettings) -> None:
    """Run until told to stop."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    metrics = TendingMetrics()
    if settings.ingest_tend_metrics_port:
        host, port = settings.ingest_metrics_host, settings.ingest_tend_metrics_port
        with port_named(host, port, setting="HEARTHWATCH_INGEST_TEND_METRICS_PORT"):
            start_http_server(port, host, metrics.registry)
    every, now = jobs(settings, metrics), _clock(settings)
    tenders = {
        lane: Tender(settings.database_dsn, every, metrics, lane=lane, now=now, stopping=stopping) for lane in Lane
    }
    with ThreadPoolExecutor(len(tenders)) as threads:
        lanes = [threads.submit(tender.run) for tender in tenders.values()]
        for lane in lanes:
            lane.add_done_callback(lambda _: stopping.set())  # one that ends of a bug ends all: nothing ends silently
        stopping.wait()
        while wait(lanes, timeout=INTERRUPT_EVERY_S).not_done:
            tenders[Lane.PATIENT].interrupt()
    for lane in lanes:
        lane.result()


def _clock(settings: IngestSettings) -> Callable[[], datetime]:
    clock = ClinicalClock.parse(settings.clock_origin, settings.clock_speed)
    return lambda: clock.at(datetime.now(UTC))


def _days(days: int) -> timedelta:
    return timedelta(days=days)

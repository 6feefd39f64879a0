"""A small registry and messages to send: what the tests of ingest have in common."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from ingest.judging.decode import Refused, read_json, read_packed
from ingest.judging.refusals import Refusal
from ingest.judging.rejection import Rejection
from ingest.judging.screening import Incoming
from ingest.store.registry import Registry
from ingest.store.storing import Batch, Stored, prepare, store
from vitals.signals import SIGNALS, Signal
from vitals.wire import DeviceEntry, Header, Row, pack

GATEWAY = "gw-1"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)

OXIMETER, THERMOMETER, LENT, UNBOUND = (
    "C0:00:00:00:00:01",
    "C0:00:00:00:00:05",
    "C0:00:00:00:00:08",
    "C0:00:00:00:00:09",
)
LENT_AT = NOW - timedelta(hours=1)
"""LENT went from patient 2 to patient 3 at this instant."""

SPO2, PULSE, TEMPERATURE = (SIGNALS[s].code for s in (Signal.SPO2, Signal.PULSE, Signal.TEMPERATURE))

REGISTRY = """
INSERT INTO organisation (organisation_id, key, name, name_en, facility_role)
     VALUES (1, 'county', '县', 'County', 'county');
INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier)
     VALUES (1, 'li', '李医生', 'Dr Li', 1, 'family_doctor', 2);
INSERT INTO patient (patient_id, key, name, initials, born_on, sex, organisation_id, family_doctor_id, risk_colour,
                     service_tier)
     SELECT n, 'p' || n, 'P' || n, 'P' || n, '1950-01-01', 'female', 1, 1, 'yellow', 2 FROM generate_series(1, 3) n;
INSERT INTO gateway (gateway_id, organisation_id) VALUES ('gw-1', 1), ('gw-2', 1);
INSERT INTO device (device_id, key, kind) VALUES
    (11, 'C0:00:00:00:00:01', 'oximeter'), (15, 'C0:00:00:00:00:05', 'thermometer'),
    (18, 'C0:00:00:00:00:08', 'oximeter'), (19, 'C0:00:00:00:00:09', 'oximeter');
INSERT INTO binding (device_id, patient_id, valid) VALUES
    (11, 1, '[2020-01-01 00:00+00,)'), (15, 2, '[2020-01-01 00:00+00,)'),
    (18, 2, '[2020-01-01 00:00+00, 2026-03-01 11:00+00)'), (18, 3, '[2026-03-01 11:00+00,)');
UPDATE registry_version SET version = version + 1;
"""


@dataclass
class Home:
    """One gateway's outbox: makes messages with row numbers that follow one another."""

    gateway_id: str = GATEWAY
    outbox_id: uuid.UUID = field(default_factory=uuid.uuid4)
    next_row: int = 0

    def message(
        self,
        readings: Sequence[tuple[int, int, int] | tuple[int, int, int, int, int]],
        *,
        devices: Sequence[str] = (OXIMETER,),
        acquisition: int = 0,
        device: int = 0,
        t0_ms: int = NOW_MS,
        sent_ms: int | None = None,
        synchronised: bool = True,
        first_row: int | None = None,
        unit_ms: int = 1,
    ) -> bytes:
        """Pack readings (offset, signal code, scaled value[, quality, reason]) of one device."""
        rows = [
            Row(offset=r[0], device_index=device, signal_code=r[1], value=r[2], quality=q, reason=why)
            for r in readings
            for q, why in [r[3:] or (0, 0)]
        ]
        header = Header(
            outbox_id=self.outbox_id,
            first_row=self.next_row if first_row is None else first_row,
            boot_id=7,
            t0_ms=t0_ms,
            sent_ms=t0_ms if sent_ms is None else sent_ms,
            synchronised=synchronised,
            backlog=False,
            offset_unit_ms=unit_ms,
            devices=tuple(DeviceEntry(device=name, acquisition=acquisition) for name in devices),
        )
        self.next_row = header.first_row + len(rows)
        return pack(header, rows)


def connect(dsn: str) -> psycopg.Connection[Any]:
    """Open a connection as ingest does."""
    connection = psycopg.connect(dsn, autocommit=True)
    prepare(connection)
    return connection


def put(
    connection: psycopg.Connection[Any],
    *payloads: bytes,
    gateway_id: str = GATEWAY,
    received_ms: int = NOW_MS,
    registry: Registry | None = None,
) -> Stored:
    """Read and store messages as one batch, as intake does."""
    messages: list[Incoming] = []
    refusals: list[Refusal] = []
    for payload in payloads:
        try:
            decoded = read_json(payload) if payload.startswith(b"{") else read_packed(payload)
        except Refused as exc:
            refusals.append(
                Refusal(
                    received_ms=received_ms,
                    source=gateway_id,
                    reason=exc.reason,
                    detail=str(exc),
                    readings=0,
                    payload=payload,
                )
            )
        else:
            messages.append(Incoming(gateway_id=gateway_id, received_ms=received_ms, decoded=decoded))
    batch = Batch(now_ms=received_ms, messages=messages, refusals=refusals)
    return store(connection, batch, registry or Registry(), retention_days=90)


def heard_at(connection: psycopg.Connection[Any], at: datetime) -> None:
    """Store a reading of patient 3 measured and received at an instant: readings came until then."""
    at_ms = int(at.timestamp() * 1000)
    put(connection, Home().message([(0, PULSE, 7000)], devices=[LENT], t0_ms=at_ms), received_ms=at_ms)


def refused(stored: Stored) -> dict[Rejection, int]:
    """Give what was refused, by reason."""
    return dict(stored.refused)


def rows_of(connection: psycopg.Connection[Any], statement: str) -> list[tuple[Any, ...]]:
    """Run a query of the tests."""
    return connection.execute(statement.encode()).fetchall()

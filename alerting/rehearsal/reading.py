"""Reads what a rehearsal judges: patients, their orders, what was stored and what was decided. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import psycopg
from psycopg.rows import namedtuple_row

from alerting.course.samples import Samples
from alerting.course.whose import Patient
from alerting.desk import QUERIES, Connection, unix_ms
from alerting.judging.held import from_line
from alerting.profile.patient import PatientFacts
from alerting.rehearsal.difference import Decision, Recorded
from alerting.rehearsal.spans import Order
from alerting.spot.arrivals import Devices
from care.registry import SpecialGroup
from vitals.signals import SIGNAL_BY_CODE, SIGNALS
from vitals.sustained import Limit

STATEMENT_TIMEOUT_S = 120
"""No statement reads more than a patient's day: one that takes so long has met trouble."""

_CODES = sorted(spec.code for spec in SIGNALS.values())
_ROW = np.dtype(
    [
        ("fields", ">i2"),
        *(("at_length", ">i4"), ("at_us", ">i8")),
        *(("device_length", ">i4"), ("device", ">i4")),
        *(("acquisition_length", ">i4"), ("acquisition", ">i2")),
        *(part for code in _CODES for part in ((f"length_{code}", ">i4"), (f"value_{code}", ">i2"))),
        *(("quality_length", ">i4"), ("quality", "u1", (len(_CODES),))),
    ]
)
"""A row of `rehearsed_samples` as COPY writes it: every column has a value, so that all rows have one length."""

_HEADER, _TRAILER = 19, 2
_POSTGRES_EPOCH_MS = 946_684_800_000


class NobodyToRehearse(ValueError):
    """There is no such patient or organisation; the message names the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A patient to rehearse: who, where, with which facts and orders."""

    patient_id: int
    key: str
    zone: str
    patient: Patient
    orders: Sequence[Order]


def connect_to_read(dsn: str) -> Connection:
    """Open a connection that can not write, and that no statement holds for long."""
    return psycopg.connect(
        dsn,
        row_factory=namedtuple_row,
        autocommit=True,
        application_name="alerting-rehearsal",
        options=f"-c TimeZone=UTC -c default_transaction_read_only=on -c statement_timeout={STATEMENT_TIMEOUT_S}s",
    )


def newest_profile(connection: Connection) -> str | None:
    """Give the text of the profile that alerting last worked under; None where it never ran."""
    row = connection.execute(QUERIES["newest_profile"]).fetchone()
    return None if row is None else str(row.body)


def patient_ids(connection: Connection, *, patient: str, panel: str) -> list[int]:
    """Find one patient by key, or all of an organisation and of those below it. Raises NobodyToRehearse."""
    if patient:
        rows = connection.execute(QUERIES["patient_of_key"], {"key": patient}).fetchall()
        if not rows:
            raise NobodyToRehearse(f"patient {patient!r} is not in the registry")
        return [row.patient_id for row in rows]
    if not connection.execute(QUERIES["organisation_of_key"], {"key": panel}).fetchall():
        raise NobodyToRehearse(f"organisation {panel!r} is not in the registry")
    rows = connection.execute(QUERIES["patients_of_panel"], {"key": panel}).fetchall()
    if not rows:
        raise NobodyToRehearse(f"organisation {panel!r} has no patient, and none below it has")
    return [row.patient_id for row in rows]


def read_subject(connection: Connection, patient_id: int, *, site_altitude_m: int) -> Subject:
    """Read one patient: his groups and baseline as they are now, his orders as they were."""
    row: Any = connection.execute(QUERIES["patient_to_rehearse"], {"patient_id": patient_id}).fetchone()
    orders = connection.execute(QUERIES["orders_as_they_stood"], {"patient_id": patient_id}).fetchall()
    groups = frozenset(row.special_groups)
    said = from_line(row.said).held.baseline if row.said is not None else None
    facts = PatientFacts(
        born_on=row.born_on,
        special_groups=groups,
        site_altitude_m=site_altitude_m,
        on_oxygen=SpecialGroup.HOME_OXYGEN in groups,
        baseline=said or row.baseline,
    )
    return Subject(
        patient_id=patient_id,
        key=row.key,
        zone=row.time_zone,
        patient=Patient(facts=facts, risk_colour=row.risk_colour, service_tier=row.service_tier),
        orders=[
            Order(
                number=each.order_id,
                rule=each.rule,
                limit=Limit(breach=each.breach, clear_at=each.clear_at),
                begins_at=each.ordered_at,
                ends_at=each.ends_at,
            )
            for each in orders
        ],
    )


def read_devices(connection: Connection) -> Devices:
    """Read which devices are wearables, and which are clips."""
    rows = connection.execute(QUERIES["device_sets"]).fetchall()
    return Devices(
        wellness=np.array([row.device_id for row in rows if row.wellness], np.int32),
        worn=np.array([row.device_id for row in rows if row.worn], np.int32),
        clips=np.array([row.device_id for row in rows if row.clip], np.int32),
    )


def read_samples(
    connection: Connection, patient_id: int, begins_at: datetime, ends_at: datetime, *, streams_too: bool
) -> Samples:
    """Read what is stored of a patient from an instant to before another, in order of time."""
    values = {"patient_id": patient_id, "begins_at": begins_at, "ends_at": ends_at, "streams_too": streams_too}
    with connection.cursor() as cursor, cursor.copy(QUERIES["rehearsed_samples"], values) as copy:
        said = b"".join(bytes(part) for part in copy)
    rows = np.frombuffer(said, _ROW, count=(len(said) - _HEADER - _TRAILER) // _ROW.itemsize, offset=_HEADER)
    return Samples(
        t_ms=(rows["at_us"] // 1000 + _POSTGRES_EPOCH_MS).astype(np.int64),
        device=rows["device"].astype(np.int32),
        acquisition=rows["acquisition"].astype(np.int16),
        values={SIGNAL_BY_CODE[code]: rows[f"value_{code}"].astype(np.int16) for code in _CODES},
        words={SIGNAL_BY_CODE[code]: rows["quality"][:, code - 1].copy() for code in _CODES},
    )


def read_record(
    connection: Connection, patient_id: int, begins_at: datetime, ends_at: datetime
) -> tuple[list[Recorded], int]:
    """Read a patient's recorded episodes of a time, with what people decided, and how many pages there were."""
    values = {"patient_id": patient_id, "begins_at": begins_at, "ends_at": ends_at}
    rows = connection.execute(QUERIES["episodes_as_decided"], values).fetchall()
    pages: Any = connection.execute(QUERIES["pages_as_recorded"], values).fetchone()
    recorded = [
        Recorded(
            episode_id=row.episode_id,
            family=row.family,
            since_ms=unix_ms(row.since),
            closed_ms=None if row.closed_at is None else unix_ms(row.closed_at),
            decisions=[Decision(at_ms=unix_ms(datetime.fromisoformat(at)), act=act) for at, act in row.decisions or ()],
        )
        for row in rows
    ]
    return recorded, pages.pages

"""The county of a storm: patients with an oximeter each, and what they send, stored by ingest's own transaction."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg

from ingest.judging.decode import read_packed
from ingest.judging.screening import Incoming
from ingest.store.registry import Registry
from ingest.store.storing import Batch, prepare, store
from vitals.reading import Acquisition
from vitals.signals import SIGNALS, Signal
from vitals.wire import DeviceEntry, Header, Row, pack

EVERY_S = 3
LOW = 8400
PATIENTS_A_DOCTOR = 100
DEVICES_A_MESSAGE = 200
GATEWAY = "gw-storm"

_COUNTY = """
INSERT INTO organisation (organisation_id, key, name, name_en, facility_role, parent_id) VALUES
    (1, 'county', '县', 'County', 'county', NULL), (2, 'town', '镇', 'Town', 'township_or_community', 1);
INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier, channels)
     SELECT n, 'doctor-' || n, 'D' || n, 'D' || n, 2, 'family_doctor', 2, ARRAY['json://' || %(at)s || '/doctor-' || n]
       FROM generate_series(1, %(doctors)s) n;
INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier, channels)
     SELECT %(doctors)s + n, role, role, role, CASE tier WHEN 2 THEN 2 ELSE 1 END, role, tier,
            ARRAY['json://' || %(at)s || '/' || role]
       FROM (VALUES (1, 'duty', 2), (2, 'county_expert', 3), (3, 'operations', 3)) AS r (n, role, tier);
INSERT INTO duty (organisation_id, duty_role, person_id, valid)
     SELECT organisation_id, CASE role WHEN 'duty' THEN 'township_duty' ELSE role END, person_id,
            '[2020-01-01 00:00+00,)'
       FROM person WHERE role IN ('duty', 'county_expert', 'operations');
INSERT INTO patient (patient_id, key, name, initials, bed, born_on, sex, organisation_id, family_doctor_id, risk_colour,
                     service_tier, household_channels)
     SELECT n, 'p' || n, 'P' || n, 'P', 'b' || n, '1950-01-01', 'female', 2, 1 + (n - 1) / %(a_doctor)s, 'yellow', 2,
            ARRAY['json://' || %(at)s || '/home-' || n]
       FROM generate_series(1, %(patients)s) n;
INSERT INTO gateway (gateway_id, organisation_id) VALUES ('gw-storm', 2);
INSERT INTO device (device_id, key, kind, expected_every_s)
     SELECT n, 'C0:00:00:00:' || lpad(to_hex(n / 256), 2, '0') || ':' || lpad(to_hex(n %% 256), 2, '0'), 'oximeter', 3
       FROM generate_series(1, %(patients)s) n;
INSERT INTO binding (device_id, patient_id, valid)
     SELECT n, n, '[2020-01-01 00:00+00,)' FROM generate_series(1, %(patients)s) n;
UPDATE registry_version SET version = version + 1;
"""


class County:
    """Patients numbered from 1, whose doctors, duties and homes are told at one webhook; stores what they send."""

    def __init__(self, dsn: str, *, patients: int, address: str) -> None:
        doctors = -(-patients // PATIENTS_A_DOCTOR)
        values = {"at": address, "patients": patients, "doctors": doctors, "a_doctor": PATIENTS_A_DOCTOR}
        with psycopg.connect(dsn, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
            connection.execute(_COUNTY, values)
            connection.execute("ANALYZE")
        self._connection: psycopg.Connection[Any] = psycopg.connect(dsn, autocommit=True)
        prepare(self._connection)
        self._registry = Registry()
        self._outbox, self._next_row = uuid.uuid4(), 0

    def close(self) -> None:
        """Store nothing more."""
        self._connection.close()

    def send_lows(self, patients: Sequence[int], *, begin: datetime, count: int, now: datetime) -> None:
        """Store so many low values of each, one every three seconds from an instant on, in one transaction."""
        some = [patients[n : n + DEVICES_A_MESSAGE] for n in range(0, len(patients), DEVICES_A_MESSAGE)]
        messages = [self._message(each, begin, count, now) for each in some]
        stored = store(self._connection, Batch(now_ms=_ms(now), messages=messages), self._registry, retention_days=90)
        if stored.refused:
            raise RuntimeError(f"{stored.refused} readings of the storm were refused")

    def _message(self, patients: Sequence[int], begin: datetime, count: int, now: datetime) -> Incoming:
        header = Header(
            outbox_id=self._outbox,
            first_row=self._next_row,
            boot_id=1,
            t0_ms=_ms(begin),
            sent_ms=_ms(now),
            synchronised=True,
            backlog=False,
            offset_unit_ms=1000,
            devices=tuple(
                DeviceEntry(device=f"C0:00:00:00:{n >> 8:02x}:{n & 255:02x}", acquisition=Acquisition.CONTINUOUS)
                for n in patients
            ),
        )
        rows = [
            Row(offset=step * EVERY_S, device_index=index, signal_code=_SPO2, value=LOW, quality=0, reason=0)
            for step in range(count)
            for index in range(len(patients))
        ]
        self._next_row += len(rows)
        return Incoming(gateway_id=GATEWAY, received_ms=_ms(now), decoded=read_packed(pack(header, rows)))


_SPO2 = SIGNALS[Signal.SPO2].code


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)

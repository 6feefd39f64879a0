"""A small county with worn devices, and alerting's own parts over it, driven by a clock of the test."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from alerting.desk import Connection, Desk, connect
from alerting.escalation import tick
from alerting.judging.judge import Judge
from alerting.sweep import sweep
from ingest.store.registry import Registry
from tests.alerting.streams import profile
from tests.ingest.county import PULSE, SPO2, TEMPERATURE, Home, put
from tests.ingest.county import connect as ingest_connect

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
COUNTY = """
INSERT INTO organisation (organisation_id, key, name, name_en, facility_role, parent_id) VALUES
    (1, 'county', '县', 'County', 'county', NULL),
    (2, 'town', '镇', 'Town', 'township_or_community', 1);
INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier, channels) VALUES
    (1, 'li', '李医生', 'Dr Li', 2, 'family_doctor', 2, '{json://localhost:1/li}'),
    (2, 'duty', '值班', 'Duty', 2, 'duty', 2, '{json://localhost:1/duty}'),
    (3, 'wang', '王主任', 'Dr Wang', 1, 'county_expert', 3, '{json://localhost:1/wang}'),
    (4, 'ops', '运维', 'Operations', 1, 'operations', 3, '{json://localhost:1/ops}');
INSERT INTO patient (patient_id, key, name, initials, bed, born_on, sex, organisation_id, family_doctor_id,
                     risk_colour, service_tier, household_channels)
     SELECT n, 'p' || n, 'P' || n, 'P' || n, 'b' || n, '1950-01-01', 'female', 2, 1,
            CASE WHEN n = 4 THEN 'red' ELSE 'yellow' END, 2, '{json://localhost:1/home}' FROM generate_series(1, 4) n;
INSERT INTO gateway (gateway_id, organisation_id) VALUES ('gw-1', 2);
INSERT INTO device (device_id, key, kind, expected_every_s) VALUES
    (11, 'C0:00:00:00:00:01', 'oximeter', 1), (12, 'C0:00:00:00:00:02', 'oximeter', 1),
    (13, 'C0:00:00:00:00:03', 'thermometer', NULL), (14, 'C0:00:00:00:00:04', 'oximeter', 1);
INSERT INTO binding (device_id, patient_id, valid)
     SELECT 10 + n, n, '[2020-01-01 00:00+00,)' FROM generate_series(1, 4) n;
INSERT INTO duty (organisation_id, duty_role, person_id, valid) VALUES
    (2, 'township_duty', 2, '[2020-01-01 00:00+00,)'), (1, 'county_expert', 3, '[2020-01-01 00:00+00,)'),
    (1, 'operations', 4, '[2020-01-01 00:00+00,)');
UPDATE registry_version SET version = version + 1;
"""


class Ward(AbstractContextManager["Ward"]):
    """Readings go in by ingest's own transaction; the engine, the sweep and the tick run when the test says."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.now = T0
        self.connection: Connection = connect(dsn, "test")
        self.connection.execute(COUNTY)
        self._ingest = ingest_connect(dsn)
        self._registry = Registry()
        self._home = Home()
        self.judge = self.restarted()

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        self._ingest.close()

    def desk(self) -> Desk:
        """Everything recorded now is recorded at the ward's now."""
        return Desk(connection=self.connection, profile=profile(), now=self.now, link="http://console")

    def restarted(self) -> Judge:
        """Give an engine as a new process has it."""
        desk = self.desk()
        rules = desk.profile
        desk.run("save_profile", profile_hash=rules.profile_hash, name=rules.name, body=rules.body, now=self.now)
        judge = Judge(range(32), "test")
        judge.take_over(desk)
        self.judge = judge
        return judge

    def spo2(
        self,
        patient: int,
        values: Sequence[int],
        *,
        begin: datetime | None = None,
        every_s: int = 1,
        acquisition: int = 0,
        quality: int = 0,
        judged: bool = True,
    ) -> None:
        """Store SpO2 values (scaled), one each `every_s`, received when the last was measured; then judge them."""
        start = begin or self.now
        self._store(patient, SPO2, values, start, every_s=every_s, acquisition=acquisition, quality=quality)
        if begin is None:
            self.now = start + timedelta(seconds=every_s * len(values))
        if judged:
            self.judge.catch_up(self.desk)

    def pulse(self, patient: int, values: Sequence[int]) -> None:
        """Store a stream of pulses (scaled), one a second; then judge them."""
        start = self.now
        self._store(patient, PULSE, values, start)
        self.now = start + timedelta(seconds=len(values))
        self.judge.catch_up(self.desk)

    def temperatures(self, patient: int, points: Sequence[tuple[float, int]]) -> None:
        """Store temperatures (hours before now, scaled value) from a thermometer's memory; then judge them."""
        for hours, value in points:
            self._store(patient, TEMPERATURE, [value], self.now - timedelta(hours=hours), acquisition=2)
        self.judge.catch_up(self.desk)

    def pass_time(self, *, seconds: float) -> None:
        """Let time pass, second by second's sweep and tick folded to where something may be due."""
        until = self.now + timedelta(seconds=seconds)
        while self.now < until:
            self.now = min(self.now + timedelta(seconds=5), until)
            sweep(self.desk())
            tick(self.desk())

    def episodes(self) -> list[Any]:
        """List every episode, oldest first."""
        return self.connection.execute("SELECT * FROM episode ORDER BY episode_id").fetchall()

    def notices(self) -> list[tuple[float, int, str]]:
        """List every notice as (seconds since T0, service tier, recipient)."""
        rows = self.connection.execute("SELECT * FROM notice ORDER BY notice_id").fetchall()
        return [((r.created_at - T0).total_seconds(), r.service_tier, r.recipient) for r in rows]

    def history(self) -> list[str]:
        """List the kinds of all events, oldest first."""
        return [r.kind for r in self.connection.execute("SELECT kind FROM episode_event ORDER BY event_id").fetchall()]

    def _store(
        self,
        patient: int,
        signal: int,
        values: Sequence[int],
        start: datetime,
        *,
        every_s: int = 1,
        acquisition: int = 0,
        quality: int = 0,
    ) -> None:
        begin_ms = round(start.timestamp() * 1000)
        received_ms = max(begin_ms + every_s * 1000 * len(values), round(self.now.timestamp() * 1000))
        for at in range(0, len(values), 60):
            rows = [(i * every_s, signal, v, quality, 0) for i, v in enumerate(values[at : at + 60])]
            message = self._home.message(
                rows,
                devices=[f"C0:00:00:00:00:{patient:02X}"],
                acquisition=acquisition,
                t0_ms=begin_ms + at * every_s * 1000,
                unit_ms=1000,
            )
            put(self._ingest, message, received_ms=received_ms, registry=self._registry)

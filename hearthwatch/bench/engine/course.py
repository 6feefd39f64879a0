"""A small ward on a real database, on which drawn courses (script.py) are carried out one after another."""

import uuid
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

import psycopg

from alerting.desk import Connection, Desk, connect
from alerting.judging.limits import Limits, save_baseline
from alerting.orders import NewOrder, OrderError, order_limit, revoke_order
from alerting.profile.file import parse_profile, standard_adult
from alerting.profile.profile import Profile
from alerting.sweep import sweep
from hearthwatch.bench.engine.script import EVERY_S, PATIENTS, T0, Doing, Step
from ingest.judging.decode import read_packed
from ingest.judging.screening import Incoming
from ingest.store.registry import Registry
from ingest.store.storing import Batch, prepare, store
from vitals.reading import Acquisition
from vitals.signals import SIGNALS, Signal
from vitals.wire import DeviceEntry, Header, Row, pack

SPO2 = SIGNALS[Signal.SPO2].code

COUNTY = """
INSERT INTO organisation (organisation_id, key, name, name_en, facility_role) VALUES (1, 'c', 'C', 'C', 'county');
INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier, channels)
     VALUES (1, 'doctor', 'D', 'D', 1, 'family_doctor', 2, '{json://localhost:1/d}');
INSERT INTO patient (patient_id, key, name, initials, bed, born_on, sex, organisation_id, family_doctor_id, risk_colour,
                     service_tier)
     SELECT n, 'p' || n, 'P' || n, 'P', '', '1970-01-01', 'female', 1, 1, 'yellow', 2
       FROM unnest(%(patients)s::integer[]) n;
INSERT INTO gateway (gateway_id, organisation_id) VALUES ('gw', 1);
INSERT INTO device (device_id, key, kind, expected_every_s)
     SELECT 1000 + n, 'C0:00:00:00:00:' || lpad(to_hex(n), 2, '0'), 'oximeter', 3
       FROM unnest(%(patients)s::integer[]) n;
INSERT INTO binding (device_id, patient_id, valid)
     SELECT 1000 + n, n, '[2020-01-01 00:00+00,)' FROM unnest(%(patients)s::integer[]) n;
UPDATE registry_version SET version = version + 1;
"""
CLEAN = """
TRUNCATE limit_order RESTART IDENTITY;
DELETE FROM episode_event; DELETE FROM notice; DELETE FROM episode; DELETE FROM pending; DELETE FROM active_rule;
DELETE FROM engine_snapshot; DELETE FROM engine_limits; DELETE FROM engine_worker; DELETE FROM limits_said;
DELETE FROM baseline; DELETE FROM limits_dirty; DELETE FROM intake_log; DELETE FROM sample; DELETE FROM latest;
DELETE FROM evidence_window; DELETE FROM spot_over; DELETE FROM prompt;
DELETE FROM outbox_account; DELETE FROM outbox_owner; DELETE FROM rejected;
UPDATE partition SET head = 0 WHERE head > 0;
UPDATE engine_cursor SET batch_id = 0, owner = '', leased_until = NULL;
UPDATE intake_reader SET batch_id = 0 WHERE batch_id > 0;
"""
RECORD = {
    "episodes": """SELECT patient_id, family, rule, priority, emergency, tier3, condition, state, step, since,
                          raised_at, detected_at, alarmed_at, due_at, raise_count, cleared_at, evidence, profile_hash
                     FROM episode ORDER BY patient_id, family, since, raised_at""",
    "events": """SELECT e.patient_id, e.family, v.at, v.kind, v.from_state, v.to_state, v.key, v.detail
                   FROM episode_event v JOIN episode e USING (episode_id) ORDER BY e.patient_id, v.event_id""",
    "notices": """SELECT e.patient_id, e.family, n.recipient, n.audience, n.step, n.created_at, n.title,
                        regexp_replace(n.body, '[0-9]+$', '') AS body  -- its link has the episode's number
                    FROM notice n JOIN episode e USING (episode_id) ORDER BY e.patient_id, n.notice_id""",
    "asked": "SELECT patient_id, key, body, created_at FROM notice WHERE patient_id IS NOT NULL ORDER BY key",
    "prompts": "SELECT * FROM prompt ORDER BY patient_id, reason, rule, at",
    "pending": "SELECT * FROM pending ORDER BY patient_id, rule, basis",
    "active": "SELECT * FROM active_rule ORDER BY patient_id, rule, basis",
    "cursors": "SELECT partition, batch_id, head FROM engine_cursor JOIN partition USING (partition) ORDER BY 1",
    "limits": "SELECT partition, patient_id, batch_id, said FROM engine_limits ORDER BY 1, 2, 3",
}
Record = dict[str, list[Any]]


class Course(AbstractContextManager["Course"]):
    """A ward on a migrated database, on which scripts are carried out one after another."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.profile: Profile = parse_profile(standard_adult())
        self.steering: Connection = connect(dsn, "crash-steering")
        if not self.steering.execute("SELECT FROM patient LIMIT 1").fetchall():
            with psycopg.ClientCursor(self.steering) as cursor:
                cursor.execute(COUNTY, {"patients": list(PATIENTS)})
        self._ingest = psycopg.connect(dsn, autocommit=True)
        prepare(self._ingest)
        self._registry = Registry()

    def __exit__(self, *_: object) -> None:
        self.steering.close()
        self._ingest.close()

    def desk(self, connection: Connection, now: datetime) -> Desk:
        """Give a desk at a clinical instant."""
        return Desk(connection=connection, profile=self.profile, now=now)

    def begin(self) -> None:
        """Forget everything but the registry."""
        self.steering.execute(CLEAN)
        rules = self.profile
        desk = self.desk(self.steering, T0)
        desk.run("save_profile", profile_hash=rules.profile_hash, name=rules.name, body=rules.body, now=desk.now)
        self._outbox, self._next_row, self._limits = uuid.UUID(int=1), 0, Limits()
        self._received: list[Incoming] = []

    def do(self, step: Step) -> None:
        """Carry out a step that is not the engine's; readings that follow each other are stored together."""
        if step.doing in (Doing.STREAM, Doing.CLIP):
            self._received.append(self._message(step))
            return
        self.store_received()
        desk = self.desk(self.steering, step.now)
        match step.doing:
            case Doing.ORDER:
                for rule, limit in (("SPO2-CRIT", 83), ("SPO2-REFER", 88)):
                    self._order(step, rule, limit)
            case Doing.REVOKE:
                self._revoke(step)
            case Doing.BASELINE:
                save_baseline(desk, step.patient, step.baseline)
            case Doing.SAY:
                self._limits.turn(lambda: desk)
            case Doing.SWEEP:
                sweep(desk)
            case _:
                raise AssertionError(f"{step.doing} is the engine's")

    def store_received(self) -> None:
        """Store what was received, in one transaction."""
        if self._received:
            batch = Batch(now_ms=self._received[-1].received_ms, messages=self._received)
            stored = store(self._ingest, batch, self._registry, retention_days=90)
            assert not stored.refused, f"{stored.refused} of a drawn course"
            self._received = []

    def record(self) -> Record:
        """Read all that was recorded."""
        return {name: self.steering.execute(query.encode()).fetchall() for name, query in RECORD.items()}

    def _order(self, step: Step, rule: str, limit: float) -> None:
        until = step.now + timedelta(days=1)
        order = NewOrder(
            patient=f"p{step.patient}", rule=rule, limit=limit, clear_at=None, reason="drawn", until=until, by="doctor"
        )
        order_limit(self.steering, order, profile=self.profile, now=step.now)

    def _revoke(self, step: Step) -> None:
        for row in self.steering.execute(
            "SELECT order_id FROM limit_order WHERE revoked_at IS NULL AND patient_id = %s", (step.patient,)
        ).fetchall():
            try:
                revoke_order(self.steering, row.order_id, by="doctor", profile=self.profile, now=step.now)
            except OrderError:
                continue  # it had ended by itself

    def _message(self, step: Step) -> Incoming:
        acquisition = Acquisition.SPOT if step.doing is Doing.CLIP else Acquisition.CONTINUOUS
        header = Header(
            outbox_id=self._outbox,
            first_row=self._next_row,
            boot_id=1,
            t0_ms=round(step.begin.timestamp() * 1000),
            sent_ms=round(step.now.timestamp() * 1000),
            synchronised=True,
            backlog=False,
            offset_unit_ms=1000,
            devices=(DeviceEntry(device=f"C0:00:00:00:00:{step.patient:02x}", acquisition=acquisition),),
        )
        rows = [
            Row(offset=number * EVERY_S, device_index=0, signal_code=SPO2, value=value, quality=0, reason=0)
            for number, value in enumerate(step.values)
        ]
        self._next_row += len(rows)
        return Incoming(gateway_id="gw", received_ms=header.sent_ms, decoded=read_packed(pack(header, rows)))

"""A small county as rows: two townships, doctors, patients, their readings and episodes. Plausible data, not a mock."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from random import Random
from typing import Any

import psycopg
from argon2 import PasswordHasher

PASSWORD = "a-word-for-tests"
HASH = PasswordHasher(time_cost=1, memory_cost=8192).hash(PASSWORD)
PROFILE_HASH = "profile-of-tests"

Connection = psycopg.Connection[Any]

ORGANISATIONS = (
    (1, "anning", "安宁县卫生健康局", "Anning County", "county", None),
    (2, "qingshi", "青石镇卫生院", "Qingshi Township Health Centre", "township_or_community", 1),
    (3, "liuhe", "柳河镇卫生院", "Liuhe Township Health Centre", "township_or_community", 1),
    (4, "county-hospital", "安宁县人民医院", "Anning County People's Hospital", "lead_hospital", 1),
    (5, "qingshi-home", "青石镇敬老院", "Qingshi Nursing Home", "nursing_home_clinic", 2),
)
PEOPLE = (
    (1, "li-min", "李敏", "Li Min", 2, "family_doctor", 2),
    (2, "zhou-lan", "周岚", "Zhou Lan", 3, "family_doctor", 2),
    (3, "chen-gang", "陈刚", "Chen Gang", 4, "county_expert", 3),
    (4, "wu-jie", "吴杰", "Wu Jie", 2, "duty", 2),
)
PATIENTS = (
    (1, "p-001", "王秀英", "W.X.Y.", "203床", date(1948, 3, 2), "female", 5, 1, "red", 3, "138 0000 0001"),
    (2, "p-002", "赵国强", "Z.G.Q.", "101床", date(1955, 7, 19), "male", 5, 1, "yellow", 2, "138 0000 0002"),
    (3, "p-003", "孙丽华", "S.L.H.", "青石村12号", date(1990, 11, 5), "female", 2, 1, "green", 2, "138 0000 0003"),
    (4, "p-004", "周德明", "Z.D.M.", "105床", date(1941, 1, 23), "male", 5, 1, "red", 2, "138 0000 0004"),
    (5, "p-005", "吴桂芳", "W.G.F.", "106床", date(1950, 9, 9), "female", 5, 1, "yellow", 2, "138 0000 0005"),
    (6, "p-006", "郑海涛", "Z.H.T.", "青石村31号", date(1972, 5, 30), "male", 2, 1, "green", 2, "138 0000 0006"),
    (7, "p-007", "何秋月", "H.Q.Y.", "柳河村8号", date(1939, 2, 14), "female", 3, 2, "red", 2, "138 0000 0007"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An episode to insert; times are how long before `now`."""

    patient_id: int
    rule: str
    family: str
    priority: str
    emergency: bool = False
    tier3: bool = False
    technical: bool = False
    condition: str = "present"
    state: str = "unack"
    step: int = 0
    service_tier: int = 2
    since: timedelta = timedelta(minutes=6)
    due_in: timedelta = timedelta(minutes=2, seconds=30)
    evidence: dict[str, Any] | None = None


CRITICAL = Alarm(
    patient_id=1, rule="SPO2-CRIT", family="spo2_low", priority="high", emergency=True, tier3=True,
    since=timedelta(minutes=2), due_in=timedelta(minutes=2, seconds=10),
    evidence={"signal": "spo2", "unit": "%", "value": 85.0, "lowest": 84.0, "below": 88.01, "window_s": 120,
              "valid_samples": 58, "samples_below": 54, "share_percent": 93, "coverage_percent": 100,
              "profile": "standard-adult", "profile_hash": PROFILE_HASH},
)  # fmt: skip
REFER = Alarm(
    patient_id=2, rule="SPO2-REFER", family="spo2_low", priority="high", tier3=True, step=2, service_tier=3,
    state="t3_unack", since=timedelta(minutes=12), due_in=timedelta(minutes=4),
    evidence={"signal": "spo2", "unit": "%", "value": 91.0, "lowest": 90.0, "below": 93.0, "window_s": 300,
              "valid_samples": 290, "samples_below": 261, "share_percent": 90, "coverage_percent": 97},
)  # fmt: skip
FEVER = Alarm(
    patient_id=3, rule="FEVER-PERSIST", family="fever", priority="medium", tier3=True, since=timedelta(hours=74),
    due_in=timedelta(minutes=11),
    evidence={"signal": "temperature", "unit": "Cel", "worst": 39.6, "limit": 38.5, "readings_beyond": 11,
              "hours": 73.2, "data_gap": False},
)  # fmt: skip
SILENT = Alarm(
    patient_id=4, rule="TECH-NODATA", family="no_data", priority="low", technical=True, condition="unknown",
    since=timedelta(minutes=34), due_in=timedelta(hours=7, minutes=26),
    evidence={"device": "oximeter-4", "last_good_at": "2026-11-20T22:00:00+00:00", "why": "nothing_received"},
)  # fmt: skip


def fill_registry(db: Connection) -> None:
    """Insert organisations, people, patients, devices and who wears which."""
    profile = files("alerting.profile").joinpath("standard_adult.toml").read_text(encoding="utf-8")
    db.execute("INSERT INTO clinical_profile VALUES (%s, 'standard-adult', %s, now())", [PROFILE_HASH, profile])
    with db.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO organisation (organisation_id, key, name, name_en, facility_role, parent_id)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            ORGANISATIONS,
        )
        cursor.executemany(
            "INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier, password_hash)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            [(*person, HASH) for person in PEOPLE],
        )
        cursor.executemany(
            "INSERT INTO patient (patient_id, key, name, initials, bed, born_on, sex, organisation_id,"
            " family_doctor_id, risk_colour, service_tier, household_phone)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            PATIENTS,
        )
        for patient in PATIENTS:
            for shift, kind, every in ((0, "oximeter", 10), (100, "thermometer", None)):
                cursor.execute(
                    "INSERT INTO device (device_id, key, kind, expected_every_s) VALUES (%s, %s, %s, %s)",
                    [patient[0] + shift, f"{kind}-{patient[0]}", kind, every],
                )
                cursor.execute(
                    "INSERT INTO binding (device_id, patient_id, valid) VALUES (%s, %s, '[2020-01-01,)')",
                    [patient[0] + shift, patient[0]],
                )


def add_alarm(db: Connection, alarm: Alarm, now: datetime) -> int:
    """Insert an episode with its first event, as alerting would; the caller commits and notifies."""
    since = now - alarm.since
    row = db.execute(
        "INSERT INTO episode (patient_id, family, technical, rule, priority, emergency, tier3, condition, state, step,"
        " service_tier, since, raised_at, detected_at, alarmed_at, due_at, evidence, profile_hash)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING episode_id",
        [
            alarm.patient_id, alarm.family, alarm.technical, alarm.rule, alarm.priority, alarm.emergency, alarm.tier3,
            alarm.condition, alarm.state, alarm.step, alarm.service_tier, since, since + timedelta(minutes=1),
            since + timedelta(minutes=1), since + timedelta(minutes=1), now + alarm.due_in,
            json.dumps(alarm.evidence or {}), PROFILE_HASH,
        ],
    ).fetchone()  # fmt: skip
    assert row is not None
    db.execute(
        "INSERT INTO episode_event (episode_id, at, kind, to_state) VALUES (%s, %s, 'raised', 'unack')",
        [row[0], since + timedelta(minutes=1)],
    )
    if alarm.step >= 1:
        db.execute(
            "INSERT INTO episode_event (episode_id, at, kind, from_state, to_state)"
            " VALUES (%s, %s, 'deadline', 'unack', %s)",
            [row[0], since + timedelta(minutes=7), alarm.state],
        )
    add_notice(db, row[0], 1, "family_doctor", since + timedelta(minutes=1))
    if alarm.step >= 2:
        add_notice(db, row[0], 3, "county_expert", since + timedelta(minutes=7), step=2)
    return int(row[0])


def add_notice(db: Connection, episode_id: int, person_id: int, audience: str, at: datetime, *, step: int = 0) -> None:
    """Insert a notice that was sent to a person, as alerting would."""
    name, tier = next((person[2], person[6]) for person in PEOPLE if person[0] == person_id)
    db.execute(
        "INSERT INTO notice (episode_id, key, recipient_id, recipient, audience, service_tier, step, channel_url,"
        " title, body, created_at, attempts, sent_at, outcome)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, 'json://127.0.0.1/', '', '', %s, 1, %s, 'success')",
        [
            episode_id, f"{episode_id}-{person_id}-{at.timestamp()}", person_id, name, audience, tier, step, at,
            at + timedelta(seconds=1),
        ],
    )  # fmt: skip


def add_unreachable_household(db: Connection, episode_id: int, name: str, at: datetime) -> None:
    """Insert the notice of a household without any channel, as alerting would."""
    db.execute(
        "INSERT INTO notice (episode_id, key, recipient, audience, service_tier, step, channel_url, title, body,"
        " created_at, outcome) VALUES (%s, %s, %s, 'household', 0, 0, 'console:', '', '', %s, 'no channel')",
        [episode_id, f"{episode_id}-household-{at.timestamp()}", name, at],
    )


def put_latest(
    db: Connection,
    patient_id: int,
    code: int,
    value: int | None,
    at: datetime,
    *,
    spot: bool = False,
    quality: int = 0,
    reason: int = 0,
) -> None:
    """Write the newest word of a signal, as ingest would."""
    good = quality == 0 and value is not None
    db.execute(
        "INSERT INTO latest (patient_id, device_id, signal, acquisition, value, quality, reason, measured_at,"
        " received_at, good_value, good_measured_at, good_received_at, first_received_at)"
        " VALUES (%(p)s, %(d)s, %(s)s, %(a)s, %(v)s, %(q)s, %(r)s, %(t)s, %(t)s, %(g)s, %(gt)s, %(gt)s, %(t)s)"
        " ON CONFLICT (patient_id, signal, device_id) DO UPDATE SET value = EXCLUDED.value,"
        " quality = EXCLUDED.quality, reason = EXCLUDED.reason, measured_at = EXCLUDED.measured_at,"
        " received_at = EXCLUDED.received_at",
        {
            "p": patient_id, "d": patient_id + 100 * spot, "s": code, "a": int(spot), "v": value, "q": quality,
            "r": reason, "t": at, "g": value if good else None, "gt": at if good else None,
        },
    )  # fmt: skip


def fill_readings(db: Connection, now: datetime, *, hours: float = 26) -> None:
    """Give every patient a course: a stream of oximetry with a gap, doubtful stretches, and thermometer spots."""
    days = sorted({(now - timedelta(hours=h)).date() for h in range(int(hours) + 100)})
    db.execute("SELECT sample_make_room(%s)", [days])
    for patient_id in (1, 2):
        _stream(db, patient_id, now, hours)
    for patient_id, (spo2, pulse) in {1: (8500, 11800), 2: (9100, 9600), 5: (9700, 7200), 6: (9800, 6400)}.items():
        put_latest(db, patient_id, 1, spo2, now - timedelta(seconds=4))
        put_latest(db, patient_id, 2, pulse, now - timedelta(seconds=4))
    put_latest(db, 4, 1, 9600, now - timedelta(minutes=34))
    put_latest(db, 4, 2, 7000, now - timedelta(minutes=34))
    put_latest(db, 5, 1, None, now - timedelta(seconds=3), quality=3, reason=9)
    for patient_id, warm in {1: 3720, 2: 3800, 3: 3910, 6: 3660}.items():
        put_latest(db, patient_id, 4, warm, now - timedelta(hours=2), spot=True)
        _spots(db, patient_id, now, warm)


def _stream(db: Connection, patient_id: int, now: datetime, hours: float) -> None:
    rows: list[Sequence[object]] = []
    chance = Random(patient_id)
    steps = int(hours * 360)
    for step in range(steps):
        age_s = (steps - step) * 10
        if 2400 < age_s < 3000 or 30000 < age_s < 33000:
            continue
        fall = 11 * math.exp(-age_s / 150) if patient_id == 1 else 3 - 3 * math.tanh((age_s - 700) / 180)
        spo2 = round((96.5 - fall + chance.gauss(0, 0.5) - 1.2 * math.sin(age_s / 5000)) * 100)
        pulse = round((74 + 3.6 * fall + chance.gauss(0, 1.5) + 5 * math.sin(age_s / 9000)) * 100)
        doubtful = 1300 < age_s < 1420
        at = now - timedelta(seconds=age_s - 6)
        quality = bytes([2 * 64 + 11, 2 * 64 + 11] + [255] * 11) if doubtful else None
        spo2 = spo2 - 700 if doubtful else min(spo2, 10000)
        rows.append((at, at, patient_id, patient_id, 0, spo2, pulse, quality))
    with db.cursor() as cursor, cursor.copy(
        "COPY sample (measured_at, received_at, patient_id, device_id, acquisition, spo2, pulse, quality) FROM STDIN"
    ) as copy:  # fmt: skip
        for row in rows:
            copy.write_row(row)


def _spots(db: Connection, patient_id: int, now: datetime, warm: int) -> None:
    chance = Random(patient_id)
    for hour in range(2, 92, 7):
        at = now - timedelta(hours=hour)
        db.execute(
            "INSERT INTO sample (measured_at, received_at, patient_id, device_id, acquisition, temperature)"
            " VALUES (%s, %s, %s, %s, 1, %s) ON CONFLICT DO NOTHING",
            [at, at, patient_id, patient_id + 100, warm + chance.randint(-25, 35)],
        )


def notify(db: Connection, channel: str = "episode", payload: str = "") -> None:
    """Commit and tell the screens."""
    db.execute("SELECT pg_notify(%s, %s)", [channel, payload])
    db.commit()


def fill(dsn: str, now: datetime | None = None, *, hours: float = 1.2) -> None:
    """Fill a migrated database with the registry and readings up to now."""
    with psycopg.connect(dsn) as db:
        fill_registry(db)
        fill_readings(db, now or datetime.now(UTC), hours=hours)


def raise_all(db: Connection) -> dict[str, int]:
    """Open one episode of each urgency, the least urgent first; gives their numbers by rule."""
    now = datetime.now(UTC)
    return {alarm.rule: add_alarm(db, alarm, now) for alarm in (SILENT, FEVER, REFER, CRITICAL)}

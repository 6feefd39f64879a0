"""What a drill is played on: a database of its own, the example county, and a clock that the drill turns."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg

from alerting import acts
from alerting.cases.transfer import Event, Refusal
from alerting.desk import Connection, Desk, connect, unix_ms
from alerting.escalation import tick
from alerting.profile.file import parse_profile, standard_adult
from alerting.profile.profile import Profile
from alerting.raising import Basis, Raise
from alerting.recording import record_raise
from care.loading import load
from care.referral import Driver, Picture, Severity
from care.registry_file import parse_registry
from hearthwatch.migrations import migrate
from hearthwatch.services.databases import best_database
from hearthwatch.services.postgres import SETTINGS_OF_TESTS
from hearthwatch.services.supervisor import Supervisor

T0 = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
MINUTE = 60
SEVERE = Picture(severity=Severity.SEVERE, driver=Driver.INFECTION)
CHANNEL = "drill"

_NEWS = """
    SELECT v.event_id, v.at, v.kind, v.detail, v.to_state, e.episode_id, e.step, e.service_tier, e.rule,
           a.name AS person, p.key AS patient
      FROM episode_event v JOIN episode e USING (episode_id) JOIN care_patient p USING (patient_id)
      LEFT JOIN care_person a ON a.person_id = v.actor_id WHERE v.event_id > %s ORDER BY v.event_id
"""
_NOTICES = """
    SELECT n.notice_id, n.created_at AS at, n.episode_id, n.recipient, n.audience, n.service_tier, n.step,
           p.key AS patient
      FROM notice n JOIN episode e USING (episode_id) JOIN care_patient p ON p.patient_id = e.patient_id
     WHERE n.notice_id > %s ORDER BY n.notice_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that happened, `t_s` after the drill's first alarm. `to`: who was paged, or who acted."""

    t_s: float
    event: str
    service_tier: int | None
    to: str
    episode: int
    patient: str
    detail: str = ""


@dataclass(slots=True)
class Stage:
    """One scenario's county; `now` is the virtual clock, `server` where further databases can be made."""

    connection: Connection
    profile: Profile
    server: str = ""
    now: datetime = T0
    lines: list[Line] = field(default_factory=list)
    _last_event: int = 0
    _last_notice: int = 0

    @property
    def t_s(self) -> float:
        """Give the virtual seconds since the beginning."""
        return (self.now - T0).total_seconds()

    def desk(self) -> Desk:
        """Give what alerting works at, at the virtual instant."""
        return Desk(connection=self.connection, profile=self.profile, now=self.now, link="http://console")

    def alarm(self, patient: str, rule: str) -> int:
        """Raise a rule for a patient as the engine does; gives the episode."""
        desk = self.desk()
        row = desk.one("patient_of_key", key=patient)
        assert row is not None, f"{patient} is in the example county"
        with self.connection.transaction():
            episode_id = record_raise(
                desk,
                Raise(
                    patient_id=row.patient_id,
                    rule=rule,
                    basis=Basis.SUSTAINED,
                    since=self.now,
                    raised_at=self.now,
                    key=f"drill:{row.patient_id}:{rule}:{unix_ms(self.now)}",
                ),
            )
        assert episode_id is not None, "this raise is new"
        self.look()
        return episode_id

    def until(self, t_s: float) -> None:
        """Let the clock run, a tick every second."""
        while self.t_s < t_s:
            self.now += timedelta(seconds=1)
            if tick(self.desk()):
                self.look()

    def acknowledge(self, episode_id: int, person: str) -> None:
        """Let somebody take responsibility."""
        acts.acknowledge(
            self.connection, episode_id=episode_id, person_id=self.person(person), channel=CHANNEL, now=self.now
        )
        self.look()

    def decide(self, episode_id: int, person: str, disposition: str, note: str = "") -> None:
        """Let somebody decide."""
        acts.decide(
            self.connection,
            episode_id=episode_id,
            person_id=self.person(person),
            disposition=disposition,
            note=note,
            channel=CHANNEL,
            now=self.now,
        )
        self.look()

    def refer(self, episode_id: int, person: str, picture: Picture) -> int:
        """Let the county refer the patient; gives the referral."""
        referral_id = acts.refer(
            self.connection,
            episode_id=episode_id,
            person_id=self.person(person),
            picture=picture,
            note="",
            channel=CHANNEL,
            now=self.now,
        )
        self.look()
        return referral_id

    def say(self, referral_id: int, person: str, event: Event, refusal: Refusal | None = None) -> None:
        """Let somebody say what happened to a referral."""
        acts.say_of_referral(
            self.connection,
            referral_id=referral_id,
            person_id=self.person(person),
            event=event,
            refusal=refusal,
            channel=CHANNEL,
            now=self.now,
        )
        self.look()

    def person(self, key: str) -> int:
        """Give a person's number by the key."""
        row = self.connection.execute("SELECT person_id FROM care_person WHERE key = %s", (key,)).fetchone()
        assert row is not None, f"{key} is in the example county"
        return int(row.person_id)

    def look(self) -> None:
        """Note what is new in the history and among the notices."""
        found = []
        for row in self.connection.execute(_NEWS, (self._last_event,)).fetchall():
            self._last_event = row.event_id
            found.append(self._line(row, row.kind, row.person or "", _detail(row)))
        for row in self.connection.execute(_NOTICES, (self._last_notice,)).fetchall():
            self._last_notice = row.notice_id
            found.append(self._line(row, "notified", row.recipient, row.audience))
        self.lines += sorted(found, key=lambda line: line.t_s)

    def _line(self, row: Any, event: str, to: str, detail: str) -> Line:
        return Line(
            t_s=(row.at - T0).total_seconds(),
            event=event,
            service_tier=row.service_tier,
            to=to,
            episode=row.episode_id,
            patient=row.patient,
            detail=detail,
        )


def _detail(row: Any) -> str:
    if row.kind == "deadline":
        return f"step {row.detail['step']}: {row.to_state}"
    if row.kind == "referral":
        return f"{row.detail['event']}: {row.detail['stage']}"
    if row.kind == "nobody_on_duty":
        return f"{row.detail['wanted']}, paged instead: {row.detail['paged_instead']}"
    return str(row.detail.get("act", row.detail.get("rule", "")))


@contextmanager
def database(folder: Path) -> Iterator[str]:
    """Run a database server for the drill; gives a connection string without a database's name."""
    with ExitStack() as closing:
        supervisor = closing.enter_context(Supervisor(folder / "log"))
        server = best_database(settings=SETTINGS_OF_TESTS)
        closing.callback(server.close)
        supervisor.start(server.process())
        yield server.dsn()


@contextmanager
def stage(server: str, name: str) -> Iterator[Stage]:
    """Make a county of its own for one scenario."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "drill_{name}"'.encode())
    dsn = psycopg.conninfo.make_conninfo(server, dbname=f"drill_{name}")
    migrate(dsn)
    profile = parse_profile(standard_adult())
    text = files("care").joinpath("examples/county.toml").read_text(encoding="utf-8")
    with connect(dsn, "drill") as connection:
        load(connection, parse_registry(_without_passwords(text), "county.toml"), now=T0)
        made = Stage(connection=connection, profile=profile, server=server)
        made.desk().run("save_profile", profile_hash=profile.profile_hash, name=profile.name, body=profile.body, now=T0)
        yield made


def _without_passwords(text: str) -> str:
    """Nobody signs in, and hashing takes its time."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("password"))

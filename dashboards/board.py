"""What the screens show of the database: patients, episodes, newest values, acts and notices, as values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from dashboards.database import Connection, records, rows
from dashboards.newest import Newest, Standing, Word, newest
from dashboards.scope import Scope
from vitals.signals import SIGNALS, Signal

EPISODES_MOST = 200
PATIENTS_MOST = 500
HISTORY_MOST = 30
EVENTS_MOST = 300
NO_CHANNEL = "no channel"
"""Alerting's outcome of a notice to a household that has no channel: somebody has to phone."""
SHOWN_SIGNALS = (
    Signal.SPO2,
    Signal.PULSE,
    Signal.TEMPERATURE,
    Signal.RESPIRATORY_RATE,
    Signal.SYSTOLIC,
    Signal.DIASTOLIC,
    Signal.GLUCOSE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A patient as the registry publishes them."""

    patient_id: int
    key: str
    name: str
    initials: str
    bed: str
    born_on: date
    sex: str
    risk_colour: str
    service_tier: int
    special_groups: list[str]
    household_phone: str
    family_doctor_id: int
    family_doctor_name: str
    family_doctor_name_en: str
    organisation_id: int
    organisation_name: str
    organisation_name_en: str
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One alarm condition of one patient, from raise to human close."""

    episode_id: int
    patient_id: int
    family: str
    technical: bool
    rule: str
    priority: str
    emergency: bool
    tier3: bool
    condition: str
    state: str
    step: int
    service_tier: int
    since: datetime
    raised_at: datetime
    detected_at: datetime
    alarmed_at: datetime
    due_at: datetime | None
    raise_count: int
    cleared_at: datetime | None
    acknowledged_by: int | None
    acknowledged_at: datetime | None
    closed_by: int | None
    closed_at: datetime | None
    disposition: str | None
    evidence: dict[str, Any]
    profile_hash: str

    @property
    def urgency(self) -> str:
        """Give the alarm priority as shown: emergency, high, medium, low."""
        return "emergency" if self.priority == "high" and self.emergency else self.priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to an episode."""

    episode_id: int
    event_id: int
    at: datetime
    kind: str
    actor_id: int | None
    channel: str
    from_state: str | None
    to_state: str | None
    detail: dict[str, Any]


class Fate(StrEnum):
    """What came of a notice."""

    SENT = "sent"
    BEING_SENT = "being_sent"
    NO_CHANNEL = "no_channel"
    NOT_DELIVERED = "not_delivered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message to one person; `channel` is the kind of channel, never its address."""

    notice_id: int
    episode_id: int
    recipient: str
    recipient_en: str
    audience: str
    step: int
    channel: str
    created_at: datetime
    due_at: datetime | None
    attempts: int
    sent_at: datetime | None
    outcome: str

    @property
    def at(self) -> datetime:
        """Give when it was sent, or else written."""
        return self.sent_at or self.created_at

    @property
    def fate(self) -> Fate:
        """Say what came of it."""
        if self.sent_at is not None:
            return Fate.SENT
        if self.due_at is not None:
            return Fate.BEING_SENT
        return Fate.NO_CHANNEL if self.outcome == NO_CHANNEL else Fate.NOT_DELIVERED


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Notices of one episode to one audience at one step with one fate, newest first: one line on the page."""

    notices: list[Notice]

    @property
    def newest(self) -> Notice:
        """Give the newest of them."""
        return self.notices[0]

    @property
    def recipients(self) -> list[Notice]:
        """Give one notice of each recipient."""
        return list({notice.recipient: notice for notice in self.notices}.values())

    @property
    def channels(self) -> list[str]:
        """Give the kinds of channel."""
        return list(dict.fromkeys(notice.channel for notice in self.notices))


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Someone who acted."""

    person_id: int
    name: str
    name_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One line of the inbox: an episode, whose it is, and what was measured last."""

    episode: Episode
    patient: Patient
    vitals: list[Newest]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One patient on a wall: the newest values and the open episodes, worst first."""

    patient: Patient
    vitals: list[Newest]
    episodes: list[Episode]

    @property
    def mark(self) -> str:
        """Give the sign shown: the worst episode's urgency; without one "none", or "unsure" where data is missing.

        Silence is not health: no tick stands on a tile whose values are missing, doubtful or stale.
        """
        if self.episodes:
            return self.episodes[0].urgency
        well = bool(self.vitals) and all(each.standing in (Standing.LIVE, Standing.SPOT) for each in self.vitals)
        return "none" if well else "unsure"


def inbox(connection: Connection, scope: Scope, now: datetime) -> list[Card]:
    """Give the open episodes in scope, most urgent first, at most `EPISODES_MOST`."""
    episodes = rows(connection, Episode, "inbox", organisations=scope, most=EPISODES_MOST)
    ids = sorted({episode.patient_id for episode in episodes})
    patients = {patient.patient_id: patient for patient in rows(connection, Patient, "patients", patients=ids)}
    vitals = newest_of(connection, ids, now)
    return [Card(episode=e, patient=patients[e.patient_id], vitals=vitals[e.patient_id]) for e in episodes]


def tiles(connection: Connection, scope: Scope, now: datetime) -> list[Tile]:
    """Give every monitored patient in scope, those with the worst episode first."""
    patients = rows(connection, Patient, "monitored", organisations=scope, now=now, most=PATIENTS_MOST)
    episodes = rows(connection, Episode, "inbox", organisations=scope, most=EPISODES_MOST)
    vitals = newest_of(connection, [patient.patient_id for patient in patients], now)
    found = [
        Tile(
            patient=patient,
            vitals=vitals[patient.patient_id],
            episodes=[episode for episode in episodes if episode.patient_id == patient.patient_id],
        )
        for patient in patients
    ]
    order = {episode.episode_id: place for place, episode in enumerate(episodes)}
    return sorted(found, key=lambda tile: order[tile.episodes[0].episode_id] if tile.episodes else len(order))


def newest_of(connection: Connection, patients: Sequence[int], now: datetime) -> dict[int, list[Newest]]:
    """Give what may be shown of each patient's newest values, in the order of `SHOWN_SIGNALS`."""
    codes = [SIGNALS[signal].code for signal in SHOWN_SIGNALS]
    found: dict[int, list[Newest]] = {patient: [] for patient in patients}
    for word in rows(connection, Word, "newest", patients=list(patients), signals=codes):
        found[word.patient_id].append(newest(word, now))
    return {
        patient: sorted(vitals, key=lambda each: SHOWN_SIGNALS.index(each.signal)) for patient, vitals in found.items()
    }


def episode_in_scope(connection: Connection, scope: Scope, episode_id: int) -> Episode | None:
    """Give an episode if its patient is in scope."""
    found = rows(connection, Episode, "episode_in_scope", episode_id=episode_id, organisations=scope)
    return found[0] if found else None


def patient_in_scope(connection: Connection, scope: Scope, key: str) -> Patient | None:
    """Give a patient by key if in scope."""
    found = rows(connection, Patient, "patient_in_scope", key=key, organisations=scope)
    return found[0] if found else None


def patient_of(connection: Connection, episode: Episode) -> Patient:
    """Give the patient of an episode."""
    return rows(connection, Patient, "patients", patients=[episode.patient_id])[0]


def history(connection: Connection, patient: Patient) -> list[Episode]:
    """Give a patient's episodes: open ones by urgency, then closed ones, newest first."""
    return rows(connection, Episode, "episodes_of_patient", patient_id=patient.patient_id, most=HISTORY_MOST)


def events_of(connection: Connection, episodes: Iterable[Episode]) -> list[Event]:
    """Give what happened to these episodes, newest first."""
    return rows(connection, Event, "events", episodes=[each.episode_id for each in episodes], most=EVENTS_MOST)


def notices_of(connection: Connection, episodes: Iterable[Episode]) -> list[Notice]:
    """Give whom these episodes told, newest first."""
    return rows(connection, Notice, "notices", episodes=[each.episode_id for each in episodes], most=EVENTS_MOST)


def told(notices: Iterable[Notice]) -> dict[int, list[Told]]:
    """Fold repeats, by episode; a different fate stays a line of its own, so that no failure hides behind a success."""
    folded: dict[tuple[int, int, str, Fate], list[Notice]] = {}
    for notice in notices:
        folded.setdefault((notice.episode_id, notice.step, notice.audience, notice.fate), []).append(notice)
    found: dict[int, list[Told]] = {}
    for (episode_id, *_), same in folded.items():
        found.setdefault(episode_id, []).append(Told(notices=same))
    return found


def people(connection: Connection, ids: Iterable[int | None]) -> dict[int, Person]:
    """Give the people behind these numbers."""
    wanted = sorted({each for each in ids if each is not None})
    return {person.person_id: person for person in rows(connection, Person, "people", people=wanted)}


def profile_body(connection: Connection, profile_hash: str | None) -> str | None:
    """Give a clinical profile's text by hash, or the newest one; None where there is none yet."""
    if profile_hash is None:
        found = records(connection, "newest_profile")
    else:
        found = records(connection, "profiles", hashes=[profile_hash])
    return found[0]["body"] if found else None

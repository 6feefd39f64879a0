"""What the screens show of the database: patients, episodes, newest values and acts, as values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar

from dashboards.database import Connection, records, rows
from dashboards.newest import Newest, Standing, Word, newest
from dashboards.scope import Scope
from vitals.signals import SIGNALS, Signal

EPISODES_MOST = 200
PATIENTS_MOST = 500
HISTORY_MOST = 30
EVENTS_MOST = 300
_ABOUT_PEOPLE = ("no_data", "unbound_low")
"""Families of technical alarms behind which somebody may be in danger."""
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

    is_person: ClassVar[bool] = True

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
class Subject:
    """What an alarm that is no patient's is about: a gateway by its place, a device by its key, the centre."""

    is_person: ClassVar[bool] = False
    household_phone: ClassVar[str] = ""

    episode_id: int
    subject: str
    name: str
    name_en: str
    bed: str
    organisation_id: int
    organisation_name: str
    organisation_name_en: str
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One alarm condition of one patient, from raise to human close; or of what `subject` names."""

    episode_id: int
    patient_id: int | None
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
    subject: str | None = None
    gateway_id: str | None = None

    @property
    def endangers(self) -> bool:
        """Say whether somebody may be in danger by it: a machine's trouble is not for 120."""
        return not self.technical or self.family in _ABOUT_PEOPLE

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Someone who acted."""

    person_id: int
    name: str
    name_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One line of the inbox: an episode, whose it is, and what was measured last.

    `in_reach`: one may act on it; the centre's own alarm is shown to all below it.
    """

    episode: Episode
    patient: Patient | Subject
    vitals: list[Newest]
    in_reach: bool = True


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
    ids = sorted({episode.patient_id for episode in episodes if episode.patient_id is not None})
    patients = {patient.patient_id: patient for patient in rows(connection, Patient, "patients", patients=ids)}
    vitals = newest_of(connection, ids, now)
    subjects = subjects_of(connection, episodes)
    return [
        Card(
            episode=e,
            patient=subjects[e.episode_id],
            vitals=[],
            in_reach=subjects[e.episode_id].organisation_id in scope,
        )
        if e.patient_id is None
        else Card(episode=e, patient=patients[e.patient_id], vitals=vitals[e.patient_id])
        for e in episodes
    ]


def subjects_of(connection: Connection, episodes: Iterable[Episode]) -> dict[int, Subject]:
    """Give what these episodes are about, by episode, as far as they are no patient's."""
    ids = [episode.episode_id for episode in episodes if episode.patient_id is None]
    return {each.episode_id: each for each in rows(connection, Subject, "sites", episodes=ids)} if ids else {}


def site_alarms(connection: Connection, scope: Scope) -> list[tuple[Episode, Subject]]:
    """Give the open episodes in sight that are no patient's, most urgent first."""
    episodes = [e for e in rows(connection, Episode, "inbox", organisations=scope, most=EPISODES_MOST) if e.subject]
    subjects = subjects_of(connection, episodes)
    return [(episode, subjects[episode.episode_id]) for episode in episodes]


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


def whose_is(connection: Connection, episode: Episode) -> Patient | Subject:
    """Give the patient of an episode, or what else it is about."""
    if episode.patient_id is None:
        return subjects_of(connection, [episode])[episode.episode_id]
    return rows(connection, Patient, "patients", patients=[episode.patient_id])[0]


def history_of_subject(connection: Connection, scope: Scope, about: Subject) -> list[Episode]:
    """Give the episodes of a gateway, a device or the centre: open ones by urgency, then closed ones, newest first."""
    return rows(
        connection, Episode, "episodes_of_subject", subject=about.subject, organisations=scope, most=HISTORY_MOST
    )


def history(connection: Connection, patient: Patient) -> list[Episode]:
    """Give a patient's episodes: open ones by urgency, then closed ones, newest first."""
    return rows(connection, Episode, "episodes_of_patient", patient_id=patient.patient_id, most=HISTORY_MOST)


def events_of(connection: Connection, episodes: Iterable[Episode]) -> list[Event]:
    """Give what happened to these episodes, newest first."""
    return rows(connection, Event, "events", episodes=[each.episode_id for each in episodes], most=EVENTS_MOST)


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

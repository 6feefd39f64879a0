"""What people do about an alarm: acknowledge, decide, refer, note. Each is one transaction and one line of history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from alerting.acting import NOTE_CHARACTERS_MAX, ActError, acting_desk, bounded
from alerting.cases.referring import Plan, ReferralRefused, Said, Seen, begin, plan, say
from alerting.cases.referring import possible as possible_events_of
from alerting.cases.transfer import Event, Refusal
from alerting.desk import QUERIES, Desk
from alerting.episodes import HUMAN_ACTS, Act, IllegalAct, State, move_for, possible
from alerting.moving import add_event, carry_out, recheck_later, standing_of
from alerting.paging import Told
from care.following_up import open_follow_up
from care.referral import Picture

SPEAKS_OF_REFERRALS = frozenset({"referral_desk", "dispatcher", "authority", "helper"})
"""Roles that decide nothing about an alarm."""

DECIDE_ON_PATIENTS = frozenset({"family_doctor", "duty", "county_expert", "nurse"})
"""Roles that decide what becomes of a patient; others take responsibility, note, and decide on what is technical."""

LOCKS_PATIENT = frozenset({Act.REFER, Act.GO_ON, Act.STAY_HOME})
"""Acts that touch a referral or a follow-up: the patient is locked first, as by whoever moves those."""

NEEDS_NOTE = frozenset({Act.FALSE_ALARM.value, Act.WRONG_PATIENT.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Actor:
    person_id: int
    role: str
    service_tier: int
    channel: str


def possible_acts(connection: psycopg.Connection[Any], *, episode_id: int, person_id: int, now: datetime) -> list[str]:
    """Name what this person may do with the episode now. Raises ActError for an unknown episode or person."""
    cursor: psycopg.Cursor[Any] = connection.cursor(row_factory=namedtuple_row)
    person = cursor.execute(QUERIES["person"], {"person_id": person_id}).fetchone()
    if person is None:
        raise ActError(f"person {person_id} is not in the registry")
    episode = cursor.execute(QUERIES["standing"], {"episode_id": episode_id, "now": now}).fetchone()
    if episode is None:
        raise ActError(f"there is no episode {episode_id}")
    standing = standing_of(episode)
    if standing.state is State.CLOSED or person.role in SPEAKS_OF_REFERRALS:
        return []
    return [act.value for act in possible(standing, person.service_tier) if _may(person.role, act, standing.technical)]


def acknowledge(
    connection: psycopg.Connection[Any],
    *,
    episode_id: int,
    person_id: int,
    channel: str,
    now: datetime,
    link: str = "",
) -> None:
    """Take responsibility. `link` is the console's address, for notices. Raises ActError."""
    _act(acting_desk(connection, now, link), episode_id, person_id, Act.ACKNOWLEDGE, channel=channel, note="")


def decide(
    connection: psycopg.Connection[Any],
    *,
    episode_id: int,
    person_id: int,
    disposition: str,
    note: str,
    channel: str,
    now: datetime,
    link: str = "",
) -> None:
    """Decide: 'stay_home', 'go_on', 'step_down', 'false_alarm', 'close', ... Raises ActError.

    'refer' asks the county's team; for the team itself it is `refer`, which says how ill the patient is.
    """
    if disposition not in {a.value for a in HUMAN_ACTS} - {Act.ACKNOWLEDGE.value}:
        raise ActError(f"{disposition!r} is not a decision")
    if disposition in NEEDS_NOTE and not note.strip():
        raise ActError(f"{disposition} needs a word on why: the next one on duty will ask")
    _act(acting_desk(connection, now, link), episode_id, person_id, Act(disposition), channel=channel, note=note)


def refer(
    connection: psycopg.Connection[Any],
    *,
    episode_id: int,
    person_id: int,
    picture: Picture,
    note: str,
    channel: str,
    now: datetime,
    link: str = "",
) -> int:
    """Refer a patient as the county's team: the table says where to; gives the referral. Raises ActError."""
    desk = acting_desk(connection, now, link)
    return _act(desk, episode_id, person_id, Act.REFER, channel=channel, note=note, picture=picture) or 0


def where_to(connection: psycopg.Connection[Any], *, episode_id: int, picture: Picture, now: datetime) -> Plan:
    """Say where the decision table would send an episode's patient; nothing is written. Raises ActError."""
    desk = acting_desk(connection, now)
    episode = desk.one("standing", episode_id=episode_id, now=now)
    patient = desk.one("patient", patient_id=episode.patient_id) if episode and episode.patient_id else None
    if patient is None:
        raise ActError(f"there is no patient of episode {episode_id}")
    return plan(desk, patient, picture)


def possible_of_referrals(
    connection: psycopg.Connection[Any], *, referrals: Sequence[int], person_id: int, now: datetime
) -> dict[int, list[str]]:
    """Name what this person may say of each of these referrals now; nothing of what is unknown.

    Asked of the database at once, however many they are.
    """
    desk = acting_desk(connection, now)
    person = desk.one("person", person_id=person_id)
    found = desk.all("referrals", referrals=list(referrals)) if person else []
    possible_now = possible_events_of(desk, found, person) if found else {}
    return {each: [event.value for event in possible_now.get(each, ())] for each in referrals}


def say_of_referral(
    connection: psycopg.Connection[Any],
    *,
    referral_id: int,
    person_id: int,
    event: Event,
    channel: str,
    now: datetime,
    refusal: Refusal | None = None,
    facility_id: int | None = None,
    seen: Seen | None = None,
    note: str = "",
    link: str = "",
) -> None:
    """Record what somebody says of a referral: accepted, refused, left, arrived ... Raises ActError.

    `seen`: what he had before his eyes as he said it; where that is no longer so, nothing is recorded.
    """
    desk = acting_desk(connection, now, link)
    person = desk.one("person", person_id=person_id)
    if person is None:
        raise ActError(f"person {person_id} is not in the registry")
    said = Said(
        event=event,
        person=person,
        channel=channel,
        refusal=refusal,
        facility_id=facility_id,
        seen=seen,
        note=bounded(note),
    )
    try:
        say(desk, referral_id, said)
    except ReferralRefused as exc:
        raise ActError(str(exc)) from exc


def add_note(connection: psycopg.Connection[Any], *, episode_id: int, person_id: int, text: str, now: datetime) -> None:
    """Write a note into the episode's history. Raises ActError."""
    if not text.strip() or len(text) > NOTE_CHARACTERS_MAX:
        raise ActError(f"a note has 1 to {NOTE_CHARACTERS_MAX} characters; this one has {len(text)}")
    desk = acting_desk(connection, now)
    with connection.transaction():
        actor = _actor(desk, person_id, "")
        _locked(desk, episode_id)
        add_event(desk, episode_id, kind=Act.NOTE, actor_id=actor.person_id, detail={"note": text.strip()})


def _act(
    desk: Desk,
    episode_id: int,
    person_id: int,
    act: Act,
    *,
    channel: str,
    note: str,
    picture: Picture | None = None,
) -> int | None:
    note = bounded(note)
    with desk.connection.transaction():
        actor = _actor(desk, person_id, channel)
        if act in LOCKS_PATIENT:
            _lock_patient_of(desk, episode_id)
        episode = _locked(desk, episode_id)
        if not _may(actor.role, act, episode.technical):
            raise ActError(f"{act} is for {', '.join(sorted(DECIDE_ON_PATIENTS))} to say; you are {actor.role}")
        try:
            move = move_for(standing_of(episode), act, service_tier=actor.service_tier)
        except IllegalAct as exc:
            raise ActError(str(exc)) from exc
        if act is Act.REFER and (move.to is State.REFERRED) != (picture is not None):
            raise ActError(
                "a referral needs to know how ill the patient is, and what drives it"
                if picture is None
                else "the county's team refers; ask it to, without saying how ill the patient is"
            )
        event_id = add_event(
            desk,
            episode_id,
            kind="acknowledged" if act is Act.ACKNOWLEDGE else "decided",
            actor_id=actor.person_id,
            channel=actor.channel,
            detail={"act": act.value} | ({"note": note} if note else {}),
            states=(episode.state, move.to),
        )
        told: Told = set()  # who has to call 120 is told that, and not beside it that a referral was decided
        referral_id = None
        if move.to is State.REFERRED and picture is not None:
            try:
                referral_id = begin(desk, episode, picture, person_id=actor.person_id, note=note, told=told)
            except ReferralRefused as exc:
                raise ActError(str(exc)) from exc
        carry_out(desk, episode, act, move, event_id=event_id or 0, actor_id=actor.person_id, told=told)
        _mark(desk, episode, act, actor, closes=move.to is State.CLOSED)
        if act is Act.STAY_HOME and episode.patient_id is not None and not episode.technical:
            why = note or f"{act.value}: {episode.rule}"
            open_follow_up(desk.connection, episode.patient_id, person_id=person_id, now=desk.now, why=why)
        return referral_id


def _lock_patient_of(desk: Desk, episode_id: int) -> None:
    found = desk.one("standing", episode_id=episode_id, now=desk.now)
    if found is not None and found.patient_id is not None:
        desk.run("lock_patient", patient_id=found.patient_id)


def _mark(desk: Desk, episode: Any, act: Act, actor: _Actor, *, closes: bool) -> None:
    if act is Act.ACKNOWLEDGE:
        desk.run("mark_acknowledged", episode_id=episode.episode_id, person_id=actor.person_id, now=desk.now)
        return
    desk.run("mark_disposition", episode_id=episode.episode_id, disposition=act.value)
    if closes:
        recheck_later(desk, episode, act)


def _actor(desk: Desk, person_id: int, channel: str) -> _Actor:
    person = desk.one("person", person_id=person_id)
    if person is None:
        raise ActError(f"person {person_id} is not in the registry")
    if person.role in SPEAKS_OF_REFERRALS:
        raise ActError(f"{person.role} has no say in alarms")
    return _Actor(person_id=person_id, role=person.role, service_tier=person.service_tier, channel=channel)


def _may(role: str, act: Act, technical: bool) -> bool:
    return technical or act in (Act.ACKNOWLEDGE, Act.NOTE) or role in DECIDE_ON_PATIENTS


def _locked(desk: Desk, episode_id: int) -> Any:
    episode = desk.one("lock_episode", episode_id=episode_id, now=desk.now)
    if episode is None:
        raise ActError(f"there is no episode {episode_id}")
    return episode

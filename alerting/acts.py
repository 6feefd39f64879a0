"""What people do about an episode: acknowledge, decide, note. Each act is one transaction and one line of history."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row, tuple_row

from alerting.desk import QUERIES, Desk, json, unix_ms
from alerting.episodes import HUMAN_ACTS, Act, IllegalAct, State, move_for, possible
from alerting.moving import add_event, carry_out, standing_of
from alerting.profile.file import ProfileError, parse_profile, standard_adult
from alerting.profile.profile import Profile
from alerting.raising import Basis

NOTE_CHARACTERS_MAX = 2000


class ActError(ValueError):
    """The act can not be done now; the message says why, in words a doctor reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Actor:
    person_id: int
    service_tier: int
    channel: str


def possible_acts(connection: psycopg.Connection[Any], *, episode_id: int, person_id: int) -> list[str]:
    """Name what this person may do with the episode now. Raises ActError for an unknown episode or person."""
    cursor: psycopg.Cursor[Any] = connection.cursor(row_factory=namedtuple_row)
    person = cursor.execute(QUERIES["person"], {"person_id": person_id}).fetchone()
    if person is None:
        raise ActError(f"person {person_id} is not in the registry")
    episode = cursor.execute(QUERIES["standing"], {"episode_id": episode_id}).fetchone()
    if episode is None:
        raise ActError(f"there is no episode {episode_id}")
    standing = standing_of(episode)
    if standing.state is State.CLOSED:
        return []
    return [act.value for act in possible(standing, person.service_tier)]


def acknowledge(
    connection: psycopg.Connection[Any], *, episode_id: int, person_id: int, channel: str, now: datetime
) -> None:
    """Take responsibility. Raises ActError."""
    _act(connection, episode_id, person_id, Act.ACKNOWLEDGE, channel=channel, now=now, note="")


def decide(
    connection: psycopg.Connection[Any],
    *,
    episode_id: int,
    person_id: int,
    disposition: str,
    note: str,
    channel: str,
    now: datetime,
) -> None:
    """Decide: 'stay_home', 'refer', 'false_alarm' or 'close'. Raises ActError."""
    if disposition not in {a.value for a in HUMAN_ACTS} - {Act.ACKNOWLEDGE.value}:
        raise ActError(f"{disposition!r} is not a decision")
    if disposition == Act.FALSE_ALARM and not note.strip():
        raise ActError("a false alarm needs a word on why: the next one on duty will ask")
    _act(connection, episode_id, person_id, Act(disposition), channel=channel, now=now, note=note)


def add_note(connection: psycopg.Connection[Any], *, episode_id: int, person_id: int, text: str, now: datetime) -> None:
    """Write a note into the episode's history. Raises ActError."""
    if not text.strip() or len(text) > NOTE_CHARACTERS_MAX:
        raise ActError(f"a note has 1 to {NOTE_CHARACTERS_MAX} characters; this one has {len(text)}")
    desk = _desk(connection, now)
    with connection.transaction():
        actor = _actor(desk, person_id, "")
        _locked(desk, episode_id)
        add_event(desk, episode_id, kind=Act.NOTE, actor_id=actor.person_id, detail={"note": text.strip()})


def _act(
    connection: psycopg.Connection[Any],
    episode_id: int,
    person_id: int,
    act: Act,
    *,
    channel: str,
    now: datetime,
    note: str,
) -> None:
    if len(note) > NOTE_CHARACTERS_MAX:
        raise ActError(f"a note has at most {NOTE_CHARACTERS_MAX} characters; this one has {len(note)}")
    desk = _desk(connection, now)
    with connection.transaction():
        actor = _actor(desk, person_id, channel)
        episode = _locked(desk, episode_id)
        try:
            move = move_for(standing_of(episode), act, service_tier=actor.service_tier)
        except IllegalAct as exc:
            raise ActError(str(exc)) from exc
        event_id = add_event(
            desk,
            episode_id,
            kind="acknowledged" if act is Act.ACKNOWLEDGE else "decided",
            actor_id=actor.person_id,
            channel=actor.channel,
            detail={"act": act.value} | ({"note": note.strip()} if note.strip() else {}),
            states=(episode.state, move.to),
        )
        carry_out(desk, episode, act, move, event_id=event_id or 0, actor_id=actor.person_id)
        _mark(desk, episode, act, actor, closes=move.to is State.CLOSED)


def _mark(desk: Desk, episode: Any, act: Act, actor: _Actor, *, closes: bool) -> None:
    if act is Act.ACKNOWLEDGE:
        desk.run("mark_acknowledged", episode_id=episode.episode_id, person_id=actor.person_id, now=desk.now)
        return
    desk.run("mark_disposition", episode_id=episode.episode_id, disposition=act.value)
    if closes and episode.condition != "cleared" and not episode.technical:
        wait = timedelta(seconds=desk.profile.silence.still_present_after_false_alarm_s)
        desk.run(
            "save_pending",
            patient_id=episode.patient_id,
            rule=episode.rule,
            basis=Basis.RECHECK,
            since=desk.now,
            due_at=desk.now + wait,
            evidence=json({"closed": episode.episode_id, "closed_as": act.value, "at_ms": unix_ms(desk.now)}),
        )


def _desk(connection: psycopg.Connection[Any], now: datetime) -> Desk:
    return Desk(connection=connection, profile=_profile(connection), now=now)


def _profile(connection: psycopg.Connection[Any]) -> Profile:
    """Read the profile that alerting last worked under; the one that ships where alerting never ran."""
    row = connection.cursor(row_factory=tuple_row).execute(QUERIES["newest_profile"]).fetchone()
    try:
        return parse_profile(row[0] if row else standard_adult())
    except ProfileError:  # written by another release: until alerting has started under this one
        return parse_profile(standard_adult())


def _actor(desk: Desk, person_id: int, channel: str) -> _Actor:
    person = desk.one("person", person_id=person_id)
    if person is None:
        raise ActError(f"person {person_id} is not in the registry")
    return _Actor(person_id=person_id, service_tier=person.service_tier, channel=channel)


def _locked(desk: Desk, episode_id: int) -> Any:
    episode = desk.one("lock_episode", episode_id=episode_id)
    if episode is None:
        raise ActError(f"there is no episode {episode_id}")
    return episode

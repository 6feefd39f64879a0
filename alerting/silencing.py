"""Sets and lifts silences, notes which episodes they hold back, and lets ring what they hold back no more."""

from datetime import datetime
from typing import Any

import psycopg

from alerting.acting import acting_desk
from alerting.desk import Desk
from alerting.episodes import Act, move_for
from alerting.isolation import one_by_one
from alerting.moving import add_event, carry_out, standing_of
from alerting.paging import hold_back
from alerting.profile.profile import Consequence
from alerting.raising import UNANSWERED
from alerting.recording import urgency_for
from alerting.silences import Obstacle, SilenceRefused, Target, Wish, grant, may, offered_hours


def set_silence(
    connection: psycopg.Connection[Any], wish: Wish, *, person_id: int, now: datetime, link: str = ""
) -> int:
    """Set a silence as this person; gives its number. Episodes that are open already are held back at once.

    Raises SilenceRefused.
    """
    desk = acting_desk(connection, now, link)
    with connection.transaction():
        person = _person(desk, person_id)
        found = desk.one("silence_target", target=wish.target.value, name=wish.name, now=now)
        if found is None:
            raise SilenceRefused(Obstacle.NO_TARGET, f"there is no {wish.target} {wish.name[:64]!r}")
        granted = grant(wish, _consequence(desk, wish, found.patient_id), role=person.role, now=now)
        row = desk.one(
            "insert_silence",
            patient_id=found.patient_id,
            gateway_id=found.gateway_id,
            device_key=found.device_key,
            organisation_id=found.organisation_id,
            technical=granted.technical,
            rule=wish.rule,
            priority=granted.priority,
            reason=granted.reason,
            person_id=person_id,
            now=now,
            since=granted.since,
            until=granted.until,
        )
        assert row is not None, "an INSERT gives its row"
    tick(desk)
    return int(row.silence_id)


def lift_silence(
    connection: psycopg.Connection[Any], silence_id: int, *, person_id: int, now: datetime, link: str = ""
) -> None:
    """Lift a silence before its time: what is unanswered rings at once. Raises SilenceRefused."""
    desk = acting_desk(connection, now, link)
    with connection.transaction():
        person = _person(desk, person_id)
        found = desk.one("lock_silence", silence_id=silence_id)
        if found is None:
            raise SilenceRefused(Obstacle.NO_TARGET, f"there is no silence {silence_id}")
        if not may(person.role, _target_of(found), technical=found.technical):
            raise SilenceRefused(Obstacle.NOT_YOURS, f"role {person.role} lifts no such silence")
        if found.lifted_at is not None or found.until <= now:
            raise SilenceRefused(Obstacle.ENDED, f"silence {silence_id} is over")
        desk.run("lift_silence", silence_id=silence_id, person_id=person_id, now=now)
    tick(desk)


def organisation_of(connection: psycopg.Connection[Any], target: Target, name: str, *, now: datetime) -> int | None:
    """Say whose a target is; None where there is none of that name."""
    found = acting_desk(connection, now).one("silence_target", target=target.value, name=name, now=now)
    return int(found.organisation_id) if found is not None else None


def silenceable(connection: psycopg.Connection[Any], *, now: datetime, role: str) -> list[str]:
    """Name the rules that somebody in this role may silence at all, the technical ones first."""
    known = acting_desk(connection, now).profile.consequences.values()
    able = [each for each in known if offered_hours(Target.PATIENT, each, role)]
    return [each.rule for each in sorted(able, key=lambda each: (not each.technical, each.rule))]


def tick(desk: Desk) -> int:
    """Note what silences hold back, and ring what they hold back no more; gives how many rang.

    Each episode in a transaction of its own; who comes second finds nothing left to do.
    """
    begun = desk.all("silences_to_begin", now=desk.now)
    one_by_one(begun, lambda row: _begin(desk, row.episode_id), what="silence")
    ended = desk.all("silences_to_end", now=desk.now)
    return one_by_one(ended, lambda row: _end(desk, row), what="end of a silence")


def _begin(desk: Desk, episode_id: int) -> int:
    with desk.connection.transaction():
        return len(hold_back(desk, [episode_id]))


def _end(desk: Desk, row: Any) -> int:
    with desk.connection.transaction():
        _lock(desk, row.episode_id)
        episode = desk.one("lock_episode", episode_id=row.episode_id, now=desk.now)
        assert episode is not None, "an episode is never deleted"
        still = desk.one("silenced_by", episode_id=row.episode_id, now=desk.now)
        if still is not None:
            desk.run("pass_silence_on", episode_id=row.episode_id, next=still.silence_id)
            return 0
        ended = desk.one("end_silence", episode_id=row.episode_id, now=desk.now)
        if ended is None or episode.state == "closed":
            return 0
        rings = episode.state in UNANSWERED and not ended.told
        move = move_for(standing_of(episode), Act.ALARM_ANEW)
        event_id = add_event(
            desk,
            episode.episode_id,
            kind="silence_ended",
            detail={"silence": ended.silence_id, "why": ended.why},
            states=(episode.state, move.to if rings else episode.state),
        )
        if rings:
            carry_out(desk, episode, Act.ALARM_ANEW, move, event_id=event_id or 0)
        return int(rings)


def _lock(desk: Desk, episode_id: int) -> None:
    """Take the lock of an episode's patient or subject first, as whoever raises does."""
    whose = desk.one("whose_episode", episode_id=episode_id)
    if whose is None:
        return
    if whose.patient_id is not None:
        desk.run("lock_patient", patient_id=whose.patient_id)
    else:
        desk.run("lock_subject", subject=whose.subject)


def _person(desk: Desk, person_id: int) -> Any:
    person = desk.one("person", person_id=person_id)
    if person is None:
        raise SilenceRefused(Obstacle.NOT_YOURS, f"person {person_id} is not in the registry")
    return person


def _consequence(desk: Desk, wish: Wish, patient_id: int | None) -> Consequence | None:
    """Say how urgent the rule is for this target: a variant may hold a patient to another priority."""
    if wish.rule == "":
        return None
    if wish.rule not in desk.profile.consequences:
        raise SilenceRefused(Obstacle.UNKNOWN_RULE, f"the clinical profile has no rule {wish.rule[:64]!r}")
    patient = desk.one("patient", patient_id=patient_id) if patient_id is not None else None
    return desk.profile.consequences[wish.rule] if patient is None else urgency_for(desk, wish.rule, patient)


def _target_of(silence: Any) -> Target:
    if silence.patient_id is not None:
        return Target.PATIENT
    if silence.gateway_id is not None:
        return Target.GATEWAY
    return Target.DEVICE if silence.device_key is not None else Target.ORGANISATION

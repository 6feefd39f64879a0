"""A device was on somebody else: its binding is corrected, and the alarms that came of it are closed by who says so.

One transaction. What was measured is moved behind it by ingest, and then both patients are judged again
(alerting/judging/moved.py).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from alerting.acting import ActError, acting_desk
from alerting.desk import Desk
from alerting.episodes import Act, IllegalAct, move_by_correction
from alerting.judging.history import LEAD
from alerting.judging.moved import rules_reading
from alerting.moving import add_event, carry_out, standing_of
from care import correcting
from care.correction import Correction, CorrectionRefused
from ingest.tend.moving import kept_since
from vitals.signals import SIGNAL_BY_CODE, SIGNALS, Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """An open alarm that came of the device in that time. `obstacle`: why it can not be closed with the correction."""

    episode_id: int
    rule: str
    family: str
    priority: str
    emergency: bool
    condition: str
    state: str
    since: datetime
    obstacle: str


def to_close(connection: psycopg.Connection[Any], said: Correction, *, person_id: int, now: datetime) -> list[Closing]:
    """Say which alarms a correction closes; nothing is kept. Raises CorrectionRefused where it could not be made."""
    desk = acting_desk(connection, now)
    with connection.transaction(force_rollback=True):
        correcting.correct(connection, said, kept_since=kept_since(connection), person_id=person_id, now=now)
        return [_closing(episode) for episode in _episodes(desk, said, correcting.place_of(connection, said))]


def correct_binding(
    connection: psycopg.Connection[Any],
    said: Correction,
    *,
    closes: Collection[int],
    person_id: int,
    channel: str,
    now: datetime,
    link: str = "",
) -> int:
    """Correct who wore a device and close the alarms that are named; gives the correction.

    An alarm that is not named stays open. Raises CorrectionRefused, ActError.
    """
    desk = acting_desk(connection, now, link)
    with connection.transaction():
        place = correcting.place_of(connection, said)
        if place.of_id is not None:
            desk.run("lock_patient", patient_id=place.of_id)
        episodes = {episode.episode_id: episode for episode in _episodes(desk, said, place)}
        if strange := sorted(set(closes) - episodes.keys()):
            raise ActError(f"alarms {strange} do not come of {said.device} in that time: look again which do")
        correction_id = correcting.correct(
            connection, said, kept_since=kept_since(connection), person_id=person_id, now=now
        )
        for episode_id in sorted(set(closes)):
            _close(desk, episodes[episode_id], said, correction_id, person_id=person_id, channel=channel)
        if place.of_id is not None:
            heard = desk.all("signals_of_device", patient_id=place.of_id, device_id=place.device_id)
            rules = rules_reading(desk.profile, [SIGNAL_BY_CODE[row.signal] for row in heard])
            whose = {"patient_id": place.of_id, "rules": sorted(rules)}
            desk.run("drop_waits", **whose, since=said.since, until=said.until)
        return correction_id


def _close(desk: Desk, episode: Any, said: Correction, correction_id: int, *, person_id: int, channel: str) -> None:
    try:
        move = move_by_correction(standing_of(episode))
    except IllegalAct as exc:
        raise ActError(f"alarm {episode.episode_id}: {exc}") from exc
    event_id = add_event(
        desk,
        episode.episode_id,
        kind="decided",
        actor_id=person_id,
        channel=channel,
        detail={"act": Act.WRONG_PATIENT.value, "note": said.reason.strip(), "correction": correction_id},
        states=(episode.state, move.to),
    )
    carry_out(desk, episode, Act.WRONG_PATIENT, move, event_id=event_id or 0, actor_id=person_id)
    desk.run("mark_disposition", episode_id=episode.episode_id, disposition=Act.WRONG_PATIENT.value)
    family = [rule.rule for rule in desk.profile.consequences.values() if rule.family == episode.family]
    desk.run("drop_rechecks", patient_id=episode.patient_id, rules=family)


def _episodes(desk: Desk, said: Correction, place: correcting.Place) -> list[Any]:
    """Give the wrong patient's open alarms whose signals the device spoke of while their condition was there."""
    if place.of_id is None:
        return []
    rules = _codes(desk)
    found = desk.all("episodes_in_time", patient_id=place.of_id, since=said.since, until=said.until)
    return [episode for episode in found if episode.rule in rules and _spoke(desk, episode, said, place, rules)]


def _spoke(desk: Desk, episode: Any, said: Correction, place: correcting.Place, rules: dict[str, list[int]]) -> bool:
    ends = [end for end in (episode.cleared_at, said.until) if end is not None]
    row = desk.one(
        "device_spoke",
        patient_id=place.of_id,
        device_id=place.device_id,
        start=max(said.since, episode.since - LEAD),
        until=min(ends, default=None),
        codes=rules[episode.rule],
    )
    return bool(row and row.spoke)


def _codes(desk: Desk) -> dict[str, list[int]]:
    """Give every rule by measurements with the codes of the signals it is judged by."""
    reading = rules_reading(desk.profile, Signal)
    beats = {rule: {Signal.RR_INTERVAL} for rule, signals in reading.items() if Signal.RESPIRATORY_RATE in signals}
    return {
        rule: sorted(SIGNALS[signal].code for signal in signals | beats.get(rule, set()))
        for rule, signals in reading.items()
    }


def _closing(episode: Any) -> Closing:
    obstacle = ""
    try:
        move_by_correction(standing_of(episode))
    except IllegalAct as exc:
        obstacle = str(exc)
    return Closing(
        episode_id=episode.episode_id,
        rule=episode.rule,
        family=episode.family,
        priority=episode.priority,
        emergency=episode.emergency,
        condition=episode.condition,
        state=episode.state,
        since=episode.since,
        obstacle=obstacle,
    )


__all__ = ["Closing", "CorrectionRefused", "correct_binding", "to_close"]

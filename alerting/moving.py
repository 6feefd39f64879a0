"""Moves an episode: writes its new standing and its line of history, and pages whom the move names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from alerting.desk import Desk, unix_ms
from alerting.episodes import Act, Move, Standing, State, after
from alerting.paging import Page, Told, page_all
from alerting.profile.profile import Consequence, Priority
from alerting.raising import Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """An episode (a row of `lock_episode`) and the move that it makes; `event_id` is the move's line of history."""

    episode: Any
    move: Move
    event_id: int
    actor_id: int | None = None


def carry_out(
    desk: Desk,
    episode: Any,
    act: Act,
    move: Move,
    *,
    event_id: int,
    actor_id: int | None = None,
    told: Told | None = None,
) -> Standing:
    """Write a move's new standing and page whom it names; `episode` is a row of `lock_episode`.

    `told`: whom the same event has told already (alerting/paging.py).
    """
    moved = Moved(episode=episode, move=move, event_id=event_id, actor_id=actor_id)
    (new,) = carry_out_all(desk, act, [moved], told=told)
    return new


def carry_out_all(desk: Desk, act: Act, moved: Sequence[Moved], *, told: Told | None = None) -> list[Standing]:
    """Write the new standings of several episodes to which the same happens, and page whom their moves name."""
    consequences = [consequence_of(desk, each.episode) for each in moved]
    standings = [
        after(standing_of(each.episode), act, each.move, now=desk.now, timers=desk.profile.timers[consequence.priority])
        for each, consequence in zip(moved, consequences, strict=True)
    ]
    write_standings(
        desk,
        {each.episode.episode_id: standing for each, standing in zip(moved, standings, strict=True)},
        closed_by={each.episode.episode_id: each.actor_id for each in moved},
    )
    paging = [(each, consequence) for each, consequence in zip(moved, consequences, strict=True) if each.move.page]
    whose = whose_are(desk, [each.episode for each, _ in paging])
    page_all(
        desk,
        [
            Page(
                episode_id=each.episode.episode_id,
                event_id=each.event_id,
                step=each.move.step,
                consequence=consequence,
                whose=whose[each.episode.episode_id],
                since=each.episode.since,
                audiences=each.move.page,
                act=act.value,
            )
            for each, consequence in paging
        ],
        told=told,
    )
    return standings


def recheck_later(desk: Desk, episode: Any, act: Act) -> None:
    """Look again after a while at a condition that was not over when a person closed its episode, or said: home again.

    The engine says a thing once: what held before a hospital stay and holds after it would ring no more by itself.
    """
    if episode.condition == "cleared" or episode.technical:
        return
    wait = timedelta(seconds=desk.profile.silence.still_present_after_false_alarm_s)
    waiting = {
        "patient_id": episode.patient_id,
        "rule": episode.rule,
        "basis": Basis.RECHECK,
        "since": desk.now,
        "due_at": desk.now + wait,
        "evidence": {"episode": episode.episode_id, "after": act.value, "at_ms": unix_ms(desk.now)},
    }
    desk.write("save_pending", [waiting])


def whose_is(desk: Desk, episode: Any) -> Any:
    """Give what paging needs to know of an episode's subject: its patient, or the gateway, device or centre."""
    return whose_are(desk, [episode])[episode.episode_id]


def whose_are(desk: Desk, episodes: Sequence[Any]) -> dict[int, Any]:
    """Give the same of several, by their numbers."""
    ids = sorted({episode.patient_id for episode in episodes if episode.patient_id is not None})
    patients = {row.patient_id: row for row in desk.all("patients", patients=ids)} if ids else {}
    return {
        episode.episode_id: desk.one("site", episode_id=episode.episode_id)
        if episode.patient_id is None
        else patients[episode.patient_id]
        for episode in episodes
    }


def standing_of(episode: Any) -> Standing:
    """Read an episode row's part that escalation moves."""
    return Standing(
        state=State(episode.state),
        step=episode.step,
        service_tier=episode.service_tier,
        tier3=episode.tier3,
        technical=episode.technical,
        is_person=episode.patient_id is not None,
        referral=episode.referral,
        settled=episode.settled,
        alarmed_at=episode.alarmed_at,
        due_at=episode.due_at,
    )


def consequence_of(desk: Desk, episode: Any) -> Consequence:
    """Give the rule's consequence at the priority the episode has."""
    rule = desk.profile.consequences.get(episode.rule)
    base = rule or Consequence(
        rule=episode.rule,
        family=episode.family,
        priority=Priority(episode.priority),
        emergency=episode.emergency,
        tier3=episode.tier3,
        technical=episode.technical,
    )
    return replace(base, priority=Priority(episode.priority), emergency=episode.emergency)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """A line of an episode's history to be. `states`: from and to."""

    episode_id: int
    kind: str
    detail: dict[str, Any] | None = None
    key: str | None = None
    actor_id: int | None = None
    channel: str = ""
    states: tuple[str, str] | None = None


def add_event(
    desk: Desk,
    episode_id: int,
    *,
    kind: str,
    detail: dict[str, Any] | None = None,
    key: str | None = None,
    actor_id: int | None = None,
    channel: str = "",
    states: tuple[str, str] | None = None,
) -> int | None:
    """Append to an episode's history and tell the screens; None when the key was there already."""
    event = NewEvent(
        episode_id=episode_id, kind=kind, detail=detail, key=key, actor_id=actor_id, channel=channel, states=states
    )
    return next(iter(add_events(desk, [event]).values()), None)


def add_events(desk: Desk, events: Sequence[NewEvent]) -> dict[int, int]:
    """Append an event to each of several episodes' histories and tell the screens.

    Gives their numbers by the episodes', without those whose key was there already.
    """
    rows = desk.write(
        "insert_events",
        [
            {
                "episode_id": event.episode_id,
                "at": desk.now,
                "kind": event.kind,
                "actor_id": event.actor_id,
                "channel": event.channel,
                "from_state": event.states[0] if event.states else None,
                "to_state": event.states[1] if event.states else None,
                "detail": event.detail or {},
                "key": event.key,
            }
            for event in events
        ],
    )
    desk.all("tell_screens", episodes=[event.episode_id for event in events])
    return {row.episode_id: row.event_id for row in rows}


def write_standings(desk: Desk, standings: Mapping[int, Standing], *, closed_by: Mapping[int, int | None]) -> None:
    """Write where episodes stand, by their numbers; `closed_by` says who acted, where one is closed."""
    desk.write(
        "move_episodes",
        [
            {
                "episode_id": episode_id,
                "state": standing.state,
                "step": standing.step,
                "service_tier": standing.service_tier,
                "tier3": standing.tier3,
                "alarmed_at": standing.alarmed_at,
                "due_at": standing.due_at,
                "closed_by": closed_by[episode_id] if standing.state is State.CLOSED else None,
                "closed_at": desk.now if standing.state is State.CLOSED else None,
            }
            for episode_id, standing in standings.items()
        ],
    )

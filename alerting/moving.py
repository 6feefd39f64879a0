"""Moves an episode: writes its new standing and its line of history, and pages whom the move names."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from alerting.desk import Desk, json, unix_ms
from alerting.episodes import Act, Move, Standing, State, after
from alerting.paging import Page, page
from alerting.profile.profile import Consequence, Priority
from alerting.raising import Basis


def carry_out(
    desk: Desk, episode: Any, act: Act, move: Move, *, event_id: int, actor_id: int | None = None
) -> Standing:
    """Write a move's new standing and page whom it names; `episode` is a row of `lock_episode`."""
    consequence = consequence_of(desk, episode)
    timers = desk.profile.timers[consequence.priority]
    new = after(standing_of(episode), act, move, now=desk.now, timers=timers)
    write_standing(desk, episode.episode_id, new, closed_by=actor_id if move.to is State.CLOSED else None)
    if move.page:
        page(
            desk,
            Page(
                episode_id=episode.episode_id,
                event_id=event_id,
                step=move.step,
                consequence=consequence,
                whose=whose_is(desk, episode),
                since=episode.since,
                audiences=move.page,
                act=act.value,
            ),
        )
    return new


def recheck_later(desk: Desk, episode: Any, act: Act) -> None:
    """Look again after a while at a condition that was present when a person closed its episode."""
    if episode.condition == "cleared" or episode.technical:
        return
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


def whose_is(desk: Desk, episode: Any) -> Any:
    """Give what paging needs to know of an episode's subject: its patient, or the gateway, device or centre."""
    if episode.patient_id is not None:
        return desk.one("patient", patient_id=episode.patient_id)
    return desk.one("site", episode_id=episode.episode_id)


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


def write_standing(desk: Desk, episode_id: int, standing: Standing, *, closed_by: int | None) -> None:
    """Write where an episode stands; `closed_by` is who closed it."""
    desk.run(
        "move_episode",
        episode_id=episode_id,
        state=standing.state,
        step=standing.step,
        service_tier=standing.service_tier,
        tier3=standing.tier3,
        alarmed_at=standing.alarmed_at,
        due_at=standing.due_at,
        closed_by=closed_by,
        now=desk.now,
    )

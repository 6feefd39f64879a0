"""The tick: finds episodes whose deadline has passed and moves each one on, once, whoever else is looking."""

from collections.abc import Callable, Sequence

from alerting import silencing
from alerting.cases import referring
from alerting.desk import Desk
from alerting.episodes import Act, move_for
from alerting.isolation import in_one_go, one_by_one
from alerting.moving import Moved, NewEvent, add_events, carry_out_all, standing_of
from alerting.reported import raise_overdue_signs

MOVES_MAX = 10_000
"""Deadlines carried out in one tick; what is left is the next tick's, oldest first."""

TOGETHER_MAX = 250
"""Of these in one transaction: bounds how long an act of a person waits for its episode."""


def tick(desk: Desk) -> int:
    """Carry out what is due at `desk.now`, of silences, warning signs, episodes and referrals; gives how many fired.

    An episode's move, its history and its notices are one transaction, which many that are due together share. The
    history's key (episode, deadline) makes a second firing of the same deadline impossible; an episode that fails does
    not keep the others waiting. What becomes due again at once (steps missed while the program was down) fires in the
    same tick.
    """
    return one_by_one(_PARTS, lambda part: part(desk), what="part of a tick")


def _deadlines(desk: Desk) -> int:
    fired = 0
    while fired < MOVES_MAX:
        due = [row.episode_id for row in desk.all("due_episodes", now=desk.now, limit=TOGETHER_MAX)]
        now_fired = _together(desk, due)
        if not now_fired:
            break
        fired += now_fired
    return fired


_PARTS: tuple[Callable[[Desk], int], ...] = (silencing.tick, raise_overdue_signs, _deadlines, referring.tick)
"""Each goes on where another fails."""


def _together(desk: Desk, due: Sequence[int]) -> int:
    if not due:
        return 0
    return in_one_go(
        lambda: _fire(desk, due),
        lambda: one_by_one(due, lambda episode_id: _fire(desk, [episode_id]), what="deadline"),
        what="deadlines",
    )


def _fire(desk: Desk, due: Sequence[int]) -> int:
    with desk.connection.transaction():
        episodes = desk.all("claim_due_episodes", episodes=list(due), now=desk.now)
        moves = [move_for(standing_of(episode), Act.DEADLINE) for episode in episodes]
        events = add_events(
            desk,
            [
                NewEvent(
                    episode_id=episode.episode_id,
                    kind="deadline",
                    detail={"due_at": episode.due_at.isoformat(), "step": move.step},
                    key=f"{episode.episode_id}:deadline:{episode.due_at.isoformat()}",
                    states=(episode.state, move.to),
                )
                for episode, move in zip(episodes, moves, strict=True)
            ],
        )
        carry_out_all(
            desk,
            Act.DEADLINE,
            [
                Moved(episode=episode, move=move, event_id=events.get(episode.episode_id, 0))
                for episode, move in zip(episodes, moves, strict=True)
            ],
        )
    return len(episodes)

"""The tick: finds episodes whose deadline has passed and moves each one on, once, whoever else is looking."""

from alerting.cases import referring
from alerting.desk import Desk
from alerting.episodes import Act, move_for
from alerting.isolation import one_by_one
from alerting.moving import add_event, carry_out, standing_of

MOVES_MAX = 500
"""Deadlines carried out in one tick; what is left is the next tick's, oldest first."""


def tick(desk: Desk) -> int:
    """Carry out what is due at `desk.now`, of episodes and of referrals; gives how many deadlines fired.

    One transaction an episode: its move, its history and its notices. The history's key (episode, deadline) makes
    a second firing of the same deadline impossible; an episode that fails does not keep the others waiting. What
    becomes due again at once (steps missed while the program was down) fires in the same tick.
    """
    fired = 0
    while fired < MOVES_MAX:
        due = desk.all("due_episodes", now=desk.now, limit=MOVES_MAX)
        now_fired = one_by_one(due, lambda row: _fire(desk, row.episode_id), what="deadline")
        if not now_fired:
            break
        fired += now_fired
    return fired + referring.tick(desk)


def _fire(desk: Desk, episode_id: int) -> int:
    with desk.connection.transaction():
        episode = desk.one("claim_due_episode", episode_id=episode_id, now=desk.now)
        if episode is None:
            return 0
        move = move_for(standing_of(episode), Act.DEADLINE)
        event_id = add_event(
            desk,
            episode.episode_id,
            kind="deadline",
            detail={"due_at": episode.due_at.isoformat(), "step": move.step},
            key=f"{episode.episode_id}:deadline:{episode.due_at.isoformat()}",
            states=(episode.state, move.to),
        )
        carry_out(desk, episode, Act.DEADLINE, move, event_id=event_id or 0)
    return 1

"""The tick: finds episodes whose deadline has passed and moves each one on, once, whoever else is looking."""

from alerting.desk import Desk
from alerting.episodes import Act, move_for
from alerting.moving import add_event, carry_out, standing_of

MOVES_MAX = 500
"""Deadlines carried out in one tick; what is left is the next tick's, oldest first."""


def tick(desk: Desk) -> int:
    """Carry out what is due at `desk.now`; gives how many deadlines fired.

    One transaction an episode: its move, its history and its notices. The history's key (episode, deadline) makes
    a second firing of the same deadline impossible.
    """
    fired = 0
    while fired < MOVES_MAX and _fire_one(desk):
        fired += 1
    return fired


def _fire_one(desk: Desk) -> bool:
    with desk.connection.transaction():
        episode = desk.one("due_episodes", now=desk.now, limit=1)
        if episode is None:
            return False
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
    return True

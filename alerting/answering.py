"""Answers by the link of a notice: what it stands for, and taking responsibility by it, once."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from alerting.acting import ActError
from alerting.acts import acknowledge
from alerting.desk import QUERIES
from alerting.episodes import Act as EpisodeAct
from alerting.episodes import IllegalAct, move_for
from alerting.link import BadToken, Linking, Token, bound_of, is_signed, taken_apart
from alerting.moving import standing_of

CHANNEL = "link"


class LinkState(StrEnum):
    """What a link is good for now."""

    GOOD = "good"
    DONE = "done"
    FORGED = "forged"
    USED = "used"
    ANEW = "anew"
    ANSWERED = "answered"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a link leads to; `notice` is a row of the query `linked`, None where the link is forged."""

    state: LinkState
    notice: Any | None = None


def look(connection: psycopg.Connection[Any], token: str, *, linking: Linking, now: datetime) -> Found:
    """Say what a link is good for; nothing is written, however often it is fetched."""
    try:
        apart = taken_apart(token)
    except BadToken:
        return Found(state=LinkState.FORGED)
    cursor = connection.cursor(row_factory=namedtuple_row)
    notice = cursor.execute(QUERIES["linked"], {"notice_id": apart.notice_id}).fetchone()
    if notice is None or not is_signed(linking.keys, apart, bound_of(notice)):
        return Found(state=LinkState.FORGED)
    return Found(state=_state(connection, notice, apart, now), notice=notice)


def answer(connection: psycopg.Connection[Any], token: str, *, linking: Linking, now: datetime, link: str) -> Found:
    """Take responsibility by a link, or answer a test; the mark on the link and the act are one transaction.

    Gives DONE, or why not. `link` is the console's address, for notices.
    """
    try:
        with connection.transaction():
            found = look(connection, token, linking=linking, now=now)
            if found.notice is None or found.state is not LinkState.GOOD:
                return found
            notice = found.notice
            if notice.page_test_id is not None:
                _answer_test(connection, notice, now)
                return Found(state=LinkState.DONE, notice=notice)
            # Whoever moves the episode waits from here on; what was seen before is looked at again.
            connection.execute(QUERIES["lock_episode"], {"episode_id": notice.episode_id, "now": now})
            found = look(connection, token, linking=linking, now=now)
            if found.state is not LinkState.GOOD:
                return found
            connection.execute(QUERIES["use_link"], {"notice_id": notice.notice_id, "now": now})
            acknowledge(
                connection,
                episode_id=notice.episode_id,
                person_id=notice.person_id,
                channel=CHANNEL,
                now=now,
                link=link,
            )
    except ActError:
        return Found(state=LinkState.ANSWERED, notice=notice)
    return Found(state=LinkState.DONE, notice=notice)


def _state(connection: psycopg.Connection[Any], notice: Any, token: Token, now: datetime) -> LinkState:
    """Say the first thing that stands against it; a used link stays used whatever else became of its episode."""
    if notice.link_used_at is not None:
        return LinkState.USED
    if notice.alarmed_anew:
        return LinkState.ANEW
    if notice.episode_id is not None and not _can_acknowledge(connection, notice, now):
        return LinkState.ANSWERED
    if token.expires_at <= now or (notice.test_until is not None and notice.test_until <= now):
        return LinkState.EXPIRED
    return LinkState.GOOD


def _can_acknowledge(connection: psycopg.Connection[Any], notice: Any, now: datetime) -> bool:
    cursor = connection.cursor(row_factory=namedtuple_row)
    episode = cursor.execute(QUERIES["standing"], {"episode_id": notice.episode_id, "now": now}).fetchone()
    try:
        move_for(standing_of(episode), EpisodeAct.ACKNOWLEDGE, service_tier=notice.service_tier)
    except IllegalAct:
        return False
    return True


def _answer_test(connection: psycopg.Connection[Any], notice: Any, now: datetime) -> None:
    values = {"page_test_id": notice.page_test_id, "person_id": notice.person_id, "now": now}
    connection.execute(QUERIES["answer_test"], values)

"""Follows one episode from the reading that decided it to its end: each link with its instant, and what is missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from alerting.desk import Desk


class Link(StrEnum):
    """What has to happen, in order; from REFERRED on only where a patient is referred."""

    READING = "reading"
    STORED = "stored"
    JUDGED = "judged"
    EPISODE = "episode"
    NOTICE = "notice"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    DECIDED = "decided"
    REFERRED = "referred"
    ACCEPTED = "accepted"
    DEPARTED = "departed"
    ARRIVED = "arrived"
    ANSWERED = "answered"
    RETURNED = "returned"
    CLOSED = "closed"


REFERRAL = (Link.REFERRED, Link.ACCEPTED, Link.DEPARTED, Link.ARRIVED, Link.ANSWERED, Link.RETURNED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """One link: when it happened (None: not yet) and what is known of it."""

    link: Link
    at: datetime | None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """An episode's chain. `missing` is the first link that has not happened; `due_at` when somebody is told of that.

    `silence`: what holds its pages back now, where something does.
    """

    episode_id: int
    rule: str
    whose: str
    state: str
    links: tuple[Traced, ...]
    missing: Link | None
    due_at: datetime | None
    silence: str = ""


def trace(desk: Desk, episode_id: int) -> Trace | None:
    """Read an episode's chain; None where there is no such episode."""
    episode = desk.one("traced_episode", episode_id=episode_id)
    if episode is None:
        return None
    referral = desk.one("traced_referral", episode_id=episode_id)
    links = chain(episode, referral)
    missing = next((each.link for each in links if each.at is None), None)
    silence = desk.one("traced_silence", episode_id=episode_id, now=desk.now)
    return Trace(
        episode_id=episode_id,
        rule=episode.rule,
        whose=episode.whose,
        state=episode.state,
        links=tuple(links),
        missing=missing,
        due_at=referral.due_at if referral is not None and missing in REFERRAL else episode.due_at,
        silence=""
        if silence is None
        else f"silenced until {silence.until:%F %T} UTC by {silence.set_by}: {silence.reason}"
        f" (silence {silence.silence_id})",
    )


def chain(episode: Any, referral: Any | None) -> Sequence[Traced]:
    """Order what is known of an episode and its referral as links (core).

    What a later link proves is not missing: a decision without an acknowledgement of its own was taken on by whoever
    decided; a technical alarm is decided by no reading of a patient, nor is one that the clock or a person raised.
    """
    links = [
        Traced(link=Link.READING, at=episode.raised_at, detail=episode.rule),
        Traced(link=Link.STORED, at=episode.stored_at),
        Traced(link=Link.JUDGED, at=episode.detected_at),
        Traced(link=Link.EPISODE, at=episode.opened_at, detail=f"alarmed {episode.alarms} times"),
        Traced(link=Link.NOTICE, at=episode.noticed_at, detail=f"{episode.notices} notices"),
        Traced(link=Link.DELIVERED, at=episode.delivered_at, detail=_delivered(episode)),
        Traced(link=Link.ACKNOWLEDGED, at=episode.acknowledged_at, detail=episode.acknowledged_by or ""),
        Traced(link=Link.DECIDED, at=episode.decided_at, detail=episode.decision or ""),
    ]
    if referral is not None:
        answered = referral.admitted_at or referral.discharged_at
        ended = "" if referral.ended_as in (None, "return") else f"ended: {referral.ended_as}"
        links += [
            Traced(
                link=Link.REFERRED, at=referral.opened_at, detail=f"by {referral.clause}, {referral.refusals} refused"
            ),
            Traced(link=Link.ACCEPTED, at=referral.accepted_at, detail=referral.facility or ""),
            Traced(link=Link.DEPARTED, at=referral.departed_at or referral.arrived_at),
            Traced(link=Link.ARRIVED, at=referral.arrived_at),
            Traced(link=Link.ANSWERED, at=answered),
            Traced(link=Link.RETURNED, at=referral.returned_at, detail=ended),
        ]
        if ended:
            links = [each for each in links if each.link not in REFERRAL or each.at is not None]
        if referral.departed_at or referral.arrived_at:  # an ambulance does not wait for a hospital's word
            links = [each for each in links if each.link is not Link.ACCEPTED or each.at is not None]
    if episode.technical or episode.by_no_reading:
        links = [each for each in links if each.link not in (Link.READING, Link.STORED)]
    if episode.state == "closed":
        links = [each for each in links if each.at is not None]
    return [*links, Traced(link=Link.CLOSED, at=episode.closed_at, detail=episode.closed_by or "")]


def _delivered(episode: Any) -> str:
    """Say how notices were delivered: by themselves, or by another that speaks of them (docs/notices.md)."""
    said = f"{episode.delivered} accepted by their channel"
    if not episode.gathered:
        return said
    by = ", ".join(str(each) for each in episode.gathered_by)
    return f"{said}, {episode.gathered} told by notice {by} that gathers several"

"""Writes a referral's steps into the episode's history and pages those whose turn it is."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from alerting.cases.transfer import Consequence, Event, Stage, Step, clock_of
from alerting.cases.transfer_words import CALL_120, REFUSED, TURNED_AWAY, words_of
from alerting.desk import Desk
from alerting.episodes import EVERYBODY, Audience, State
from alerting.moving import add_event, consequence_of, whose_is
from alerting.paging import Page, Told, page
from alerting.profile.profile import Priority
from alerting.words import Text
from care.referral import Vehicle

BY_120 = (Audience.FAMILY_DOCTOR, Audience.COUNTY_EXPERT, Audience.HOUSEHOLD)
"""Who is told that a person has to call 120 now."""


def tell(
    desk: Desk,
    referral: Any,
    episode: Any,
    step: Step,
    *,
    kind: str,
    person_id: int | None,
    channel: str = "",
    told: Told | None = None,
) -> None:
    """Write the step into the episode's history and page those whose turn it is; `told`: whom its episodes have.

    While the episode rings to everybody, a chase tells those alone whom that does not reach.
    """
    told = set() if told is None else told
    event_id = add_event(
        desk,
        episode.episode_id,
        kind="referral",
        actor_id=person_id,
        channel=channel,
        detail={"event": kind, "stage": referral.stage, "facility_id": referral.facility_id},
    )
    words = words_of(step.to, Event(kind) if kind != "opened" else Event.OFFER, within=_within(desk, referral, step))
    is_offer, by_120 = step.to is Stage.OFFERED, referral.vehicle == Vehicle.EMS_120
    parts: dict[Text, list[Audience]] = {}
    rings = step.consequence is Consequence.EXHAUST and episode.state == State.EXHAUSTED
    for audience in step.page:
        if (audience is Audience.TRANSPORT and by_120) or (rings and audience in EVERYBODY):
            continue
        is_reported = audience is Audience.AUTHORITY
        text = words if audience is Audience.RECEIVER or not is_offer else REFUSED if is_reported else TURNED_AWAY
        parts.setdefault(text, []).append(audience)
    for part, (text, audiences) in enumerate(parts.items()):
        _page(desk, referral, episode, audiences, text, event_id=event_id, part=part, told=told)


def tell_to_call_120(desk: Desk, referral: Any, episode: Any, *, person_id: int, told: Told) -> None:
    """Page those who have to call 120 now: software never does. Adds them to whom the decision has told."""
    event_id = add_event(desk, episode.episode_id, kind="call_120", actor_id=person_id)
    _page(desk, referral, episode, BY_120, CALL_120, event_id=event_id, told=told)


def _within(desk: Desk, referral: Any, step: Step) -> timedelta | None:
    return clock_of(step.clock, desk.profile.timers[Priority(referral.priority)]) if step.clock else None


def _page(
    desk: Desk,
    referral: Any,
    episode: Any,
    audiences: Sequence[Audience],
    words: Text,
    *,
    event_id: int | None,
    part: int = 0,
    told: Told,
) -> None:
    page(
        desk,
        Page(
            episode_id=episode.episode_id,
            event_id=event_id or 0,
            part=part,
            step=episode.step,
            consequence=consequence_of(desk, episode),
            whose=whose_is(desk, episode),
            since=episode.since,
            audiences=tuple(audiences),
            facility_id=referral.facility_id,
            words=words,
            path=f"/referrals#referral-{referral.referral_id}",
        ),
        told=told,
    )

"""Turns a page into notice rows, in the transaction that decided it: who is on duty, which channels, what it says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alerting.desk import Desk, json
from alerting.episodes import Audience
from alerting.profile import Consequence, Priority
from alerting.words import body, household_body, title
from care.duty import PersonOnDuty, family_doctor, on_duty

CONSOLE = "console:"
"""The channel of a person who has no other: the inbox alone."""

_FALLBACKS = {
    Audience.FAMILY_DOCTOR: Audience.TOWNSHIP_DUTY,
    Audience.TOWNSHIP_DUTY: Audience.COUNTY_EXPERT,
    Audience.COUNTY_EXPERT: Audience.OPERATIONS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One move's message: to whom, about which episode. `event_id` is the move's own and makes the keys unique."""

    episode_id: int
    event_id: int
    step: int
    consequence: Consequence
    patient: Any
    since: Any
    audiences: tuple[Audience, ...]
    by_act: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipient:
    person_id: int | None
    name: str
    service_tier: int
    channels: tuple[str, ...]
    text: str


def page(desk: Desk, message: Page) -> int:
    """Write the notices of a page and say how many; an audience with nobody falls through and is recorded."""
    written = 0
    seen: set[tuple[int | None, str]] = set()
    head = title(message.consequence, initials=message.patient.initials, bed=message.patient.bed)
    for audience in message.audiences:
        for recipient in _recipients(desk, message, audience):
            if (recipient.person_id, recipient.name) in seen:
                continue
            seen.add((recipient.person_id, recipient.name))
            for number, channel in enumerate(recipient.channels or (CONSOLE,)):
                written += _write(desk, message, recipient, channel, number, head)
    return written


def _write(desk: Desk, message: Page, to: _Recipient, channel: str, number: int, head: str) -> int:
    worklist = channel == CONSOLE or message.consequence.priority is Priority.LOW
    return desk.run(
        "insert_notice",
        episode_id=message.episode_id,
        key=f"{message.episode_id}:{message.event_id}:{to.person_id or 'household'}:{number}",
        recipient_id=to.person_id,
        recipient=to.name,
        service_tier=to.service_tier,
        step=message.step,
        channel_url=CONSOLE if worklist else channel,
        title=head,
        body=to.text,
        now=desk.now,
        due_at=None if worklist else desk.now,
        sent_at=desk.now if worklist else None,
        outcome="shown in the console" if worklist else "",
    )


def _recipients(desk: Desk, message: Page, audience: Audience) -> Sequence[_Recipient]:
    if audience is Audience.HOUSEHOLD:
        return _household(message)
    asked: Audience = audience
    people = _people(desk, message, asked)
    while not people and asked in _FALLBACKS:
        asked = _FALLBACKS[asked]
        people = _people(desk, message, asked)
    if asked is not audience or not people:
        desk.one(
            "insert_event",
            episode_id=message.episode_id,
            at=desk.now,
            kind="nobody_on_duty",
            actor_id=None,
            channel="",
            from_state=None,
            to_state=None,
            detail=json({"wanted": audience, "paged_instead": asked if people else None}),
            key=None,
        )
    text = body(
        step=message.step,
        since=message.since,
        time_zone=message.patient.time_zone,
        link=f"{desk.link}/episodes/{message.episode_id}",
        by_act=message.by_act,
    )
    return [
        _Recipient(
            person_id=person.person_id,
            name=person.name,
            service_tier=person.service_tier,
            channels=tuple(person.channels),
            text=text,
        )
        for person in people
    ]


def _people(desk: Desk, message: Page, audience: Audience) -> Sequence[PersonOnDuty]:
    if audience is Audience.FAMILY_DOCTOR:
        doctor = family_doctor(desk.connection, message.patient.patient_id)
        return [doctor] if doctor else []
    return on_duty(desk.connection, message.patient.organisation_id, audience.value, desk.now)


def _household(message: Page) -> Sequence[_Recipient]:
    if message.consequence.priority is not Priority.HIGH:
        return []
    text = household_body(initials=message.patient.initials, emergency=message.consequence.emergency)
    return [
        _Recipient(
            person_id=None,
            name=message.patient.bed or message.patient.initials,
            service_tier=0,
            channels=tuple(message.patient.household_channels),
            text=text,
        )
    ]

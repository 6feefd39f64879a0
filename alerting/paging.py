"""Turns a page into notice rows, in the transaction that decided it: who is on duty, which channels, what it says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from alerting.addressing import Kind, instead, kind_of
from alerting.addressing import told as whom
from alerting.desk import Desk
from alerting.episodes import Audience
from alerting.outcomes import Outcome
from alerting.profile.profile import Consequence, Priority
from alerting.throttle import ALARMS, may_wait
from alerting.words import ASKING, Text, body, household_body, title
from care.duty import PersonOnDuty, coordinators, family_doctors, on_duty

REFERRAL_DESK = "referral_desk"
SAID_TO_ALL = frozenset({"acknowledge", "referral_stuck"})
"""Acts that every audience reads of, not the family doctor alone."""

URGENCY = {Priority.HIGH: 0, Priority.MEDIUM: 1, Priority.LOW: 2}
"""In which order notices go out."""

CONSOLE = "console:"
"""The channel of a person who has no other: the inbox alone."""

Told = set[tuple[int | None, str]]
"""Whom an event has told already: by number and name, a household's people by their place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One move's message: to whom, about which episode. `event_id` is the move's own and makes the keys unique.

    A move that says different things to different audiences has a `part` for each.

    `whose` is a row of `patient`, or of `site` for an alarm that is no patient's. `words` stand in place of the step's
    where a referral speaks, and `facility_id` is the hospital that it asks.
    """

    episode_id: int
    event_id: int
    step: int
    consequence: Consequence
    whose: Any
    since: Any
    audiences: tuple[Audience, ...]
    act: str = ""
    part: int = 0
    facility_id: int | None = None
    words: Text | None = None
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipient:
    """`place` counts a household's people; `number` is that of the first channel; `waits`: goes later, if at all."""

    person_id: int | None
    name: str
    audience: Audience
    service_tier: int
    channels: tuple[str, ...]
    text: str
    place: int = 0
    number: int = 0
    waits: timedelta | None = None


def page(desk: Desk, message: Page, *, told: Told | None = None) -> int:
    """Write the notices of a page and say how many; an audience with nobody falls through and is recorded."""
    return page_all(desk, [message], told=told)


def page_all(desk: Desk, messages: Sequence[Page], *, told: Told | None = None) -> int:
    """Write the notices of several pages together and say how many; none of an alarm that somebody has silenced.

    `told`: all are of one event, whom it has told already is not told again, and whom these tell is added.
    """
    people = _People(desk, messages)
    silent = hold_back(desk, [message.episode_id for message in messages if _may_be_silent(message)])
    heard = [message for message in messages if message.episode_id not in silent or not _may_be_silent(message)]
    notices = [row for message in heard for row in _notices(desk, message, people, told)]
    desk.write("insert_events", people.unfilled)
    return len(desk.write("insert_notices", notices))


def hold_back(desk: Desk, episodes: Sequence[int]) -> frozenset[int]:
    """Give which of these episodes page nobody now, as a person has silenced them; where that begins it is recorded."""
    if not episodes:
        return frozenset()
    held = desk.all("hold_pages_back", episodes=list(episodes), now=desk.now)
    begun = [
        {
            "episode_id": row.episode_id,
            "at": desk.now,
            "kind": "silenced",
            "channel": "",
            "detail": {"silence": row.silence_id},
        }
        for row in held
        if row.begins
    ]
    desk.write("insert_events", begun)
    return frozenset(row.episode_id for row in held)


def _may_be_silent(message: Page) -> bool:
    """What is high is never silent; nor is what somebody did, or a referral: that an alarm rings is."""
    consequence = message.consequence
    return (
        consequence.priority is not Priority.HIGH
        and not consequence.emergency
        and message.act in ALARMS
        and (message.words is None or consequence.technical)
    )


def _notices(desk: Desk, message: Page, people: "_People", told: Told | None) -> Iterator[dict[str, Any]]:
    seen: Told = set() if told is None else told
    head = title(message.consequence, initials=message.whose.initials, bed=message.whose.bed)
    for audience in whom(kind_of(message.consequence), message.audiences):
        for recipient in _recipients(desk, message, audience, people):
            who = (recipient.person_id, recipient.name if recipient.person_id else f"{audience} {recipient.place}")
            if who in seen:
                continue
            seen.add(who)
            for number, channel in enumerate(recipient.channels or (CONSOLE,), recipient.number):
                yield _row(desk, message, recipient, channel, number, head)


def ask_household(desk: Desk, patient_id: int, text: Text, *, key: str, good_until: datetime) -> int:
    """Write what a household is asked, over each of its channels; gives how many. Without one, nobody is told.

    Contacts are asked where the household has no channel, or where its last one refuses.
    """
    patient = desk.one("patient", patient_id=patient_id)
    if patient is None:
        return 0
    return sum(
        desk.run(
            "ask_household",
            patient_id=patient_id,
            good_until=good_until,
            key=f"{key}:{number}",
            recipient=home.name,
            channel_url=channel,
            title=f"{ASKING.zh} {ASKING.en}: {patient.initials} {patient.bed}".rstrip(),
            body=f"{text.zh}\n{text.en}",
            now=desk.now,
            due_at=None if channel == CONSOLE or home.place else desk.now,
            outcome=_Fate.NO_CHANNEL if channel == CONSOLE else _Fate.IN_RESERVE if home.place else _Fate.SENT,
        )
        for home in _people_at_home(patient)
        for number, channel in enumerate(home.channels or (CONSOLE,), home.number)
    )


def _row(desk: Desk, message: Page, to: _Recipient, channel: str, number: int, head: str) -> dict[str, Any]:
    fate = _fate(message, to, channel)
    if fate is _Fate.SENT and number:
        fate = _Fate.IN_RESERVE
    waits = to.waits if number == to.number else None
    return {
        "episode_id": message.episode_id,
        "key": f"{message.episode_id}:{message.event_id}.{message.part}:{to.person_id or 'household'}:{number}",
        "recipient_id": to.person_id,
        "recipient": to.name,
        "audience": to.audience,
        "service_tier": to.service_tier,
        "step": message.step,
        "channel_url": channel if fate in (_Fate.SENT, _Fate.IN_RESERVE) else CONSOLE,
        "title": head,
        "body": to.text,
        "created_at": desk.now,
        "due_at": desk.now if fate is _Fate.SENT else desk.now + waits if waits else None,
        "unless_answered": waits is not None,
        "sent_at": desk.now if fate is _Fate.WORKLIST else None,
        "outcome": fate.value,
        "urgency": URGENCY[message.consequence.priority],
        "is_alarm": message.words is None and message.act in ALARMS,
        "may_wait": may_wait(
            message.consequence,
            to.audience,
            step=message.step,
            act=message.act,
            is_referral=message.words is not None,
        ),
    }


class _Fate(StrEnum):
    """What becomes of a notice; the value is its first outcome."""

    SENT = ""
    WORKLIST = Outcome.IN_CONSOLE.value
    NO_CHANNEL = Outcome.NO_CHANNEL.value
    IN_RESERVE = Outcome.IN_RESERVE.value


NO_CHANNEL = _Fate.NO_CHANNEL.value
IN_RESERVE = _Fate.IN_RESERVE.value
"""The outcome of a notice that is sent only where the channel before it, in the person's order, refuses."""


def _fate(message: Page, to: _Recipient, channel: str) -> _Fate:
    """Low priority is for the worklist, but a household is told; a household without a channel has to be phoned."""
    if to.audience is Audience.HOUSEHOLD:
        return _Fate.NO_CHANNEL if channel == CONSOLE else _Fate.SENT
    low = message.consequence.priority is Priority.LOW and message.words is None
    return _Fate.WORKLIST if low or channel == CONSOLE else _Fate.SENT


def _recipients(desk: Desk, message: Page, audience: Audience, people: "_People") -> Sequence[_Recipient]:
    if audience is Audience.HOUSEHOLD:
        return _household(desk, message)
    asked: list[Audience] = [audience]
    found = people.of(message, audience)
    kind = kind_of(message.consequence)
    while not found and (other := instead(kind, asked[-1], asked=asked)) is not None:
        asked.append(other)
        found = people.of(message, other)
    if asked[1:] or not found:
        people.note_unfilled(message, wanted=audience, instead=asked[-1] if found else None)
    text = body(
        step=message.step,
        since=message.since,
        time_zone=message.whose.time_zone,
        kind=kind,
        link=desk.link + (message.path or f"/episodes/{message.episode_id}"),
        act=message.act if audience is Audience.FAMILY_DOCTOR or message.act in SAID_TO_ALL else "",
        words=message.words,
    )
    return [
        _Recipient(
            person_id=person.person_id,
            name=person.name,
            audience=audience,
            service_tier=person.service_tier,
            channels=tuple(person.channels),
            text=text,
        )
        for person in found
    ]


class _People:
    """Who is on duty, asked once for all pages of one transaction. `unfilled`: lines of history, where nobody is."""

    def __init__(self, desk: Desk, messages: Sequence[Page]) -> None:
        self._desk = desk
        self._patients = [message.whose for message in messages if message.whose.patient_id is not None]
        self._doctors: dict[int, PersonOnDuty] | None = None
        self.unfilled: list[dict[str, Any]] = []
        self._known: dict[tuple[Audience, Kind, int | None, int | None], Sequence[PersonOnDuty]] = {}

    def of(self, message: Page, audience: Audience) -> Sequence[PersonOnDuty]:
        """Give who is to be told, as far as anybody is."""
        whose = message.whose
        place = message.facility_id if audience is Audience.RECEIVER else whose.organisation_id
        doctor_id = whose.family_doctor_id if audience is Audience.FAMILY_DOCTOR else None
        key = (audience, kind_of(message.consequence), place, doctor_id)
        if key not in self._known:
            self._known[key] = self._ask(message, audience)
        return self._known[key]

    def note_unfilled(self, message: Page, *, wanted: Audience, instead: Audience | None) -> None:
        """Note that nobody holds a duty, and who is told in place."""
        self.unfilled.append(
            {
                "episode_id": message.episode_id,
                "at": self._desk.now,
                "kind": "nobody_on_duty",
                "channel": "",
                "detail": {"wanted": wanted, "paged_instead": instead},
            }
        )

    def _ask(self, message: Page, audience: Audience) -> Sequence[PersonOnDuty]:
        connection, now = self._desk.connection, self._desk.now
        if audience is Audience.RECEIVER:
            return on_duty(connection, message.facility_id, REFERRAL_DESK, now) if message.facility_id else []
        if audience is Audience.FAMILY_DOCTOR:
            if self._doctors is None:
                self._doctors = family_doctors(
                    connection, sorted({each.family_doctor_id for each in self._patients}), now
                )
            doctor = self._doctors.get(message.whose.family_doctor_id)
            return [doctor] if doctor else []
        found = on_duty(connection, message.whose.organisation_id, audience.value, now)
        if audience is Audience.OPERATIONS and kind_of(message.consequence) is Kind.ROSTER:
            return [*found, *coordinators(connection, message.whose.organisation_id, now)]
        return found


def _household(desk: Desk, message: Page) -> Sequence[_Recipient]:
    """Tell a household of a high alarm, and of a device that gives no data (CLINICAL 6.2, 6.4).

    Its own channels first, then its contacts in order: the next where one can not be reached, and of an alarm that
    nobody has answered in the time after which the township's duty is told. A referral's word waits for no answer.
    """
    consequence = message.consequence
    if consequence.priority is not Priority.HIGH and not consequence.technical and message.words is None:
        return []
    text = household_body(consequence, initials=message.whose.initials)
    if message.words is not None:
        text = f"{message.words.zh}\n{message.words.en}"
    step = timedelta(seconds=desk.profile.timers[consequence.priority].duty_s)
    return [
        _Recipient(
            person_id=None,
            name=home.name,
            audience=Audience.HOUSEHOLD,
            service_tier=0,
            channels=home.channels,
            text=text,
            place=home.place,
            number=home.number,
            waits=home.place * step if home.place and message.words is None else None,
        )
        for home in _people_at_home(message.whose)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _AtHome:
    """A household's own channels, or a contact's: `place` in the order, `number` of its first channel among all."""

    place: int
    number: int
    name: str
    channels: tuple[str, ...]


def _people_at_home(patient: Any) -> Sequence[_AtHome]:
    """List whom to tell at home of a row of `patient` or `site`, in order; nobody's channels where there are none."""
    called = patient.bed or patient.initials
    found: list[_AtHome] = []
    number = 0
    for name, channels in patient.household or [["", []]]:
        found.append(_AtHome(place=len(found), number=number, name=name or called, channels=tuple(channels)))
        number += len(channels)
    return found

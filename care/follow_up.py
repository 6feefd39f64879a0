"""Follow-up of a patient who is observed at home: when the next contact is due, what is asked, what a contact changes.

Source: NHC-JPCM work plan of 2022-12, service tier 2: primary care follows up every 3 days, denser on demand, until
observation at home has ended (CLINICAL 0, 5). It names no criterion for the end: a person ends it and says as what.
Due times count local days of the patient's place. An attempt that reaches nobody postpones nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

NOTE_CHARACTERS_MAX = 2000
WORDS_CHARACTERS_MAX = 40
"""Of a temperature or a saturation as it was read out: words, no reading."""

TRIES_MAX = 3
"""D: so many attempts in a row without reaching anybody, then somebody is to go there."""

TRY_AGAIN_AFTER = timedelta(hours=2)
"""D."""

LONG_OVERDUE = timedelta(days=1)

NOON, EVENING = time(12), time(20)
"""D: by when, local time, a contact should have been made; the phone does not ring at night."""

APART_MIN = timedelta(hours=6)
"""D: of two contacts a day, the later counts for the next slot that is so far away."""


class Cadence(StrEnum):
    """How often a patient is contacted."""

    TWICE_A_DAY = "twice_a_day"
    DAILY = "daily"
    EVERY_2_DAYS = "every_2_days"
    EVERY_3_DAYS = "every_3_days"


STANDARD = Cadence.EVERY_3_DAYS
"""The work plan's."""

DAYS = {Cadence.DAILY: 1, Cadence.EVERY_2_DAYS: 2, Cadence.EVERY_3_DAYS: 3}


class Way(StrEnum):
    """How a contact was made; REPORT: the household wrote or a wearable's answer came by itself."""

    PHONE = "phone"
    VIDEO = "video"
    VISIT = "visit"
    REPORT = "report"


class Sign(StrEnum):
    """A warning sign: yes to any of them needs a decision now (CLINICAL 2.1, danger signs)."""

    BREATHLESS = "breathless"
    PAIN = "pain"
    CYANOSIS = "cyanosis"
    CONFUSED = "confused"
    DROWSY = "drowsy"
    NO_SPEECH = "no_speech"
    SEIZURE = "seizure"
    NO_INTAKE = "no_intake"
    LASTING_FEVER = "lasting_fever"
    DISEASE_WORSE = "disease_worse"


class Answer(StrEnum):
    """What was answered; what was not asked is not there."""

    YES = "yes"
    NO = "no"


class Antigen(StrEnum):
    """Result of a rapid antigen test."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    INVALID = "invalid"


class EndedAs(StrEnum):
    """As what a follow-up ended."""

    RECOVERED = "recovered"
    ADMITTED = "admitted"
    DIED = "died"
    MOVED = "moved"
    REFUSED = "refused"


class Decision(StrEnum):
    """What a person decided on a contact's warning signs."""

    ALARM = "alarm"
    NO_ALARM = "no_alarm"


class Lateness(StrEnum):
    """How a due instant lies to now, the latest first."""

    LONG_OVERDUE = "long_overdue"
    OVERDUE = "overdue"
    TODAY = "today"
    COMING = "coming"


class FollowUpRefused(ValueError):
    """This can not be said of the follow-up; the message names what, and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where it stands. `anchor`: the last contact that reached somebody, or the opening; `tries`: attempts since."""

    cadence: Cadence
    due_at: datetime
    anchor: datetime
    tries: int = 0

    @property
    def needs_visit(self) -> bool:
        """Say whether this attempt was the one after which somebody is to go there."""
        return self.tries == TRIES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One contact or attempt. `temperature` and `spo2` are words that were read out: no readings, never judged."""

    way: Way
    reached: bool
    signs: Mapping[Sign, Answer]
    temperature: str = ""
    spo2: str = ""
    antigen: Antigen | None = None
    antigen_at: datetime | None = None
    note: str = ""

    @property
    def warning_signs(self) -> tuple[Sign, ...]:
        """Give the signs that were answered with yes."""
        return tuple(sign for sign in Sign if self.signs.get(sign) is Answer.YES)

    @property
    def is_all_clear(self) -> bool:
        """Say whether every sign was asked and none is there; what was not asked is no all-clear."""
        return all(self.signs.get(sign) is Answer.NO for sign in Sign)


def begun(cadence: Cadence, *, now: datetime, zone: ZoneInfo) -> Standing:
    """Begin a follow-up: what opened it counts as its first contact."""
    return Standing(cadence=cadence, due_at=next_due(cadence, after=now, zone=zone), anchor=now)


def next_due(cadence: Cadence, *, after: datetime, zone: ZoneInfo) -> datetime:
    """Give when the contact after one at `after` is due, in UTC."""
    there = after.astimezone(zone)
    if cadence in DAYS:
        return _at(there.date() + timedelta(days=DAYS[cadence]), EVENING, zone)
    earliest = after + APART_MIN
    days = (there.date() + timedelta(days=each) for each in range(3))
    return next(slot for day in days for clock in (NOON, EVENING) if (slot := _at(day, clock, zone)) >= earliest)


def after_contact(standing: Standing, *, reached: bool, at: datetime, zone: ZoneInfo) -> Standing:
    """Carry a contact out on paper. Nobody reached: again in two hours by day, and no later than was due before."""
    if reached:
        due_at = next_due(standing.cadence, after=at, zone=zone)
        return replace(standing, due_at=due_at, anchor=at, tries=0)
    return replace(standing, due_at=min(standing.due_at, again_at(at, zone)), tries=standing.tries + 1)


def after_change(standing: Standing, cadence: Cadence, *, now: datetime, zone: ZoneInfo) -> Standing:
    """Change how often: counted from the last contact, due no earlier than the next slot; what is overdue stays so."""
    if standing.due_at <= now:
        return replace(standing, cadence=cadence)
    due_at = max(next_due(cadence, after=standing.anchor, zone=zone), _next_slot(cadence, now, zone))
    return replace(standing, cadence=cadence, due_at=due_at)


def again_at(at: datetime, zone: ZoneInfo) -> datetime:
    """Give when to try again, in UTC: in two hours, the same day while it is day, else by noon of the next."""
    there = at.astimezone(zone)
    if there.time() < EVENING:
        return min(at + TRY_AGAIN_AFTER, _at(there.date(), EVENING, zone))
    return _at(there.date() + timedelta(days=1), NOON, zone)


def lateness(due_at: datetime, now: datetime, zone: ZoneInfo) -> Lateness:
    """Say how late a contact is; what is due today is so by the day where the patient lives."""
    if due_at <= now:
        return Lateness.LONG_OVERDUE if now - due_at > LONG_OVERDUE else Lateness.OVERDUE
    same_day = due_at.astimezone(zone).date() == now.astimezone(zone).date()
    return Lateness.TODAY if same_day else Lateness.COMING


def check(contact: Contact, *, now: datetime) -> None:
    """Refuse a contact that can not have been. Raises FollowUpRefused."""
    if contact.reached and contact.way is not Way.REPORT and not contact.signs and not contact.note.strip():
        raise FollowUpRefused("somebody was reached, and nothing was asked: answer the signs, or note why not")
    if not contact.reached and (contact.signs or contact.antigen or contact.temperature or contact.spo2):
        raise FollowUpRefused("nobody was reached, yet there are answers: say that somebody was reached")
    if contact.antigen_at is not None and contact.antigen is None:
        raise FollowUpRefused("an antigen test has a time and no result: choose positive, negative or invalid")
    if contact.antigen_at is not None and contact.antigen_at > now:
        raise FollowUpRefused(f"the antigen test was taken at {contact.antigen_at.isoformat()}, which is to come")
    for name, value in (("temperature", contact.temperature), ("SpO2", contact.spo2)):
        if len(value) > WORDS_CHARACTERS_MAX:
            raise FollowUpRefused(f"{name} as read out has at most {WORDS_CHARACTERS_MAX} characters, not {len(value)}")
    check_note(contact.note)


def check_note(note: str, *, needed_for: str = "") -> None:
    """Refuse a note that is too long, or not there where it is needed. Raises FollowUpRefused."""
    if len(note) > NOTE_CHARACTERS_MAX:
        raise FollowUpRefused(f"a note has at most {NOTE_CHARACTERS_MAX} characters; this one has {len(note)}")
    if needed_for and not note.strip():
        raise FollowUpRefused(f"{needed_for} needs a word on why: the next one will ask")


def _next_slot(cadence: Cadence, now: datetime, zone: ZoneInfo) -> datetime:
    today = now.astimezone(zone).date()
    clocks = (EVENING,) if cadence in DAYS else (NOON, EVENING)
    slots = (_at(today + timedelta(days=day), clock, zone) for day in range(2) for clock in clocks)
    return next(slot for slot in slots if slot > now)


def _at(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, tzinfo=zone).astimezone(ZoneInfo("UTC"))

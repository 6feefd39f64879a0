"""The way of a referral as a table: offered, accepted, under way, received, admitted, coming home; each with its clock.

Rules (CLINICAL 5.1, 6.1, 6.2):
- A hospital that refuses, or says nothing in its time, is passed by: the next one is offered at once, and the refusal
  is reported. When all have been asked, the county's team is, loudly, until it finds one or decides otherwise. Who has
  accepted or received a patient may still pass him on; then the vehicle and his doctors hear of it as well.
- An ambulance does not wait for a hospital's word: it may leave while one is asked, or while none is found, and a
  patient who is there has arrived, whatever was said before; where no hospital is named, who says so names it.
- Every stage but ENDED has a deadline. A missed one pages those whose turn it is and counts as a chase; after a few
  the episode is EXHAUSTED as well. No deadline ends a referral, and none takes a patient out of it.
- The loop is closed by a person: who came home is seen there, who died is said to have.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from alerting.episodes import Act, Audience, IllegalAct
from alerting.profile.profile import Timers


class Stage(StrEnum):
    """How far a referral has come."""

    OFFERED = "offered"
    UNPLACED = "unplaced"
    ACCEPTED = "accepted"
    IN_TRANSIT = "in_transit"
    RECEIVED = "received"
    ADMITTED = "admitted"
    RETURNING = "returning"
    ENDED = "ended"


class Event(StrEnum):
    """What can happen to a referral; DEADLINE is the system's, all others are said by a person."""

    DEADLINE = "deadline"
    ACCEPT = "accept"
    REJECT = "reject"
    OFFER = "offer"
    WITHDRAW = "withdraw"
    DEPART = "depart"
    ARRIVE = "arrive"
    ADMIT = "admit"
    STAYS = "stays"
    DISCHARGE = "discharge"
    RETURN = "return"
    DIED = "died"


class Side(StrEnum):
    """For whom somebody speaks: the hospital that is asked or has him, the county's team, primary care, vehicles."""

    RECEIVER = "receiver"
    COUNTY = "county"
    PRIMARY = "primary"
    TRANSPORT = "transport"


class Refusal(StrEnum):
    """Why a hospital does not take a patient. NO_ANSWER is the clock's; all are reported."""

    NO_BED = "no_bed"
    NO_CAPABILITY = "no_capability"
    NO_STAFF = "no_staff"
    NOT_INDICATED = "not_indicated"
    OTHER = "other"
    NO_ANSWER = "no_answer"


class Consequence(StrEnum):
    """What a step of the referral does to its episode."""

    NOTHING = "nothing"
    EXHAUST = "exhaust"
    TO_COUNTY = "to_county"
    TO_MONITOR = "to_monitor"
    CLOSE = "close"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One row: the next stage, who is paged, the name of its clock, what it does to the episode."""

    to: Stage
    page: tuple[Audience, ...] = ()
    clock: str = ""
    consequence: Consequence = Consequence.NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Chase:
    """What a missed deadline does: the stage stays; the first `quiet` of them leave the episode as it is."""

    step: Step
    quiet: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Referral:
    """Where a referral stands. `candidates_left`: hospitals that have not been asked yet."""

    stage: Stage
    candidates_left: int
    chases: int
    due_at: datetime | None


_COUNTY, _DESK, _DOCTOR, _HOUSE = Audience.COUNTY_EXPERT, Audience.RECEIVER, Audience.FAMILY_DOCTOR, Audience.HOUSEHOLD
_CARS, _AUTHORITY, _OPERATIONS = Audience.TRANSPORT, Audience.AUTHORITY, Audience.OPERATIONS

_OFFERED = Step(to=Stage.OFFERED, page=(_DESK,), clock="accept")
_NEXT = Step(to=Stage.OFFERED, page=(_DESK, _AUTHORITY), clock="accept")
_TURNED_AWAY = Step(to=Stage.OFFERED, page=(_DESK, _CARS, _COUNTY, _DOCTOR, _AUTHORITY), clock="accept")
_NOBODY_LEFT = Step(to=Stage.UNPLACED, page=(_COUNTY, _AUTHORITY, _OPERATIONS), clock="repeat")
_TURNED_AWAY_BY_ALL = Step(to=Stage.UNPLACED, page=(_COUNTY, _CARS, _DOCTOR, _AUTHORITY, _OPERATIONS), clock="repeat")
_ACCEPTED = Step(to=Stage.ACCEPTED, page=(_CARS, _DOCTOR, _HOUSE), clock="depart")
_UNDER_WAY = Step(to=Stage.IN_TRANSIT, page=(_DESK,), clock="arrive")
_RECEIVED = Step(to=Stage.RECEIVED, page=(_DOCTOR,), clock="feedback")
_ADMITTED = Step(to=Stage.ADMITTED, page=(_DOCTOR,), clock="stay")
_RETURNING = Step(to=Stage.RETURNING, page=(_DOCTOR,), clock="return")
_HOME = Step(to=Stage.ENDED, page=(_DOCTOR,), consequence=Consequence.TO_MONITOR)
_DIED = Step(to=Stage.ENDED, page=(_DOCTOR,), consequence=Consequence.CLOSE)
_WITHDRAWN = Step(to=Stage.ENDED, page=(_DESK, _CARS, _DOCTOR, _HOUSE), consequence=Consequence.TO_COUNTY)

_ANYONE = frozenset({Side.RECEIVER, Side.COUNTY, Side.PRIMARY})
_LEAVING = frozenset(Side)
_RECEIVING = frozenset({Side.RECEIVER, Side.COUNTY})
_BY_COUNTY = frozenset({Side.COUNTY})
_AT_HOME = frozenset({Side.PRIMARY, Side.COUNTY})
_FROM_HOME = _AT_HOME | {Side.TRANSPORT}

STEPS: dict[tuple[Stage, Event], tuple[frozenset[Side], Step]] = {
    (Stage.OFFERED, Event.ACCEPT): (_RECEIVING, _ACCEPTED),
    (Stage.OFFERED, Event.REJECT): (_RECEIVING, _NEXT),
    (Stage.OFFERED, Event.DEPART): (_LEAVING, _UNDER_WAY),
    (Stage.OFFERED, Event.ARRIVE): (_RECEIVING, _RECEIVED),
    (Stage.OFFERED, Event.WITHDRAW): (_BY_COUNTY, _WITHDRAWN),
    (Stage.OFFERED, Event.DIED): (_AT_HOME, _DIED),
    (Stage.UNPLACED, Event.OFFER): (_BY_COUNTY, _OFFERED),
    (Stage.UNPLACED, Event.DEPART): (_FROM_HOME, _UNDER_WAY),
    (Stage.UNPLACED, Event.ARRIVE): (_BY_COUNTY, _RECEIVED),
    (Stage.UNPLACED, Event.WITHDRAW): (_BY_COUNTY, _WITHDRAWN),
    (Stage.UNPLACED, Event.DIED): (_AT_HOME, _DIED),
    (Stage.ACCEPTED, Event.REJECT): (_RECEIVING, _TURNED_AWAY),
    (Stage.ACCEPTED, Event.WITHDRAW): (_BY_COUNTY, _WITHDRAWN),
    (Stage.ACCEPTED, Event.DEPART): (_LEAVING, _UNDER_WAY),
    (Stage.ACCEPTED, Event.ARRIVE): (_RECEIVING, _RECEIVED),
    (Stage.ACCEPTED, Event.DIED): (_ANYONE, _DIED),
    (Stage.IN_TRANSIT, Event.REJECT): (_RECEIVING, _TURNED_AWAY),
    (Stage.IN_TRANSIT, Event.WITHDRAW): (_BY_COUNTY, _WITHDRAWN),
    (Stage.IN_TRANSIT, Event.ARRIVE): (_RECEIVING, _RECEIVED),
    (Stage.IN_TRANSIT, Event.DIED): (_ANYONE, _DIED),
    (Stage.RECEIVED, Event.ADMIT): (_RECEIVING, _ADMITTED),
    (Stage.RECEIVED, Event.DISCHARGE): (_RECEIVING, _RETURNING),
    (Stage.RECEIVED, Event.REJECT): (_RECEIVING, _TURNED_AWAY),
    (Stage.RECEIVED, Event.WITHDRAW): (_BY_COUNTY, _WITHDRAWN),
    (Stage.RECEIVED, Event.DIED): (_RECEIVING, _DIED),
    (Stage.ADMITTED, Event.STAYS): (_RECEIVING, Step(to=Stage.ADMITTED, clock="stay")),
    (Stage.ADMITTED, Event.REJECT): (_RECEIVING, _TURNED_AWAY),
    (Stage.ADMITTED, Event.WITHDRAW): (_BY_COUNTY, _WITHDRAWN),
    (Stage.ADMITTED, Event.DISCHARGE): (_RECEIVING, _RETURNING),
    (Stage.ADMITTED, Event.DIED): (_RECEIVING, _DIED),
    (Stage.RETURNING, Event.RETURN): (_AT_HOME, _HOME),
    (Stage.RETURNING, Event.WITHDRAW): (_BY_COUNTY, _WITHDRAWN),
    (Stage.RETURNING, Event.DIED): (_ANYONE, _DIED),
}
"""Who may say what at which stage, and the step it makes."""

CHASES: dict[Stage, Chase] = {
    Stage.UNPLACED: Chase(step=_NOBODY_LEFT, quiet=0),
    Stage.ACCEPTED: Chase(step=Step(to=Stage.ACCEPTED, page=(_CARS, _DESK, _COUNTY), clock="chase"), quiet=1),
    Stage.IN_TRANSIT: Chase(step=Step(to=Stage.IN_TRANSIT, page=(_CARS, _DESK, _COUNTY), clock="chase"), quiet=1),
    Stage.RECEIVED: Chase(step=Step(to=Stage.RECEIVED, page=(_DESK, _COUNTY), clock="feedback"), quiet=3),
    Stage.ADMITTED: Chase(step=Step(to=Stage.ADMITTED, page=(_DESK, _COUNTY), clock="stay"), quiet=3),
    Stage.RETURNING: Chase(step=Step(to=Stage.RETURNING, page=(_DOCTOR, _COUNTY), clock="return"), quiet=1),
}
"""What a missed deadline does; that of OFFERED is a refusal."""


CLOCKS: dict[Stage, str] = {
    Stage.OFFERED: "accept",
    Stage.UNPLACED: "repeat",
    Stage.ACCEPTED: "depart",
    Stage.IN_TRANSIT: "arrive",
    Stage.RECEIVED: "feedback",
    Stage.ADMITTED: "stay",
    Stage.RETURNING: "return",
}
"""Which clock a stage begins with."""

ACT_OF: dict[Consequence, Act] = {
    Consequence.EXHAUST: Act.REFERRAL_STUCK,
    Consequence.TO_COUNTY: Act.REFERRAL_WITHDRAWN,
    Consequence.TO_MONITOR: Act.CAME_HOME,
    Consequence.CLOSE: Act.DIED,
}
"""What a step's consequence is called in the episode's own table."""


def first_step(candidates: int) -> Step:
    """Give how a referral begins: offered to the first hospital, or at once to nobody."""
    return _OFFERED if candidates else _NOBODY_LEFT


def begun(candidates: int, *, now: datetime, timers: Timers) -> Referral:
    """Give a referral's standing after its first step."""
    step = first_step(candidates)
    return Referral(
        stage=step.to,
        candidates_left=max(candidates - 1, 0),
        chases=0,
        due_at=now + clock_of(step.clock, timers),
    )


def step_for(standing: Referral, event: Event, *, side: Side | None = None) -> Step:
    """Find the step that an event makes; `side` None: the clock. Raises IllegalAct."""
    if standing.stage is Stage.ENDED:
        raise IllegalAct(f"the referral has ended: {event} is not possible any more")
    if event is Event.DEADLINE:
        return _missed(standing)
    found = STEPS.get((standing.stage, event))
    if found is None or side not in found[0]:
        raise IllegalAct(f"{event} by {side} is not possible while the referral is {standing.stage}")
    step = found[1]
    if standing.candidates_left or not passes_on(step):
        return step
    return _NOBODY_LEFT if step is _NEXT else _TURNED_AWAY_BY_ALL


def passes_on(step: Step) -> bool:
    """Say whether a step asks the next hospital."""
    return step is _NEXT or step is _TURNED_AWAY


def _missed(standing: Referral) -> Step:
    if standing.stage is Stage.OFFERED:
        return _NEXT if standing.candidates_left else _NOBODY_LEFT
    chase = CHASES[standing.stage]
    return replace(chase.step, consequence=Consequence.EXHAUST) if standing.chases >= chase.quiet else chase.step


def after_step(standing: Referral, event: Event, step: Step, *, now: datetime, timers: Timers) -> Referral:
    """Carry a step out on paper."""
    offers_next = passes_on(step)
    chases = standing.chases + 1 if event is Event.DEADLINE and step.to is standing.stage and not offers_next else 0
    return Referral(
        stage=step.to,
        candidates_left=standing.candidates_left - 1 if offers_next else standing.candidates_left,
        chases=chases,
        due_at=now + clock_of(step.clock, timers) if step.clock else None,
    )


def clock_of(clock: str, timers: Timers) -> timedelta:
    """Give how long a stage may take, by its clock's name."""
    seconds = {
        "accept": timers.accept_s,
        "depart": timers.depart_s,
        "arrive": timers.arrive_s,
        "chase": timers.chase_s,
        "repeat": timers.repeat_s,
        "feedback": timers.feedback_s,
        "stay": timers.stay_s,
        "return": timers.return_s,
    }
    return timedelta(seconds=seconds[clock])


def possible_events(standing: Referral, side: Side) -> list[Event]:
    """List what somebody may say now, in the order of the table."""
    if standing.stage is Stage.ENDED:
        return []
    return [event for (stage, event), (sides, _) in STEPS.items() if stage is standing.stage and side in sides]

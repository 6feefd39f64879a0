"""The life of an episode as a table: every state, every act, where it leads, who is paged, when it must move on.

Rules (CLINICAL section 6, ARCHITECTURE section 9):
- Every state but CLOSED has a deadline. Deadlines alone lead to EXHAUSTED, which repeats; none leads to CLOSED.
- Only a person closes a physiological episode. A technical one of low or medium priority ends with its cause.
- A 2-to-3 trigger (`tier3`) opens a case: tier 3 is paged when the family doctor acknowledges or at the second missed
  deadline, and "stay home" is barred at tier 2. Only a person of tier 3 ends the case (`STEP_DOWN`, `CLOSE`), when the
  condition has been over for a day, or no device is worn by which it could end; or closes a false alarm at once.
- While a referral is under way (`alerting.cases.transfer`) nothing else is decided: it is withdrawn first. A new alarm
  rings all the same, and whoever answers lets the referral go on.
- An alarm that is no patient's (a gateway's, a device's that nobody wears, the centre's) has acts of its own: whoever
  is on duty takes it on, has it attended to, and closes it; there is nobody to refer or to keep at home.
- An act that the table does not hold is illegal and raises.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from alerting.profile.profile import Timers


class State(StrEnum):
    """Where an episode stands."""

    UNACK = "unack"
    ACK = "ack"
    T3_UNACK = "t3_unack"
    T3_ACK = "t3_ack"
    EXHAUSTED = "exhausted"
    MONITOR = "monitor"
    REFERRED = "referred"
    CLOSED = "closed"


class Act(StrEnum):
    """What can happen to an episode: the system's, then what its referral comes to, then a person's."""

    DEADLINE = "deadline"
    ALARM_ANEW = "alarm_anew"
    CAUSE_ENDED = "cause_ended"
    REFERRAL_STUCK = "referral_stuck"
    REFERRAL_WITHDRAWN = "referral_withdrawn"
    CAME_HOME = "came_home"
    DIED = "died"
    ACKNOWLEDGE = "acknowledge"
    STAY_HOME = "stay_home"
    REFER = "refer"
    GO_ON = "go_on"
    STEP_DOWN = "step_down"
    ATTEND = "attend"
    FALSE_ALARM = "false_alarm"
    WRONG_PATIENT = "wrong_patient"
    CLOSE = "close"
    NOTE = "note"


class Audience(StrEnum):
    """Whom a move pages."""

    FAMILY_DOCTOR = "family_doctor"
    HOUSEHOLD = "household"
    TOWNSHIP_DUTY = "township_duty"
    COUNTY_EXPERT = "county_expert"
    OPERATIONS = "operations"
    RECEIVER = "receiver"
    TRANSPORT = "transport"
    AUTHORITY = "authority"


class IllegalAct(ValueError):
    """This act is not possible for this person in the episode's present state; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The part of an episode that escalation reads and writes.

    `is_person`: it is a patient's. `tier3`: a case is open. `referral`: one is under way. `settled`: its condition has
    been over for a day, or nobody wears a device any more by which it could end.
    """

    state: State
    step: int
    service_tier: int
    tier3: bool
    technical: bool
    alarmed_at: datetime
    due_at: datetime | None
    is_person: bool = True
    referral: bool = False
    settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One row of the table: the next state and step, who is paged, and the deadline's name.

    `chained`: the next deadline counts from the one that has just passed, so that steps missed while the program
    was down fire at once, in order, and no step is late because the one before it was; else it counts from now.
    `keeps_deadline`: the one that runs goes on.
    """

    to: State
    step: int
    page: tuple[Audience, ...] = ()
    deadline: str = ""
    chained: bool = False
    keeps_deadline: bool = False
    opens_tier3: bool = False
    ends_tier3: bool = False


EVERYBODY = (Audience.FAMILY_DOCTOR, Audience.TOWNSHIP_DUTY, Audience.COUNTY_EXPERT, Audience.OPERATIONS)
_DUTY = Move(to=State.UNACK, step=1, page=(Audience.TOWNSHIP_DUTY,), deadline="to_tier3", chained=True)
_TIER3_BY_TIME = Move(to=State.T3_UNACK, step=2, page=(Audience.COUNTY_EXPERT,), deadline="to_exhausted", chained=True)
_TIER3_BY_ACT = Move(
    to=State.T3_UNACK, step=2, page=(Audience.COUNTY_EXPERT,), deadline="to_exhausted", opens_tier3=True
)
_TIER3_AGAIN = Move(to=State.T3_UNACK, step=2, page=(Audience.COUNTY_EXPERT,), deadline="to_exhausted")
_EXHAUSTED = Move(to=State.EXHAUSTED, step=3, page=EVERYBODY, deadline="repeat")
_ALARM = Move(
    to=State.UNACK,
    step=0,
    page=(Audience.FAMILY_DOCTOR, Audience.HOUSEHOLD),
    deadline="to_duty",
)
_REVIEW = Move(to=State.UNACK, step=0, page=(Audience.FAMILY_DOCTOR,), deadline="to_duty")
_CLOSED = Move(to=State.CLOSED, step=0)
_MONITOR = Move(to=State.MONITOR, step=0, deadline="monitor")
_MONITOR_BY_COUNTY = Move(to=State.MONITOR, step=0, page=(Audience.FAMILY_DOCTOR,), deadline="monitor")
_STEPPED_DOWN = Move(to=State.MONITOR, step=0, page=(Audience.FAMILY_DOCTOR,), deadline="monitor", ends_tier3=True)
_REFERRED = Move(to=State.REFERRED, step=2, page=(Audience.FAMILY_DOCTOR,), deadline="referred", opens_tier3=True)
_STILL_REFERRED = Move(to=State.REFERRED, step=2, page=(Audience.COUNTY_EXPERT,), deadline="referred")
_ACK = Move(to=State.ACK, step=0, deadline="ack")
_T3_ACK = Move(to=State.T3_ACK, step=2, deadline="tier3_ack")

DEADLINES: dict[tuple[State, int], Move] = {
    (State.UNACK, 0): _DUTY,
    (State.UNACK, 1): _TIER3_BY_TIME,
    (State.T3_UNACK, 2): _EXHAUSTED,
    (State.EXHAUSTED, 3): _EXHAUSTED,
    (State.ACK, 0): Move(to=State.UNACK, step=1, page=(Audience.TOWNSHIP_DUTY,), deadline="to_tier3"),
    (State.T3_ACK, 2): _EXHAUSTED,
    (State.MONITOR, 0): _REVIEW,
    (State.REFERRED, 2): _STILL_REFERRED,
}

# (state, act, the person's service tier): a tier-3 person may do what is not listed for tier 2 only where it is here.
ACTS: dict[tuple[State, Act, int], Move] = {
    (State.UNACK, Act.ACKNOWLEDGE, 2): _ACK,
    (State.EXHAUSTED, Act.ACKNOWLEDGE, 2): _ACK,
    (State.UNACK, Act.ACKNOWLEDGE, 3): _T3_ACK,
    (State.ACK, Act.ACKNOWLEDGE, 3): _T3_ACK,
    (State.T3_UNACK, Act.ACKNOWLEDGE, 3): _T3_ACK,
    (State.EXHAUSTED, Act.ACKNOWLEDGE, 3): _T3_ACK,
    (State.ACK, Act.STAY_HOME, 2): _MONITOR,
    (State.ACK, Act.REFER, 2): _TIER3_BY_ACT,
    (State.ACK, Act.FALSE_ALARM, 2): _CLOSED,
    (State.ACK, Act.WRONG_PATIENT, 2): _CLOSED,
    (State.T3_ACK, Act.STAY_HOME, 3): _MONITOR_BY_COUNTY,
    (State.T3_ACK, Act.REFER, 3): _REFERRED,
    (State.T3_ACK, Act.GO_ON, 3): _REFERRED,
    (State.T3_ACK, Act.FALSE_ALARM, 3): _CLOSED,
    (State.T3_ACK, Act.WRONG_PATIENT, 3): _CLOSED,
    (State.MONITOR, Act.CLOSE, 2): _CLOSED,
    (State.MONITOR, Act.CLOSE, 3): _CLOSED,
    (State.MONITOR, Act.STEP_DOWN, 3): _STEPPED_DOWN,
    (State.MONITOR, Act.REFER, 2): _TIER3_BY_ACT,
    (State.MONITOR, Act.REFER, 3): _REFERRED,
}

# What a referral comes to, by where the episode stands; elsewhere the alarm that rings stays as it is.
BY_REFERRAL: dict[tuple[State, Act], Move] = {
    (State.REFERRED, Act.REFERRAL_STUCK): _EXHAUSTED,
    (State.REFERRED, Act.REFERRAL_WITHDRAWN): _T3_ACK,
    (State.REFERRED, Act.CAME_HOME): _MONITOR_BY_COUNTY,
}

# The acts on an alarm that is no patient's, at either service tier.
SITE_ACTS: dict[tuple[State, Act], Move] = {
    (State.UNACK, Act.ACKNOWLEDGE): _ACK,
    (State.T3_UNACK, Act.ACKNOWLEDGE): _ACK,
    (State.EXHAUSTED, Act.ACKNOWLEDGE): _ACK,
    (State.ACK, Act.ATTEND): _MONITOR,
    (State.ACK, Act.FALSE_ALARM): _CLOSED,
    (State.ACK, Act.CLOSE): _CLOSED,
    (State.MONITOR, Act.CLOSE): _CLOSED,
}

HUMAN_ACTS = tuple(Act)[tuple(Act).index(Act.ACKNOWLEDGE) : tuple(Act).index(Act.NOTE)]
REFERRAL_ACTS = (Act.REFERRAL_STUCK, Act.REFERRAL_WITHDRAWN, Act.CAME_HOME, Act.DIED)
_BESIDE_A_REFERRAL = frozenset({(Act.ACKNOWLEDGE, 2), (Act.ACKNOWLEDGE, 3), (Act.GO_ON, 3), (Act.REFER, 2)})


def move_for(standing: Standing, act: Act, *, service_tier: int = 0) -> Move:
    """Find the move that an act makes; `service_tier` is the acting person's. Raises IllegalAct."""
    if standing.state is State.CLOSED:
        raise IllegalAct(f"the episode is closed: {act} is not possible any more")
    if act is Act.DEADLINE:
        lost = standing.state is State.REFERRED and not standing.referral
        return _TIER3_AGAIN if lost else DEADLINES[standing.state, standing.step]
    if act is Act.ALARM_ANEW:
        return _ALARM
    if act is Act.CAUSE_ENDED:
        if not standing.technical:
            raise IllegalAct("a physiological episode is closed by a person only")
        return _CLOSED
    if act in REFERRAL_ACTS:
        return _by_referral(standing, act)
    return _human_move(standing, act, service_tier)


def _by_referral(standing: Standing, act: Act) -> Move:
    if not standing.referral:
        raise IllegalAct(f"{act} without a referral under way")
    if act is Act.DIED:
        return _CLOSED
    stays = Move(to=standing.state, step=standing.step, keeps_deadline=True)
    return BY_REFERRAL.get((standing.state, act), stays)


def _human_move(standing: Standing, act: Act, service_tier: int) -> Move:
    key = (standing.state, act)
    move = ACTS.get((*key, service_tier)) if standing.is_person else SITE_ACTS.get(key)
    if move is None:
        raise IllegalAct(f"{act} by service tier {service_tier} is not possible in state {standing.state}")
    if standing.referral and (act, service_tier) not in _BESIDE_A_REFERRAL:
        raise IllegalAct("a referral is under way: withdraw it first, or let it go on")
    if act is Act.REFER and service_tier == 3 and standing.technical:
        raise IllegalAct("a technical alarm is no illness to be referred for")
    if act is Act.GO_ON and not standing.referral:
        raise IllegalAct("there is no referral that could go on")
    if act is Act.STEP_DOWN and not standing.tier3:
        raise IllegalAct("there is no case of tier 3 that could end")
    if standing.tier3 and act in (Act.STEP_DOWN, Act.CLOSE) and standing.is_person:
        _check_may_end_case(standing, service_tier)
    if standing.tier3 and service_tier == 2 and standing.is_person:
        if act is Act.STAY_HOME:
            raise IllegalAct("this alarm goes to tier 3: staying at home is the county team's to decide")
        if act is Act.ACKNOWLEDGE:
            return _TIER3_BY_ACT
    return move


def _check_may_end_case(standing: Standing, service_tier: int) -> None:
    if service_tier == 2:
        raise IllegalAct("a case of tier 3 is open: ending it is the county team's to decide")
    if not standing.settled:
        raise IllegalAct("a case of tier 3 ends when the condition has been over for 24 h")


def move_by_correction(standing: Standing) -> Move:
    """Close an alarm that came of somebody else's readings, by who corrects whose they are. Raises IllegalAct.

    Wherever it stands, unacknowledged too: what it rang for is another's, who is judged by it now.
    """
    if standing.state is State.CLOSED:
        raise IllegalAct("the episode is closed already")
    if standing.technical or not standing.is_person:
        raise IllegalAct("a technical alarm is nobody's illness: it ends by itself, or is closed as such")
    if standing.referral:
        raise IllegalAct("a referral is under way: the county's team withdraws it first")
    return _CLOSED


def possible(standing: Standing, service_tier: int) -> list[Act]:
    """List what this person may do now, in the order of the table; a note is always possible."""
    acts = []
    for act in HUMAN_ACTS:
        try:
            move_for(standing, act, service_tier=service_tier)
        except IllegalAct:
            continue
        acts.append(act)
    return [*acts, Act.NOTE]


def after(standing: Standing, act: Act, move: Move, *, now: datetime, timers: Timers) -> Standing:
    """Carry a move out on paper: the new standing, with its deadline."""
    anew = act is Act.ALARM_ANEW or (standing.state is State.MONITOR and act is Act.DEADLINE)
    base = standing.due_at if move.chained and act is Act.DEADLINE and standing.due_at else now
    due_at = base + interval(move.deadline, timers) if move.deadline else None
    return Standing(
        state=move.to,
        step=move.step,
        service_tier=standing.service_tier if move.to is State.CLOSED else 3 if move.step >= 2 else 2,
        tier3=(standing.tier3 or move.opens_tier3) and not move.ends_tier3,
        technical=standing.technical,
        is_person=standing.is_person,
        referral=move.to is State.REFERRED or (standing.referral and act not in _ENDS_REFERRAL),
        settled=standing.settled and act is not Act.ALARM_ANEW,
        alarmed_at=now if anew else standing.alarmed_at,
        due_at=standing.due_at if move.keeps_deadline else due_at,
    )


_ENDS_REFERRAL = frozenset({Act.REFERRAL_WITHDRAWN, Act.CAME_HOME, Act.DIED})


def interval(deadline: str, timers: Timers) -> timedelta:
    """Give how long a state may last, by the deadline's name."""
    seconds = {
        "to_duty": timers.duty_s,
        "to_tier3": timers.tier3_s - timers.duty_s,
        "to_exhausted": timers.exhausted_s - timers.tier3_s,
        "repeat": timers.repeat_s,
        "ack": timers.ack_s,
        "tier3_ack": timers.tier3_ack_s,
        "monitor": timers.monitor_s,
        "referred": timers.referred_s,
    }
    return timedelta(seconds=seconds[deadline])


def first_move(*, reaches_tier3_at_once: bool) -> Move:
    """Give the alarm itself: family doctor and household; red and special groups page tier 3 as well."""
    if not reaches_tier3_at_once:
        return _ALARM
    return Move(
        to=_ALARM.to,
        step=_ALARM.step,
        page=(*_ALARM.page, Audience.COUNTY_EXPERT),
        deadline=_ALARM.deadline,
    )

"""Refers a patient and follows the referral: each event is one transaction with its history, its notices, its episodes.

A person says what happens; the clock (`tick`) says when nothing was said in time. The patient is locked first, as in
raising, since all his open episodes move with the referral.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from alerting.cases.at_home import follow
from alerting.cases.sides import sides_of, sides_of_all
from alerting.cases.telling import tell, tell_to_call_120
from alerting.cases.transfer import (
    ACT_OF,
    CLOCKS,
    Event,
    Referral,
    Refusal,
    Side,
    Stage,
    Step,
    after_step,
    begun,
    clock_of,
    first_step,
    possible_events,
    step_for,
)
from alerting.desk import Desk, json
from alerting.episodes import Act, IllegalAct, State, move_for
from alerting.isolation import one_by_one
from alerting.moving import add_event, carry_out, recheck_later, standing_of
from alerting.paging import Told
from alerting.profile.profile import Priority
from care.facilities import facilities_for
from care.referral import GRAVE, Facility, Outcome, PassedOver, Picture, Vehicle, candidates, needed, route
from care.registry import Capability, SpecialGroup

MOVES_MAX = 500


class ReferralRefused(ValueError):
    """This can not be said of the referral now; the message says why, in words a doctor reads."""


NAMES_A_HOSPITAL = frozenset({Event.OFFER, Event.ARRIVE})
URGENT_FIRST = (Priority.HIGH, Priority.MEDIUM, Priority.LOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What of a referral somebody had before his eyes as he spoke."""

    stage: str
    facility_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a person says of a referral. `refusal` belongs to a REJECT, `facility_id` to an OFFER or ARRIVE."""

    event: Event
    person: Any
    channel: str = ""
    refusal: Refusal | None = None
    facility_id: int | None = None
    seen: Seen | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the decision table says of a patient, and which hospitals would be asked, in order."""

    outcome: Outcome
    needs: frozenset[Capability]
    asked: list[Facility]
    passed_over: list[PassedOver]


def plan(desk: Desk, patient: Any, picture: Picture) -> Plan:
    """Say where a patient (a row of `patient`) would go by what is said of him; nothing is written."""
    groups = set(patient.special_groups)
    outcome = route(picture)
    needs = needed(
        outcome,
        picture,
        is_child=bool(groups & {SpecialGroup.INFANT, SpecialGroup.CHILD}),
        is_pregnant=SpecialGroup.PREGNANT in groups,
        is_on_dialysis=SpecialGroup.DIALYSIS in groups,
    )
    able, unable = candidates(outcome, needs, facilities_for(desk.connection, patient.organisation_id))
    return Plan(outcome=outcome, needs=needs, asked=able, passed_over=unable)


def begin(desk: Desk, episode: Any, picture: Picture, *, person_id: int, note: str, told: Told) -> int:
    """Refer a patient as the decision table has it and ask the first hospital; gives the referral.

    In the caller's transaction, which holds the patient's lock and moves the episode to REFERRED. Adds those who have
    to call 120 to whom the decision has `told`. Raises
    ReferralRefused where the table says that he stays where he lives, or a referral is under way.
    """
    patient = desk.one("patient", patient_id=episode.patient_id)
    assert patient is not None, "an episode's patient is in the registry"
    planned = plan(desk, patient, picture)
    outcome = planned.outcome
    if outcome.destination is None:
        raise ReferralRefused(f"by principle {outcome.clause} he is treated where he lives: decide to stay home")
    asked = [facility.organisation_id for facility in planned.asked]
    priority = Priority.HIGH if picture.immediate_danger or picture.severity in GRAVE else Priority(episode.priority)
    standing = begun(len(asked), now=desk.now, timers=desk.profile.timers[priority])
    row = desk.one(
        "insert_referral",
        patient_id=episode.patient_id,
        episode_id=episode.episode_id,
        priority=priority,
        picture=json(asdict(picture)),
        clause=outcome.clause,
        destination=outcome.destination,
        ward=outcome.ward,
        vehicle=outcome.vehicle,
        needs=sorted(planned.needs),
        stage=standing.stage,
        facility_id=asked[0] if asked else None,
        candidates=asked[1:],
        passed_over=json(
            [{"facility_id": each.facility.organisation_id, "lacks": list(each.lacks)} for each in planned.passed_over]
        ),
        due_at=standing.due_at,
        note=note,
        opened_by=person_id,
        now=desk.now,
    )
    if row is None:
        raise ReferralRefused("this patient is being referred already: let that referral go on, or withdraw it")
    referral: Any = desk.one("lock_referral", referral_id=row.referral_id)
    _write_event(
        desk, referral, "opened", to=standing.stage, facility_id=referral.facility_id, person_id=person_id, note=note
    )
    tell(desk, referral, episode, first_step(len(asked)), kind="opened", person_id=person_id)
    if outcome.vehicle is Vehicle.EMS_120:
        tell_to_call_120(desk, referral, episode, person_id=person_id, told=told)
    return int(row.referral_id)


def say(desk: Desk, referral_id: int, said: Said) -> None:
    """Record what a person says of a referral, in one transaction. Raises ReferralRefused."""
    with desk.connection.transaction():
        referral = _locked(desk, referral_id)
        if said.event is Event.DEADLINE:
            raise ReferralRefused("a deadline is the clock's")
        _check_said(said)
        _check_beside(referral, said)
        standing = standing_of_referral(referral)
        try:
            step = _step_of(standing, said, sides_of(desk, said.person, referral))
        except IllegalAct as exc:
            raise ReferralRefused(str(exc)) from exc
        if said.event is Event.OFFER or said.facility_id is not None:
            _check_offer(desk, referral, said)
        _carry_out(desk, referral, standing, said, step)


def _check_said(said: Said) -> None:
    if said.event is Event.REJECT and said.refusal in (None, Refusal.NO_ANSWER):
        raise ReferralRefused("a refusal needs its reason: " + ", ".join(_given_reasons()))
    if said.refusal is not None and said.event is not Event.REJECT:
        raise ReferralRefused(f"{said.event} takes no reason of a refusal")
    if said.facility_id is not None and said.event not in NAMES_A_HOSPITAL:
        raise ReferralRefused(f"{said.event} names no hospital")
    if said.event is Event.DIED and not said.note.strip():
        raise ReferralRefused("that somebody has died needs a word on how it is known: all alarms end by it")


def _check_beside(referral: Any, said: Said) -> None:
    """Check what is said against the referral as it stands, beyond its stage."""
    if said.seen is not None and said.seen != Seen(stage=referral.stage, facility_id=referral.facility_id):
        raise ReferralRefused("another hospital is asked, or it has gone on since: look again at what was said last")
    if referral.facility_id is None and said.facility_id is None and said.event is Event.ARRIVE:
        raise ReferralRefused("arrive: say at which hospital, as none is named yet")
    if referral.facility_id is None and said.event is Event.REJECT:
        raise ReferralRefused("reject: no hospital is asked")
    if waits_for_acceptance(referral, said.event):
        raise ReferralRefused("depart: only an ambulance leaves before a hospital has accepted")


def waits_for_acceptance(referral: Any, event: Event) -> bool:
    """Say whether this vehicle may not leave yet."""
    return event is Event.DEPART and referral.stage == Stage.OFFERED and referral.vehicle != Vehicle.EMS_120


def hasten(desk: Desk, worse: Mapping[int, Priority]) -> None:
    """Let the clocks of a more urgent priority run from now on, where patients who are being referred become worse."""
    for referral in desk.all("referrals_of", patients=sorted(worse)):
        priority = worse[referral.patient_id]
        if URGENT_FIRST.index(priority) < URGENT_FIRST.index(Priority(referral.priority)):
            clock = clock_of(CLOCKS[Stage(referral.stage)], desk.profile.timers[priority])
            values = {"referral_id": referral.referral_id, "priority": priority}
            desk.run("hasten_referral", **values, due_by=desk.now + clock)


def tick(desk: Desk) -> int:
    """Carry out every referral's deadline that has passed; gives how many fired. One transaction each, as escalation's.

    The key of the history (referral, deadline) makes a second firing of the same deadline impossible.
    """
    fired = 0
    while fired < MOVES_MAX:
        due = desk.all("due_referrals", now=desk.now, limit=MOVES_MAX)
        now_fired = one_by_one(due, lambda row: _fire(desk, row), what="referral's deadline")
        if not now_fired:
            break
        fired += now_fired
    return fired


def possible(desk: Desk, referrals: Sequence[Any], person: Any) -> dict[int, list[Event]]:
    """List what a person may say of each of these referrals now, by their numbers."""
    sides = sides_of_all(desk, person, referrals)
    found = {
        each.referral_id: {
            event
            for side in sides[each.referral_id]
            for event in possible_events(standing_of_referral(each), side)
            if not waits_for_acceptance(each, event)
        }
        for each in referrals
    }
    return {referral_id: sorted(events, key=tuple(Event).index) for referral_id, events in found.items()}


def standing_of_referral(referral: Any) -> Referral:
    """Read a referral row's part that the table moves."""
    return Referral(
        stage=Stage(referral.stage),
        candidates_left=len(referral.candidates),
        chases=referral.chases,
        due_at=referral.due_at,
    )


def _given_reasons() -> list[str]:
    return [each.value for each in Refusal if each is not Refusal.NO_ANSWER]


def _step_of(standing: Referral, said: Said, sides: Sequence[Side]) -> Step:
    trouble = IllegalAct(f"{said.event} is not for you to say while the referral is {standing.stage}")
    for side in sides:
        try:
            return step_for(standing, said.event, side=side)
        except IllegalAct as exc:
            trouble = exc
    raise trouble


def _check_offer(desk: Desk, referral: Any, said: Said) -> None:
    patient = desk.one("patient", patient_id=referral.patient_id)
    known = {f.organisation_id for f in facilities_for(desk.connection, patient.organisation_id if patient else 0)}
    if said.facility_id not in known:
        raise ReferralRefused(f"{said.facility_id} is no hospital that can be asked; there are {sorted(known)}")


def _fire(desk: Desk, row: Any) -> int:
    with desk.connection.transaction():
        desk.run("lock_patient", patient_id=row.patient_id)
        referral = desk.one("claim_due_referral", referral_id=row.referral_id, now=desk.now)
        if referral is None:
            return 0
        standing = standing_of_referral(referral)
        said = Said(event=Event.DEADLINE, person=None)
        _carry_out(desk, referral, standing, said, step_for(standing, Event.DEADLINE))
    return 1


def _locked(desk: Desk, referral_id: int) -> Any:
    found = desk.one("referral", referral_id=referral_id)
    if found is None:
        raise ReferralRefused(f"there is no referral {referral_id}")
    desk.run("lock_patient", patient_id=found.patient_id)
    return desk.one("lock_referral", referral_id=referral_id)


def _carry_out(desk: Desk, referral: Any, standing: Referral, said: Said, step: Step) -> None:
    timers = desk.profile.timers[Priority(referral.priority)]
    new = after_step(standing, said.event, step, now=desk.now, timers=timers)
    turned_away = standing.stage is not Stage.OFFERED and said.event is Event.REJECT
    passes_on = new.candidates_left < standing.candidates_left
    facility_id, left = referral.facility_id, list(referral.candidates)
    if passes_on:
        facility_id, *left = left
    elif said.facility_id is not None:
        facility_id = said.facility_id
        left = [each for each in left if each != facility_id]
    elif new.stage is Stage.UNPLACED:
        facility_id = None
    desk.run(
        "move_referral",
        referral_id=referral.referral_id,
        stage=new.stage,
        facility_id=facility_id,
        candidates=left,
        chases=new.chases,
        due_at=new.due_at,
        event=said.event,
        offers=passes_on or said.event is Event.OFFER or turned_away,
        now=desk.now,
    )
    no_answer = Refusal.NO_ANSWER if said.event is Event.DEADLINE and standing.stage is Stage.OFFERED else None
    person_id = said.person.person_id if said.person else None
    _write_event(
        desk,
        referral,
        said.event,
        to=new.stage,
        facility_id=said.facility_id or referral.facility_id,
        person_id=person_id,
        refusal=said.refusal or no_answer,
        note=said.note,
        key=f"{referral.referral_id}:deadline:{referral.due_at.isoformat()}" if said.event is Event.DEADLINE else None,
    )
    follow(desk, referral, said.event, person_id=person_id)
    moved = desk.one("lock_referral", referral_id=referral.referral_id)
    told: Told = set()  # one page of all this for each person, about what he was referred for first
    for episode in sorted(_episodes(desk, referral), key=lambda each: each.episode_id != referral.episode_id):
        if step.consequence in ACT_OF:
            _move_episode(desk, episode, ACT_OF[step.consequence], person_id=person_id, told=told)
        if episode.episode_id == referral.episode_id:
            tell(desk, moved, episode, step, kind=said.event, person_id=person_id, channel=said.channel, told=told)


def _episodes(desk: Desk, referral: Any) -> Sequence[Any]:
    """Give the patient's open episodes; and the one he was referred for, open or not, that the notices speak of."""
    found = list(desk.all("open_illnesses", patient_id=referral.patient_id))
    if all(episode.episode_id != referral.episode_id for episode in found):
        found.append(desk.one("lock_episode", episode_id=referral.episode_id, now=desk.now))
    return found


def end_by_death(desk: Desk, patient_id: int, *, person_id: int) -> int:
    """Close all alarms of a patient who has died, by who says so; gives how many. The caller holds the patient's lock.

    Raises ReferralRefused where he is being referred: hospital, vehicle and county hear of it by the referral.
    """
    if desk.one("referral_under_way", patient_id=patient_id) is not None:
        raise ReferralRefused("a referral is under way: say of the referral that the patient has died")
    episodes = desk.all("open_illnesses", patient_id=patient_id)
    for episode in episodes:
        _move_episode(desk, episode, Act.DIED, person_id=person_id, told=set())
    return len(episodes)


def _move_episode(desk: Desk, episode: Any, act: Act, *, person_id: int | None, told: Told) -> None:
    if episode.state == State.CLOSED:
        return
    move = move_for(standing_of(episode), act)
    if move.keeps_deadline:
        return
    event_id = add_event(desk, episode.episode_id, kind=act, actor_id=person_id, states=(episode.state, move.to))
    carry_out(desk, episode, act, move, event_id=event_id or 0, actor_id=person_id, told=told)
    if move.to is State.CLOSED or act is Act.CAME_HOME:
        recheck_later(desk, episode, act)


def _write_event(
    desk: Desk,
    referral: Any,
    kind: str,
    *,
    to: Stage,
    facility_id: int | None,
    person_id: int | None,
    refusal: Refusal | None = None,
    note: str = "",
    key: str | None = None,
) -> None:
    desk.run(
        "insert_referral_event",
        referral_id=referral.referral_id,
        now=desk.now,
        kind=kind,
        actor_id=person_id,
        facility_id=facility_id,
        from_stage=None if kind == "opened" else referral.stage,
        to_stage=to,
        refusal=refusal,
        note=note.strip(),
        key=key,
    )

"""Writes down what a rule said: opens, worsens or counts an episode, and pages; or notes that it is over.

Everything here happens inside the caller's transaction, so that an episode, its history and its notices appear
together or not at all. Every raise has a key: saying the same thing twice records it once.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from alerting.cases.referring import hasten
from alerting.desk import Desk, json
from alerting.episodes import Act, Audience, Move, Standing, State, after, first_move, move_for
from alerting.moving import NewEvent, add_event, add_events, standing_of, write_standings
from alerting.paging import Page, page_all
from alerting.profile.patient import urgency_of
from alerting.profile.profile import Consequence, Priority
from alerting.profile.technical import Family
from alerting.raising import NOT_MEASURED, Basis, Effect, Raise, effect_of, facts_of, for_patient, reaches_tier3_at_once
from alerting.words import Text, roster_words, storm_words
from alerting.zones import zone_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """An episode to be opened. `whose` is a row of `patient` or of `site`; the caller holds its subject's lock."""

    raised: Raise
    consequence: Consequence
    whose: Any


def record_raise(desk: Desk, raised: Raise) -> int | None:
    """Record a raise once and page for it; gives the episode, or None when this raise was recorded before."""
    return record_raises(desk, [raised])[0]


def record_raises(desk: Desk, raises: Sequence[Raise]) -> list[int | None]:
    """Record raises, each patient's in order, those of many patients together; gives for each what `record_raise` does.

    A storm of thousands costs a few statements a patient in one go, instead of a conversation for each.
    """
    recorded: list[int | None] = [None] * len(raises)
    for turn in turns_of([raised.patient_id for raised in raises]):
        for place, episode_id in zip(turn, _record_turn(desk, [raises[place] for place in turn]), strict=True):
            recorded[place] = episode_id
    return recorded


def turns_of(patients: Sequence[int | None]) -> list[list[int]]:
    """Deal places out so that a patient comes once in each turn, and all his in order."""
    turns: list[list[int]] = []
    met: Counter[int | None] = Counter()
    for place, patient_id in enumerate(patients):
        if met[patient_id] == len(turns):
            turns.append([])
        turns[met[patient_id]].append(place)
        met[patient_id] += 1
    return turns


def _record_turn(desk: Desk, raises: Sequence[Raise]) -> list[int | None]:
    """Record one raise of each patient."""
    ids = sorted(raised.patient_id for raised in raises if raised.patient_id is not None)
    desk.all("lock_patients", patients=ids)
    recorded = {row.key for row in desk.all("recorded_keys", keys=[raised.key for raised in raises])}
    patients = {row.patient_id: row for row in desk.all("patients", patients=ids)}
    new = [
        Opening(
            raised=raised,
            consequence=urgency_for(desk, raised.rule, patients[raised.patient_id], past=raised.past),
            whose=patients[raised.patient_id],
        )
        for raised in raises
        if raised.key not in recorded and raised.patient_id in patients
    ]
    _note_that_they_hold(desk, new)
    closed = _closed_as_false(desk, ids)
    told = [
        each
        for each in new
        if each.raised.basis in NOT_MEASURED or not _waits_for_recheck(closed[each.whose.patient_id], each.consequence)
    ]
    episodes = _tell(desk, told)
    return [episodes.get(raised.key) for raised in raises]


def _note_that_they_hold(desk: Desk, new: Sequence[Opening]) -> None:
    holding = [each for each in new if not each.raised.past and each.raised.basis not in NOT_MEASURED]
    places = [
        {"patient_id": each.raised.patient_id, "rule": each.raised.rule, "basis": each.raised.basis} for each in holding
    ]
    desk.write(
        "activate",
        [
            place | {"family": each.consequence.family, "since": each.raised.since}
            for place, each in zip(places, holding, strict=True)
        ],
    )
    desk.write("drop_pending", places)


def _tell(desk: Desk, told: Sequence[Opening]) -> dict[str, int]:
    """Open, count or let alarm anew, by what is open; gives the episodes by the raises' keys."""
    ids = [each.whose.patient_id for each in told]
    families = sorted({each.consequence.family for each in told})
    found = {
        (row.patient_id, row.family): row
        for row in desk.all("open_episodes_of", patients=ids, families=families, now=desk.now)
    }
    opening, episodes = [], {}
    for each in told:
        raised, standing = each.raised, found.get((each.whose.patient_id, each.consequence.family))
        effect = effect_of(standing, each.consequence, past=raised.past, looked_again=_looks_again(raised, standing))
        if standing is None or effect is Effect.OPEN:
            opening.append(each)
            continue
        episodes[raised.key] = int(standing.episode_id)
        if effect is Effect.COUNT:
            count_raise(desk, raised, standing)
        else:
            alarm_anew(desk, raised, each.consequence, each.whose, standing)
    opened = open_episodes(desk, opening)
    return episodes | {each.raised.key: episode_id for each, episode_id in zip(opening, opened, strict=True)}


def _looks_again(raised: Raise, standing: Any) -> bool:
    return (
        raised.basis is Basis.RECHECK and standing is not None and raised.evidence.get("episode") == standing.episode_id
    )


def record_clear(desk: Desk, *, patient_id: int, rule: str, basis: Basis, at: datetime) -> None:
    """Note that a rule's condition is over; the family is cleared with its last rule. Nothing closes by this."""
    desk.run("lock_patient", patient_id=patient_id)
    if desk.one("deactivate", patient_id=patient_id, rule=rule, basis=basis) is None:
        return
    family = desk.profile.consequences[rule].family
    holds = desk.one("family_holds", patient_id=patient_id, family=family)
    if holds is not None and holds.holds:
        return
    rules = [c.rule for c in desk.profile.consequences.values() if c.family == family]
    desk.run("drop_rechecks", patient_id=patient_id, rules=rules)
    changed = desk.one("set_condition", patient_id=patient_id, family=family, condition="cleared", cleared_at=at)
    if changed is not None:
        add_event(desk, changed.episode_id, kind="cleared", detail={"rule": rule, "at": at.isoformat()})


def record_all_clear(desk: Desk, *, patient_id: int, rule: str, detail: dict[str, Any]) -> None:
    """Note that what a person had reported is over, as a person says. Nothing closes by this."""
    desk.run("lock_patient", patient_id=patient_id)
    family = desk.profile.consequences[rule].family
    over = {"patient_id": patient_id, "family": family, "condition": "cleared", "cleared_at": desk.now}
    for changed in desk.all("set_condition", **over):
        told = {"rule": rule, "at": desk.now.isoformat()} | detail
        add_event(desk, changed.episode_id, kind="cleared", detail=told)


def urgency_for(desk: Desk, rule: str, patient: Any, *, past: bool = False) -> Consequence:
    """Say how urgent a rule is for a patient (a row of `patient`): a variant may hold him to another priority."""
    facts = facts_of(patient.born_on, patient.special_groups)
    consequence = urgency_of(desk.profile, rule, facts, on=desk.now.astimezone(zone_of(patient.time_zone)).date())
    return for_patient(consequence, patient, past=past)


def _closed_as_false(desk: Desk, patients: Sequence[int]) -> dict[int, list[Consequence]]:
    """Give each patient's alarms that were closed as false while they held, and will be looked at again."""
    closed: dict[int, list[Consequence]] = {patient_id: [] for patient_id in patients}
    for row in desk.all("rechecks", patients=list(patients)):
        if row.rule in desk.profile.consequences:
            closed[row.patient_id].append(desk.profile.consequences[row.rule])
    return closed


def _waits_for_recheck(closed: Sequence[Consequence], consequence: Consequence) -> bool:
    """Somebody has just called this condition a false alarm: no lesser rule of the family opens it anew before then."""
    return any(c.family == consequence.family and c.rank <= consequence.rank for c in closed)


def open_episodes(desk: Desk, opening: Sequence[Opening]) -> list[int]:
    """Open episodes, each of another subject and family, and page for them; gives their numbers."""
    moves = [first_move(reaches_tier3_at_once=reaches_tier3_at_once(o.consequence, o.whose)) for o in opening]
    rows = desk.write("insert_episodes", [_row(desk, o, move) for o, move in zip(opening, moves, strict=True)])
    opened = {(row.patient_id, row.subject, row.family): int(row.episode_id) for row in rows}
    hasten(desk, _worse(opening))
    episodes = [opened[o.raised.patient_id, o.whose.subject, o.consequence.family] for o in opening]
    _announce(
        desk,
        [
            _News(episode_id=episode_id, opening=o, move=move, effect=Effect.OPEN)
            for episode_id, o, move in zip(episodes, opening, moves, strict=True)
        ],
    )
    return episodes


def _row(desk: Desk, opening: Opening, move: Move) -> dict[str, Any]:
    raised, consequence, whose = opening.raised, opening.consequence, opening.whose
    blank = Standing(
        state=State.UNACK,
        step=0,
        service_tier=2,
        tier3=consequence.tier3,
        technical=consequence.technical,
        is_person=raised.patient_id is not None,
        alarmed_at=desk.now,
        due_at=None,
    )
    new = after(blank, Act.ALARM_ANEW, move, now=desk.now, timers=desk.profile.timers[consequence.priority])
    return {
        "patient_id": raised.patient_id,
        "subject": whose.subject,
        "organisation_id": None if whose.subject is None else whose.organisation_id,
        "gateway_id": whose.gateway_id,
        "family": consequence.family,
        "technical": consequence.technical,
        "rule": raised.rule,
        "priority": consequence.priority,
        "emergency": consequence.emergency,
        "tier3": consequence.tier3,
        "condition": "cleared" if raised.past else "present",
        "state": new.state,
        "step": new.step,
        "service_tier": new.service_tier,
        "since": raised.since,
        "raised_at": raised.raised_at,
        "detected_at": desk.now,
        "alarmed_at": new.alarmed_at,
        "due_at": new.due_at,
        "evidence": raised.evidence | {"past": True} if raised.past else raised.evidence,
        "profile_hash": desk.profile.profile_hash,
    }


def _worse(opening: Sequence[Opening]) -> dict[int, Priority]:
    """Give how urgent the most urgent of each patient's new alarms is."""
    ill = [o for o in opening if o.raised.patient_id is not None and not o.consequence.technical and not o.raised.past]
    ill.sort(key=lambda o: o.consequence.rank, reverse=True)
    return {o.raised.patient_id: o.consequence.priority for o in ill if o.raised.patient_id is not None}


def count_raise(desk: Desk, raised: Raise, found: Any) -> None:
    """Count a raise on an open episode; nobody is paged."""
    again = json({"again": raised.evidence})
    desk.run("count_raise", episode_id=found.episode_id, evidence=again, past=raised.past)
    add_event(desk, found.episode_id, kind=Effect.COUNT, detail=_detail(raised), key=raised.key)


def alarm_anew(desk: Desk, raised: Raise, consequence: Consequence, whose: Any, found: Any) -> None:
    """Let an open episode alarm from t0 again, as another rule or after it was over."""
    desk.run(
        "worsen",
        episode_id=found.episode_id,
        rule=raised.rule,
        priority=consequence.priority,
        emergency=consequence.emergency,
        tier3=consequence.tier3,
        raised_at=raised.raised_at,
        now=desk.now,
        evidence=json(raised.evidence),
        profile_hash=desk.profile.profile_hash,
    )
    if raised.patient_id is not None and not consequence.technical:
        hasten(desk, {raised.patient_id: consequence.priority})
    standing = standing_of(found)
    move = move_for(standing, Act.ALARM_ANEW)
    if reaches_tier3_at_once(consequence, whose):
        move = replace(move, page=(*move.page, Audience.COUNTY_EXPERT))
    timers = desk.profile.timers[consequence.priority]
    new = after(standing, Act.ALARM_ANEW, move, now=desk.now, timers=timers)
    standing = replace(new, tier3=new.tier3 or consequence.tier3)
    write_standings(desk, {found.episode_id: standing}, closed_by={found.episode_id: None})
    opening = Opening(raised=raised, consequence=consequence, whose=whose)
    _announce(desk, [_News(episode_id=found.episode_id, opening=opening, move=move, effect=Effect.ALARM_ANEW)])


@dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    """What is told of an episode that alarms now."""

    episode_id: int
    opening: Opening
    move: Move
    effect: Effect


def _announce(desk: Desk, news: Sequence[_News]) -> None:
    events = add_events(
        desk,
        [
            NewEvent(
                episode_id=each.episode_id,
                kind=each.effect,
                detail=_detail(each.opening.raised),
                key=each.opening.raised.key,
                states=("", each.move.to),
            )
            for each in news
        ],
    )
    assert len(events) == len(news), "the keys were looked up under the patients' locks"
    page_all(
        desk,
        [
            Page(
                episode_id=each.episode_id,
                event_id=events[each.episode_id],
                step=each.move.step,
                consequence=each.opening.consequence,
                whose=each.opening.whose,
                since=each.opening.raised.since,
                audiences=each.move.page,
                words=_own_words(each.opening),
            )
            for each in news
        ],
    )


def _own_words(opening: Opening) -> Text | None:
    evidence, consequence = opening.raised.evidence, opening.consequence
    if consequence.family == Family.ROSTER:
        return roster_words(evidence, opening.whose.time_zone)
    is_paged = consequence.family == Family.STORM and consequence.priority is not Priority.LOW
    return storm_words(evidence) if is_paged else None


def _detail(raised: Raise) -> dict[str, Any]:
    return {
        "rule": raised.rule,
        "basis": raised.basis,
        "since": raised.since.isoformat(),
        "raised_at": raised.raised_at.isoformat(),
        "past": raised.past,
    } | raised.evidence

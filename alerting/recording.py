"""Writes down what a rule said: opens, worsens or counts an episode, and pages; or notes that it is over.

Everything here happens inside the caller's transaction, so that an episode, its history and its notices appear
together or not at all. Every raise has a key: saying the same thing twice records it once.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from alerting.desk import Desk, json
from alerting.episodes import Act, Audience, Move, Standing, State, after, first_move, move_for
from alerting.moving import add_event, standing_of, write_standing
from alerting.paging import Page, page
from alerting.profile.patient import urgency_of
from alerting.profile.profile import Consequence
from alerting.profile.technical import Family
from alerting.raising import Basis, Effect, Raise, effect_of, facts_of, for_patient, reaches_tier3_at_once
from alerting.words import roster_words
from alerting.zones import zone_of


def record_raise(desk: Desk, raised: Raise) -> int | None:
    """Record a raise once and page for it; gives the episode, or None when this raise was recorded before."""
    desk.run("lock_patient", patient_id=raised.patient_id)
    found = desk.one("event_exists", key=raised.key)
    if found is not None and found.recorded:
        return None
    patient = desk.one("patient", patient_id=raised.patient_id)
    if patient is None:
        return None
    consequence = urgency_for(desk, raised.rule, patient, past=raised.past)
    if not raised.past and raised.basis is not Basis.RECHECK:
        desk.run(
            "activate",
            patient_id=raised.patient_id,
            rule=raised.rule,
            basis=raised.basis,
            family=consequence.family,
            since=raised.since,
        )
        desk.run("drop_pending", patient_id=raised.patient_id, rule=raised.rule, basis=raised.basis)
    if raised.basis is not Basis.RECHECK and _waits_for_recheck(desk, patient.patient_id, consequence):
        return None
    open_episode = desk.one("open_episode_of", patient_id=raised.patient_id, family=consequence.family, now=desk.now)
    effect = effect_of(open_episode, consequence, past=raised.past)
    if effect is Effect.OPEN or open_episode is None:
        return open_episode_for(desk, raised, consequence, patient)
    if effect is Effect.COUNT:
        count_raise(desk, raised, open_episode)
    else:
        alarm_anew(desk, raised, consequence, patient, open_episode)
    return int(open_episode.episode_id)


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


def urgency_for(desk: Desk, rule: str, patient: Any, *, past: bool = False) -> Consequence:
    """Say how urgent a rule is for a patient (a row of `patient`): a variant may hold him to another priority."""
    facts = facts_of(patient.born_on, patient.special_groups)
    consequence = urgency_of(desk.profile, rule, facts, on=desk.now.astimezone(zone_of(patient.time_zone)).date())
    return for_patient(consequence, patient, past=past)


def _waits_for_recheck(desk: Desk, patient_id: int, consequence: Consequence) -> bool:
    """Somebody has just called this condition a false alarm: no lesser rule of the family opens it anew before then."""
    closed = [
        desk.profile.consequences[row.rule]
        for row in desk.all("rechecks", patient_id=patient_id)
        if row.rule in desk.profile.consequences
    ]
    return any(c.family == consequence.family and c.rank <= consequence.rank for c in closed)


def open_episode_for(desk: Desk, raised: Raise, consequence: Consequence, whose: Any) -> int:
    """Open an episode and page for it; `whose` is a row of `patient` or `site`. The caller holds its subject's lock."""
    move = first_move(reaches_tier3_at_once=reaches_tier3_at_once(consequence, whose))
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
    row = desk.one(
        "insert_episode",
        patient_id=raised.patient_id,
        subject=whose.subject,
        organisation_id=None if whose.subject is None else whose.organisation_id,
        gateway_id=whose.gateway_id,
        family=consequence.family,
        technical=consequence.technical,
        rule=raised.rule,
        priority=consequence.priority,
        emergency=consequence.emergency,
        tier3=consequence.tier3,
        condition="cleared" if raised.past else "present",
        state=new.state,
        step=new.step,
        service_tier=new.service_tier,
        since=raised.since,
        raised_at=raised.raised_at,
        now=desk.now,
        due_at=new.due_at,
        evidence=json(raised.evidence | {"past": True} if raised.past else raised.evidence),
        profile_hash=desk.profile.profile_hash,
    )
    assert row is not None, "INSERT … RETURNING gives a row"
    _announce(desk, row.episode_id, raised, consequence, whose, move, Effect.OPEN)
    return int(row.episode_id)


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
        desk.run("hasten_referral", patient_id=raised.patient_id, priority=consequence.priority)
    standing = standing_of(found)
    move = move_for(standing, Act.ALARM_ANEW)
    if reaches_tier3_at_once(consequence, whose):
        move = replace(move, page=(*move.page, Audience.COUNTY_EXPERT))
    timers = desk.profile.timers[consequence.priority]
    new = after(standing, Act.ALARM_ANEW, move, now=desk.now, timers=timers)
    write_standing(desk, found.episode_id, replace(new, tier3=new.tier3 or consequence.tier3), closed_by=None)
    _announce(desk, found.episode_id, raised, consequence, whose, move, Effect.ALARM_ANEW)


def _announce(
    desk: Desk, episode_id: int, raised: Raise, consequence: Consequence, whose: Any, move: Move, effect: Effect
) -> None:
    event_id = add_event(desk, episode_id, kind=effect, detail=_detail(raised), key=raised.key, states=("", move.to))
    assert event_id is not None, "the key was looked up under the patient's lock"
    page(
        desk,
        Page(
            episode_id=episode_id,
            event_id=event_id,
            step=move.step,
            consequence=consequence,
            whose=whose,
            since=raised.since,
            audiences=move.page,
            words=roster_words(raised.evidence, whose.time_zone) if consequence.family == Family.ROSTER else None,
        ),
    )


def _detail(raised: Raise) -> dict[str, Any]:
    return {
        "rule": raised.rule,
        "basis": raised.basis,
        "since": raised.since.isoformat(),
        "raised_at": raised.raised_at.isoformat(),
        "past": raised.past,
    } | raised.evidence

"""Writes down what a rule said: opens, worsens or counts an episode, and pages; or notes that it is over.

Everything here happens inside the caller's transaction, so that an episode, its history and its notices appear
together or not at all. Every raise has a key: saying the same thing twice records it once.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from alerting.desk import Desk, json
from alerting.episodes import Act, Audience, Move, Standing, State, after, first_move, move_for
from alerting.paging import Page, page
from alerting.profile import Consequence, Priority
from care.registry import SpecialGroup

SPECIAL_GROUPS = frozenset({SpecialGroup.INFANT, SpecialGroup.CHILD, SpecialGroup.PREGNANT})


class Basis(StrEnum):
    """How a condition was judged; the same rule id may be judged in two ways."""

    SUSTAINED = "sustained"
    REPEAT = "repeat"
    FEVER = "fever"
    SILENCE = "silence"
    RECHECK = "recheck"


@dataclass(frozen=True, slots=True, kw_only=True)
class Raise:
    """A rule's raise. `past`: it was over before it was known (late data): to the worklist, nobody is paged."""

    patient_id: int
    rule: str
    basis: Basis
    since: datetime
    raised_at: datetime
    key: str
    evidence: dict[str, Any] = field(default_factory=dict)
    past: bool = False


class Effect(StrEnum):
    """What a raise does to what is already open."""

    OPEN = "raised"
    ALARM_ANEW = "raised_anew"
    COUNT = "raised_again"


def effect_of(found: Any | None, consequence: Consequence, *, past: bool) -> Effect:
    """Decide: one open episode per family; a higher rank, or a new raise after it was over, alarms anew."""
    if found is None:
        return Effect.OPEN
    open_rank = replace(consequence, priority=Priority(found.priority), emergency=found.emergency).rank
    if not past and (consequence.rank < open_rank or found.condition == "cleared"):
        return Effect.ALARM_ANEW
    return Effect.COUNT


def record_raise(desk: Desk, raised: Raise) -> int | None:
    """Record a raise once and page for it; gives the episode, or None when this raise was recorded before."""
    desk.run("lock_patient", patient_id=raised.patient_id)
    found = desk.one("event_exists", key=raised.key)
    if found is not None and found.recorded:
        return None
    patient = desk.one("patient", patient_id=raised.patient_id)
    if patient is None:
        return None
    consequence = _for_patient(desk.profile.consequences[raised.rule], patient, past=raised.past)
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
    if raised.basis is not Basis.RECHECK and _waits_for_recheck(desk, raised.patient_id, consequence):
        return None
    open_episode = desk.one("open_episode_of", patient_id=raised.patient_id, family=consequence.family)
    effect = effect_of(open_episode, consequence, past=raised.past)
    if effect is Effect.OPEN or open_episode is None:
        return _open(desk, raised, consequence, patient)
    if effect is Effect.COUNT:
        desk.run("count_raise", episode_id=open_episode.episode_id, evidence=json({"again": raised.evidence}))
        add_event(desk, open_episode.episode_id, kind=effect, detail=_detail(raised), key=raised.key)
        return int(open_episode.episode_id)
    _alarm_anew(desk, raised, consequence, patient, open_episode)
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


def carry_out(
    desk: Desk, episode: Any, act: Act, move: Move, *, event_id: int, actor_id: int | None = None
) -> Standing:
    """Write a move's new standing and page whom it names; `episode` is a row of `lock_episode`."""
    consequence = consequence_of(desk, episode)
    timers = desk.profile.timers[consequence.priority]
    new = after(standing_of(episode), act, move, now=desk.now, timers=timers)
    _write(desk, episode.episode_id, new, closed_by=actor_id if move.to is State.CLOSED else None)
    if move.page:
        patient = desk.one("patient", patient_id=episode.patient_id)
        page(
            desk,
            Page(
                episode_id=episode.episode_id,
                event_id=event_id,
                step=move.step,
                consequence=consequence,
                patient=patient,
                since=episode.since,
                audiences=move.page,
                by_act=act is not Act.DEADLINE,
            ),
        )
    return new


def standing_of(episode: Any) -> Standing:
    """Read an episode row's part that escalation moves."""
    return Standing(
        state=State(episode.state),
        step=episode.step,
        service_tier=episode.service_tier,
        tier3=episode.tier3,
        technical=episode.technical,
        alarmed_at=episode.alarmed_at,
        due_at=episode.due_at,
    )


def consequence_of(desk: Desk, episode: Any) -> Consequence:
    """Give the rule's consequence at the priority the episode has."""
    rule = desk.profile.consequences.get(episode.rule)
    base = rule or Consequence(
        rule=episode.rule,
        family=episode.family,
        priority=Priority(episode.priority),
        emergency=episode.emergency,
        tier3=episode.tier3,
        technical=episode.technical,
    )
    return replace(base, priority=Priority(episode.priority), emergency=episode.emergency)


def add_event(
    desk: Desk,
    episode_id: int,
    *,
    kind: str,
    detail: dict[str, Any] | None = None,
    key: str | None = None,
    actor_id: int | None = None,
    channel: str = "",
    states: tuple[str, str] | None = None,
) -> int | None:
    """Append to an episode's history and tell the screens; None when the key was there already."""
    row = desk.one(
        "insert_event",
        episode_id=episode_id,
        at=desk.now,
        kind=kind,
        actor_id=actor_id,
        channel=channel,
        from_state=states[0] if states else None,
        to_state=states[1] if states else None,
        detail=json(detail or {}),
        key=key,
    )
    desk.connection.execute("SELECT pg_notify('episode', %s)", (str(episode_id),))
    return int(row.event_id) if row else None


def _write(desk: Desk, episode_id: int, standing: Standing, *, closed_by: int | None) -> None:
    desk.run(
        "move_episode",
        episode_id=episode_id,
        state=standing.state,
        step=standing.step,
        service_tier=standing.service_tier,
        tier3=standing.tier3,
        alarmed_at=standing.alarmed_at,
        due_at=standing.due_at,
        closed_by=closed_by,
        now=desk.now,
    )


def _for_patient(consequence: Consequence, patient: Any, *, past: bool) -> Consequence:
    if past:
        return replace(consequence, priority=Priority.LOW, emergency=False, tier3=False)
    if consequence.special_priority and _is_special(patient):
        return replace(consequence, priority=consequence.special_priority)
    return consequence


def _waits_for_recheck(desk: Desk, patient_id: int, consequence: Consequence) -> bool:
    """Somebody has just called this condition a false alarm: no lesser rule of the family opens it anew before then."""
    closed = [
        desk.profile.consequences[row.rule]
        for row in desk.all("rechecks", patient_id=patient_id)
        if row.rule in desk.profile.consequences
    ]
    return any(c.family == consequence.family and c.rank <= consequence.rank for c in closed)


def _is_special(patient: Any) -> bool:
    return patient.risk_colour == "red" or bool(SPECIAL_GROUPS & set(patient.special_groups))


def _reaches_tier3_at_once(consequence: Consequence, patient: Any) -> bool:
    return consequence.priority is Priority.HIGH and _is_special(patient)


def _open(desk: Desk, raised: Raise, consequence: Consequence, patient: Any) -> int:
    move = first_move(reaches_tier3_at_once=_reaches_tier3_at_once(consequence, patient))
    blank = Standing(
        state=State.UNACK,
        step=0,
        service_tier=2,
        tier3=consequence.tier3,
        technical=consequence.technical,
        alarmed_at=desk.now,
        due_at=None,
    )
    new = after(blank, Act.ALARM_ANEW, move, now=desk.now, timers=desk.profile.timers[consequence.priority])
    row = desk.one(
        "insert_episode",
        patient_id=raised.patient_id,
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
    _announce(desk, row.episode_id, raised, consequence, patient, move, Effect.OPEN)
    return int(row.episode_id)


def _alarm_anew(desk: Desk, raised: Raise, consequence: Consequence, patient: Any, found: Any) -> None:
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
    standing = standing_of(found)
    move = move_for(standing, Act.ALARM_ANEW)
    if _reaches_tier3_at_once(consequence, patient):
        move = replace(move, page=(*move.page, Audience.COUNTY_EXPERT))
    timers = desk.profile.timers[consequence.priority]
    new = after(standing, Act.ALARM_ANEW, move, now=desk.now, timers=timers)
    _write(desk, found.episode_id, replace(new, tier3=new.tier3 or consequence.tier3), closed_by=None)
    _announce(desk, found.episode_id, raised, consequence, patient, move, Effect.ALARM_ANEW)


def _announce(
    desk: Desk, episode_id: int, raised: Raise, consequence: Consequence, patient: Any, move: Move, effect: Effect
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
            patient=patient,
            since=raised.since,
            audiences=move.page,
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

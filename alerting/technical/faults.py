"""Turns findings into technical alarms: opens, worsens, ends. Each in a transaction of its own, each raise once.

A fault is noted apart from its alarm (`technical_fault`), with when it began: so a word that wavers is one fault, and
an alarm that a person closed while its cause goes on is told again only after the profile's time. What is WELL ends;
what is UNKNOWN changes nothing; a subject that is in no finding any more (unbound, gone from the registry) concerns
nobody, and ends too. A low or medium alarm closes with its cause; a high one is only marked, and waits for a person.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from alerting.desk import Desk, json, unix_ms
from alerting.episodes import Act, move_for
from alerting.isolation import one_by_one
from alerting.moving import add_event, carry_out, standing_of
from alerting.profile.profile import Priority
from alerting.profile.technical import Family
from alerting.raising import UNANSWERED, Basis, Effect, Raise, effect_of
from alerting.recording import Opening, alarm_anew, count_raise, open_episodes
from alerting.technical.finding import Finding, Standing, Subject

COVERS_MAX = 500
"""Entries of what an alarm explains that are kept with it; `covers_now` counts them all."""

Key = tuple[str, str]
"""A subject and a family."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The open alarm of a common cause, in which a fault's own alarm waits."""

    episode_id: int
    subject: str


NOBODY: Mapping[Key, Holder] = {}


def settle(
    desk: Desk,
    families: Collection[Family],
    findings: Iterable[Finding],
    *,
    held: Mapping[Key, Holder] = NOBODY,
    under: str = "",
) -> int:
    """Bring the alarms of these families to what was found; gives how many were raised.

    `findings` must name every subject that these families concern now; with `under`, every one whose key begins so.
    What is `held` is noted and has no alarm of its own; one that nobody has answered is closed into its holder's.
    """
    found = {(finding.subject.key, finding.family.value): finding for finding in findings}
    noted = {
        (row.subject, row.family): row
        for row in desk.all("technical_faults", families=list(families))
        if row.subject.startswith(under)
    }
    opened = {key: row for key, row in open_alarms(desk, families).items() if key[0].startswith(under)}
    faults = {key: finding for key, finding in found.items() if finding.standing is Standing.FAULT}
    holding = [(held[key], f) for key, f in faults.items() if key in held and (key not in noted or key in opened)]
    one_by_one(holding, lambda each: _hold(desk, *each), what="technical alarm that another one holds")
    begun = [f for key, f in faults.items() if key not in held and _is_news(f, noted.get(key), opened.get(key))]
    raised = one_by_one(begun, lambda finding: _begin(desk, finding), what="technical alarm")
    over = [
        (key, why)
        for key in noted.keys() | {key for key, row in opened.items() if row.condition != "cleared"}
        if (why := _over(found.get(key)))
    ]
    one_by_one(sorted(over), lambda each: _end(desk, each[0], each[1]), what="end of a technical alarm")
    return raised


def open_alarms(desk: Desk, families: Collection[Family]) -> Mapping[Key, Any]:
    """Give the open alarms of these families."""
    return {(row.subject, row.family): row for row in desk.all("open_technical", families=list(families))}


def cover(desk: Desk, episode_id: int, entries: list[dict[str, object]]) -> int:
    """Enter what an alarm explains; what it once explained stays entered."""
    kept = json(entries[:COVERS_MAX])
    return desk.run("cover", episode_id=episode_id, covers=kept, covers_now=len(entries), most=COVERS_MAX)


def _over(finding: Finding | None) -> str:
    """Say why a fault is over; empty where it is not."""
    if finding is None:
        return "gone"
    return "well" if finding.standing is Standing.WELL else ""


def _is_news(finding: Finding, noted: Any, opened: Any) -> bool:
    same = noted is not None and noted.rule == finding.rule
    return not (same and opened is not None and opened.condition == "present")


def _hold(desk: Desk, holder: Holder, finding: Finding) -> int:
    """Note a fault whose alarm waits in another's; its own is closed into that, but where somebody has taken it on."""
    subject = finding.subject
    with desk.connection.transaction():
        _lock(desk, subject)
        here = {"subject": subject.key, "family": finding.family}
        desk.run("note_fault", **here, rule=finding.rule, since=finding.since or desk.now)
        opened = desk.one("open_episode_about", **here, patient_id=subject.patient_id)
        if opened is not None and opened.priority != Priority.HIGH and opened.state in UNANSWERED:
            end_with_cause(desk, opened, kind="covered", detail={"by": Family.STORM, "subject": holder.subject})
    return 1


def _begin(desk: Desk, finding: Finding) -> int:
    subject = finding.subject
    with desk.connection.transaction():
        _lock(desk, subject)
        here = {"subject": subject.key, "family": finding.family}
        desk.run("note_fault", **here, rule=finding.rule, since=finding.since or desk.now)
        fault = desk.one("technical_fault", **here)
        assert fault is not None, "it was noted in this transaction"
        opened = desk.one("open_episode_about", **here, patient_id=subject.patient_id)
        consequence = desk.profile.consequences[finding.rule]
        closed = None
        if opened is None:
            closed = desk.one("closed_by_person", **here, patient_id=subject.patient_id, since=fault.since)
            again_s = desk.profile.technical.again.after_s(consequence.priority)
            if closed is not None and desk.now - closed.closed_at < timedelta(seconds=again_s):
                return 0
        elif opened.rule == finding.rule and opened.condition == "present":
            return 0
        before = closed or desk.one("covered_episode", **here, patient_id=subject.patient_id, since=fault.since)
        raised = _raise(desk, finding, fault.since, after=before.episode_id if before else None)
        if (known := desk.one("event_exists", key=raised.key)) is not None and known.recorded:
            return 0
        whose = _whose(desk, subject)
        if whose is None:
            return 0
        effect = effect_of(opened, consequence, past=False)
        if effect is Effect.OPEN or opened is None:
            open_episodes(desk, [Opening(raised=raised, consequence=consequence, whose=whose)])
        elif effect is Effect.COUNT:
            count_raise(desk, raised, opened)
        else:
            alarm_anew(desk, raised, consequence, whose, opened)
    return 1


def _raise(desk: Desk, finding: Finding, since: Any, *, after: int | None) -> Raise:
    key = f"{finding.subject.key}:{finding.rule}:{unix_ms(since)}"
    return Raise(
        patient_id=finding.subject.patient_id,
        rule=finding.rule,
        basis=Basis.SILENCE,
        since=since,
        raised_at=desk.now,
        key=f"{key}:{after}" if after is not None else key,
        evidence=dict(finding.evidence),
    )


def _end(desk: Desk, key: Key, why: str) -> int:
    subject, family = key
    patient_id = int(subject.removeprefix("patient:")) if subject.startswith("patient:") else None
    with desk.connection.transaction():
        _lock(desk, Subject(key=subject, patient_id=patient_id))
        desk.run("end_fault", subject=subject, family=family, now=desk.now)
        opened = desk.one("open_episode_about", subject=subject, family=family, patient_id=patient_id)
        if opened is None:
            return 0
        if opened.priority == Priority.HIGH:
            if desk.run("clear_technical", episode_id=opened.episode_id, now=desk.now):
                add_event(desk, opened.episode_id, kind="cleared", detail={"rule": opened.rule, "why": why})
            return 1
        end_with_cause(desk, opened, kind="cause_ended", detail={"why": why})
    return 1


def end_with_cause(desk: Desk, episode: Any, *, kind: str, detail: dict[str, Any]) -> None:
    """Close a technical alarm whose cause is over, or that another alarm explains; it is kept and counted."""
    move = move_for(standing_of(episode), Act.CAUSE_ENDED)
    event_id = add_event(desk, episode.episode_id, kind=kind, detail=detail, states=(episode.state, move.to))
    carry_out(desk, episode, Act.CAUSE_ENDED, move, event_id=event_id or 0)


def _lock(desk: Desk, subject: Subject) -> None:
    if subject.patient_id is not None:
        desk.run("lock_patient", patient_id=subject.patient_id)
    desk.run("lock_subject", subject=subject.key)


def _whose(desk: Desk, subject: Subject) -> Any:
    if subject.patient_id is not None:
        return desk.one("patient", patient_id=subject.patient_id)
    return desk.one(
        "site_to_be", subject=subject.key, organisation_id=subject.organisation_id, gateway_id=subject.gateway_id
    )

"""Gives many faults with one cause one alarm: opens it, lets it take and leave what it holds, alarm anew, and end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerting.desk import Desk, json, unix_ms
from alerting.isolation import one_by_one
from alerting.profile.technical import GRADED, Family
from alerting.raising import Basis, Raise
from alerting.recording import alarm_anew
from alerting.technical.faults import Holder, Key, end_with_cause, settle
from alerting.technical.finding import STORM, Finding, Standing, Subject, of_storm
from alerting.technical.storms import Cause, Member, Storm, causes, threshold_of

Populations = Callable[[], Mapping[tuple[int, str], int]]
"""Asked only where there is something to judge: how many of each organisation and model could have the fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A fault that may be one of many (alerting.technical.storms.Member), by its organisation and device's model."""

    subject: str
    organisation_id: int
    since: datetime
    medium: bool
    due: bool = True
    patient_id: int | None = None
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Which faults wait in which alarm, and which of them do from now on."""

    by: Mapping[Key, Holder]
    joined: frozenset[str] = frozenset()


def collapse(desk: Desk, family: str, candidates: Sequence[Candidate], populations: Populations) -> Held:
    """Bring the alarms of one kind of fault's causes to what is; gives what they hold.

    Where that fails it is logged, and holds nothing: everything alarms for itself.
    """
    found: list[Held] = []
    one_by_one([family], lambda _: _collapse(desk, family, candidates, populations, found), what="common cause")
    return found[0] if found else Held(by={})


def _collapse(
    desk: Desk, family: str, candidates: Sequence[Candidate], populations: Populations, found: list[Held]
) -> int:
    threshold = threshold_of(family, desk.profile.technical.storm)
    opened = desk.all("open_storms", family=family)
    if len(candidates) < threshold.members_min and not opened:
        found.append(Held(by={}))
        return 0
    places = {row.organisation_id: tuple(row.places) for row in desk.all("places")}
    counted = populations()
    standing: list[tuple[Subject, Cause]] = []
    for model in sorted({each.model for each in candidates}):
        members = [_member(each, places) for each in candidates if each.model == model]
        storms = [_storm(row) for row in opened if row.model == model]
        judged = causes(members, storms, _added_up(counted, places, model), threshold)
        standing += [(of_storm(family, cause.place, model), cause) for cause in judged]
    for subject, cause in standing:
        for episode_id in cause.absorbs:
            _absorb(desk, episode_id, subject)
    raised = settle(
        desk,
        (Family.STORM,),
        [_finding(family, subject, cause) for subject, cause in standing],
        under=f"{STORM}{family}:",
    )
    found.append(_keep(desk, family, standing))
    return raised


def _member(candidate: Candidate, places: Mapping[int, tuple[int, ...]]) -> Member:
    every = places.get(candidate.organisation_id, (candidate.organisation_id,))
    return Member(
        subject=candidate.subject,
        places=every[-1:] if candidate.model else every,
        since=candidate.since,
        medium=candidate.medium,
        due=candidate.due,
        patient_id=candidate.patient_id,
    )


def _storm(row: Any) -> Storm:
    return Storm(
        episode_id=row.episode_id,
        place=row.organisation_id,
        members=frozenset(row.members),
        begun=row.begun,
        newest=row.newest,
    )


def _added_up(
    counted: Mapping[tuple[int, str], int], places: Mapping[int, tuple[int, ...]], model: str
) -> dict[int, int]:
    """Count each place with all below it."""
    found: dict[int, int] = {}
    for (organisation_id, of), count in counted.items():
        for place in places.get(organisation_id, ()) if of == model else ():
            found[place] = found.get(place, 0) + count
    return found


def _finding(family: str, subject: Subject, cause: Cause) -> Finding:
    low, medium = GRADED[Family.STORM]
    return Finding(
        subject=subject,
        family=Family.STORM,
        standing=Standing.FAULT,
        rule=medium if cause.medium else low,
        since=cause.begun,
        evidence=_evidence(family, subject, cause) | {"alarmed_of": len(cause.members)},
    )


def _evidence(family: str, subject: Subject, cause: Cause) -> dict[str, Any]:
    model = subject.key.removeprefix(f"{STORM}{family}:{cause.place}").removeprefix(":")
    return {"why": f"storm_{family}", "of": family, "members_now": len(cause.members), "model": model}


def _absorb(desk: Desk, episode_id: int, into: Subject) -> None:
    """Close a cause's alarm into that of the place above it."""
    with desk.connection.transaction():
        row = desk.one("lock_episode", episode_id=episode_id, now=desk.now)
        if row is None or row.state == "closed":
            return
        desk.run("end_fault", subject=row.subject, family=Family.STORM, now=desk.now)
        end_with_cause(desk, row, kind="covered", detail={"by": Family.STORM, "subject": into.key})


def _keep(desk: Desk, family: str, standing: Sequence[tuple[Subject, Cause]]) -> Held:
    """Write down what open causes hold. One whose alarm a person has closed holds nothing."""
    desk.run("leave_closed_storms", now=desk.now)
    opened = {row.subject: row for row in desk.all("storms_now", subjects=[subject.key for subject, _ in standing])}
    by: dict[Key, Holder] = {}
    joined: set[str] = set()
    for subject, cause in standing:
        row = opened.get(subject.key)
        if row is None:
            continue
        joined |= _take(desk, family, row, subject, cause)
        holder = Holder(episode_id=row.episode_id, subject=subject.key)
        by |= {(member.subject, family): holder for member in cause.members}
    return Held(by=by, joined=frozenset(joined))


def _take(desk: Desk, family: str, row: Any, subject: Subject, cause: Cause) -> set[str]:
    with desk.connection.transaction():
        desk.run("lock_subject", subject=subject.key)
        members = [member.subject for member in cause.members]
        desk.run("leave_storm", episode_id=row.episode_id, members=members, now=desk.now)
        new = desk.all(
            "join_storm",
            episode_id=row.episode_id,
            family=family,
            subjects=members,
            patients=[member.patient_id for member in cause.members],
            since=[member.since for member in cause.members],
            now=desk.now,
        )
        alarmed = desk.one("storm_alarmed_of", episode_id=row.episode_id)
        if alarmed is not None:
            grown = 100 * len(members) >= desk.profile.technical.storm.grows_percent * alarmed.alarmed_of
            if grown or (cause.anew and new):
                _alarm_again(desk, family, subject, cause)
            else:
                evidence = json(_evidence(family, subject, cause))
                desk.run("restate", episode_id=row.episode_id, evidence=evidence)
    return {each.subject for each in new}


def _alarm_again(desk: Desk, family: str, subject: Subject, cause: Cause) -> None:
    """It is not what somebody has looked at any more: it rings from the beginning."""
    finding = _finding(family, subject, cause)
    opened = desk.one("open_episode_about", subject=subject.key, family=Family.STORM, patient_id=None)
    whose = desk.one("site_to_be", subject=subject.key, organisation_id=subject.organisation_id, gateway_id=None)
    if opened is None or whose is None:
        return
    raised = Raise(
        patient_id=None,
        rule=opened.rule,
        basis=Basis.SILENCE,
        since=opened.since,
        raised_at=desk.now,
        key=f"{subject.key}:{opened.rule}:grown:{unix_ms(desk.now)}",
        evidence=dict(finding.evidence),
    )
    alarm_anew(desk, raised, desk.profile.consequences[opened.rule], whose, opened)

"""The alarms of devices that give no good values, but for those whose silence another alarm explains."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerting.desk import Desk, unix_ms
from alerting.isolation import one_by_one
from alerting.moving import add_event
from alerting.profile.profile import Priority, no_data_rule
from alerting.profile.technical import Family
from alerting.raising import Basis, Raise
from alerting.recording import record_raise
from alerting.technical.collapse import Candidate, collapse
from alerting.technical.faults import Holder, Key, end_with_cause
from alerting.technical.gateway_word import GatewayWord
from alerting.technical.silence import Cut, Verdict, verdict
from alerting.technical.storms import NO_DATA


@dataclass(frozen=True, slots=True, kw_only=True)
class Silences:
    """What became of the silent devices: how many alarms were raised, and which devices another alarm explains."""

    raised: int
    explained: Mapping[tuple[str, str], list[dict[str, object]]]
    """By the subject and family of the explaining alarm: the entries of its evidence."""


def judge_silence(desk: Desk, words: Sequence[GatewayWord], cuts: Mapping[str, Sequence[Cut]]) -> Silences:
    """Judge every silent device; `cuts` say by gateway what cuts it off, or did."""
    limits = desk.profile.silence
    silent = desk.all("silent_devices", now=desk.now, low_after=timedelta(seconds=limits.low_after_s))
    readers = _readers(desk, silent, words)
    judged = [(device, _verdict(desk, device, readers, cuts)) for device in silent]
    covered = _covered_before(desk, silent)
    held = _held_with_others(desk, judged)
    alone = [each for each in judged if _key(each[0]) not in held]
    raised = one_by_one(alone, lambda each: _raise(desk, each[0], each[1], covered), what="silence")
    _cover_low_ones(desk, judged)
    _cover_held_ones(desk, judged, held)
    patients = sorted({device.patient_id for device in silent})
    back = desk.all("no_data_episodes", silent=patients)
    one_by_one(back, lambda row: _end(desk, row, kind="cause_ended"), what="end of silence")
    with desk.connection.transaction():
        for row in desk.all("unknown_conditions", silent=patients):
            add_event(desk, row.episode_id, kind="condition")
    return Silences(raised=raised, explained=_explained(judged))


def _readers(desk: Desk, silent: Sequence[Any], words: Iterable[GatewayWord]) -> dict[str, set[str]]:
    """Give which gateways read each device: by the registry's claims, and by what gateways themselves say."""
    devices = {device.device_key for device in silent}
    found: dict[str, set[str]] = {device: set() for device in devices}
    for row in desk.all("standing_claims", devices=sorted(devices)) if devices else ():
        found[row.device_key].add(row.gateway_id)
    for word in words:
        for device in devices & word.reads:
            found[device].add(word.gateway_id)
    return found


def _verdict(desk: Desk, device: Any, readers: Mapping[str, set[str]], cuts: Mapping[str, Sequence[Cut]]) -> Verdict:
    return verdict(
        device.silent_since,
        watched=device.watched or device.service_tier == 3,
        gateways=readers[device.device_key],
        cuts=cuts,
        limits=desk.profile.silence,
        now=desk.now,
    )


def _covered_before(desk: Desk, silent: Sequence[Any]) -> dict[int, int]:
    """Give the newest event by which each patient's alarm was closed into another: what comes after it is news."""
    if not silent:
        return {}
    patients = sorted({device.patient_id for device in silent})
    since = min(device.silent_since for device in silent)
    return {row.patient_id: row.event_id for row in desk.all("covered_since", patients=patients, since=since)}


def _raise(desk: Desk, device: Any, judged: Verdict, covered: Mapping[int, int]) -> int:
    if judged.priority is None:
        return 0
    since: datetime = device.silent_since
    rule = no_data_rule(judged.priority)
    key = f"{device.patient_id}:{rule}:{device.device_id}:{unix_ms(judged.counted_from)}"
    raised = Raise(
        patient_id=device.patient_id,
        rule=rule,
        basis=Basis.SILENCE,
        since=since,
        raised_at=desk.now,
        key=f"{key}:{covered[device.patient_id]}" if device.patient_id in covered else key,
        evidence={
            "device": device.device_key,
            "last_good_at": device.good_measured_at.isoformat() if device.good_measured_at else None,
            "last_heard_at": device.heard_at.isoformat() if device.heard_at else None,
            "why": "unusable" if device.heard_at and device.heard_at > since else "nothing_received",
        },
    )
    with desk.connection.transaction():
        return record_raise(desk, raised) is not None


def _cover_low_ones(desk: Desk, judged: Sequence[tuple[Any, Verdict]]) -> None:
    """Close low alarms that were raised before their cause was known: its alarm lists their devices from now on."""
    held = {device.patient_id for device, each in judged if each.priority is None and each.explained_by is not None}
    held -= {device.patient_id for device, each in judged if each.explained_by is None}
    if held:
        by = {device.patient_id: each.explained_by for device, each in judged if each.explained_by is not None}
        low = desk.all("low_no_data", patients=sorted(held))
        one_by_one(low, lambda row: _end(desk, row, kind="covered", by=by[row.patient_id]), what="covered silence")


def _key(device: Any) -> Key:
    return f"device:{device.device_key}", NO_DATA


def _held_with_others(desk: Desk, judged: Sequence[tuple[Any, Verdict]]) -> Mapping[Key, Holder]:
    """Give which devices' alarms wait in that of their model, much of which is silent; a watched one's never does."""
    alarming = [(device, each) for device, each in judged if each.priority is not None]
    models: dict[str, Any] = {}
    if len(alarming) >= desk.profile.technical.storm.members_min or desk.all("open_storms", family=NO_DATA):
        models = {row.device_key: row for row in desk.all("device_models", now=desk.now) if row.model}
    candidates = [
        Candidate(
            subject=_key(device)[0],
            organisation_id=device.organisation_id,
            since=each.counted_from,
            medium=each.priority is Priority.MEDIUM,
            patient_id=device.patient_id,
            model=models[device.device_key].model,
        )
        for device, each in alarming
        if device.device_key in models and not (device.watched or device.service_tier == 3)
    ]
    counted = Counter((row.organisation_id, row.model) for row in models.values())
    return collapse(desk, NO_DATA, candidates, lambda: counted).by


def _cover_held_ones(desk: Desk, judged: Sequence[tuple[Any, Verdict]], held: Mapping[Key, Holder]) -> None:
    """Close alarms that nobody has answered, of patients all of whose silence is held, into the one that holds it."""
    by = {device.patient_id: held[_key(device)] for device, _ in judged if _key(device) in held}
    alone = {device.patient_id for device, each in judged if each.priority is not None and _key(device) not in held}
    if patients := sorted(by.keys() - alone):
        cuts = {
            patient_id: Cut(since=desk.now, family=Family.STORM, subject=by[patient_id].subject)
            for patient_id in patients
        }
        rows = desk.all("no_data_of", patients=patients)
        one_by_one(
            rows, lambda row: _end(desk, row, kind="covered", by=cuts[row.patient_id]), what="silence held with others"
        )


def _end(desk: Desk, row: Any, *, kind: str, by: Cut | None = None) -> int:
    """A technical episode of low or medium priority ends with its cause, kept and counted."""
    with desk.connection.transaction():
        desk.run("lock_patient", patient_id=row.patient_id)
        episode = desk.one("lock_episode", episode_id=row.episode_id, now=desk.now)
        if episode is None or episode.state == "closed":
            return 0
        for priority in (Priority.LOW, Priority.MEDIUM):
            rule = no_data_rule(priority)
            desk.run("deactivate", patient_id=row.patient_id, rule=rule, basis=Basis.SILENCE)
        detail = {"by": by.family, "subject": by.subject} if by else {}
        end_with_cause(desk, episode, kind=kind, detail=detail)
    return 1


def _explained(judged: Iterable[tuple[Any, Verdict]]) -> dict[tuple[str, str], list[dict[str, object]]]:
    found: dict[tuple[str, str], list[dict[str, object]]] = {}
    for device, each in judged:
        if each.explained_by is not None:
            entry = {
                "device": device.device_key,
                "patient_id": device.patient_id,
                "silent_since": device.silent_since.isoformat(),
            }
            found.setdefault((each.explained_by.subject, each.explained_by.family), []).append(entry)
    return found

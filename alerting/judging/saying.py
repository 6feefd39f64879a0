"""Turns what a sustained rule said into what is recorded: raise, clear, or a condition that waits."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from alerting.desk import Desk, instant
from alerting.engine.partition import PatientEvent
from alerting.judging.channels import EVIDENT
from alerting.profile.tags import tags_of
from alerting.raising import Basis, Raise
from alerting.recording import record_clear, record_raises, turns_of
from vitals.reading import unscaled
from vitals.signals import SIGNALS
from vitals.sustained import Kind


def record_events(desk: Desk, events: Sequence[PatientEvent], *, received_at: datetime) -> None:
    """Record events of the engine in the caller's transaction: each patient's in order, those of many together."""
    for turn in turns_of([said.patient_id for said in events]):
        of_kind: dict[Kind, list[PatientEvent]] = {kind: [] for kind in Kind}
        for place in turn:
            of_kind[events[place].event.kind].append(events[place])
        record_raises(desk, raises_of(desk, of_kind[Kind.RAISE]))
        for said in of_kind[Kind.CLEAR]:
            at = instant(said.event.at_ms)
            record_clear(desk, patient_id=said.patient_id, rule=said.event.rule, basis=Basis.SUSTAINED, at=at)
        _keep_waiting(desk, of_kind[Kind.PENDING], received_at)
        desk.write("drop_pending", [_waiting(said) for said in of_kind[Kind.DISCARD]])


def raises_of(desk: Desk, said: Sequence[PatientEvent]) -> list[Raise]:
    """Make the raises of sustained rules, with the numbers that decided them."""
    return [
        Raise(
            patient_id=each.patient_id,
            rule=each.event.rule,
            basis=Basis.SUSTAINED,
            since=instant(each.event.since_ms),
            raised_at=instant(each.event.at_ms),
            key=f"{each.patient_id}:{each.event.rule}:{Basis.SUSTAINED}:{each.event.at_ms}",
            evidence=evidence,
        )
        for each, evidence in zip(said, _evidence(desk, said), strict=True)
    ]


def _keep_waiting(desk: Desk, said: Sequence[PatientEvent], received_at: datetime) -> None:
    due_at = min(received_at, desk.now) + timedelta(seconds=desk.profile.silence.lost_while_low_s)
    desk.write(
        "save_pending",
        [
            _waiting(each) | {"since": instant(each.event.since_ms), "due_at": due_at, "evidence": evidence}
            for each, evidence in zip(said, _evidence(desk, said), strict=True)
        ],
    )


def _waiting(said: PatientEvent) -> dict[str, object]:
    return {"patient_id": said.patient_id, "rule": said.event.rule, "basis": Basis.SUSTAINED}


def _evidence(desk: Desk, said: Sequence[PatientEvent]) -> list[dict[str, object]]:
    if not said:
        return []
    windows = [
        {
            "place": place,
            "patient_id": each.patient_id,
            "code": SIGNALS[each.channel.signal].code,
            "start": instant(each.event.since_ms),
            "until": instant(each.event.at_ms),
            "qualities": [int(quality) for quality in EVIDENT[each.channel.trust]],
        }
        for place, each in enumerate(said)
    ]
    first = instant(min(each.event.since_ms for each in said))
    last = instant(max(each.event.at_ms for each in said))
    found = desk.write("worst", windows, first=first, last=last)
    return [_evidence_of(desk, each, worst) for each, worst in zip(said, found, strict=True)]


def _evidence_of(desk: Desk, said: PatientEvent, found: Any) -> dict[str, object]:
    event, signal = said.event, said.channel.signal
    worst = found.lowest if said.rule.low else found.highest
    shown = event.value if worst is None else worst
    tags = tags_of(desk.profile, event.rule, shown)
    return (
        _held_to(desk, said)
        | said.evidence(shown)
        | {"value": unscaled(signal, event.value)}
        | ({"tags": list(tags)} if tags else {})
    )


def _held_to(desk: Desk, said: PatientEvent) -> dict[str, object]:
    """Say under which limits this was decided: the patient's own, by name and hash, or the profile's."""
    held = said.held
    if held is None:
        return {"profile": desk.profile.name, "profile_hash": desk.profile.profile_hash}
    return {"profile": held.name, "profile_hash": held.hash} | (
        {"baseline": unscaled(said.channel.signal, held.baseline)}
        if held.baseline is not None and desk.profile.limits[said.rule.rule].drop is not None
        else {}
    )

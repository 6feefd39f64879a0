"""Turns what a sustained rule said into what is recorded: raise, clear, or a condition that waits."""

from datetime import datetime, timedelta

from alerting.desk import Desk, instant, json
from alerting.engine.partition import PatientEvent
from alerting.judging.channels import EVIDENT
from alerting.profile.tags import tags_of
from alerting.raising import Basis, Raise
from alerting.recording import record_clear, record_raise
from vitals.reading import unscaled
from vitals.signals import SIGNALS
from vitals.sustained import Kind


def record_event(desk: Desk, said: PatientEvent, *, received_at: datetime) -> None:
    """Record one event of the engine, in the caller's transaction."""
    event, patient_id = said.event, said.patient_id
    waiting = {"patient_id": patient_id, "rule": event.rule, "basis": Basis.SUSTAINED}
    if event.kind is Kind.RAISE:
        record_raise(desk, raise_of(desk, said))
    elif event.kind is Kind.CLEAR:
        record_clear(desk, patient_id=patient_id, rule=event.rule, basis=Basis.SUSTAINED, at=instant(event.at_ms))
    elif event.kind is Kind.PENDING:
        desk.run(
            "save_pending",
            **waiting,
            since=instant(event.since_ms),
            due_at=min(received_at, desk.now) + timedelta(seconds=desk.profile.silence.lost_while_low_s),
            evidence=json(_evidence(desk, said)),
        )
    elif event.kind is Kind.DISCARD:
        desk.run("drop_pending", **waiting)


def raise_of(desk: Desk, said: PatientEvent) -> Raise:
    """Make the raise of a sustained rule, with the numbers that decided it."""
    event = said.event
    return Raise(
        patient_id=said.patient_id,
        rule=event.rule,
        basis=Basis.SUSTAINED,
        since=instant(event.since_ms),
        raised_at=instant(event.at_ms),
        key=f"{said.patient_id}:{event.rule}:{Basis.SUSTAINED}:{event.at_ms}",
        evidence=_evidence(desk, said),
    )


def _evidence(desk: Desk, said: PatientEvent) -> dict[str, object]:
    event, rule, signal = said.event, said.rule, said.channel.signal
    found = desk.one(
        "worst",
        patient_id=said.patient_id,
        code=SIGNALS[signal].code,
        start=instant(event.since_ms),
        until=instant(event.at_ms),
        qualities=[int(quality) for quality in EVIDENT[said.channel.trust]],
    )
    lowest, highest = (found.lowest, found.highest) if found else (None, None)
    worst = lowest if rule.low else highest
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

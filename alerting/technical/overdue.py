"""The alarms of measurements that are overdue, many of which may have one cause."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from alerting.desk import Desk, unix_ms
from alerting.paging import ask_household
from alerting.profile.technical import GRADED, Family
from alerting.technical import patients
from alerting.technical.collapse import Candidate, collapse
from alerting.technical.faults import open_alarms, settle
from alerting.technical.finding import Finding, Standing
from alerting.words import MEASURE_NOW, Text
from vitals.signals import SIGNALS


def settle_overdue(desk: Desk) -> int:
    """Judge overdue measurements; a household that is held with many others is asked to measure all the same."""
    findings = list(_overdue(desk))
    late = {f.subject.patient_id: f for f in findings if f.standing is Standing.FAULT and f.subject.patient_id}
    patients_ = {row.patient_id: row for row in desk.all("patients", patients=sorted(late))} if late else {}
    medium = GRADED[Family.SPOT_OVERDUE][1]
    candidates = [
        Candidate(
            subject=late[patient_id].subject.key,
            organisation_id=row.organisation_id,
            since=late[patient_id].since or desk.now,
            medium=late[patient_id].rule == medium,
            patient_id=patient_id,
        )
        for patient_id, row in patients_.items()
    ]

    def counted() -> Mapping[tuple[int, str], int]:
        return {(row.organisation_id, ""): row.count for row in desk.all("spot_population", now=desk.now)}

    held = collapse(desk, Family.SPOT_OVERDUE, candidates, counted)
    opened = open_alarms(desk, (Family.SPOT_OVERDUE,))
    asked = [patient_id for patient_id in late if f"patient:{patient_id}" in held.joined]
    for patient_id in asked:
        if (f"patient:{patient_id}", Family.SPOT_OVERDUE.value) not in opened:
            _ask_to_measure(desk, patients_[patient_id], late[patient_id])
    return settle(desk, (Family.SPOT_OVERDUE,), findings, held=held.by)


def _ask_to_measure(desk: Desk, patient: Any, finding: Finding) -> None:
    text = Text(zh=MEASURE_NOW.zh.format(who=patient.initials), en=MEASURE_NOW.en.format(who=patient.initials))
    key = f"overdue:{patient.patient_id}:{unix_ms(finding.since or desk.now)}"
    until = desk.now + timedelta(seconds=desk.profile.technical.spot_overdue.medium_after_s)
    ask_household(desk, patient.patient_id, text, key=key, good_until=until)


def _overdue(desk: Desk) -> Iterator[Finding]:
    limits = desk.profile.technical.spot_overdue
    chosen = [signal for signal in limits.every_s if signal in patients.KINDS]
    signals = {SIGNALS[signal].code: signal for signal in chosen}
    rows = desk.all(
        "spot_patients",
        kinds=[patients.KINDS[signal] for signal in chosen],
        codes=list(signals),
        every=[timedelta(seconds=limits.every_s[signal]) for signal in chosen],
        now=desk.now,
    )
    last = [
        patients.LastSpot(
            patient_id=r.patient_id,
            signal=signals[r.code],
            time_zone=r.time_zone,
            measured_at=r.measured_at,
            worn_from=r.worn_from,
        )
        for r in rows
    ]
    return patients.overdue(last, limits, now=desk.now)

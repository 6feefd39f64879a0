"""Reads a patient's stored measurements of one signal, and what there is to know about them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from alerting.desk import Desk, instant, unix_ms
from alerting.judging.held import from_line
from alerting.judging.limits import subject_of, today
from alerting.judging.settling import Settler
from alerting.profile.patient import Held
from alerting.profile.singles import ActivityRule
from alerting.spot.activity import Steps, is_after_activity
from alerting.spot.arrivals import STREAMED, Devices, Ids
from alerting.spot.spells import How, Measurement
from vitals.signals import SIGNALS, Signal

SPANS = {Signal.TEMPERATURE: timedelta(days=14)}
SPAN = timedelta(days=2)
"""How far back history is read: longer than any rule asks, or since what holds has begun."""

VALUES_MAX = 20_000
"""The newest values that are read of one signal: bounds memory where a thermometer streams for days."""


class KnownDevices:
    """Which devices are wearables, and which are clips; read anew where the registry has changed since."""

    def __init__(self) -> None:
        self._version = 0
        self._devices = Devices(wellness=_ids(()), worn=_ids(()), clips=_ids(()))

    def now(self, desk: Desk) -> Devices:
        """Give them as of now."""
        version = int(desk.all("registry_version")[0].version)
        if version != self._version:
            rows = desk.all("device_sets")
            self._devices = Devices(
                wellness=_ids(row.device_id for row in rows if row.wellness),
                worn=_ids(row.device_id for row in rows if row.worn),
                clips=_ids(row.device_id for row in rows if row.clip),
            )
            self._version = version
        return self._devices


def _ids(found: Iterable[int]) -> Ids:
    return np.fromiter(found, np.int32)


def held_now(desk: Desk, patient_id: int, *, on: datetime) -> Held | None:
    """Say what a patient is held to by age, groups, orders and baseline; None for one who is not registered.

    The baseline is the one that the log says, so that streams and measurements are held to the same limit.
    """
    row = desk.one("patients_to_hold", after=0, among=[patient_id], most=1, now=desk.now)
    if row is None:
        return None
    facts = subject_of(row).facts
    said = from_line(row.said).held.baseline if row.said is not None else None
    held, _ = Settler(desk.profile).held(replace(facts, baseline=said or facts.baseline), today(row, on))
    return held


def beginning(desk: Desk, patient_id: int, signal: Signal, *, rules: Iterable[str], received_by: datetime) -> datetime:
    """Say from when history is read: what is recorded as holding must be in it, or nothing could end it."""
    start = received_by - SPANS.get(signal, SPAN)
    holding = desk.one("oldest_active", patient_id=patient_id, rules=list(rules))
    return min(start, holding.since) if holding and holding.since else start


def measurements(
    desk: Desk, patient_id: int, signal: Signal, *, start: datetime, received_by: datetime
) -> list[Measurement]:
    """Read the measurements of a signal: single values, those of bad quality too, and the sessions of clips."""
    rows = desk.all(
        "single_history",
        patient_id=patient_id,
        code=SIGNALS[signal].code,
        streams_too=signal not in STREAMED,
        start=start,
        received_by=received_by,
        most=VALUES_MAX,
    )
    return [
        Measurement(t_ms=unix_ms(row.measured_at), value=row.value, trusted=row.trusted, how=How(row.how))
        for row in rows
    ]


def instants_after_activity(
    desk: Desk, patient_id: int, times_ms: Iterable[int], *, rule: ActivityRule, received_by: datetime
) -> set[int]:
    """Say which of some instants were after activity, as far as steps are known."""
    times = sorted(set(times_ms))
    if not times:
        return set()
    before = timedelta(milliseconds=rule.span_ms + rule.within_ms)
    start = instant(times[0]) - before
    rows = desk.all("steps_history", patient_id=patient_id, start=start, received_by=received_by, most=VALUES_MAX)
    steps = [Steps(t_ms=unix_ms(row.measured_at), count=row.steps) for row in rows]
    return {t_ms for t_ms in times if is_after_activity(t_ms, steps, rule)} if steps else set()

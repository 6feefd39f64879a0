"""Recomputes baselines of SpO2 from what is stored (alerting/spot/baseline.py says of what they are made).

A duty of its own: whoever was heard since is looked at a few times a day. A new baseline marks its patient, and the
limits' duty puts what follows from it into the log.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from alerting.desk import Desk, unix_ms
from alerting.isolation import one_by_one
from alerting.judging.limits import save_baseline
from alerting.judging.measured import instants_after_activity, measurements
from alerting.spot.baseline import Hour, Resting, baseline, resting_hour
from vitals.signals import SIGNALS, Signal

LOOK_EVERY = timedelta(hours=6)
"""How old a look at a baseline may be: it is a median of two weeks."""

MARGIN = timedelta(hours=2)
"""How much earlier than a look what came may be missing in it: hours of a wearer come from roll-ups, which lag."""

PATIENTS_MAX = 200
"""Patients looked at in one turn."""


def look_at_baselines(desk_of: Callable[[], Desk]) -> int:
    """Look at the baselines that are due; gives how many. One that fails does not stop the others."""
    desk = desk_of()
    due = desk.all(
        "baselines_due",
        before=desk.now - LOOK_EVERY,
        margin=MARGIN,
        code=SIGNALS[Signal.SPO2].code,
        most=PATIENTS_MAX,
    )
    return one_by_one(due, lambda row: _look(desk_of(), row), what="baseline")


def _look(desk: Desk, row: Any) -> int:
    with desk.connection.transaction():
        save_baseline(desk, row.patient_id, recompute_baseline(desk, row.patient_id))
    return 1


def recompute_baseline(desk: Desk, patient_id: int) -> int | None:
    """Give the patient's baseline at `desk.now`, scaled; None where he has too few sessions. Writes nothing.

    Where he has too few only because he is ill, it is the one last known: an illness must not end its own limit.
    """
    rule = desk.profile.baseline
    start = desk.now - timedelta(milliseconds=rule.span_ms)
    single = measurements(desk, patient_id, Signal.SPO2, start=start, received_by=desk.now)
    times = [each.t_ms for each in single if each.trusted]
    active = instants_after_activity(desk, patient_id, times, rule=desk.profile.activity, received_by=desk.now)
    sessions = [
        Resting(t_ms=each.t_ms, value=each.value, at_rest=each.t_ms not in active) for each in single if each.trusted
    ]
    hours = [
        resting_hour(
            Hour(t_ms=unix_ms(row.begins_at), value=row.value, covered_ms=row.covered_ms, steps=row.steps), rule
        )
        for row in desk.all("worn_hours", patient_id=patient_id, start=start, until=desk.now)
    ]
    ill = desk.all("times_of_families", patient_id=patient_id, families=_families(desk), start=start, now=desk.now)
    every = [*sessions, *(hour for hour in hours if hour)]
    spells = [(unix_ms(row.since), unix_ms(row.until)) for row in ill]
    found = baseline(every, rule, now_ms=unix_ms(desk.now), ill=spells)
    if found is None and spells and baseline(every, rule, now_ms=unix_ms(desk.now)) is not None:
        known = desk.one("known_baseline", patient_id=patient_id)
        return None if known is None else known.spo2
    return found


def _families(desk: Desk) -> list[str]:
    """Name the families of the rules on SpO2."""
    rules = [r.rule for channel, made in desk.profile.sustained.items() if channel.signal is Signal.SPO2 for r in made]
    rules += [rule.rule for rule in desk.profile.repeat if rule.signal is Signal.SPO2]
    return sorted({desk.profile.consequences[rule].family for rule in rules})

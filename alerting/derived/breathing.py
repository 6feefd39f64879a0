"""Derives respiratory rates as beats arrive, in the caller's transaction, and gives them as counts for rules."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import structlog

from alerting.derived.respiration import WINDOW_S, Breathing, from_intervals
from alerting.desk import Desk, unix_ms
from alerting.isolation import isolated
from alerting.spot.spells import How, Measurement
from vitals.reading import scaled
from vitals.signals import SIGNALS, Signal

EVERY = timedelta(seconds=30)
"""Windows end at whole multiples of this of event time, so that no batching moves them."""

LOOKBACK = timedelta(minutes=3)
"""How far back a call looks that does not say how old its beats are."""

WINDOWS_MAX = 600
"""How many windows of one patient a call derives, the newest first; later calls go on with the others."""

KEPT = timedelta(days=90)
"""How long derived rates are kept: as the samples they come from (CLINICAL 9, D)."""

COUNTS_APART = timedelta(seconds=90)
"""Windows whose ends are whole multiples of this share no beat, and two of them lie within 120 s (CLINICAL 3.1)."""

log = structlog.get_logger()


def derive_breathing(
    desk: Desk,
    patient_ids: Iterable[int],
    received_by: datetime,
    *,
    earliest: Mapping[int, datetime] | None = None,
) -> dict[int, int]:
    """Derive each patient's windows that new beats have completed or changed; gives how many of whom.

    `earliest`: the instant of a patient's oldest new beat, where beats may have come later than `LOOKBACK`. A window is
    a function of the beats stored by `received_by`; deriving it again from the same beats changes nothing.
    """
    oldest, default_since = earliest or {}, received_by - LOOKBACK
    rows = desk.all(
        "breathers",
        patients=list(patient_ids),
        since=received_by - KEPT,
        code=SIGNALS[Signal.RR_INTERVAL].code,
        every=EVERY,
    )
    derived: dict[int, int] = {}
    for row in rows:
        since = oldest.get(row.patient_id, default_since)
        if row.left_since is None and not row.due and not (row.patient_id in oldest and since <= row.window_end):
            continue
        since = min(since, row.left_since or since)
        with isolated(desk, row.patient_id, since=since):
            derived[row.patient_id] = _derive(desk, row.patient_id, received_by, since=since)
            _remember(desk, row, derived[row.patient_id], since=since)
    return {patient_id: windows for patient_id, windows in derived.items() if windows}


def counts(desk: Desk, patient_id: int, *, start: datetime, received_by: datetime) -> list[Measurement]:
    """Give derived rates of medical devices as measurements of respiratory rate, no two from the same beats.

    A wearable's are left out: it may prompt, and not raise by itself (CLINICAL 2.4).
    """
    rows = desk.all(
        "breathing_counts",
        patient_id=patient_id,
        start=start,
        received_by=received_by,
        apart_s=int(COUNTS_APART.total_seconds()),
    )
    return [Measurement(t_ms=unix_ms(row.window_end), value=row.rate, how=How.DERIVED) for row in rows]


def _derive(desk: Desk, patient_id: int, received_by: datetime, *, since: datetime) -> int:
    windows = desk.all(
        "undone_windows",
        patient_id=patient_id,
        since=_rounded_up(since),
        received_by=received_by,
        every=EVERY,
        window=timedelta(seconds=WINDOW_S),
        most=WINDOWS_MAX,
    )
    for window in reversed(windows):
        found = _window(desk, patient_id, window.device_id, until=window.window_end, received_by=received_by)
        desk.run(
            "save_respiration",
            patient_id=patient_id,
            device_id=window.device_id,
            window_end=window.window_end,
            rate=None if found.rate_per_min is None else scaled(Signal.RESPIRATORY_RATE, found.rate_per_min),
            quality=found.quality,
            method=found.method,
            received_by=received_by,
        )
    if windows:
        desk.run("forget_respiration", patient_id=patient_id, before=received_by - KEPT)
    return len(windows)


def _remember(desk: Desk, row: Any, derived: int, *, since: datetime) -> None:
    """Note that there is more, for the next turn in which this patient's beats come; or that there is no more."""
    if derived == WINDOWS_MAX:
        log.warning("breathing_left_for_later", patient_id=row.patient_id, derived=derived, since=str(since))
        desk.run("leave_breathing", patient_id=row.patient_id, since=since)
    elif row.left_since is not None:
        desk.run("breathing_done", patient_id=row.patient_id)


def _window(desk: Desk, patient_id: int, device_id: int, *, until: datetime, received_by: datetime) -> Breathing:
    beats = desk.all(
        "beats",
        patient_id=patient_id,
        device_id=device_id,
        start=until - timedelta(seconds=WINDOW_S),
        until=until,
        received_by=received_by,
    )
    at_s = np.array([unix_ms(beat.measured_at) - unix_ms(until) for beat in beats], np.float64) / 1000
    return from_intervals(at_s, np.array([beat.rr_interval for beat in beats], np.float64), end_s=0.0)


def _rounded_up(at: datetime) -> datetime:
    every_s = int(EVERY.total_seconds())
    return datetime.fromtimestamp(-(-int(at.timestamp()) // every_s) * every_s, UTC)

"""Reads a patient's nights of SpO2 from `sample` and reports them."""

from dataclasses import dataclass

import numpy as np
from psycopg.rows import tuple_row

from alerting.derived.local_nights import LocalNight
from alerting.derived.night import NightReport, report, sketch
from alerting.desk import QUERIES, Connection, unix_ms
from vitals.reading import Acquisition

PICTURE_STEPS = 96
"""How many steps a night's picture has: seven and a half minutes each of twelve hours."""

_ROW = np.dtype([("t_ms", ">i8"), ("value", ">i2")])
"""As PostgreSQL sends them, back to back: a night of 43,200 samples is one value, not as many rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """A night's report and picture; `device` is whose samples these are, "" where there was none."""

    night: LocalNight
    device: str
    report: NightReport
    picture: list[int | None]


def read_night(connection: Connection, patient_id: int, night: LocalNight) -> Night:
    """Report one night by the device that has the most good values in it, a medical one before a wearable."""
    cursor = connection.cursor(binary=True, row_factory=tuple_row)
    found = cursor.execute(
        QUERIES["night_spo2"],
        {
            "patient_id": patient_id,
            "begins_at": night.begins_at,
            "ends_at": night.ends_at,
            "acquisition": int(Acquisition.CONTINUOUS),
        },
    ).fetchone()
    device, samples = found or ("", b"")
    rows = np.frombuffer(samples, _ROW)
    t_ms, values = rows["t_ms"].astype(np.int64), rows["value"].astype(np.int64)
    span = (unix_ms(night.begins_at), unix_ms(night.ends_at))
    return Night(
        night=night,
        device=device,
        report=report(t_ms, values),
        picture=sketch(t_ms, values, begin_ms=span[0], end_ms=span[1], steps=PICTURE_STEPS),
    )

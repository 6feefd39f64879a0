"""A player of real recordings: a CSV file with one row a second becomes a course like any other."""

from __future__ import annotations

import csv
import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from firmware_stubs.physiology import State
from firmware_stubs.plx import MeasurementStatus, SensorStatus

DAY_S = timedelta(days=1).total_seconds()
OFF = State(
    is_finger_in=False,
    measurement_status=MeasurementStatus.ONGOING | MeasurementStatus.UNAVAILABLE,
    sensor_status=SensorStatus.UNCONNECTED_TO_USER,
)


class RecordingError(Exception):
    """A recording that cannot be played; the message names file, line and column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which columns to play; the defaults fit uw_hypoxia. The time is always in the first column."""

    spo2: str | None = "SpO2 5"
    pulse: str | None = "Pulse 5"
    perfusion: str | None = None
    temperature: str | None = None
    time_format: str = "%H:%M:%S"
    end_marker: str = "Collection Halted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Rows by seconds since the first row. Before it, and two seconds after the last, the finger is out."""

    seconds: tuple[float, ...]
    states: tuple[State, ...]

    @property
    def lasts_s(self) -> float:
        """Return the time between the first row and the last."""
        return self.seconds[-1]

    def __call__(self, seconds: float) -> State:
        at = bisect_right(self.seconds, seconds) - 1
        return OFF if at < 0 or seconds >= self.lasts_s + 2.0 else self.states[at]


def read_recording(path: Path, columns: Columns | None = None) -> Recording:
    """Read a CSV recording (BOM or not); raise RecordingError if it cannot be played."""
    columns = columns or Columns()
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        places = _places(path, next(rows, []), columns)
        played = list(_played(path, rows, places, columns))
    if not played:
        raise RecordingError(f"{path}: no row to play")
    return Recording(seconds=tuple(s for s, _ in played), states=tuple(state for _, state in played))


def _places(path: Path, header: list[str], columns: Columns) -> dict[str, int]:
    names = [name.strip() for name in header]
    wanted = {
        "spo2_percent": columns.spo2,
        "pulse_per_min": columns.pulse,
        "perfusion_percent": columns.perfusion,
        "temperature_c": columns.temperature,
    }
    for name in filter(None, wanted.values()):
        if name not in names:
            raise RecordingError(f'{path}, line 1: no column "{name}" among {", ".join(filter(None, names))}')
    return {field: names.index(name) for field, name in wanted.items() if name}


def _played(
    path: Path, rows: Iterator[list[str]], places: dict[str, int], columns: Columns
) -> Iterator[tuple[float, State]]:
    seconds, last_s = 0.0, None
    for line, row in enumerate(rows, start=2):
        if not row or not row[0].strip():
            continue
        if row[0].strip() == columns.end_marker:
            return
        clock_s = _clock_s(path, line, row[0], columns.time_format)
        step_s = 0.0 if last_s is None else clock_s - last_s
        if abs(step_s) > DAY_S / 2 and "%d" not in columns.time_format:
            step_s -= math.copysign(DAY_S, step_s)  # a wall clock past midnight
        if step_s < 0.0:
            raise RecordingError(f'{path}, line {line}, column 1: "{row[0].strip()}" goes back in time')
        seconds, last_s = seconds + step_s, clock_s
        yield seconds, _state(path, line, row, places)


def _state(path: Path, line: int, row: list[str], places: dict[str, int]) -> State:
    values = {field: _value(path, line, row, place) for field, place in places.items()}
    if "spo2_percent" in values and values["spo2_percent"] is None:
        return OFF
    return State(**values)  # type: ignore[arg-type]


def _value(path: Path, line: int, row: list[str], place: int) -> float | None:
    # A 0 is a device without a probe, never a measurement of 0.
    text = row[place].strip() if place < len(row) else ""
    try:
        return float(text) or None if text else None
    except ValueError as exc:
        raise RecordingError(f'{path}, line {line}, column {place + 1}: "{text}" is not a number') from exc


def _clock_s(path: Path, line: int, text: str, time_format: str) -> float:
    try:
        moment = datetime.strptime(text.strip(), time_format)  # noqa: DTZ007 wall time of an unnamed zone
    except ValueError as exc:
        raise RecordingError(f'{path}, line {line}, column 1: "{text}" is not {time_format}') from exc
    return (moment - datetime(1900, 1, 1)).total_seconds()  # noqa: DTZ001

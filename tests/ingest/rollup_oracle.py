"""Roll-ups in plain Python, from the raw samples one by one: what those of the database are held against."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg

SIGNALS = (
    "spo2", "pulse", "perfusion_index", "temperature", "respiratory_rate", "systolic", "diastolic", "mean_arterial",
    "glucose", "rr_interval", "weight", "steps", "battery",
)  # fmt: skip
HOLD_MS = 10_000
Key = tuple[int, datetime]
Figures = tuple[int | None, int | None, int | None, int | None, int | None]


@dataclass
class Bucket:
    """One patient's minute or hour."""

    values: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    words: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    held_ms: list[int] = field(default_factory=lambda: [0, 0, 0])

    def figures(self) -> tuple[list[int], dict[str, Figures]]:
        """Give the held times, and of each signal that was heard: sum, good, count, min, max."""
        return self.held_ms, {
            signal: (
                sum(values) if values else None,
                len(values) or None,
                self.words[signal],
                min(values, default=None),
                max(values, default=None),
            )
            for signal in self.words
            for values in [self.values[signal]]
        }


def expected(connection: psycopg.Connection[Any], width_ms: int) -> dict[Key, Any]:
    """Make the roll-ups of everything in `sample`."""
    buckets: dict[tuple[int, int], Bucket] = defaultdict(Bucket)
    held: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    names = ", ".join(SIGNALS)
    statement = f"SELECT patient_id, measured_at, device_id, acquisition, quality, {names} FROM sample"  # noqa: S608
    for patient, at, device, acquisition, quality, *values in connection.execute(statement.encode()).fetchall():
        at_ms = round(at.timestamp() * 1000)
        bucket = buckets[patient, at_ms // width_ms]
        for place, (signal, value) in enumerate(zip(SIGNALS, values, strict=True)):
            word = quality[place] if quality is not None else (255 if value is None else 0)
            if word == 255:
                continue
            bucket.words[signal] += 1
            if value is not None and word // 64 == 0:
                bucket.values[signal].append(value)
                if signal == "spo2" and acquisition == 0:
                    held[patient].append((at_ms, device, value))
    for patient, points in held.items():
        points.sort()
        for number, (at_ms, _, value) in enumerate(points):
            until_ms = at_ms + HOLD_MS
            if number + 1 < len(points):
                until_ms = min(until_ms, points[number + 1][0])
            for ms in range(at_ms // width_ms, (until_ms - 1) // width_ms + 1):
                inside = min(until_ms, (ms + 1) * width_ms) - max(at_ms, ms * width_ms)
                times = buckets[patient, ms].held_ms
                times[0] += inside
                times[1] += inside if value < 9000 else 0
                times[2] += inside if value < 9300 else 0
    return {
        (patient, datetime.fromtimestamp(number * width_ms / 1000, UTC)): bucket.figures()
        for (patient, number), bucket in buckets.items()
        if bucket.words or any(bucket.held_ms)
    }


def found(connection: psycopg.Connection[Any], table: str) -> dict[Key, Any]:
    """Read the roll-ups that there are, in the same form."""
    columns = ", ".join(f"{signal}_{part}" for signal in SIGNALS for part in ("sum", "good", "count", "min", "max"))
    statement = f"SELECT patient_id, begins_at, covered_ms, below_90_ms, below_93_ms, {columns} FROM {table}"  # noqa: S608
    rows = {}
    for patient, at, covered, below_90, below_93, *values in connection.execute(statement.encode()).fetchall():
        figures = {
            signal: tuple(values[place * 5 : place * 5 + 5])
            for place, signal in enumerate(SIGNALS)
            if values[place * 5 + 2] is not None
        }
        rows[patient, at.astimezone(UTC)] = ([covered, below_90, below_93], figures)
    return rows

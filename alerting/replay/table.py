"""Reads a recording from lines of text: every value it can not read is named by line, column and a way out."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from alerting.replay.layouts import Clock, Column, Layout, LayoutError, plain
from alerting.replay.recording import Mode, Recording, Series, series_of, usual_mode
from vitals.quality import Quality
from vitals.signals import Signal

NO_NUMBER = frozenset({"", "nan", "na", "null", "none"})
"""What stands where nothing was said; a number that can not be one was said, and is kept without its number."""

DAY_S = 86_400
EARLIEST_S, LATEST_S = -10 * DAY_S, 10_413_792_000
"""1970 and 2300 as Unix seconds: the engine knows nothing long before, but a recording's own seconds may begin before
0; published recordings are dated up to 2200, to hide whose they are.
"""

QUALITIES = {quality.name.lower(): quality for quality in Quality} | {str(int(quality)): quality for quality in Quality}


class RecordingError(ValueError):
    """A recording can not be replayed; the message names line, column and value, and what to do."""


@dataclass(slots=True)
class _Gathered:
    t_ms: list[int] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)
    quality: list[int] = field(default_factory=list)


def read_table(
    lines: Iterable[str], layout: Layout | None, *, stream_ms_max: int, mode: Mode | None = None
) -> Recording:
    """Read lines with a header into a recording. Raises RecordingError and LayoutError.

    Without a layout the header must have our own names. How it was measured is `mode`, else what the layout says, else
    a stream where samples follow each other sooner than `stream_ms_max`.
    """
    rows = csv.reader(lines, delimiter=layout.delimiter if layout else ",", strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        if not any(header):
            raise RecordingError("line 1: no header; the first line names the columns")
        reader = _Reader(header, layout or plain(header))
        for row in rows:
            if not reader.take(rows.line_num, row):
                break
    except csv.Error as exc:
        raise RecordingError(f"line {rows.line_num}: {exc}") from exc
    return reader.recording(mode, stream_ms_max)


class _Reader:
    def __init__(self, header: Sequence[str], layout: Layout) -> None:
        self._header, self._layout = header, layout
        self._places = {name: header.index(name) for name in set(header)}
        wanted = [] if layout.long else [*(c.name for c in layout.columns.values()), *layout.quality.values()]
        for name in [layout.time, *wanted]:
            if header.count(name) > 1:
                raise LayoutError(
                    f'line 1: column "{name}" stands {header.count(name)} times; leave one, or rename them'
                )
            if name not in self._places:
                there = ", ".join(name for name in header if name)
                raise LayoutError(f'line 1: no column "{name}" in the header ({there}); say which one with --map')
        self._seen: dict[Signal, _Gathered] = {}
        self._last_s: float | None = None
        self._begin_s = 0.0
        self._day_s = 0

    def take(self, line: int, row: list[str]) -> bool:
        """Take one line's values; false where the recording's own end mark stands."""
        if not any(cell.strip() for cell in row):
            return True
        if self._layout.end_marker and row[0].strip() == self._layout.end_marker:
            return False
        if len(row) < len(self._header):
            raise RecordingError(
                f"line {line}: {len(row)} fields, where the header has {len(self._header)}; is it cut off?"
            )
        text = row[self._places[self._layout.time]].strip()
        now_s = self._time_s(line, text)
        if not EARLIEST_S <= now_s < LATEST_S:
            where = f'line {line}, column "{self._layout.time}"'
            raise RecordingError(f"{where}: {text!r} lies outside the years 1970 to 2300; is it in milliseconds?")
        if self._last_s is not None and now_s < self._last_s:
            where = f'line {line}, column "{self._layout.time}"'
            raise RecordingError(f"{where}: goes back in time by {self._last_s - now_s:g} s; sort the lines by time")
        self._begin_s = now_s if self._last_s is None else self._begin_s
        self._last_s = now_s
        for signal, column, cell, quality in self._cells(line, row):
            if cell.lower() not in NO_NUMBER:
                self._gather(signal, round(now_s * 1000), _number(line, column, cell), quality)
        return True

    def recording(self, mode: Mode | None, stream_ms_max: int) -> Recording:
        """Give what was read."""
        series = {signal: _series(signal, gathered) for signal, gathered in self._seen.items()}
        if self._last_s is None or not series:
            raise RecordingError("no line has a value of a signal; is the right column named? (--map)")
        return Recording(
            series=series,
            mode=mode or self._layout.mode or usual_mode(series, stream_ms_max),
            begin_ms=round(self._begin_s * 1000),
            end_ms=round(self._last_s * 1000),
        )

    def _cells(self, line: int, row: list[str]) -> Iterator[tuple[Signal, Column, str, Quality]]:
        if self._layout.long:
            name, value = row[1].strip(), row[2].strip()
            for signal, column in self._layout.columns.items():
                if column.name == name:
                    yield signal, column, value, Quality.GOOD
            return
        for signal, column in self._layout.columns.items():
            yield signal, column, row[self._places[column.name]].strip(), self._quality(line, row, signal)

    def _gather(self, signal: Signal, t_ms: int, number: float, quality: Quality) -> None:
        gathered = self._seen.setdefault(signal, _Gathered())
        gathered.t_ms.append(t_ms)
        gathered.numbers.append(number)
        gathered.quality.append(int(quality))

    def _quality(self, line: int, row: list[str], signal: Signal) -> Quality:
        name = self._layout.quality.get(signal)
        if name is None:
            return Quality.GOOD
        word = row[self._places[name]].strip().lower()
        if word not in QUALITIES:
            where = f'line {line}, column "{name}"'
            raise RecordingError(f"{where}: {word!r} is none of {', '.join(q.name.lower() for q in Quality)}")
        return QUALITIES[word]

    def _time_s(self, line: int, text: str) -> float:
        try:
            if self._layout.clock is Clock.ISO:
                moment = datetime.fromisoformat(text)
                return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
            if self._layout.clock is Clock.WALL:
                return self._wall_s(text)
            return float(text) * (3600 if self._layout.clock is Clock.HOURS else 1)
        except ValueError as exc:
            where = f'line {line}, column "{self._layout.time}"'
            raise RecordingError(f"{where}: {text!r} is no {_CLOCKS[self._layout.clock]}") from exc

    def _wall_s(self, text: str) -> float:
        hours, minutes, seconds = [*(float(part) for part in text.split(":")), 0.0][:3]
        now_s = self._day_s + 3600 * hours + 60 * minutes + seconds
        if self._last_s is not None and self._last_s - now_s > DAY_S / 2:
            self._day_s += DAY_S
            now_s += DAY_S
        return now_s


_CLOCKS: Mapping[Clock, str] = {
    Clock.ISO: "date and time, as 2026-01-31T08:00:00Z",
    Clock.WALL: "time of day, as 08:00:05",
    Clock.SECONDS: "number of seconds",
    Clock.HOURS: "number of hours",
}


def _number(line: int, column: Column, text: str) -> float:
    try:
        return float(text) * column.factor
    except ValueError as exc:
        where = f'line {line}, column "{column.name}"'
        raise RecordingError(f"{where}: {text!r} is not a number; leave it empty where nothing was measured") from exc


def _series(signal: Signal, gathered: _Gathered) -> Series:
    return series_of(
        signal,
        np.array(gathered.t_ms, np.int64),
        np.array(gathered.numbers, np.float64),
        np.array(gathered.quality, np.uint8),
    )

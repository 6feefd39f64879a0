"""Draws a recording's course in text: values by time, the limits they are held to, and what was said where."""

from collections.abc import Iterable, Sequence

import numpy as np

from alerting.course.telling import Event, Kind
from alerting.engine.layout import Ints
from alerting.profile.patient import Held
from alerting.profile.profile import Trust
from alerting.replay.recording import Recording
from vitals.reading import unscaled
from vitals.signals import SIGNALS, Signal

WIDTH, HEIGHT = 72, 12
MARKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def picture(recording: Recording, events: Sequence[Event], held: Held) -> list[str]:
    """Draw the SpO2, and each other signal that something was said of; raises are letters, ends small ones."""
    letters = {rule: MARKS[i % len(MARKS)] for i, rule in enumerate(dict.fromkeys(event.rule for event in events))}
    spoken = {event.evidence.get("signal") for event in events}
    drawn = [s for s in recording.series if s is Signal.SPO2 or s in spoken] or list(recording.series)[:1]
    lines = []
    for signal in drawn:
        lines += [*_chart(recording, signal, _limits(held, signal)), _marks(recording, events, letters), ""]
    lines += [_hours(recording)]
    lines += [f"  {letter} {rule}: raised; {letter.lower()} over" for rule, letter in letters.items()]
    return lines


def _limits(held: Held, signal: Signal) -> list[int]:
    sustained = [
        x.breach for c, limits in held.limits.items() if (c.signal, c.trust) == (signal, Trust.GOOD) for x in limits
    ]
    stored = [rule.limit for rule in held.repeat if rule.signal is signal]
    fever = [rule.above for rule in held.fever] if signal is Signal.TEMPERATURE else []
    return [*sustained, *stored, *fever]


def _chart(recording: Recording, signal: Signal, limits: Iterable[int]) -> list[str]:
    series = recording.series[signal]
    chosen = series.trusted(Trust.GOOD)
    values, column = series.values[chosen].astype(np.int64), _columns(recording, series.t_ms[chosen])
    title = f"{signal} {SIGNALS[signal].unit}"
    if not len(values):
        return [f"{title}: no good value"]
    within = [limit for limit in limits if values.min() - 500 <= limit <= values.max() + 500]
    low, high = min([int(values.min()), *within]), max([int(values.max()), *within])
    step = max((high - low) / (HEIGHT - 1), 1)
    lowest, highest = np.full(WIDTH, HEIGHT), np.full(WIDTH, -1)
    level = np.round((values - low) / step).astype(np.int64)
    np.minimum.at(lowest, column, level)
    np.maximum.at(highest, column, level)
    ruled = {round((limit - low) / step) for limit in within}
    lines = [title]
    for row in range(HEIGHT - 1, -1, -1):
        ground = "-" if row in ruled else " "
        cells = "".join("█" if a <= row <= b else ground for a, b in zip(lowest, highest, strict=True))
        lines.append(f"{unscaled(signal, round(low + row * step)):7.1f} |{cells}|")
    return lines


def _columns(recording: Recording, t_ms: Ints) -> Ints:
    length_ms = max(recording.end_ms - recording.begin_ms, 1)
    column: Ints = np.minimum((t_ms - recording.begin_ms) * WIDTH // length_ms, WIDTH - 1)
    return column


def _marks(recording: Recording, events: Sequence[Event], letters: dict[str, str]) -> str:
    cells = [" "] * WIDTH
    for event in events:
        place = int(_columns(recording, np.array([event.at_ms], np.int64))[0])
        letter = letters[event.rule]
        mark = letter if event.kind is Kind.RAISE else letter.lower()
        while place < WIDTH - 1 and cells[place] != " ":
            place += 1
        cells[place] = mark
    return f"{'':7} |{''.join(cells)}|"


def _hours(recording: Recording) -> str:
    length_s = (recording.end_ms - recording.begin_ms) / 1000
    said = f"{length_s / 60:.1f} min" if length_s < 2 * 3600 else f"{length_s / 3600:.1f} h"
    return f"{'':7}  0{said:>{WIDTH - 1}}"

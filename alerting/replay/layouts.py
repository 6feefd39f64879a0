"""How files of recordings are laid out: which column is which signal, how time is written, how it was measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from alerting.replay.recording import Mode
from vitals.signals import Signal

MG_PER_DL = 1 / 18.016
"""Glucose, mg/dL to mmol/L: its molar mass is 180.16 g/mol."""


class LayoutError(ValueError):
    """A layout can not be used; the message names the word and what is known."""


class Clock(StrEnum):
    """How a column writes time."""

    ISO = "iso"  # 2026-01-31T08:00:00+08:00; without a zone it is UTC
    WALL = "wall"  # 08:00 or 08:00:05; it may pass midnight or count on past 24 h
    SECONDS = "seconds"
    HOURS = "hours"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column by its name in the file, and what its numbers are multiplied with to be in the signal's unit."""

    name: str
    factor: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One kind of file. `long`: each line has a time, a parameter's name and its value."""

    time: str
    clock: Clock
    columns: Mapping[Signal, Column]
    quality: Mapping[Signal, str] = field(default_factory=dict)
    mode: Mode | None = None
    delimiter: str = ","
    end_marker: str = ""
    long: bool = False


MAPS: Mapping[str, Layout] = {
    "uw_hypoxia": Layout(
        time="Time",
        clock=Clock.WALL,
        columns={Signal.SPO2: Column(name="SpO2 5"), Signal.PULSE: Column(name="Pulse 5")},
        mode=Mode.CONTINUOUS,
        end_marker="Collection Halted",
    ),
    "bidmc": Layout(
        time="Time [s]",
        clock=Clock.SECONDS,
        columns={
            Signal.SPO2: Column(name="SpO2"),
            Signal.PULSE: Column(name="PULSE"),
            Signal.RESPIRATORY_RATE: Column(name="RESP"),
        },
        mode=Mode.CONTINUOUS,
    ),
    "mimic2": Layout(
        time="seconds",
        clock=Clock.SECONDS,
        columns={
            Signal.SPO2: Column(name="SpO2"),
            Signal.PULSE: Column(name="PULSE"),
            Signal.RESPIRATORY_RATE: Column(name="RESP"),
        },
        mode=Mode.CONTINUOUS,
    ),
    "cinc2012": Layout(
        time="Time",
        clock=Clock.WALL,
        columns={
            Signal.PULSE: Column(name="HR"),
            Signal.TEMPERATURE: Column(name="Temp"),
            Signal.RESPIRATORY_RATE: Column(name="RespRate"),
            Signal.SYSTOLIC: Column(name="NISysABP"),
            Signal.DIASTOLIC: Column(name="NIDiasABP"),
            Signal.GLUCOSE: Column(name="Glucose", factor=MG_PER_DL),
        },
        mode=Mode.SPOT,
        long=True,
    ),
    "cinc2019": Layout(
        time="ICULOS",
        clock=Clock.HOURS,
        columns={
            Signal.SPO2: Column(name="O2Sat"),
            Signal.PULSE: Column(name="HR"),
            Signal.TEMPERATURE: Column(name="Temp"),
            Signal.RESPIRATORY_RATE: Column(name="Resp"),
            Signal.SYSTOLIC: Column(name="SBP"),
            Signal.DIASTOLIC: Column(name="DBP"),
            Signal.GLUCOSE: Column(name="Glucose", factor=MG_PER_DL),
        },
        mode=Mode.SPOT,
        delimiter="|",
    ),
    "shanghai_cgm": Layout(
        time="Date",
        clock=Clock.ISO,
        columns={Signal.GLUCOSE: Column(name="CGM (mg / dl)", factor=MG_PER_DL)},
        mode=Mode.SPOT,
    ),
}
"""Recordings that are known by name: the headers of their publishers."""

_QUALITY = "_quality"


def plain(header: list[str]) -> Layout:
    """Read the layout off a header of our own names: `time` or `seconds`, signals, and `<signal>_quality`."""
    held = [name.lower() for name in header]
    for name in (*Signal, "time", "seconds"):
        if held.count(name) > 1:
            raise LayoutError(
                f'line 1: column "{name}" stands {held.count(name)} times; leave one, or say which: --map'
            )
    columns = {signal: Column(name=header[held.index(signal)]) for signal in Signal if signal in held}
    quality = {signal: header[held.index(f"{signal}{_QUALITY}")] for signal in columns if f"{signal}{_QUALITY}" in held}
    clocks = {"time": Clock.ISO, "seconds": Clock.SECONDS}
    found = [name for name in clocks if name in held]
    if not found or not columns:
        missing = "no column time or seconds" if not found else f"no column {', '.join(Signal)}"
        raise LayoutError(
            f"{missing} in the header ({', '.join(header)}); say which is which: --map {_example(header)}"
        )
    return Layout(time=header[held.index(found[0])], clock=clocks[found[0]], columns=columns, quality=quality)


def mapped(words: str) -> Layout:
    """Read `--map`: the name of a known recording, or `signal=column` with commas between, `"` around odd names."""
    if "=" not in words:
        if words not in MAPS:
            raise LayoutError(
                f'--map {words}: not one of {", ".join(MAPS)}, nor of the form spo2="SpO2 5",seconds="Time"'
            )
        return MAPS[words]
    time, clock = "", Clock.ISO
    columns: dict[Signal, Column] = {}
    quality: dict[Signal, str] = {}
    given: set[str] = set()
    clocks = {"time": Clock.ISO, "wall": Clock.WALL, "seconds": Clock.SECONDS, "hours": Clock.HOURS}
    for pair in _split(words):
        key, _, name = pair.partition("=")
        key, name = key.strip(), name.strip().strip('"')
        if not name:
            raise LayoutError(f'--map {pair}: no column after "{key}="')
        if key in given:
            raise LayoutError(f"--map {pair}: {key} is given twice")
        given.add(key)
        if key in clocks:
            time, clock = name, clocks[key]
        elif key in set(Signal):
            columns[Signal(key)] = Column(name=name)
        elif key.removesuffix(_QUALITY) in set(Signal):
            quality[Signal(key.removesuffix(_QUALITY))] = name
        else:
            raise LayoutError(f"--map {pair}: {key!r} is none of {', '.join([*clocks, *Signal])} or SIGNAL{_QUALITY}")
    if not time or not columns:
        raise LayoutError(f"--map {words}: needs one of {', '.join(clocks)} and at least one signal")
    return Layout(time=time, clock=clock, columns=columns, quality=quality)


def _split(words: str) -> list[str]:
    """Cut at commas that are not between quotation marks."""
    parts, quoted = [""], False
    for letter in words:
        quoted ^= letter == '"'
        if letter == "," and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part.strip()]


def _example(header: list[str]) -> str:
    names = [*header[:2], "…", "…"]
    return f'seconds="{names[0]}",spo2="{names[1]}"'

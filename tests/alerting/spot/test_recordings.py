"""Real recordings through the rules: true fevers and glucose crises raise, junk raises nothing."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerting.spot.fever import fever_spells
from alerting.spot.repeat import repeat_spells
from alerting.spot.spells import Measurement
from tests.alerting.streams import profile
from vitals.reading import ScaleError, is_plausible, scaled
from vitals.signals import Signal

PROFILE = profile()
RULES = {rule.rule: rule for rule in PROFILE.repeat}
HOUR = 3_600_000
MG_PER_MMOL = 18.016


def taken(signal: Signal, points: list[tuple[int, float]]) -> list[Measurement]:
    """Give what a decoder lets through: plausible values, scaled."""
    kept = []
    for t_ms, value in points:
        try:
            number = scaled(signal, value)
        except ScaleError:
            continue
        if is_plausible(signal, number):
            kept.append(Measurement(t_ms=t_ms, value=number))
    return kept


def raised(rule: str, history: list[Measurement]) -> bool:
    return any(spell.raised_ms is not None for spell in repeat_spells(history, RULES[rule]))


def icu_2012(folder: Path) -> Iterator[tuple[str, list[tuple[int, float]]]]:
    for path in sorted((folder / "cinc2012_icu" / "set-a").glob("*.txt")):
        points = []
        for line in path.read_text().splitlines()[1:]:
            time, parameter, value = line.split(",")
            if parameter == "Temp":
                hours, minutes = time.split(":")
                points.append((int(hours) * HOUR + int(minutes) * 60_000, float(value)))
        yield path.stem, points


def icu_2019(folder: Path, column: str) -> Iterator[tuple[str, list[tuple[int, float]]]]:
    for path in sorted((folder / "cinc2019_icu_hourly" / "training_setB").glob("*.psv")):
        with path.open() as file:
            rows = list(csv.DictReader(file, delimiter="|"))
        yield path.stem, [(n * HOUR, float(row[column])) for n, row in enumerate(rows) if row[column] != "NaN"]


def glucose(folder: Path) -> Iterator[tuple[str, list[tuple[int, float]]]]:
    for path in sorted((folder / "shanghai_cgm").glob("*/*.csv")):
        with path.open(encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
        points = []
        for row in rows[1:]:
            at = datetime.strptime(row[0][:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
            if row[1]:
                points.append((round(at.timestamp() * 1000), float(row[1]) / MG_PER_MMOL))
        yield path.stem, points


def test_true_fevers_raise_and_junk_between_them_changes_nothing(recordings: Path) -> None:
    courses = [*icu_2012(recordings), *icu_2019(recordings, "Temp")]
    assert len(courses) > 200
    feverish = junk = 0
    for name, points in courses:
        history = taken(Signal.TEMPERATURE, points)
        junk += len(points) - len(history)
        hot = [m for m in history if m.value >= RULES["FEVER-HIGH"].limit + 1]
        assert raised("FEVER-HIGH", history) <= bool(hot), name
        confirmed = [
            (first, second)
            for n, first in enumerate(hot[:-1])
            for second in hot[n + 1 :]
            if second.t_ms - first.t_ms <= HOUR and second.t_ms - first.t_ms >= 15 * 60_000
        ]
        assert raised("FEVER-HIGH", history) >= bool(confirmed), name
        feverish += raised("FEVER-HIGH", history)
    assert feverish > 50
    assert junk > 10


def test_junk_alone_raises_nothing(recordings: Path) -> None:
    junk: list[tuple[int, float]] = [(0, 50.0), (1, 50.0)]  # as another stay of the same source has it
    for _, points in [*icu_2012(recordings), *icu_2019(recordings, "Temp")]:
        junk += [(len(junk) * HOUR, value) for _, value in points if not 30 <= value <= 45]
    assert {0.0, -17.8} <= {round(value, 1) for _, value in junk}
    assert taken(Signal.TEMPERATURE, junk) == []


def test_a_fever_of_days_raises_and_a_quiet_stay_does_not(recordings: Path) -> None:
    found = {rule.rule: 0 for rule in PROFILE.fever}
    for name, points in icu_2019(recordings, "Temp"):
        history = taken(Signal.TEMPERATURE, points)
        highs = [m.t_ms for m in history if m.value > PROFILE.fever[0].above]
        for rule in PROFILE.fever:
            spells = fever_spells(history, rule)
            found[rule.rule] += bool(spells)
            assert bool(spells) <= bool(highs and highs[-1] - highs[0] > rule.longer_than_ms), name
    assert found["FEVER-48H"] > found["FEVER-PERSIST"] > 0


def test_glucose_crises_raise(recordings: Path) -> None:
    low = high = 0
    for name, points in glucose(recordings):
        history = taken(Signal.GLUCOSE, points)
        assert history, name
        below = [m for m in history if m.value <= 390]
        above = [m for m in history if m.value >= 1670]
        assert raised("GLU-LOW", history) is bool(below), name
        assert raised("GLU-HIGH", history) <= bool(above), name
        low += bool(below)
        high += raised("GLU-HIGH", history)
    assert low >= 1
    assert high >= 1


@pytest.mark.parametrize(("column", "signal"), [("O2Sat", Signal.SPO2), ("Resp", Signal.RESPIRATORY_RATE)])
def test_hourly_values_raise_only_where_one_is_beyond(recordings: Path, column: str, signal: Signal) -> None:
    rule = RULES["SPO2-REFER" if signal is Signal.SPO2 else "RR-SEVERE"]
    raises = 0
    for name, points in icu_2019(recordings, column):
        history = taken(signal, points)
        spells = repeat_spells(history, rule)
        assert any(spell.raised_ms is not None or spell.due_ms is not None for spell in spells) is any(
            rule.is_breach(m.value) for m in history
        ), name
        raises += any(spell.raised_ms is not None for spell in spells)
    assert raises > 20

"""Clinical time: one line, the same in every process."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitals.clock import ClinicalClock

ORIGIN = datetime(2026, 1, 1, tzinfo=UTC)
FAST = ClinicalClock(origin=ORIGIN, speed=20.0)


def test_real_time_is_the_default() -> None:
    assert ClinicalClock().at(ORIGIN) == ORIGIN
    assert ClinicalClock.parse("", 1).at(ORIGIN) == ORIGIN


def test_time_runs_faster_from_the_origin_on() -> None:
    assert FAST.at(ORIGIN) == ORIGIN
    assert FAST.at(ORIGIN + timedelta(seconds=3)) == ORIGIN + timedelta(minutes=1)
    assert FAST.machine_s(timedelta(minutes=1)) == 3.0


def test_an_origin_in_any_zone_is_one_instant() -> None:
    clock = ClinicalClock.parse("2026-01-01T08:00:00+08:00", 20.0)
    assert clock.at(ORIGIN + timedelta(seconds=1)) == ORIGIN + timedelta(seconds=20)
    assert clock == FAST
    assert clock.at(ORIGIN.astimezone(timezone(timedelta(hours=8)))) == ORIGIN


@given(st.timedeltas(timedelta(days=-400), timedelta(days=400)), st.floats(0.1, 1000))
def test_two_processes_with_the_same_two_values_agree_and_time_never_runs_back(away: timedelta, speed: float) -> None:
    one, other = (ClinicalClock.parse(ORIGIN.isoformat(), speed) for _ in range(2))
    assert one.at(ORIGIN + away) == other.at(ORIGIN + away)
    assert one.at(ORIGIN + away) <= one.at(ORIGIN + away + timedelta(milliseconds=1))


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
def test_a_speed_must_be_above_zero(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        ClinicalClock(origin=ORIGIN, speed=speed)


def test_a_naive_origin_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        ClinicalClock(origin=datetime(2026, 1, 1))  # noqa: DTZ001


def test_a_speed_needs_an_origin() -> None:
    with pytest.raises(ValueError, match="needs an origin"):
        ClinicalClock.parse("", 20)

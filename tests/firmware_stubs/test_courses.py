"""Courses: the same seed gives the same patient, and each keeps to the band that its alert needs."""

import itertools
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_stubs.courses import (
    COURSES,
    fever,
    healthy,
    noise,
    normal_temperature,
    probe_off,
    slow_fall,
    sudden_fall,
)
from firmware_stubs.physiology import Course
from firmware_stubs.plx import SensorStatus

HOUR_S = range(3600)
seeds = st.integers(min_value=0, max_value=10_000)


def _spo2(course: Course, seconds: range) -> list[float]:
    return [state.spo2_percent for second in seconds if (state := course(second)).spo2_percent is not None]


@pytest.mark.parametrize("name", COURSES)
def test_a_seed_is_a_patient(name: str) -> None:
    build = COURSES[name]
    one, again, other = (build(seed=seed) for seed in (7, 7, 8))
    times = [t * 0.37 for t in range(-500, 5_000)]
    assert [one(t) for t in times] == [again(t) for t in reversed(times)][::-1]
    assert [one(t) for t in times] != [other(t) for t in times]


@given(seed=seeds)
def test_the_healthy_stay_well(seed: int) -> None:
    assert min(_spo2(healthy(seed=seed), range(0, 3600, 7))) >= 96


@given(seed=seeds)
def test_a_slow_fall_reaches_its_band_in_two_minutes_and_stays(seed: int) -> None:
    course = slow_fall(seed=seed)
    assert min(_spo2(course, range(6))) > 95
    settled = _spo2(course, range(120, 3600, 7))
    assert min(settled) >= 89.5
    assert max(settled) <= 92


@given(seed=seeds)
def test_a_sudden_fall_takes_twenty_seconds_at_one_minute(seed: int) -> None:
    course = sudden_fall(seed=seed)
    assert min(_spo2(course, range(61))) > 95
    assert max(_spo2(course, range(80, 3600, 7))) < 86


@given(seed=seeds)
def test_a_fever_is_a_fever_for_all_three_days(seed: int) -> None:
    readings = [fever(seed=seed)(hour * 3600).temperature_c or 0.0 for hour in range(-76, 2)]
    assert 38.8 <= min(readings) <= max(readings) <= 39.4


@given(seed=seeds)
def test_a_normal_temperature_is_none(seed: int) -> None:
    readings = [normal_temperature(seed=seed)(hour * 3600).temperature_c or 0.0 for hour in range(-76, 2)]
    assert 36.0 <= min(readings) <= max(readings) <= 37.2


@pytest.mark.parametrize("seed", range(5))
def test_movement_makes_short_spikes_most_of_them_flagged(seed: int) -> None:
    states = [noise(seed=seed)(second) for second in HOUR_S]
    spikes = [list(run) for is_low, run in groupby(states, lambda s: (s.spo2_percent or 0) < 94) if is_low]
    unflagged = [run for run in spikes if not run[0].sensor_status & SensorStatus.POOR_SIGNAL]
    assert len(spikes) > 60
    assert max(map(len, spikes)) <= 6
    assert max(map(len, unflagged), default=0) <= 3
    assert 0 < len(unflagged) < 0.35 * len(spikes)


@pytest.mark.parametrize(
    ("is_zero", "is_unplugged", "value", "status"),
    [
        (False, False, None, SensorStatus.UNCONNECTED_TO_USER),
        (True, True, 0.0, SensorStatus.DISCONNECTED),
    ],
)
def test_a_probe_off_says_so_until_it_is_back(
    is_zero: bool, is_unplugged: bool, value: float | None, status: SensorStatus
) -> None:
    course = probe_off(out_at_s=120, back_at_s=180, is_zero=is_zero, is_unplugged=is_unplugged)
    assert (course(119.9).is_finger_in, course(180).is_finger_in) == (True, True)
    assert (course(120).is_finger_in, course(120).spo2_percent) == (False, value)
    assert course(150).sensor_status == status


@pytest.mark.parametrize("apart_s", [0.0001, 0.002, 0.01, 0.2, 1.0])
def test_a_restless_sample_never_repeats_the_last(apart_s: float) -> None:
    course = COURSES["restless"](seed=3)
    samples = [course(number * apart_s) for number in range(1000)]
    assert all(a != b for a, b in itertools.pairwise(samples))

"""The personal baseline, and what counts as after activity: on both sides of each number of the profile."""

import random
from dataclasses import replace

import pytest

from alerting.spot.activity import Steps, is_after_activity
from alerting.spot.baseline import HOUR_MS, Hour, Resting, baseline, resting_hour
from tests.alerting.streams import profile

RULE, ACTIVITY = profile().baseline, profile().activity
NOW = 1_700_000_000_000


def sessions(*values: int, at_rest: bool = True) -> list[Resting]:
    return [Resting(t_ms=NOW - n * HOUR_MS, value=value, at_rest=at_rest) for n, value in enumerate(values)]


def test_six_sessions_make_a_baseline_and_five_do_not() -> None:
    assert baseline(sessions(9700, 9600, 9650, 9800, 9500, 9700), RULE, now_ms=NOW) == 9650
    assert baseline(sessions(9700, 9600, 9650, 9800, 9500), RULE, now_ms=NOW) is None


def test_as_few_sessions_as_asked_make_one_and_none_never_does() -> None:
    assert baseline(sessions(9700), replace(RULE, sessions_min=1), now_ms=NOW) == 9700
    assert baseline([], replace(RULE, sessions_min=0), now_ms=NOW) is None


@pytest.mark.parametrize(("covered_ms", "counts"), [(3_600_000, True), (3_599_999, False)])
def test_a_whole_hour_is_an_hour(covered_ms: int, counts: bool) -> None:
    hour = Hour(t_ms=NOW, value=9700, covered_ms=covered_ms, steps=None)
    assert (resting_hour(hour, replace(RULE, coverage_percent=100)) is not None) is counts


@pytest.mark.parametrize(("age_ms", "counts"), [(RULE.span_ms, True), (RULE.span_ms + 1, False), (-1, False)])
def test_a_session_counts_for_fourteen_days(age_ms: int, counts: bool) -> None:
    oldest = Resting(t_ms=NOW - age_ms, value=9700)
    assert (baseline([*sessions(9700, 9700, 9700, 9700, 9700), oldest], RULE, now_ms=NOW) is not None) is counts


def test_neither_exertion_nor_illness_is_rest() -> None:
    five = sessions(9700, 9700, 9700, 9700, 9700)
    assert baseline([*five, *sessions(9700, at_rest=False)], RULE, now_ms=NOW) is None
    six = sessions(9700, 9700, 9700, 9700, 9700, 9700)
    assert baseline(six, RULE, now_ms=NOW, ill=[(NOW - 4 * HOUR_MS, NOW - 4 * HOUR_MS)]) is None
    assert baseline(six, RULE, now_ms=NOW, ill=[(NOW - 9 * HOUR_MS, NOW - 6 * HOUR_MS)]) == 9700


def test_the_order_does_not_matter() -> None:
    values = sessions(*range(9000, 9900, 50))
    draw = random.Random(1)
    assert {baseline(draw.sample(values, len(values)), RULE, now_ms=NOW) for _ in range(20)} == {9400}


@pytest.mark.parametrize(
    ("covered_ms", "steps", "found"),
    [
        pytest.param(1_800_000, None, True, id="half an hour, steps unknown"),
        pytest.param(1_799_999, None, None, id="less than half an hour"),
        pytest.param(3_600_000, 300, True, id="few steps"),
        pytest.param(3_600_000, 301, False, id="too many"),
    ],
)
def test_an_hour_of_a_wearer_is_one_session(covered_ms: int, steps: int | None, found: bool | None) -> None:
    hour = resting_hour(Hour(t_ms=NOW, value=9700, covered_ms=covered_ms, steps=steps), RULE)
    assert (hour.at_rest if hour else None) is found


@pytest.mark.parametrize(
    ("steps", "after_s", "exerted"),
    [
        pytest.param([(0, 40)], 0, True, id="40 steps just now"),
        pytest.param([(0, 39)], 0, False, id="39"),
        pytest.param([(0, 40)], 120, True, id="2 min ago"),
        pytest.param([(0, 40)], 120.001, False, id="longer ago"),
        pytest.param([(0, 40)], -0.001, False, id="later"),
        pytest.param([(-179, 20), (0, 20)], 0, True, id="together within 3 min"),
        pytest.param([(-180, 20), (0, 20)], 0, False, id="3 min apart"),
        pytest.param([(0, 40), (100, 0)], 121, False, id="standing is no activity"),
        pytest.param([(0, 20), (0.001, 20)], 0, False, id="half of them later"),
        pytest.param([], 0, False, id="nobody knows"),
    ],
)
def test_what_is_after_activity(steps: list[tuple[float, int]], after_s: float, exerted: bool) -> None:
    counted = [Steps(t_ms=NOW + round(t_s * 1000), count=count) for t_s, count in steps]
    assert is_after_activity(NOW + round(after_s * 1000), counted, ACTIVITY) is exerted

"""Fevers of days: both rules on both sides of their limits and intervals, and in whatever order readings come."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.profile.profile import FeverRule
from alerting.spot.fever import fever_spells
from alerting.spot.spells import Measurement
from tests.alerting.streams import profile

RULES = {rule.rule: rule for rule in profile().fever}
HOUR = 3_600_000


def at(*points: tuple[float, int]) -> list[Measurement]:
    return [Measurement(t_ms=round(t * HOUR), value=value) for t, value in points]


@pytest.mark.parametrize(("rule", "hours"), [("FEVER-48H", 48), ("FEVER-PERSIST", 72)])
def test_each_raises_behind_its_own_time(rule: str, hours: int) -> None:
    daily = [(h, 3851) for h in range(0, hours, 12)]
    assert fever_spells(at(*daily, (hours, 3851)), RULES[rule]) == []
    (spell,) = fever_spells(at(*daily, (hours, 3851), (hours + 0.001, 3851)), RULES[rule])
    assert spell.raised_ms == round((hours + 0.001) * HOUR)
    assert fever_spells(at(*((h, 3850) for h, _ in daily), (hours + 1, 3850)), RULES[rule]) == []


@pytest.mark.parametrize(
    ("apart_h", "between", "raises", "gap"),
    [
        pytest.param(24, True, True, False, id="24 h apart with a cooler one between"),
        pytest.param(24.001, True, False, False, id="a day without fever ends it"),
        pytest.param(24.001, False, True, True, id="a day without readings does not, and is said"),
    ],
)
def test_a_block(apart_h: float, between: bool, raises: bool, gap: bool) -> None:
    between_points = [(1.0, 3800)] if between else []
    points = [(0.0, 3900), *between_points, (apart_h, 3900), (apart_h + 20, 3900), (apart_h + 30, 3900)]
    found = fever_spells(at(*points), RULES["FEVER-48H"])
    assert [(s.raised_ms is not None, s.data_gap) for s in found] == ([(True, gap)] if raises else [])


@pytest.mark.parametrize(("cool_h", "warmest", "cleared"), [(24, 3800, True), (23.999, 3800, False), (24, 3801, False)])
def test_a_day_at_38_ends_it(cool_h: float, warmest: int, cleared: bool) -> None:
    hot = [(h, 3900) for h in range(0, 50, 5)]
    hot.append((49, 3900))
    points = [*hot, (50, 3700), (60, warmest), (50 + cool_h, 3700)]
    (spell,) = fever_spells(at(*points), RULES["FEVER-48H"])
    assert (spell.cleared_ms is not None) is cleared


def test_what_has_raised_goes_on_whatever_is_measured_until_it_is_over() -> None:
    raised = [(float(h), 3900) for h in range(0, 50, 7)]  # at 49 h
    warm_days = [(60.0, 3840), (80.0, 3840), (100.0, 3990), (101.0, 3880)]
    (spell,) = fever_spells(at(*raised, *warm_days), RULES["FEVER-48H"])
    assert (spell.raised_ms, spell.cleared_ms, spell.data_gap) == (49 * HOUR, None, False)
    assert (spell.worst, spell.count, spell.newest_ms) == (3990, 10, 101 * HOUR)


def test_of_temperatures_at_one_instant_the_highest_counts() -> None:
    both = [(float(h), value) for h in range(0, 50, 7) for value in (3600, 3900)]
    (spell,) = fever_spells(at(*both), RULES["FEVER-48H"])
    assert (spell.raised_ms, spell.worst) == (49 * HOUR, 3900)


def test_a_value_of_bad_quality_is_no_fever() -> None:
    bad = [Measurement(t_ms=h * HOUR, value=3950, trusted=False) for h in range(0, 100, 4)]
    assert fever_spells(bad, RULES["FEVER-48H"]) == []


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: str(rule.rule))
@given(seed=st.integers(0, 2**32))
def test_the_order_of_arrival_and_repeats_do_not_matter(rule: FeverRule, seed: int) -> None:
    draw = random.Random(seed)
    history, t_ms = [], 0
    while len(history) < 60:
        level = draw.choice((3700, 3800, 3801, 3850, 3851, 3910))
        for _ in range(draw.randrange(1, 12)):
            t_ms += draw.choice((0, HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR, 24 * HOUR + 1))
            history.append(Measurement(t_ms=t_ms, value=level + draw.choice((0, 0, -1, 1))))
    arrived = [*history, *draw.sample(history, 10)]
    draw.shuffle(arrived)
    spells = fever_spells(arrived, rule)
    assert spells == fever_spells(history, rule)
    for spell in spells:
        assert spell.raised_ms is not None
        assert spell.raised_ms - spell.since_ms > rule.longer_than_ms
        assert spell.worst > rule.above

"""What confirms a limit on single measurements: each way to confirm, on both sides of limit and interval."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.profile.profile import Confirm, RepeatRule
from alerting.spot.repeat import repeat_spells
from alerting.spot.spells import How, Measurement, Spell, Why
from tests.alerting.streams import profile

RULES = {rule.rule: rule for rule in profile().repeat}
MINUTE = 60_000
HELD = [rule for rule in RULES.values() if rule.holds and not rule.after_activity]


def at(*points: tuple[float, int], trusted: bool = True, how: How = How.SINGLE) -> list[Measurement]:
    return [Measurement(t_ms=round(t * MINUTE), value=value, trusted=trusted, how=how) for t, value in points]


def raised(rule: str, *points: tuple[float, int]) -> list[tuple[float, Why | None]]:
    return [
        (spell.raised_ms / MINUTE, spell.why)
        for spell in repeat_spells(at(*points), RULES[rule])
        if spell.raised_ms is not None
    ]


@pytest.mark.parametrize(
    ("rule", "points", "expected"),
    [
        pytest.param("RR-SEVERE", [(0, 3000), (1, 3000)], [(1, Why.REPEATED)], id="30 breaths, counted twice"),
        pytest.param("RR-SEVERE", [(0, 2999), (1, 2999)], [], id="29.99 are not 30"),
        pytest.param("BP-CRISIS-SYS", [(0, 18000), (5, 18000)], [(5, Why.REPEATED)], id="180 again after 5 min"),
        pytest.param("BP-CRISIS-SYS", [(0, 18000), (5.1, 17900)], [(5, Why.NO_REPEAT)], id="no repeat in 5 min"),
        pytest.param("BP-CRISIS-SYS", [(0, 17999), (5, 17999)], [], id="179.99"),
        pytest.param("BP-CRISIS-DIA", [(0, 11000), (3, 11000)], [(3, Why.REPEATED)], id="110 twice"),
        pytest.param("BP-CRISIS-DIA", [(0, 11000), (3, 10999)], [], id="109.99 answers"),
        pytest.param("GLU-LOW", [(0, 390)], [(0, Why.AT_ONCE)], id="3.9 at once"),
        pytest.param("GLU-LOW", [(0, 391)], [], id="3.91"),
        pytest.param("GLU-HIGH", [(0, 1670), (30, 1670)], [(30, Why.REPEATED)], id="16.7 twice"),
        pytest.param("GLU-HIGH", [(0, 1669), (30, 1669)], [], id="16.69"),
        pytest.param("HYPOTHERM", [(0, 3500), (16, 3600)], [(15, Why.NO_REPEAT)], id="cold, and nobody measures again"),
        pytest.param("HYPOTHERM-CONFIRMED", [(0, 3500), (16, 3600)], [], id="absence confirms nothing"),
        pytest.param("HYPOTHERM-CONFIRMED", [(0, 3500), (15, 3500)], [(15, Why.REPEATED)], id="35.0 twice in 15 min"),
        pytest.param("HYPOTHERM-CONFIRMED", [(0, 3500), (15.1, 3500)], [], id="too late a repeat begins anew"),
        pytest.param(
            "HYPOTHERM-CONFIRMED", [(0, 3500), (16, 3500), (20, 3500)], [(20, Why.REPEATED)], id="and is confirmed then"
        ),
        pytest.param("HYPOTHERM-CONFIRMED", [(0, 3500), (5, 3501), (10, 3500)], [], id="a warmer one between ends it"),
        pytest.param("HR-HIGH", [(0, 13100), (5, 13100)], [(5, Why.REPEATED)], id="131"),
        pytest.param("HR-LOW", [(0, 4000), (5, 4000)], [(5, Why.REPEATED)], id="40"),
        pytest.param("HR-LOW", [(0, 4001), (5, 4001)], [], id="40.01"),
    ],
)
def test_what_each_rule_makes_of_measurements(
    rule: str, points: list[tuple[float, int]], expected: list[tuple[float, Why]]
) -> None:
    assert raised(rule, *points) == expected


def derived(*points: tuple[float, int]) -> list[Measurement]:
    return at(*points, how=How.DERIVED)


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        pytest.param(derived((0, 3400), (1.5, 3400)), [(1.5, Why.REPEATED)], id="two derived"),
        pytest.param(derived((0, 2000), (1.5, 2000)), [], id="slow ones begin nothing"),
        pytest.param(derived((0, 3400), (11, 3400)), [], id="another too late begins anew"),
        pytest.param(derived((0, 3400), (1.5, 2000), (3, 3400)), [], id="a slow one between answers it"),
        pytest.param(derived((0, 3400)) + at((1, 2000)), [], id="so does a person's"),
        pytest.param(derived((0, 3400)) + at((1, 3000)), [(1, Why.REPEATED)], id="and a person's confirms it"),
        pytest.param(at((0, 3000)) + derived((1.5, 3400)), [(1.5, Why.REPEATED)], id="a person's is confirmed by it"),
        pytest.param(
            at((0, 3000)) + derived((1.5, 2000)) + at((2, 3000)), [(2, Why.REPEATED)], id="and not answered by it"
        ),
        pytest.param(
            at((0, 3000)) + derived((1.5, 2000)) + at((11, 2000)), [(10, Why.NO_REPEAT)], id="nor is it a repeat"
        ),
    ],
)
def test_a_derived_value_confirms_and_is_no_measurement(
    history: list[Measurement], expected: list[tuple[float, Why]]
) -> None:
    spells = repeat_spells(history, RULES["RR-SEVERE"])
    assert [(s.raised_ms / MINUTE, s.why) for s in spells if s.raised_ms is not None] == expected


@pytest.mark.parametrize(
    ("rule", "history"),
    [
        pytest.param("RR-SEVERE", derived((0, 3400)), id="nobody waits for another derived value"),
        pytest.param("HYPOTHERM-CONFIRMED", at((0, 3500)), id="absence would confirm nothing"),
    ],
)
def test_what_absence_does_not_raise_waits_for_nothing(rule: str, history: list[Measurement]) -> None:
    assert repeat_spells(history, RULES[rule]) == []


def test_what_a_person_has_measured_too_early_to_confirm_waits_for_its_repeat() -> None:
    later = replace(RULES["RR-SEVERE"], repeat_from_ms=MINUTE)
    (spell,) = repeat_spells(derived((0, 3400)) + at((0.5, 3400)), later)
    assert (spell.since_ms, spell.due_ms, spell.raised_ms) == (0, 10 * MINUTE, None)
    assert (spell.begun, spell.how, spell.data_gap) == (How.DERIVED, How.SINGLE, False)


def test_derived_values_end_only_what_they_began() -> None:
    well = derived((3, 2000), (4.5, 2000))
    (begun,) = repeat_spells(derived((0, 3400), (1.5, 3400)) + well, RULES["RR-SEVERE"])
    (counted,) = repeat_spells(at((0, 3400), (1.5, 3400)) + well, RULES["RR-SEVERE"])
    assert begun.cleared_ms == 4.5 * MINUTE
    assert counted.cleared_ms is None


def test_only_repeat_forgets_the_first_value_and_not_those_after_it() -> None:
    late = replace(RULES["FEVER-HIGH"], confirm=Confirm.ONLY_REPEAT)  # a repeat from 15 to 60 min later
    (spell,) = repeat_spells(at((0, 3950), (10, 3920), (61, 3910)), late)
    assert (spell.since_ms, spell.raised_ms, spell.worst) == (10 * MINUTE, 61 * MINUTE, 3920)
    (at_the_last_moment,) = repeat_spells(at((0, 3950), (10, 3920), (70, 3910)), late)
    assert (at_the_last_moment.since_ms, at_the_last_moment.raised_ms) == (10 * MINUTE, 70 * MINUTE)
    assert repeat_spells(at((0, 3950), (10, 3920), (70.1, 3910)), late) == []


def test_what_comes_after_nobody_repeated_is_evidence_and_may_end_it() -> None:
    (worse,) = repeat_spells(at((0, 8700), (3, 8600)), RULES["SPO2-CRIT"])
    assert (worse.raised_ms, worse.why, worse.worst, worse.count) == (2 * MINUTE, Why.NO_REPEAT, 8600, 2)
    (well,) = repeat_spells(at((0, 8700), (3, 8900), (4, 8900)), RULES["SPO2-CRIT"])
    assert (well.raised_ms, well.cleared_ms) == (2 * MINUTE, 4 * MINUTE)


def test_what_raised_at_once_ends_with_as_many_well_values_as_any_other() -> None:
    rule = replace(RULES["GLU-LOW"], clear_repeats=2)
    (after_one,) = repeat_spells(at((0, 390), (15, rule.clear_at)), rule)
    assert after_one.cleared_ms is None
    (after_two,) = repeat_spells(at((0, 390), (15, rule.clear_at), (30, rule.clear_at)), rule)
    assert after_two.cleared_ms == 30 * MINUTE


def test_too_early_a_repeat_decides_nothing_and_is_evidence() -> None:
    (spell,) = repeat_spells(at((0, 3910), (5, 4000), (10, 3700), (15, 3910)), RULES["FEVER-HIGH"])
    assert (spell.raised_ms, spell.worst, spell.count) == (15 * MINUTE, 4000, 3)


QUESTIONABLE = RULES["QUESTIONABLE-LOW"]


@pytest.mark.parametrize(
    ("history", "raised_min"),
    [
        pytest.param(at((0, 8000), trusted=False), None, id="waits for an answer"),
        pytest.param(at((0, 8000), (10, 9299), trusted=False), 10, id="two in 10 min"),
        pytest.param(at((0, 8000), trusted=False) + at((10.1, 9700)), 10, id="no answer in 10 min"),
        pytest.param(at((0, 8000), trusted=False) + at((9, 9700)), None, id="a good value is the answer"),
        pytest.param(at((0, 8000), trusted=False) + at((9, 8000)), None, id="also a low one, which others judge"),
        pytest.param(at((0, 8000), (5, 9700), (11, 9700), trusted=False), None, id="a bad value that is well is none"),
        pytest.param(at((0, 9300), (5, 9300), trusted=False), None, id="93 of bad quality is not low"),
        pytest.param(at((0, 8000), (5, 8000)), None, id="good low values are others' matter"),
    ],
)
def test_low_but_bad_is_never_dropped(history: list[Measurement], raised_min: float | None) -> None:
    spells = repeat_spells(history, QUESTIONABLE)
    assert [s.raised_ms for s in spells if s.raised_ms is not None] == (
        [] if raised_min is None else [raised_min * MINUTE]
    )


def test_a_clip_that_goes_on_waits_and_confirms_nothing() -> None:
    first = at((0, 8000), trusted=False, how=How.UNSTABLE)
    (open_only,) = repeat_spells(at((0, 8000), trusted=False, how=How.OPEN), QUESTIONABLE)
    assert open_only.due_ms == 10 * MINUTE
    (both,) = repeat_spells([*first, *at((5, 8000), trusted=False, how=How.OPEN)], QUESTIONABLE)
    assert (both.raised_ms, both.due_ms, both.count, both.how) == (None, 10 * MINUTE, 1, How.UNSTABLE)


def test_bad_values_are_nothing_to_the_rules_on_good_ones() -> None:
    bad = at((0, 8000), (1, 8000), (2, 9900), trusted=False)
    for rule in RULES.values():
        if rule is not QUESTIONABLE:
            assert repeat_spells(bad, rule) == []


@pytest.mark.parametrize("bad", [8700, 9700], ids=["low", "well"])
def test_a_bad_value_neither_answers_a_low_good_one_nor_confirms_it(bad: int) -> None:
    (spell,) = repeat_spells(at((0, 8700)) + at((1, bad), trusted=False), RULES["SPO2-CRIT"])
    assert (spell.raised_ms, spell.due_ms, spell.count) == (None, 2 * MINUTE, 1)
    (answered,) = repeat_spells(at((0, 8700), (1.5, 8700)) + at((1, bad), trusted=False), RULES["SPO2-CRIT"])
    assert (answered.raised_ms, answered.count) == (1.5 * MINUTE, 2)


def test_a_bad_value_that_is_well_does_not_answer_a_bad_low_one() -> None:
    (spell,) = repeat_spells(at((0, 8000), (5, 9700), trusted=False), QUESTIONABLE)
    assert (spell.raised_ms, spell.due_ms) == (None, 10 * MINUTE)


def test_exertion_begins_only_after_activity_and_is_repeated_at_rest() -> None:
    rule = RULES["SPO2-EXERT"]
    tired = Measurement(t_ms=0, value=9399, exerted=True)
    assert repeat_spells(at((0, 9399), (5, 9399)), rule) == []
    assert [s.raised_ms for s in repeat_spells([tired, *at((5, 9399))], rule)] == [5 * MINUTE]
    assert repeat_spells([tired, *at((5, 9400))], rule) == []
    assert repeat_spells([replace(tired, value=9400), *at((5, 9399))], rule) == []
    (alone,) = repeat_spells([tired], rule)
    assert alone.due_ms == 10 * MINUTE


def test_of_values_at_one_instant_the_worse_counts_and_a_repeat_is_another_instant() -> None:
    assert [s.raised_ms for s in repeat_spells(at((0, 9700), (0, 8700)), RULES["SPO2-CRIT"])] == [None]
    assert repeat_spells(at((0, 8000), trusted=False) + at((0, 9700)), QUESTIONABLE) == []
    tired = Measurement(t_ms=0, value=9399, exerted=True)
    for same in ([tired, *at((0, 9399))], [*at((0, 9399)), tired]):
        assert [s.due_ms for s in repeat_spells(same, RULES["SPO2-EXERT"])] == [10 * MINUTE]


def course(draw: random.Random, rule: RepeatRule) -> list[Measurement]:
    """Spells of level and length near the rule's limits, some of bad quality, at odd times."""
    levels = [rule.limit - 100, rule.limit - 1, rule.limit, rule.limit + 1, rule.clear_at, rule.limit + 300]
    history, t_ms = [], 0
    while len(history) < 40:
        level, trusted = draw.choice(levels), draw.random() < 0.7
        for _ in range(draw.randrange(1, 5)):
            t_ms += draw.choice((0, 1, 59_000, rule.repeat_from_ms, rule.repeat_until_ms, rule.repeat_until_ms + 1))
            history.append(Measurement(t_ms=t_ms, value=level, trusted=trusted, exerted=draw.random() < 0.5))
    return history


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: str(rule.rule))
@given(seed=st.integers(0, 2**32))
def test_the_order_of_arrival_and_repeats_do_not_matter(rule: RepeatRule, seed: int) -> None:
    draw = random.Random(seed)
    history = course(draw, rule)
    arrived = [*history, *draw.sample(history, 10)]
    draw.shuffle(arrived)
    assert repeat_spells(arrived, rule) == repeat_spells(history, rule)


@pytest.mark.parametrize("rule", HELD, ids=lambda rule: str(rule.rule))
@given(seed=st.integers(0, 2**32))
def test_every_spell_is_whole(rule: RepeatRule, seed: int) -> None:
    spells: list[Spell] = repeat_spells(course(random.Random(seed), rule), rule)
    for spell in spells:
        assert (spell.raised_ms is None) != (spell.due_ms is None)
        assert rule.is_breach(spell.worst)
        if spell.raised_ms is not None:
            waited = spell.raised_ms - spell.since_ms
            assert waited <= rule.repeat_until_ms
            assert (spell.why is Why.REPEATED) <= (waited >= rule.repeat_from_ms)
            assert (spell.why is Why.NO_REPEAT) <= (rule.confirm is Confirm.REPEAT)
            assert spell.cleared_ms is None or spell.cleared_ms >= spell.raised_ms
    assert all(a.cleared_ms is not None and a.cleared_ms <= b.since_ms for a, b in pairwise(spells))

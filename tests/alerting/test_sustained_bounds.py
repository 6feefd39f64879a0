"""Each bound of a sustained rule from both sides, in numbers of its own: the oracle and both engines say the same."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import pytest

from alerting.engine import numba_step, numpy_step
from alerting.engine.partition import Step, event_of
from alerting.engine.table import Table
from alerting.judging.channels import NOTHING_TO_QUESTION
from tests.alerting.streams import Sample, columns, oracle
from vitals.sustained import (
    COUNT_MAX,
    NEVER_HIGH,
    NEVER_LOW,
    Kind,
    Limit,
    Phase,
    RuleError,
    SustainedEvent,
    SustainedRule,
    SustainedState,
    step,
)

T0_S = 1_700_000_040  # begins a bucket of every grain
LOW, WELL, BETWEEN = 9200, 9500, 9350
RULE = SustainedRule(
    rule="FALL",
    low=True,
    limit=Limit(breach=9300, clear_at=9400),
    window_ms=60_000,
    share_percent=80,
    coverage_percent=50,
    building_ms=30_000,
    clear_ms=60_000,
    clear_gap_ms=20_000,
)
HIGH = replace(RULE, rule="RISE", low=False, limit=Limit(breach=9300, clear_at=9200))
RAISES_ONLY = replace(RULE, building_ms=0)

Course = Iterable[tuple[float, int]]
"""(Seconds after the beginning of a bucket, value)."""
Judge = Callable[[SustainedRule, Course], list[SustainedEvent]]


def by_oracle(rule: SustainedRule, course: Course) -> list[SustainedEvent]:
    return [event for *_, event in oracle(_samples(course), [rule])[0] if event.kind is not Kind.LATE]


def by(engine: Step) -> Judge:
    def judge(rule: SustainedRule, course: Course) -> list[SustainedEvent]:
        events, _ = engine(Table([rule], 1), *columns(_samples(course)))
        return [event_of([rule], event) for event in events]

    return judge


def _samples(course: Course) -> Sequence[Sample]:
    return [Sample(round((T0_S + at_s) * 1000), 0, value) for at_s, value in course]


def seconds(begin: int, end: int, value: int) -> list[tuple[float, int]]:
    """One value a second, `end` exclusive."""
    return [(at_s, value) for at_s in range(begin, end)]


def tens(value: int, *buckets: int) -> list[tuple[float, int]]:
    """One value in the middle of each of these 10 s."""
    return [(bucket * 10 + 5, value) for bucket in buckets]


@pytest.fixture(params=[by_oracle, by(numpy_step.step), by(numba_step.step)], ids=["oracle", "numpy", "numba"])
def judge(request: pytest.FixtureRequest) -> Judge:
    judged: Judge = request.param
    return judged


def kinds(events: Iterable[SustainedEvent]) -> list[tuple[Kind, float]]:
    return [(event.kind, event.at_ms / 1000 - T0_S) for event in events]


def raised_s(events: Iterable[SustainedEvent]) -> list[float]:
    return [at_s for kind, at_s in kinds(events) if kind is Kind.RAISE]


@pytest.mark.parametrize(("value", "raises"), [(9299, True), (9300, False)])
def test_below_a_low_limit_is_dangerous_and_on_it_is_not(judge: Judge, value: int, raises: bool) -> None:
    assert bool(raised_s(judge(RULE, seconds(0, 90, value)))) is raises


@pytest.mark.parametrize(("value", "raises"), [(9301, True), (9300, False)])
def test_above_a_high_limit_is_dangerous_and_on_it_is_not(judge: Judge, value: int, raises: bool) -> None:
    assert bool(raised_s(judge(HIGH, seconds(0, 90, value)))) is raises


def test_a_window_is_full_a_bucket_after_its_length(judge: Judge) -> None:
    assert raised_s(judge(RULE, seconds(0, 90, LOW))) == [70]
    assert raised_s(judge(RULE, [*seconds(0, 69, LOW), (69.999, LOW)])) == []
    begun_late_in_its_bucket = [(9.999, LOW), *seconds(10, 90, LOW)]
    assert raised_s(judge(RULE, begun_late_in_its_bucket)) == [70]


def test_data_that_ran_empty_begins_anew(judge: Judge) -> None:
    """Eight buckets of 10 s are kept: of those that held data the last one is the eighth, or none is."""
    before = tens(WELL, *range(8))
    assert raised_s(judge(RAISES_ONLY, [*before, *tens(LOW, *range(14, 24))]))[0] == 165
    assert raised_s(judge(RAISES_ONLY, [*before, *tens(LOW, *range(15, 30))]))[0] == 225


@pytest.mark.parametrize(("buckets", "raises"), [((15, 16, 17), True), ((16, 17), False), ((10, 16, 17), False)])
def test_half_of_the_windows_buckets_must_hold_a_sample(judge: Judge, buckets: tuple[int, ...], raises: bool) -> None:
    course = [*tens(WELL, *range(10)), *tens(LOW, *buckets)]
    assert bool(raised_s(judge(RAISES_ONLY, course))) is raises


def test_the_oldest_bucket_that_counts_is_a_window_before_the_present_one(judge: Judge) -> None:
    well = tens(WELL, *range(9))
    assert raised_s(judge(RAISES_ONLY, [*well, *tens(LOW, 11, 13, 17)])) == [175]
    assert raised_s(judge(RAISES_ONLY, [*well, *tens(LOW, 10, 13, 17)])) == []


@pytest.mark.parametrize(("well", "raises"), [(4, True), (5, False)])
def test_four_of_five_samples_must_break_the_limit(judge: Judge, well: int, raises: bool) -> None:
    """Sixteen low ones, the last of them the twentieth of the window, or the one and twentieth."""
    course = [*tens(WELL, *range(9))]
    course += [(110 + i, WELL) for i in range(well)]
    course += [(120 + i * 3, LOW) for i in range(16)]  # to 165 s, bucket 16; the window is 10 to 16
    (events) = judge(RAISES_ONLY, course)
    assert bool(raised_s(events)) is raises
    if raises:
        assert (events[-1].valid, events[-1].below, events[-1].buckets) == (20, 16, 6)
        assert events[-1].since_ms == (T0_S + 120) * 1000


@pytest.mark.parametrize(("low", "raises"), [(23, False), (24, True)])
def test_a_share_just_under_four_of_five_is_not_enough(judge: Judge, low: int, raises: bool) -> None:
    course = [*tens(WELL, *range(9)), *seconds(110, 116, WELL), *[(116 + i * 2, LOW) for i in range(low)]]
    assert bool(raised_s(judge(RAISES_ONLY, course))) is raises
    assert kinds(judge(RULE, [*seconds(0, 6, WELL), *seconds(6, 6 + low, LOW)])) == ([(Kind.PENDING, 29)] * raises)


@pytest.mark.parametrize(("buckets", "raises"), [((11, 12), False), ((10, 11, 12), True)])
def test_a_coverage_that_no_whole_buckets_make_is_rounded_up(
    judge: Judge, buckets: tuple[int, ...], raises: bool
) -> None:
    rule = replace(RAISES_ONLY, window_ms=30_000, coverage_percent=67)
    assert bool(raised_s(judge(rule, [*tens(WELL, *range(9)), *tens(LOW, *buckets)]))) is raises


def test_of_ten_seconds_forty_samples_count(judge: Judge) -> None:
    """Forty low ones at first hide the well ones after them; one less does not."""
    assert COUNT_MAX == 40
    (event,) = judge(RAISES_ONLY, [(i / 8, LOW) for i in range(8 * 70 + 1)])
    assert (event.valid, event.below, event.at_ms) == (6 * 40 + 1, 6 * 40 + 1, (T0_S + 70) * 1000)


def test_what_builds_up_fills_each_of_its_last_buckets(judge: Judge) -> None:
    assert kinds(judge(RULE, tens(LOW, 0, 1, 2))) == [(Kind.PENDING, 25)]
    assert kinds(judge(RULE, tens(LOW, 0, 1))) == []
    assert kinds(judge(RULE, tens(LOW, 0, 2, 3))) == []
    assert kinds(judge(RULE, tens(LOW, 0, 2, 3, 4))) == [(Kind.PENDING, 45)]
    assert kinds(judge(RAISES_ONLY, tens(LOW, 0, 1, 2))) == []


def test_what_builds_up_within_one_bucket_is_pending_at_its_first_sample(judge: Judge) -> None:
    assert kinds(judge(replace(RULE, building_ms=10_000), [*seconds(0, 10, WELL), (12, LOW)])) == [(Kind.PENDING, 12)]


def test_four_of_five_of_what_builds_up_must_break_the_limit(judge: Judge) -> None:
    assert kinds(judge(RULE, [(0, LOW), (1, WELL), (10, LOW), (11, LOW), (20, LOW)])) == [(Kind.PENDING, 20)]
    assert kinds(judge(RULE, [(0, LOW), (1, WELL), (10, LOW), (20, LOW)])) == []


def test_what_builds_up_is_discarded_by_a_fine_sample_that_brings_the_share_down(judge: Judge) -> None:
    four_low = [*tens(LOW, 0, 1, 2), (26, LOW)]
    assert kinds(judge(RULE, [*four_low, (27, BETWEEN)])) == [(Kind.PENDING, 25)]
    assert kinds(judge(RULE, [*four_low, (27, BETWEEN), (28, BETWEEN)])) == [(Kind.PENDING, 25), (Kind.DISCARD, 28)]
    assert kinds(judge(RULE, [*four_low, (27, BETWEEN), (28, BETWEEN), (28.5, BETWEEN)]))[1:] == [(Kind.DISCARD, 28)]


def test_a_good_value_beside_doubtful_ones_discards_what_builds_up_at_once(judge: Judge) -> None:
    assert kinds(judge(RULE, [*tens(LOW, 0, 1, 2), (26, NOTHING_TO_QUESTION), (31, NOTHING_TO_QUESTION)])) == [
        (Kind.PENDING, 25),
        (Kind.DISCARD, 26),
    ]


def test_absence_discards_nothing_and_what_was_pending_raises(judge: Judge) -> None:
    assert kinds(judge(RULE, [*tens(LOW, 0, 1, 2), *tens(LOW, 7)])) == [(Kind.PENDING, 25), (Kind.RAISE, 75)]


RAISED = [*tens(LOW, *range(8))]  # raises at 75 s, in bucket 7


@pytest.mark.parametrize(("value", "clears"), [(9400, True), (9399, False)])
def test_at_the_upper_edge_it_is_over_and_below_it_is_not(judge: Judge, value: int, clears: bool) -> None:
    said = kinds(judge(RAISES_ONLY, [*RAISED, *tens(value, *range(8, 20))]))
    assert said == [(Kind.RAISE, 75), *([(Kind.CLEAR, 145)] if clears else [])]


@pytest.mark.parametrize(("value", "clears"), [(9200, True), (9201, False)])
def test_at_the_lower_edge_a_rise_is_over_and_above_it_is_not(judge: Judge, value: int, clears: bool) -> None:
    rise = replace(HIGH, building_ms=0)
    said = kinds(judge(rise, [*tens(9800, *range(8)), *tens(value, *range(8, 20))]))
    assert said == [(Kind.RAISE, 75), *([(Kind.CLEAR, 145)] if clears else [])]


def test_one_sample_that_is_not_well_begins_the_clearing_anew(judge: Judge) -> None:
    said = judge(RAISES_ONLY, [*RAISED, *tens(WELL, 8, 9, 10), (106, BETWEEN), *tens(WELL, *range(11, 20))])
    assert kinds(said) == [(Kind.RAISE, 75), (Kind.CLEAR, 175)]


@pytest.mark.parametrize(("empty", "cleared_s"), [(2, 145), (3, 195)])
def test_more_empty_buckets_than_the_gap_begin_the_clearing_anew(judge: Judge, empty: int, cleared_s: int) -> None:
    """The last before the gap is bucket 8; after a gap too long the next is counted as the first."""
    said = judge(RAISES_ONLY, [*RAISED, *tens(WELL, 8), *tens(WELL, *range(9 + empty, 24))])
    assert kinds(said) == [(Kind.RAISE, 75), (Kind.CLEAR, cleared_s)]


def test_while_it_holds_nothing_is_counted_and_after_it_a_window_must_fill_again(judge: Judge) -> None:
    well = tens(WELL, *range(8, 15))  # clears at 145 s
    said = judge(RAISES_ONLY, [*RAISED, *well, *tens(LOW, *range(15, 24))])
    assert kinds(said)[:2] == [(Kind.RAISE, 75), (Kind.CLEAR, 145)]
    # At 205 s the window of buckets 14 to 20 holds six low ones beside one that is well; at 195 s five of seven.
    assert kinds(said)[2:] == [(Kind.RAISE, 205)]
    assert (said[2].valid, said[2].below, said[2].since_ms) == (7, 6, (T0_S + 150) * 1000)
    assert (said[1].below, said[1].since_ms) == (0, said[1].at_ms)


@pytest.mark.parametrize(("window_s", "bucket_s"), [(70, 10), (80, 20), (300, 20), (360, 60), (900, 60)])
def test_a_window_is_counted_in_the_finest_buckets_that_hold_it(window_s: int, bucket_s: int, judge: Judge) -> None:
    rule = replace(RAISES_ONLY, window_ms=window_s * 1000)
    assert rule.grain.bucket_ms == bucket_s * 1000
    first_s = -(-T0_S // bucket_s) * bucket_s - T0_S
    assert raised_s(judge(rule, seconds(first_s, first_s + window_s + bucket_s + 1, LOW))) == [
        first_s + window_s + bucket_s
    ]


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"window_ms": 0}, "window of 0 ms is not within 1 to 900000"),
        ({"window_ms": -10_000}, "window of -10000 ms is not within"),
        ({"window_ms": 960_000}, "window of 960000 ms is not within"),
        ({"window_ms": 15_000, "building_ms": 0}, "window of 15000 ms is no multiple of 10000"),
        ({"window_ms": 90_000}, "window of 90000 ms is no multiple of 20000"),
        ({"building_ms": 25_000}, "building time of 25000 ms is no multiple of 10000"),
        ({"building_ms": 70_000}, "building time of 70000 ms is not within the window of 60000"),
        ({"building_ms": -10_000}, "building time of -10000 ms is not within"),
        ({"clear_ms": -10_000}, "clearing time of -10000 ms is no multiple of 10000 up to 2540000"),
        ({"clear_ms": 2_550_000}, "clearing time of 2550000 ms"),
        ({"clear_ms": 15_000}, "clearing time of 15000 ms"),
        ({"clear_gap_ms": 5_000}, "gap in clearing of 5000 ms"),
    ],
)
def test_a_rule_that_can_not_be_judged_is_refused(numbers: dict[str, int], said: str) -> None:
    with pytest.raises(RuleError, match=said):
        replace(RULE, **numbers)  # type: ignore[arg-type]


def test_the_outermost_numbers_can_be_judged() -> None:
    for numbers in ({"window_ms": 900_000, "building_ms": 900_000}, {"building_ms": 60_000}, {"window_ms": 10_000}):
        replace(RULE, **({"building_ms": 0} | numbers))  # type: ignore[arg-type]
    replace(RULE, clear_ms=2_540_000, clear_gap_ms=2_540_000)
    replace(RULE, clear_ms=0, clear_gap_ms=0)


def test_the_longest_clearing_time_is_waited_for_and_ends(judge: Judge) -> None:
    rule = replace(RAISES_ONLY, clear_ms=2_540_000)
    said = judge(rule, [*RAISED, *tens(WELL, *range(8, 300))])
    assert kinds(said) == [(Kind.RAISE, 75), (Kind.CLEAR, (7 + 255) * 10 + 5)]


@pytest.mark.parametrize("value", [-32768, 0, 32767])
def test_a_rule_that_holds_for_nobody_is_never_broken(value: int) -> None:
    assert (RULE.never, HIGH.never) == (NEVER_LOW, NEVER_HIGH)
    for rule in (RULE, HIGH):
        assert not rule.is_breach(value, rule.never)
        assert rule.is_well(value, rule.never)


def test_what_something_else_decided_is_cleared_by_samples_alone() -> None:
    state = SustainedState([RULE])
    for sample in _samples(tens(LOW, 0, 1, 2)):
        step(state, sample.t_ms, sample.value)
    state.hold(0)
    assert not any(state.below[0])
    said = [
        each for s in _samples([*tens(LOW, 3), *tens(WELL, *range(4, 20))]) for each in step(state, s.t_ms, s.value)
    ]
    assert kinds(said) == [(Kind.CLEAR, 105)]
    assert (state.phase, state.well) == ([Phase.IDLE], [0])


def test_a_sample_of_the_same_instant_is_not_late() -> None:
    state = SustainedState([RULE])
    assert [[e.kind for e in step(state, t_ms, WELL)] for t_ms in (10_000, 10_000, 9_999)] == [[], [], [Kind.LATE]]
    assert (state.count, state.last_ms) == (2, 10_000)
    assert step(state, 9_000, LOW) == [
        SustainedEvent(rule="", kind=Kind.LATE, at_ms=9_000, since_ms=9_000, value=LOW, valid=0, below=0, buckets=0)
    ]

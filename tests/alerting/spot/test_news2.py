"""The NEWS2 chart: each band's two sides, what is missing, and the spells of a score (RCP 2017)."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.profile.singles import News2Rule
from alerting.spot.news2 import SIGNAL_OF, Item, Known, Score, score
from alerting.spot.scores import marked_elsewhere, score_spells, stream_value
from alerting.spot.spells import Why
from tests.alerting.streams import profile
from vitals.signals import SIGNALS

HIGH, MEDIUM = profile().news2
MINUTE = 60_000
WELL = {
    Item.RESPIRATORY_RATE: 16.0,
    Item.SPO2: 97.0,
    Item.OXYGEN: 0,
    Item.SYSTOLIC: 125.0,
    Item.PULSE: 70.0,
    Item.CONSCIOUSNESS: 0,
    Item.TEMPERATURE: 36.8,
}


def known(values: dict[Item, float], *, at_ms: int = 0) -> dict[Item, Known]:
    def scaled(item: Item, value: float) -> int:
        return round(value * SIGNALS[SIGNAL_OF[item]].scale) if item in SIGNAL_OF else int(value)

    return {item: Known(value=scaled(item, value), at_ms=at_ms) for item, value in values.items()}


def scored(values: dict[Item, float], *, spo2_scale: int = 1) -> Score:
    return score(known(values), at_ms=0, within_ms=0, spo2_scale=spo2_scale)


EDGES: list[tuple[Item, int, bool, float, int]] = [
    *(
        (Item.RESPIRATORY_RATE, 1, False, value, points)
        for value, points in [(8, 3), (9, 1), (11, 1), (12, 0), (20, 0), (21, 2), (24, 2), (25, 3)]
    ),
    *(
        (Item.SPO2, 1, False, value, points)
        for value, points in [(91, 3), (92, 2), (93, 2), (94, 1), (95, 1), (96, 0)]
    ),
    *(
        (Item.SPO2, 2, False, value, points)
        for value, points in [(83, 3), (84, 2), (85, 2), (86, 1), (87, 1), (88, 0), (92, 0), (93, 0)]
    ),
    *((Item.SPO2, 2, True, value, points) for value, points in [(93, 1), (94, 1), (95, 2), (96, 2), (97, 3)]),
    *((Item.OXYGEN, 1, False, value, points) for value, points in [(1, 2)]),
    *(
        (Item.SYSTOLIC, 1, False, value, points)
        for value, points in [(90, 3), (91, 2), (100, 2), (101, 1), (110, 1), (111, 0), (219, 0), (220, 3)]
    ),
    *(
        (Item.PULSE, 1, False, value, points)
        for value, points in [
            (40, 3), (41, 1), (50, 1), (51, 0), (90, 0), (91, 1), (110, 1), (111, 2), (130, 2), (131, 3),
        ]
    ),
    *((Item.CONSCIOUSNESS, 1, False, value, points) for value, points in [(1, 3)]),
    *(
        (Item.TEMPERATURE, 1, False, value, points)
        for value, points in [
            (35.0, 3), (35.1, 1), (36.0, 1), (36.1, 0), (38.0, 0), (38.1, 1), (39.0, 1), (39.1, 2),
        ]
    ),
]  # fmt: skip


def test_the_chart_has_fifty_five_boundaries() -> None:
    assert len(EDGES) == 55


@pytest.mark.parametrize(("item", "scale", "on_oxygen", "value", "points"), EDGES)
def test_both_sides_of_every_band(item: Item, scale: int, on_oxygen: bool, value: float, points: int) -> None:
    found = scored(WELL | {Item.OXYGEN: int(on_oxygen)} | {item: value}, spo2_scale=scale)
    assert found.parts[item] == points
    others = {Item.OXYGEN: 2 if on_oxygen else 0} if item is not Item.OXYGEN else {}
    assert found.total == points + sum(others.values())


@pytest.mark.parametrize(
    ("value", "points"), [(83, 3), (84, 2), (85, 2), (86, 1), (87, 1), (88, 0), (92, 0), (92.99, 0)]
)
def test_under_his_target_oxygen_changes_nothing_for_a_hypercapnic_patient(value: float, points: int) -> None:
    for oxygen in (0, 1):
        assert scored(WELL | {Item.OXYGEN: oxygen, Item.SPO2: value}, spo2_scale=2).parts[Item.SPO2] == points


def test_of_nothing_known_there_is_no_score() -> None:
    nothing = scored({})
    assert (nothing.total, nothing.highest, nothing.of_seven, nothing.missing) == (None, 0, 0, tuple(Item))


def test_the_ends_of_the_chart() -> None:
    worst = {
        Item.RESPIRATORY_RATE: 30.0,
        Item.SPO2: 80.0,
        Item.OXYGEN: 1,
        Item.SYSTOLIC: 60.0,
        Item.PULSE: 140.0,
        Item.CONSCIOUSNESS: 1,
        Item.TEMPERATURE: 34.0,
    }
    assert (scored(worst).total, scored(WELL).total) == (20, 0)
    assert scored(WELL | {Item.SPO2: 100.0}).parts[Item.SPO2] == 0


@pytest.mark.parametrize(
    ("item", "value", "points"),
    [
        pytest.param(Item.SPO2, 91.99, 3, id="SpO2 is floored, never rounded up"),
        pytest.param(Item.SPO2, 95.99, 1, id="SpO2 just under 96"),
        pytest.param(Item.TEMPERATURE, 38.04, 1, id="between 38.0 and 38.1 the worse counts"),
        pytest.param(Item.TEMPERATURE, 35.06, 3, id="between 35.0 and 35.1"),
        pytest.param(Item.TEMPERATURE, 39.01, 2, id="between 39.0 and 39.1"),
        pytest.param(Item.RESPIRATORY_RATE, 8.5, 3, id="between 8 and 9"),
        pytest.param(Item.RESPIRATORY_RATE, 20.4, 2, id="between 20 and 21"),
        pytest.param(Item.PULSE, 130.5, 3, id="between 130 and 131"),
    ],
)
def test_values_between_two_bands(item: Item, value: float, points: int) -> None:
    assert scored(WELL | {item: value}).parts[item] == points


@given(st.sets(st.sampled_from(list(Item)), min_size=1))
def test_what_is_missing_is_never_nought(gone: set[Item]) -> None:
    found = scored({item: value for item, value in WELL.items() if item not in gone})
    assert found.total is None
    assert set(found.missing) == gone
    assert found.of_seven == 7 - len(gone)
    assert not gone & found.parts.keys()


def test_scale_2_does_not_guess_whether_there_is_oxygen() -> None:
    unknown = {item: value for item, value in WELL.items() if item is not Item.OXYGEN}
    assert scored(unknown | {Item.SPO2: 97.0}, spo2_scale=2).missing == (Item.SPO2, Item.OXYGEN)
    assert scored(unknown | {Item.SPO2: 85.0}, spo2_scale=2).parts[Item.SPO2] == 2


@pytest.mark.parametrize(("age_ms", "total"), [(900_000, 0), (900_001, None), (-1, None)])
def test_a_value_counts_for_a_quarter_of_an_hour_and_never_before_it_was_measured(
    age_ms: int, total: int | None
) -> None:
    old = known({Item.PULSE: WELL[Item.PULSE]}, at_ms=1_000_000 - age_ms)
    found = score(known(WELL, at_ms=1_000_000) | old, at_ms=1_000_000, within_ms=HIGH.complete_within_ms)
    assert found.total == total


def measured(*scores: Score) -> dict[int, Score]:
    """Give scores a minute apart, each of values measured then."""
    return {n * MINUTE: replace(each, taken=dict.fromkeys(each.parts, n * MINUTE)) for n, each in enumerate(scores)}


def spells(rule: News2Rule, *scores: Score) -> list[tuple[int | None, int | None, int]]:
    """Judge scores a minute apart; gives when raised, when over, and the worst."""
    return [
        (
            None if s.spell.raised_ms is None else s.spell.raised_ms // MINUTE,
            None if s.spell.cleared_ms is None else s.spell.cleared_ms // MINUTE,
            s.spell.worst,
        )
        for s in score_spells(measured(*scores), rule)
    ]


SEVEN = scored(WELL | {Item.PULSE: 131.0, Item.RESPIRATORY_RATE: 21.0, Item.TEMPERATURE: 39.1})
SIX = scored(WELL | {Item.PULSE: 111.0, Item.RESPIRATORY_RATE: 21.0, Item.TEMPERATURE: 39.1})
FIVE = scored(WELL | {Item.PULSE: 91.0, Item.RESPIRATORY_RATE: 21.0, Item.TEMPERATURE: 39.1})
FOUR = scored(WELL | {Item.RESPIRATORY_RATE: 21.0, Item.TEMPERATURE: 39.1})
THREE = scored(WELL | {Item.PULSE: 131.0})
FAST = scored({Item.PULSE: 131.0, Item.SPO2: 97.0})
CALM = scored({Item.PULSE: 90.0})
OTHER = scored({Item.SPO2: 97.0})
APART = scored({Item.SPO2: 97.0, Item.TEMPERATURE: 39.1, Item.RESPIRATORY_RATE: 24.0, Item.SYSTOLIC: 100.0})


def test_a_total_raises_at_once_and_only_a_total_ends_it() -> None:
    assert [SEVEN.total, SIX.total, FIVE.total, FOUR.total, THREE.total] == [7, 6, 5, 4, 3]
    assert spells(HIGH, SEVEN, CALM, SIX) == [(0, 2, 7)]
    assert spells(HIGH, SIX) == []
    assert spells(MEDIUM, FIVE, CALM, FOUR) == [(0, 2, 5)]
    assert spells(MEDIUM, FOUR) == []


def test_a_single_three_of_a_complete_set_raises_at_once() -> None:
    assert spells(MEDIUM, THREE) == [(0, None, 3)]
    assert spells(HIGH, THREE) == []


def test_a_single_three_of_a_part_waits_for_its_repeat_and_that_item_ends_it() -> None:
    assert spells(MEDIUM, FAST) == [(None, None, 3)]
    assert spells(MEDIUM, FAST, FAST) == [(1, None, 3)]
    assert spells(MEDIUM, FAST, OTHER) == [(None, None, 3)]
    assert spells(MEDIUM, FAST, CALM) == []
    assert spells(MEDIUM, FAST, FAST, OTHER, CALM) == [(1, 3, 3)]


@pytest.mark.parametrize(("later", "raised"), [(15, None), (16, 15)])
def test_the_absence_of_the_repeat_raises(later: int, raised: int | None) -> None:
    assert spells(MEDIUM, FAST, *[OTHER] * later) == [(raised, None, 3)]


def test_what_waits_waits_for_the_item_that_is_still_beyond() -> None:
    slow = scored({Item.RESPIRATORY_RATE: 8.0})
    ((spell,),) = [[s.spell for s in score_spells(measured(FAST, slow, CALM), MEDIUM)]]
    assert (spell.since_ms, spell.due_ms) == (MINUTE, 16 * MINUTE)


def test_the_same_measurement_again_is_no_repeat() -> None:
    course = {0: FAST, MINUTE: FAST, 2 * MINUTE: FAST}
    ((spell,),) = [[s.spell for s in score_spells(course, MEDIUM)]]
    assert (spell.raised_ms, spell.due_ms) == (None, 15 * MINUTE)


def test_a_streams_single_three_needs_no_repeat() -> None:
    ((spell,),) = [[s.spell for s in score_spells({0: replace(FAST, settled=frozenset({Item.PULSE}))}, MEDIUM)]]
    assert (spell.raised_ms, spell.why) == (0, Why.AT_ONCE)


def test_a_part_raises_no_total_however_high_its_sum() -> None:
    assert sum(APART.parts.values()) == 6
    assert spells(HIGH, APART) == spells(MEDIUM, APART) == []


def test_the_order_of_arrival_does_not_matter() -> None:
    course = measured(FAST, FAST, CALM, SEVEN, CALM, FOUR).items()
    expected = score_spells(dict(course), MEDIUM)
    assert len(expected) == 2
    assert all(score_spells(dict(shuffled), MEDIUM) == expected for shuffled in permutations(course))


@pytest.mark.parametrize(
    ("item", "value", "elsewhere"),
    [
        pytest.param(Item.SPO2, 9100, True, id="below 93: SPO2-REFER's"),
        pytest.param(Item.PULSE, 13100, True, id="HR-HIGH's"),
        pytest.param(Item.RESPIRATORY_RATE, 3000, True, id="RR-SEVERE's"),
        pytest.param(Item.RESPIRATORY_RATE, 2999, False, id="25 to 29 breaths are nobody else's"),
        pytest.param(Item.SYSTOLIC, 9000, False, id="nor is low pressure"),
    ],
)
def test_what_is_beyond_a_limit_of_its_own_is_that_rules_matter(item: Item, value: int, elsewhere: bool) -> None:
    marked = marked_elsewhere({item: Known(value=value, at_ms=0)}, profile().repeat)
    assert marked[item].elsewhere is elsewhere
    found = score(marked, at_ms=0, within_ms=0)
    assert found.parts[item] == 3
    assert (spells(MEDIUM, found, found) == []) is elsewhere


def test_a_complete_set_counts_what_is_beyond_a_limit_too() -> None:
    marked = marked_elsewhere(known(WELL | {Item.PULSE: 131.0}), profile().repeat)
    assert spells(MEDIUM, score(marked, at_ms=0, within_ms=0)) == [(0, None, 3)]


def test_a_value_that_goes_beyond_a_limit_of_its_own_ends_nothing() -> None:
    fast = scored({Item.RESPIRATORY_RATE: 26.0})
    faster = score(marked_elsewhere(known({Item.RESPIRATORY_RATE: 31.0}), profile().repeat), at_ms=0, within_ms=0)
    assert spells(MEDIUM, fast, fast, faster) == [(1, None, 3)]


@pytest.mark.parametrize(("buckets", "value"), [(15, 7000), (14, None)])
def test_a_stream_counts_where_half_of_five_minutes_is_covered(buckets: int, value: int | None) -> None:
    samples = [(300_000 - 10_000 * n, 7000) for n in range(buckets)]
    assert stream_value(samples, until_ms=300_000, rule=HIGH) == value


def test_a_stream_counts_with_its_lower_median_up_to_the_instant() -> None:
    samples = [(1000 * n, 9100 + n) for n in range(300)] + [(300_001, 5000), (0, 5000)]
    assert stream_value(samples, until_ms=300_000, rule=HIGH) == 9250
    assert stream_value([], until_ms=0, rule=HIGH) is None

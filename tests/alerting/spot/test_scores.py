"""What a score is made of at an instant, and what a spell of scores remembers: when, how bad, and why it raised."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from alerting.spot.news2 import Item, Known, Score
from alerting.spot.scores import known_of, marked_elsewhere, score_spells, stream_value
from alerting.spot.spells import Spell, Why
from tests.alerting.streams import profile

HIGH, MEDIUM = profile().news2
MINUTE = 60_000
CALM = dict.fromkeys(Item, 0)


def scored(minute: int, parts: Mapping[Item, int], *, taken: Mapping[Item, int] | None = None) -> tuple[int, Score]:
    """A score of these points, measured then or at these minutes; complete with all seven."""
    missing = tuple(item for item in Item if item not in parts)
    minutes = dict.fromkeys(parts, minute) | (taken or {})
    total = None if missing else sum(parts.values())
    at_ms = {item: each * MINUTE for item, each in minutes.items()}
    return minute * MINUTE, Score(total=total, parts=parts, missing=missing, taken=at_ms)


def spell_of(*scores: tuple[int, Score]) -> Spell:
    (found,) = score_spells(dict(scores), MEDIUM)
    return found.spell


FAST, SLOW = {Item.PULSE: 3}, {Item.RESPIRATORY_RATE: 3}
FIVE = CALM | {Item.PULSE: 3, Item.TEMPERATURE: 2}
SEVEN = FIVE | {Item.OXYGEN: 2}


def test_what_was_repeated_stays_so_when_its_time_has_passed() -> None:
    spell = spell_of(scored(0, FAST), scored(1, FAST), scored(20, FAST))
    assert (spell.raised_ms, spell.why, spell.count, spell.newest_ms) == (MINUTE, Why.REPEATED, 3, 20 * MINUTE)


def test_what_has_raised_began_with_its_first_item_though_another_is_left() -> None:
    spell = spell_of(scored(0, FAST), scored(1, FAST), scored(2, FAST | SLOW), scored(3, {Item.PULSE: 0} | SLOW))
    assert (spell.since_ms, spell.raised_ms, spell.cleared_ms, spell.count) == (0, MINUTE, None, 4)


def test_of_two_items_that_wait_the_first_decides_how_long() -> None:
    spell = spell_of(scored(0, FAST), scored(1, FAST | SLOW, taken={Item.PULSE: 0}))
    assert (spell.since_ms, spell.due_ms, spell.raised_ms) == (0, MEDIUM.complete_within_ms, None)


def test_a_total_raises_at_once_also_where_an_item_is_repeated() -> None:
    spell = spell_of(scored(0, FAST), scored(1, SEVEN))
    assert (spell.raised_ms, spell.why, spell.worst) == (MINUTE, Why.AT_ONCE, 7)


def test_a_total_that_takes_over_from_an_item_that_waited_began_with_it() -> None:
    spell = spell_of(scored(0, FAST), scored(1, CALM | SLOW | {Item.TEMPERATURE: 2}))
    assert (spell.since_ms, spell.raised_ms, spell.why) == (0, MINUTE, Why.AT_ONCE)


def test_a_spell_has_its_worst_total_its_first_and_its_newest() -> None:
    under = scored(3, CALM)
    (found,) = score_spells(dict([scored(0, FIVE), scored(1, SEVEN), scored(2, FIVE), under]), MEDIUM)
    spell = found.spell
    assert (spell.since_ms, spell.newest_ms, spell.cleared_ms) == (0, 2 * MINUTE, 3 * MINUTE)
    assert (spell.worst, spell.count, found.worst.total, spell.data_gap) == (7, 3, 7, False)


def test_a_total_is_worse_than_a_part() -> None:
    partly = {Item.PULSE: 3, Item.RESPIRATORY_RATE: 3, Item.SPO2: 3}
    (found,) = score_spells(dict([scored(0, partly), scored(1, FIVE)]), MEDIUM)
    assert found.worst.total == 5


def test_a_complete_set_that_is_calm_answers_an_item_that_waits() -> None:
    assert score_spells(dict([scored(0, FAST), scored(1, CALM)]), MEDIUM) == []


def test_a_stream_is_covered_by_tens_of_seconds_back_from_the_instant() -> None:
    twice = [(305_000 - 10_000 * n - late_ms, 7000) for n in range(14) for late_ms in (0, 9_999)]
    assert stream_value(twice, until_ms=305_000, rule=HIGH) is None
    assert stream_value([*twice, (305_000 - 140_000, 7000)], until_ms=305_000, rule=HIGH) == 7000


def test_a_coverage_that_no_whole_tens_of_seconds_make_is_rounded_up() -> None:
    samples = [(300_000 - 10_000 * n, 7000) for n in range(14)]
    assert stream_value(samples, until_ms=300_000, rule=replace(HIGH, coverage_percent=47)) is None
    assert stream_value(samples, until_ms=300_000, rule=replace(HIGH, coverage_percent=46)) == 7000
    assert stream_value([], until_ms=300_000, rule=replace(HIGH, coverage_percent=0)) is None


FLOWING = [(t_ms, 9700) for t_ms in range(0, 300_001, 1000)]


@pytest.mark.parametrize(
    ("points", "stream", "expected"),
    [
        pytest.param([], [], None, id="nothing"),
        pytest.param([(1000, 9100), (2000, 9200)], [], Known(value=9200, at_ms=2000), id="the last measurement"),
        pytest.param([(300_000, 9100)], [], Known(value=9100, at_ms=300_000), id="one of this instant"),
        pytest.param([(1000, 9100), (300_001, 9200)], [], Known(value=9100, at_ms=1000), id="none of later"),
        pytest.param([(300_001, 9200)], [], None, id="only one of later"),
        pytest.param([], FLOWING, Known(value=9700, at_ms=300_000, settled=True), id="a stream"),
        pytest.param(
            [(299_999, 9100)], FLOWING, Known(value=9700, at_ms=300_000, settled=True), id="a stream is newer"
        ),
        pytest.param([(300_000, 9100)], FLOWING, Known(value=9100, at_ms=300_000), id="a measurement of this instant"),
        pytest.param([(1000, 9100)], FLOWING[-3:], Known(value=9100, at_ms=1000), id="a stream too thin"),
    ],
)
def test_what_is_newer_is_known(
    points: list[tuple[int, int]], stream: list[tuple[int, int]], expected: Known | None
) -> None:
    assert known_of(points, stream, at_ms=300_000, rule=HIGH) == expected


@pytest.mark.parametrize(
    ("rule", "item", "value"),
    [
        pytest.param("QUESTIONABLE-LOW", Item.SPO2, 9100, id="it looks at doubtful values"),
        pytest.param("HYPOTHERM-CONFIRMED", Item.TEMPERATURE, 3400, id="it raises by a repeat alone"),
        pytest.param("SPO2-EXERT", Item.SPO2, 9100, id="it looks at what follows activity"),
    ],
)
def test_a_rule_that_may_not_raise_by_a_value_does_not_take_it_over(rule: str, item: Item, value: int) -> None:
    (only,) = (each for each in profile().repeat if each.rule == rule)
    assert only.is_breach(value)
    assert not marked_elsewhere({item: Known(value=value, at_ms=0)}, [only])[item].elsewhere

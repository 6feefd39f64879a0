"""Single measurements with their repeats, and fevers of days: on both sides of every limit and interval."""

import random

import pytest

from alerting.spot.fever import fever_spells
from alerting.spot.repeat import repeat_spells
from alerting.spot.spells import Measurement, Spell
from tests.alerting.streams import profile

PROFILE = profile()
REPEAT = {rule.rule: rule for rule in PROFILE.repeat}
FEVER = next(rule for rule in PROFILE.fever if rule.rule == "FEVER-PERSIST")
MINUTE, HOUR = 60_000, 3_600_000


def at(*points: tuple[float, int], unit: int = MINUTE) -> list[Measurement]:
    return [Measurement(t_ms=round(t * unit), value=value) for t, value in points]


def only(spells: list[Spell]) -> Spell:
    (spell,) = spells
    return spell


@pytest.mark.parametrize(
    ("rule", "points", "raised_min"),
    [
        pytest.param("SPO2-REFER", [(0, 9299), (10, 9299)], 10, id="confirmed at the last moment"),
        pytest.param("SPO2-REFER", [(0, 9299), (10.1, 9700)], 10, id="no repeat within 10 min raises at 10"),
        pytest.param("SPO2-CRIT", [(0, 8800), (1, 8800)], 1, id="88 is critical, confirmed after a minute"),
        pytest.param("SPO2-CRIT", [(0, 8800), (3, 9700)], 2, id="no second clip within 2 min raises at 2"),
        pytest.param("FEVER-HIGH", [(0, 3910), (15, 3910)], 15, id="39.1 again after a quarter of an hour"),
        pytest.param("FEVER-HIGH", [(0, 3910), (5, 3800), (60, 3910)], 60, id="too early a repeat decides nothing"),
        pytest.param("FEVER-HIGH", [(0, 3910), (61, 3700)], 60, id="no repeat within the hour raises"),
    ],
)
def test_what_a_single_measurement_raises(rule: str, points: list[tuple[float, int]], raised_min: float) -> None:
    assert only(repeat_spells(at(*points), REPEAT[rule])).raised_ms == raised_min * MINUTE


@pytest.mark.parametrize(
    ("rule", "points"),
    [
        pytest.param("SPO2-REFER", [(0, 9300), (5, 9300)], id="93 is not below 93"),
        pytest.param("SPO2-REFER", [(0, 9200), (5, 9300)], id="a repeat above the limit ends it"),
        pytest.param("SPO2-CRIT", [(0, 8801), (1, 8801)], id="88.01 is not critical"),
        pytest.param("FEVER-HIGH", [(0, 3909), (20, 3909)], id="39.09 is not 39.1"),
        pytest.param("FEVER-HIGH", [(0, 3950), (20, 3909)], id="a lower repeat in time ends it"),
    ],
)
def test_what_raises_nothing(rule: str, points: list[tuple[float, int]]) -> None:
    assert not [s for s in repeat_spells(at(*points), REPEAT[rule]) if s.raised_ms is not None]


def test_a_first_breach_waits_and_says_until_when() -> None:
    spell = only(repeat_spells(at((0, 8700)), REPEAT["SPO2-CRIT"]))
    assert (spell.raised_ms, spell.due_ms) == (None, 2 * MINUTE)


def test_two_well_sessions_clear_one_does_not() -> None:
    low = [(0, 8700), (1, 8600)]
    assert only(repeat_spells(at(*low, (2, 8900), (3, 8850), (4, 8900)), REPEAT["SPO2-CRIT"])).cleared_ms is None
    cleared = only(repeat_spells(at(*low, (2, 8900), (3, 8900)), REPEAT["SPO2-CRIT"]))
    assert (cleared.cleared_ms, cleared.worst, cleared.count) == (3 * MINUTE, 8600, 2)


@pytest.mark.parametrize(
    ("points", "raised_h"),
    [
        pytest.param([(h, 3851) for h in range(0, 73, 4)], None, id="72 h is not more than 72 h"),
        pytest.param([(h, 3851) for h in range(0, 77, 4)], 76, id="76 h is"),
        pytest.param([(h, 3850) for h in range(0, 200, 4)], None, id="38.5 is not above 38.5"),
        pytest.param([(0, 3900), (24, 3900), (48, 3900), (72, 3900), (73, 3900)], 73, id="once a day is enough"),
        pytest.param([(0, 3900), (1, 3700), (25, 3900), (48, 3900), (73, 3900)], None, id="a day without fever"),
        pytest.param([(0, 3900), (24, 3900), (49, 3900), (73, 3900)], 73, id="a day without readings is a gap"),
    ],
)
def test_a_fever_that_lasts(points: list[tuple[float, int]], raised_h: float | None) -> None:
    spells = fever_spells(at(*points, unit=HOUR), FEVER)
    assert [s.raised_ms for s in spells] == ([] if raised_h is None else [raised_h * HOUR])


def test_a_gap_is_said() -> None:
    assert only(fever_spells(at((0, 3900), (30, 3900), (54, 3900), (75, 3900), unit=HOUR), FEVER)).data_gap


def test_antipyretic_dips_do_not_end_a_fever_and_a_cool_day_does() -> None:
    hot = [(h, 3900) for h in range(0, 80, 4)]
    dips = [(h + 2, 3780) for h in range(0, 80, 4)]
    assert only(fever_spells(at(*hot, *dips, unit=HOUR), FEVER)).cleared_ms is None
    cool = [(76 + h, 3750) for h in range(2, 28, 2)]
    assert only(fever_spells(at(*hot, *dips, *cool, unit=HOUR), FEVER)).cleared_ms == (78 + 24) * HOUR


@pytest.mark.parametrize("seed", range(20))
def test_the_order_of_arrival_does_not_matter(seed: int) -> None:
    draw = random.Random(seed)
    history = [
        Measurement(t_ms=n * draw.randrange(1, 3) * HOUR + n, value=draw.choice((3700, 3800, 3851, 3910, 3960)))
        for n in range(60)
    ]
    shuffled = draw.sample(history, len(history))
    assert fever_spells(shuffled, FEVER) == fever_spells(history, FEVER)
    assert repeat_spells(shuffled, REPEAT["FEVER-HIGH"]) == repeat_spells(history, REPEAT["FEVER-HIGH"])

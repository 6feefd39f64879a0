"""What is new about a condition: nothing is swallowed and nothing doubled, in whatever batches measurements come."""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.spot.changes import Change, Kind, changes
from alerting.spot.fever import cool_at, fever_spells
from alerting.spot.news2 import Item, Known, Score, score
from alerting.spot.repeat import repeat_spells, well_at
from alerting.spot.scores import settled_at
from alerting.spot.spells import Measurement
from tests.alerting.streams import profile

RULES = {rule.rule: rule for rule in profile().repeat if rule.holds and not rule.after_activity}
MINUTE = 60_000
STEPS_MIN = (1, 5, 11, 61, 800)


class Record:
    """What the record holds of one rule, and all that was told: each raise and each end, by its instant."""

    def __init__(self, rule: str) -> None:
        self.rule = RULES[rule]
        self.history: list[Measurement] = []
        self.holds_ms: int | None = None
        self.told: list[tuple[str, int]] = []

    def take(self, batch: Sequence[Measurement]) -> list[Kind]:
        """Judge what came, and record what is new."""
        known_ms = max((m.t_ms for m in self.history), default=-1)
        self.history += batch
        found = changes(
            repeat_spells(self.history, self.rule),
            holds_ms=self.holds_ms,
            known_ms=known_ms,
            well_at=partial(well_at, self.history, self.rule),
        )
        new = [change for change in found if change.kind is not Kind.PAST or self._is_news(change)]
        for change in new:
            self._record(change)
        return [change.kind for change in new]

    def _is_news(self, change: Change) -> bool:
        return change.spell is not None and ("raised", change.spell.since_ms) not in self.told

    def _record(self, change: Change) -> None:
        if change.spell is None:
            self.told.append(("over", change.at_ms))
            self.holds_ms = None
            return
        self.told.append(("raised", change.spell.since_ms))
        if change.kind is Kind.RAISED:
            self.holds_ms = change.spell.since_ms
        elif change.spell.cleared_ms is not None:
            self.told.append(("over", change.spell.cleared_ms))


def at(*points: tuple[float, int]) -> list[Measurement]:
    return [Measurement(t_ms=round(t * MINUTE), value=value) for t, value in points]


def told(rule: str, batches: Iterable[Sequence[Measurement]]) -> tuple[list[tuple[str, int]], bool]:
    record = Record(rule)
    for batch in batches:
        record.take(batch)
    return record.told, record.holds_ms is not None


VALUES = {"SPO2-REFER": (9100, 9350, 9700), "GLU-LOW": (390, 420, 600), "FEVER-HIGH": (3650, 3850, 3950)}


@st.composite
def courses(draw: st.DrawFn, rule: str) -> tuple[list[Measurement], list[int]]:
    """Draw measurements in order of time, and after which of them a batch ends."""
    steps = draw(
        st.lists(st.tuples(st.sampled_from(STEPS_MIN), st.sampled_from(VALUES[rule])), min_size=1, max_size=24)
    )
    t_min, history = 0.0, []
    for step_min, value in steps:
        t_min += step_min
        history += at((t_min, value))
    return history, draw(st.lists(st.integers(1, len(history)), max_size=6))


@pytest.mark.parametrize("rule", ["SPO2-REFER", "GLU-LOW", "FEVER-HIGH"])
@given(data=st.data())
def test_any_batching_tells_the_same(rule: str, data: st.DataObject) -> None:
    history, cuts = data.draw(courses(rule))
    bounds = sorted({0, *cuts, len(history)})
    batches = [history[a:b] for a, b in pairwise(bounds)]
    assert told(rule, batches) == told(rule, [[each] for each in history])


@given(data=st.data())
def test_late_values_end_nothing_that_goes_on(data: st.DataObject) -> None:
    record = Record("SPO2-REFER")
    record.take(at((0, 9100)))
    record.take(at((1, 9100)))
    record.take(at((100, 9100)))
    late_min = sorted(data.draw(st.sets(st.integers(2, 99), min_size=1, max_size=9)))
    for t_min in late_min:
        assert record.take(at((t_min, 9700))) == []
    assert record.holds_ms == 0


def test_what_ends_and_begins_again_in_one_batch_is_told_twice() -> None:
    record = Record("SPO2-REFER")
    record.take(at((0, 9100), (1, 9100)))
    assert record.take(at((60, 9700), (70, 9700), (150, 9000), (151, 9000))) == [Kind.OVER, Kind.RAISED]


def test_what_no_spell_is_any_more_ends_with_the_newest_well_values() -> None:
    record = Record("SPO2-REFER")
    record.take(at((0, 9100)))
    record.take(at((9, 9100)))
    assert record.take(at((5, 9700))) == []
    assert record.take(at((10, 9700))) == []
    assert record.take(at((20, 9700))) == [Kind.OVER]


def test_a_fever_that_is_no_spell_any_more_ends_after_a_cool_day() -> None:
    (rule,) = [each for each in profile().fever if each.rule == "FEVER-48H"]
    cool = [Measurement(t_ms=hours * 60 * MINUTE, value=3700) for hours in (0, 12, 24)]
    assert cool_at(cool, rule, None) == cool[-1].t_ms
    assert cool_at(cool[:2], rule, None) is None
    assert cool_at([*cool, Measurement(t_ms=cool[-1].t_ms + 1, value=3810)], rule, None) is None
    assert fever_spells(cool, rule) == []


@pytest.mark.parametrize(
    ("later", "ends"),
    [
        pytest.param({Item.SYSTOLIC: 12000}, True, id="measured again, and well"),
        pytest.param({Item.PULSE: 7000}, False, id="something else was measured"),
        pytest.param({Item.SYSTOLIC: 8900}, False, id="measured again, and beyond"),
    ],
)
def test_a_score_that_is_no_spell_any_more_ends_as_its_item_is_well(later: dict[Item, int], ends: bool) -> None:
    (rule,) = [each for each in profile().news2 if each.rule == "NEWS2-MEDIUM"]
    scores = {0: _score({Item.SYSTOLIC: 8800}, 0), 60 * MINUTE: _score(later, 60 * MINUTE)}
    assert settled_at(scores, rule, None, from_ms=0) == (60 * MINUTE if ends else None)


def _score(values: dict[Item, int], at_ms: int) -> Score:
    return score({item: Known(value=value, at_ms=at_ms) for item, value in values.items()}, at_ms=at_ms, within_ms=0)

"""Which variants apply, what of them holds where several do, and how near an order may come to what is more urgent."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from alerting.profile.file import parse_profile, standard_adult
from alerting.profile.patient import Held, LimitRefused, PatientFacts, applies, held_to, urgency_of
from alerting.profile.profile import Applies, Confirm, Holds, Override, Variant
from vitals.sustained import NEVER_HIGH, Limit

PROFILE = parse_profile(standard_adult())
TODAY = date(2026, 3, 1)
ADULT = PatientFacts(born_on=date(1950, 1, 1))
BORN_TODAY = PatientFacts(born_on=TODAY)


def held(*variants: Mapping[str, Any], orders: Mapping[str, Limit] | None = None) -> Held:
    """Hold an adult to overrides, each a variant of its own that applies to everybody."""
    made = tuple(
        Variant(name=f"v{n}", applies=Applies(), overrides=(Override(**override),))
        for n, override in enumerate(variants)
    )
    return held_to(replace(PROFILE, variants=made), replace(ADULT, orders=orders or {}), on=TODAY)


@pytest.mark.parametrize(
    ("to", "facts", "so"),
    [
        (Applies(), BORN_TODAY, True),
        (Applies(age_from_days=10), replace(BORN_TODAY, born_on=TODAY - timedelta(days=9)), False),
        (Applies(age_from_days=10), replace(BORN_TODAY, born_on=TODAY - timedelta(days=10)), True),
        (Applies(age_until_days=10), replace(BORN_TODAY, born_on=TODAY - timedelta(days=9)), True),
        (Applies(age_until_days=10), replace(BORN_TODAY, born_on=TODAY - timedelta(days=10)), False),
        (Applies(age_from_days=1), BORN_TODAY, False),
        (Applies(age_from_days=0, age_until_days=1), replace(BORN_TODAY, born_on=TODAY + timedelta(days=30)), True),
        (Applies(group="pregnant"), BORN_TODAY, False),
        (Applies(group="pregnant"), replace(BORN_TODAY, special_groups=frozenset({"pregnant", "dialysis"})), True),
        (Applies(on_oxygen=True), BORN_TODAY, False),
        (Applies(on_oxygen=False), BORN_TODAY, True),
        (Applies(on_oxygen=True), replace(BORN_TODAY, on_oxygen=True), True),
        (Applies(on_oxygen=False), replace(BORN_TODAY, on_oxygen=True), False),
        (Applies(altitude_from_m=1), BORN_TODAY, False),
        (Applies(altitude_from_m=0, altitude_until_m=1), BORN_TODAY, True),
        (Applies(altitude_from_m=2500), replace(BORN_TODAY, site_altitude_m=2499), False),
        (Applies(altitude_from_m=2500), replace(BORN_TODAY, site_altitude_m=2500), True),
        (Applies(altitude_until_m=2500), replace(BORN_TODAY, site_altitude_m=2499), True),
        (Applies(altitude_until_m=2500), replace(BORN_TODAY, site_altitude_m=2500), False),
    ],
)
def test_a_variant_applies_where_everything_that_is_stated_is_so(to: Applies, facts: PatientFacts, so: bool) -> None:
    assert applies(to, facts, on=TODAY) is so
    assert not applies(replace(to, group="nobody's"), facts, on=TODAY)


def test_a_variant_may_switch_off_a_fever() -> None:
    patient = held({"rule": "FEVER-48H", "holds": Holds.NO})
    above = {rule.rule: rule.above for rule in patient.fever}
    assert (above["FEVER-48H"], above["FEVER-PERSIST"]) == (NEVER_HIGH.breach, 3850)
    assert "FEVER-48H" in patient.off


def test_the_last_scale_that_is_said_holds() -> None:
    said, silent = (Variant(name=str(n), applies=Applies(), overrides=(), spo2_scale=n) for n in (2, None))
    assert held_to(replace(PROFILE, variants=(said, silent)), ADULT, on=TODAY).spo2_scale == 2
    assert held().spo2_scale == 1


def test_what_a_later_variant_does_not_say_stays_as_an_earlier_one_said() -> None:
    patient = held(
        {"rule": "SPO2-AMBER", "confirm": Confirm.AT_ONCE},
        {"rule": "SPO2-AMBER", "limit": Limit(breach=9500, clear_at=9600)},
    )
    (amber,) = (rule for rule in patient.repeat if rule.rule == "SPO2-AMBER")
    assert (amber.confirm, amber.limit) == (Confirm.AT_ONCE, 9500)


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        ([None], True),
        ([Holds.NO], False),
        ([Holds.NO, None], False),
        ([Holds.NO, Holds.YES], True),
        ([Holds.YES, Holds.NO], False),
    ],
)
def test_the_last_word_on_whether_a_score_is_made_holds(said: list[Holds | None], holds: bool) -> None:
    patient = held(*({"rule": "NEWS2-HIGH", "holds": each, "tier3": True} for each in said))
    assert ("NEWS2-HIGH" in {rule.rule for rule in patient.news2}) is holds
    assert ("NEWS2-HIGH" in patient.off) is not holds


def test_each_part_of_urgency_is_changed_alone() -> None:
    before = PROFILE.consequences["SPO2-REFER"]
    for change in ({"priority": "medium"}, {"emergency": not before.emergency}, {"tier3": not before.tier3}):
        patient = held({"rule": "SPO2-REFER"} | change)
        assert patient.consequences["SPO2-REFER"] == replace(before, **change)  # type: ignore[arg-type]


def test_how_urgent_a_rule_is_can_be_asked_alone() -> None:
    child = PatientFacts(born_on=TODAY - timedelta(days=3000))
    assert urgency_of(PROFILE, "FEVER-PERSIST", child, on=TODAY).priority == "high"
    assert urgency_of(PROFILE, "FEVER-PERSIST", ADULT, on=TODAY).priority == "medium"


@pytest.mark.parametrize(("rule", "urgent", "step"), [("SPO2-REFER", "SPO2-CRIT", -1), ("HR-FAST", "HR-HIGH", 1)])
def test_a_limit_may_be_ordered_up_to_the_more_urgent_one_and_not_beyond(rule: str, urgent: str, step: int) -> None:
    edge = PROFILE.limits[urgent].limit
    assert edge is not None
    assert held(orders={rule: edge}).by_rule[rule] == edge
    with pytest.raises(LimitRefused, match=f"{rule}: .* lies beyond that of {urgent}"):
        held(orders={rule: replace(edge, breach=edge.breach + step)})


@pytest.mark.parametrize(("rule", "breach", "inside"), [("SPO2-CRIT", 8500, 8499), ("HR-HIGH", 13000, 13001)])
def test_an_ordered_condition_may_be_over_at_its_limit_and_not_inside(rule: str, breach: int, inside: int) -> None:
    edge = Limit(breach=breach, clear_at=breach)
    assert held(orders={rule: edge}).by_rule[rule] == edge
    with pytest.raises(LimitRefused, match="that lies inside the limit"):
        held(orders={rule: Limit(breach=breach, clear_at=inside)})


@pytest.mark.parametrize(
    ("age_days", "days_left"), [(0, 61), (60, 1), (61, 31), (3000, 1383), (4383, 1461), (5843, 1), (5844, None)]
)
def test_the_next_day_on_which_age_changes_something_is_known(age_days: int, days_left: int | None) -> None:
    facts = PatientFacts(born_on=TODAY - timedelta(days=age_days))
    expected = None if days_left is None else TODAY + timedelta(days=days_left)
    assert held_to(PROFILE, facts, on=TODAY).next_change == expected


def test_a_birthday_that_changes_nothing_is_no_change() -> None:
    teen = Variant(name="teen", applies=Applies(age_from_days=10, group="pregnant"), overrides=())
    profile = replace(PROFILE, variants=(teen,))
    assert held_to(profile, BORN_TODAY, on=TODAY).next_change is None
    pregnant = replace(BORN_TODAY, special_groups=frozenset({"pregnant"}))
    assert held_to(profile, pregnant, on=TODAY).next_change == TODAY + timedelta(days=10)

"""For each patient the limits that hold: variants in order, a doctor's order on top, nothing that hides a danger."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.judging.settling import Settler
from alerting.profile.file import ProfileError, parse_profile, standard_adult
from alerting.profile.patient import Held, LimitRefused, PatientFacts, held_to
from alerting.profile.profile import Confirm
from alerting.raising import facts_of
from care.registry import SpecialGroup
from tests.alerting.streams import SPO2
from vitals.signals import SIGNALS
from vitals.sustained import Limit

PROFILE = parse_profile(standard_adult())
TODAY = date(2026, 3, 1)
ADULT = date(1950, 1, 1)


def held(
    *groups: SpecialGroup,
    age_days: int | None = None,
    orders: Mapping[str, Limit] | None = None,
    baseline: int | None = None,
    on_oxygen: bool = False,
) -> Held:
    born_on = ADULT if age_days is None else TODAY - timedelta(days=age_days)
    facts = PatientFacts(
        born_on=born_on,
        special_groups=frozenset(groups),
        orders=orders or {},
        baseline=baseline,
        on_oxygen=on_oxygen,
    )
    return held_to(PROFILE, facts, on=TODAY)


def low(below: float, clear_at: float) -> Limit:
    return Limit(breach=round(below * 100), clear_at=round(clear_at * 100))


def test_a_standard_adult_is_held_to_the_profile_as_it_is_written() -> None:
    adult = held()
    assert adult.name == "standard-adult"
    assert adult.limits == {channel: tuple(r.limit for r in rules) for channel, rules in PROFILE.sustained.items()}
    assert adult.repeat == PROFILE.repeat
    assert (adult.fever, adult.news2, adult.consequences) == (PROFILE.fever, PROFILE.news2, PROFILE.consequences)
    assert adult.off == {"SPO2-DROP", "SPO2-OVER", "FEVER-INFANT"}
    assert adult.next_change is None


@pytest.mark.parametrize(
    ("age_days", "breaths"),
    [(0, 60), (60, 60), (61, 50), (364, 50), (365, 40), (1825, 40), (1826, 30), (5843, 30), (5844, 30)],
)
def test_the_breathing_of_a_child_is_judged_by_its_age(age_days: int, breaths: int) -> None:
    child = held(age_days=age_days)
    assert child.by_rule["RR-SEVERE"].breach == breaths * 100 - 1
    (single,) = (rule for rule in child.repeat if rule.rule == "RR-SEVERE")
    assert single.is_breach(breaths * 100)
    assert not single.is_breach(breaths * 100 - 1)


@pytest.mark.parametrize(
    ("age_days", "fast"),
    [(0, 16000), (364, 16000), (365, 15000), (730, 15000), (731, 14000), (1825, 14000), (1826, None), (5844, 11099)],
)
def test_the_heart_of_a_child_is_no_adults(age_days: int, fast: int | None) -> None:
    child = held(age_days=age_days)
    assert (child.by_rule["HR-FAST"].breach if fast else None) == fast
    assert ("HR-FAST" in child.off) is (fast is None)
    adult = age_days >= 5844
    assert ({"NEWS2-HIGH", "NEWS2-MEDIUM"} & child.off == set()) is adult
    assert bool(child.news2) is adult


@pytest.mark.parametrize(
    ("age_days", "limit", "priority", "tier3"),
    [(0, 38.0, "high", True), (91, 38.0, "high", True), (92, 39.0, "medium", False), (183, 39.0, "medium", False)],
)
def test_an_infants_fever_is_graver_the_younger_it_is(age_days: int, limit: float, priority: str, tier3: bool) -> None:
    infant = held(age_days=age_days)
    means = infant.consequences["FEVER-INFANT"]
    assert infant.by_rule["FEVER-INFANT"].breach == round(limit * 100) - 1
    assert (means.priority, means.tier3) == (priority, tier3)
    assert "FEVER-INFANT" in held(age_days=184).off


def test_a_lasting_fever_is_severe_in_a_child() -> None:
    assert held(age_days=3000).consequences["FEVER-PERSIST"].priority == "high"
    assert held().consequences["FEVER-PERSIST"].priority == "medium"


def test_amber_of_a_pregnant_patient_waits_for_no_repeat() -> None:
    pregnant = held(SpecialGroup.PREGNANT)
    (amber,) = (rule for rule in pregnant.repeat if rule.rule == "SPO2-AMBER")
    assert (amber.confirm, amber.limit) == (Confirm.AT_ONCE, 9401)
    assert pregnant.name == "standard-adult+pregnant"
    assert pregnant.news2 == ()
    assert pregnant.by_rule["SPO2-REFER"].breach == 9300


def test_a_hypercapnic_patient_has_limits_of_his_own_target() -> None:
    patient = held(SpecialGroup.HYPERCAPNIC)
    assert patient.by_rule["SPO2-REFER"] == low(88, 89)
    assert patient.by_rule["SPO2-CRIT"] == low(83.01, 84)
    assert {"SPO2-AMBER", "SPO2-OVER", "SPO2-EXERT"} <= patient.off
    assert patient.spo2_scale == 2
    on_oxygen = held(SpecialGroup.HYPERCAPNIC, on_oxygen=True)
    assert on_oxygen.by_rule["SPO2-OVER"] == Limit(breach=9699, clear_at=9600)
    assert "SPO2-OVER" in held(on_oxygen=True).off


def test_home_oxygen_voids_what_was_said_of_room_air_and_leaves_a_floor() -> None:
    patient = held(SpecialGroup.HOME_OXYGEN)
    assert patient.awaiting_order == {"SPO2-REFER"}
    assert {"SPO2-REFER", "SPO2-AMBER", "SPO2-EXERT"} <= patient.off
    assert patient.by_rule["SPO2-CRIT"] == low(83.01, 84)
    ordered = held(SpecialGroup.HOME_OXYGEN, orders={"SPO2-REFER": low(90, 91)})
    assert ordered.awaiting_order == frozenset()
    assert ordered.by_rule["SPO2-REFER"] == low(90, 91)
    assert ordered.name == "standard-adult+home_oxygen+order"


def test_home_oxygen_of_a_hypercapnic_patient_is_judged_by_his_target() -> None:
    patient = held(SpecialGroup.HOME_OXYGEN, SpecialGroup.HYPERCAPNIC)
    assert patient.by_rule["SPO2-REFER"] == low(88, 89)
    assert patient.awaiting_order == frozenset()


@pytest.mark.parametrize(
    ("baseline", "breach", "clear_at"),
    [(9700, 9301, 9400), (9600, 9201, 9300), (9900, 9500, 9600), (10_000, 9500, 9600), (9850, 9451, 9550)],
)
def test_a_drop_is_four_below_the_baseline_and_under_95(baseline: int, breach: int, clear_at: int) -> None:
    patient = held(baseline=baseline)
    place = [rule.rule for rule in PROFILE.sustained[SPO2]].index("SPO2-DROP")
    assert patient.limits[SPO2][place] == Limit(breach=breach, clear_at=clear_at)
    (single,) = (rule for rule in patient.repeat if rule.rule == "SPO2-DROP")
    assert (single.limit, single.clear_at, single.holds) == (breach, clear_at, True)
    assert not next(rule for rule in held().repeat if rule.rule == "SPO2-DROP").holds


@pytest.mark.parametrize(
    ("orders", "complaint"),
    [
        ({"SPO2-REFER": low(85, 86)}, r"SPO2-REFER: limit spo2 < 85 % lies beyond that of SPO2-CRIT, spo2 <= 88 %"),
        ({"SPO2-AMBER": low(92, 93)}, r"SPO2-AMBER: limit spo2 < 92 % lies beyond that of SPO2-REFER, spo2 < 93 %"),
        ({"HR-FAST": Limit(breach=14000, clear_at=13000)}, r"pulse > 140 /min .* HR-HIGH, pulse >= 131 /min"),
        ({"SPO2-CRIT": low(0.5, 1)}, r"ordered limit spo2 < 0.5 %, over at 1: not within 1 to 100"),
        ({"SPO2-CRIT": Limit(breach=-32768, clear_at=-32768)}, r"not within 1 to 100"),
        ({"SPO2-AMBER": low(100, 101)}, r"over at 101: not within 1 to 100"),
        ({"SPO2-CRIT": low(85, 84)}, r"spo2 < 85 %, over at 84: that lies inside the limit"),
        ({"HR-LOW": Limit(breach=1000, clear_at=5000)}, r"pulse < 10 /min.*not within 20 to 300"),
        ({"SP02-CRIT": low(85, 86)}, r"SP02-CRIT: no such rule in standard-adult"),
    ],
)
def test_an_order_that_would_hide_a_danger_is_refused(orders: dict[str, Limit], complaint: str) -> None:
    with pytest.raises(LimitRefused, match=complaint):
        held(orders=orders)


def test_a_doctor_may_order_both_limits_further_down() -> None:
    patient = held(orders={"SPO2-REFER": low(85, 86), "SPO2-CRIT": low(80, 81), "SPO2-AMBER": low(86, 87)})
    assert [patient.by_rule[rule].breach for rule in ("SPO2-AMBER", "SPO2-REFER", "SPO2-CRIT")] == [8600, 8500, 8000]


def test_an_order_of_one_limit_is_held_against_the_next_that_holds() -> None:
    orders = {"SPO2-AMBER": low(80, 81)}
    with pytest.raises(LimitRefused, match="beyond that of SPO2-CRIT"):
        held(SpecialGroup.HOME_OXYGEN, orders=orders)


FACTS = st.builds(
    PatientFacts,
    born_on=st.dates(date(1900, 1, 1), TODAY + timedelta(days=400)),
    special_groups=st.frozensets(st.sampled_from(SpecialGroup)),
    site_altitude_m=st.integers(-100, 2499),
    on_oxygen=st.booleans(),
    baseline=st.none() | st.integers(7000, 10_000),
)


@given(FACTS)
def test_nobody_is_held_to_limits_out_of_order_or_beyond_what_a_device_can_show(facts: PatientFacts) -> None:
    patient = held_to(PROFILE, facts, on=TODAY)
    for rule, limit in patient.by_rule.items():
        row = PROFILE.limits[rule]
        least, most = (round(edge * SIGNALS[row.signal].scale) for edge in SIGNALS[row.signal].plausible)
        assert least <= limit.breach <= most
        assert limit.clear_at >= limit.breach if row.low else limit.clear_at <= limit.breach
    chain = [
        patient.by_rule[rule].breach for rule in ("SPO2-CRIT", "SPO2-REFER", "SPO2-AMBER") if rule in patient.by_rule
    ]
    assert chain == sorted(chain)
    assert "SPO2-CRIT" in patient.by_rule
    assert "RR-SEVERE" in patient.by_rule


@given(FACTS)
def test_limits_stand_in_the_order_of_the_profiles_rules(facts: PatientFacts) -> None:
    patient = held_to(PROFILE, facts, on=TODAY)
    assert patient.limits.keys() == PROFILE.sustained.keys()
    for channel, rules in PROFILE.sustained.items():
        expected = tuple(patient.by_rule.get(rule.rule, rule.never) for rule in rules)
        assert patient.limits[channel] == expected
    assert [rule.rule for rule in patient.repeat] == [rule.rule for rule in PROFILE.repeat]
    assert patient.off == (PROFILE.limits.keys() | {r.rule for r in PROFILE.news2}) - patient.by_rule.keys() - {
        rule.rule for rule in patient.news2
    }


@given(FACTS)
def test_a_variant_never_changes_a_time(facts: PatientFacts) -> None:
    patient = held_to(PROFILE, facts, on=TODAY)
    same = {"limit": 0, "clear_at": 0, "confirm": Confirm.REPEAT}
    assert [replace(rule, **same) for rule in patient.repeat] == [replace(rule, **same) for rule in PROFILE.repeat]
    assert [rule.longer_than_ms for rule in patient.fever] == [rule.longer_than_ms for rule in PROFILE.fever]


@given(FACTS)
def test_nothing_changes_before_the_day_that_is_named_and_something_does_on_it(facts: PatientFacts) -> None:
    now = held_to(PROFILE, facts, on=TODAY)
    if now.next_change is None:
        assert held_to(PROFILE, facts, on=TODAY + timedelta(days=20_000)).hash == now.hash
        return
    assert now.next_change > TODAY
    assert held_to(PROFILE, facts, on=now.next_change - timedelta(days=1)).hash == now.hash
    assert held_to(PROFILE, facts, on=now.next_change).hash != now.hash


def test_the_hash_names_the_numbers_and_the_file_they_come_from() -> None:
    said = [
        held(),
        held(baseline=9700),
        held(orders={"SPO2-REFER": low(90, 91)}),
        held(SpecialGroup.PREGNANT),
        held_to(parse_profile(PROFILE.body + "\n"), PatientFacts(born_on=ADULT), on=TODAY),
    ]
    assert len({each.hash for each in said}) == len(said)
    assert held(SpecialGroup.DIALYSIS).hash == held().hash


def test_every_age_has_exactly_one_band_of_breathing() -> None:
    bands = [v for v in PROFILE.variants if any(o.rule == "RR-SEVERE" for o in v.overrides)]
    edges = [(band.applies.age_from_days or 0, band.applies.age_until_days) for band in bands]
    assert [end for _, end in edges[:-1]] == [start for start, _ in edges[1:]]
    assert (edges[0][0], edges[-1][1]) == (0, 5844)


def variant(name: str, group: str, **limits: tuple[str, float, float]) -> str:
    """Write a variant of a group that changes limits: (form, limit, over at) by rule."""
    said = [f'[variant.{name}]\ngroup = "{group}"']
    for rule, (form, limit, over) in limits.items():
        where = f"variant.{name}.rule.{rule.replace('_', '-')}"
        said.append(f"[{where}]\n{form} = {limit}\nclear_at = {over}")
        said.append(f'[{where}.source]\n{form} = "D"\nclear_at = "D"')
    return "\n".join(said)


LOW_REFER = variant("low_refer", "dialysis", SPO2_CRIT=("at_or_below", 80.0, 81.0), SPO2_REFER=("below", 85.0, 86.0))
HIGH_CRIT = variant("high_crit", "disabled", SPO2_CRIT=("at_or_below", 86.0, 87.0))


def test_variants_that_conflict_only_together_are_refused_when_the_profile_is_read() -> None:
    parse_profile(f"{standard_adult()}\n{LOW_REFER}")
    parse_profile(f"{standard_adult()}\n{HIGH_CRIT}")
    with pytest.raises(ProfileError, match=r"variant\.low_refer \+ variant\.high_crit: SPO2-REFER: limit spo2 < 85 %"):
        parse_profile(f"{standard_adult()}\n{LOW_REFER}\n{HIGH_CRIT}")


def test_where_variants_conflict_all_the_same_the_strictest_limits_hold_and_nothing_is_raised() -> None:
    low, high = (parse_profile(f"{standard_adult()}\n{each}").variants[-1] for each in (LOW_REFER, HIGH_CRIT))
    facts = PatientFacts(born_on=ADULT, special_groups=frozenset({"dialysis", "disabled"}))
    patient, wrong = Settler(replace(PROFILE, variants=(low, high))).held(facts, TODAY)
    assert [patient.by_rule[rule].breach for rule in ("SPO2-CRIT", "SPO2-REFER", "SPO2-AMBER")] == [8601, 8601, 9401]
    assert "SPO2-REFER: limit spo2 < 85 %" in wrong.variants


AGES = [0, 60, 61, 364, 365, 730, 731, 1825, 1826, 4382, 4383, 5843, 5844, 25_000]
FIRST_DAYS_OF_ADULTS = 5844
COMBINATIONS = [
    frozenset(some)
    for size in range(4)
    for some in combinations((SpecialGroup.PREGNANT, SpecialGroup.HOME_OXYGEN, SpecialGroup.HYPERCAPNIC), size)
]


@pytest.mark.parametrize("groups", COMBINATIONS, ids=lambda groups: "+".join(sorted(groups)) or "none")
@pytest.mark.parametrize("age_days", AGES)
def test_no_combination_of_age_and_groups_falls_between_the_rules(
    age_days: int, groups: frozenset[SpecialGroup]
) -> None:
    patient = held_to(PROFILE, facts_of(TODAY - timedelta(days=age_days), groups), on=TODAY)
    spo2 = {rule: patient.by_rule[rule].breach for rule in ("SPO2-CRIT", "SPO2-REFER") if rule in patient.by_rule}
    target_88 = bool(groups & {SpecialGroup.HOME_OXYGEN, SpecialGroup.HYPERCAPNIC})
    if target_88 and age_days >= FIRST_DAYS_OF_ADULTS and SpecialGroup.PREGNANT not in groups:
        hypercapnic = {"SPO2-CRIT": 8301, "SPO2-REFER": 8800}
        assert spo2 == (hypercapnic if SpecialGroup.HYPERCAPNIC in groups else {"SPO2-CRIT": 8301})
        assert [patient.by_rule[rule].breach for rule in ("QUESTIONABLE-LOW", "WELLNESS-LOW")] == [8800, 8800]
    else:
        assert spo2 == {"SPO2-CRIT": 8801, "SPO2-REFER": 9300}
        assert patient.by_rule["SPO2-AMBER"].breach == (
            9501 if age_days < 1826 and SpecialGroup.PREGNANT not in groups else 9401
        )
        assert patient.awaiting_order == frozenset()
        assert [patient.by_rule[rule].breach for rule in ("QUESTIONABLE-LOW", "WELLNESS-LOW")] == [9300, 9300]
    assert "RR-SEVERE" in patient.by_rule


@pytest.mark.parametrize(
    ("age_days", "slow", "fast"),
    [
        (0, 6000, 18000),
        (364, 6000, 18000),
        (365, 5000, 17000),
        (730, 5000, 17000),
        (731, 5000, 16000),
        (1825, 5000, 16000),
        (1826, 5000, 14000),
        (4382, 5000, 14000),
        (4383, 4001, 13099),
        (5843, 4001, 13099),
        (25_000, 4001, 13099),
    ],
)
@pytest.mark.parametrize("groups", COMBINATIONS, ids=lambda groups: "+".join(sorted(groups)) or "none")
def test_every_age_has_a_limit_for_a_slow_heart_and_a_fast_one(
    age_days: int, slow: int, fast: int, groups: frozenset[SpecialGroup]
) -> None:
    patient = held_to(PROFILE, facts_of(TODAY - timedelta(days=age_days), groups), on=TODAY)
    assert (patient.by_rule["HR-LOW"].breach, patient.by_rule["HR-HIGH"].breach) == (slow, fast)


@pytest.mark.parametrize("groups", [g for g in COMBINATIONS if g], ids=lambda groups: "+".join(sorted(groups)))
@pytest.mark.parametrize("age_days", [900, 3000, 25_000])
def test_a_doctors_order_lies_over_every_combination(age_days: int, groups: frozenset[SpecialGroup]) -> None:
    facts = facts_of(TODAY - timedelta(days=age_days), groups)
    orders = {"SPO2-CRIT": low(80, 81), "SPO2-REFER": low(86, 87)}
    patient = held_to(PROFILE, replace(facts, orders=orders), on=TODAY)
    assert {rule: patient.by_rule[rule] for rule in orders} == orders

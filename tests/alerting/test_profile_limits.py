"""How a limit is written, read and said: each form on both sides, tags, and the profile of a site."""

import re
from dataclasses import replace

import pytest

from alerting.profile.bounds import bound, unit_of
from alerting.profile.file import parse_profile, standard_adult
from alerting.profile.limits import limit_of, limit_row, standard_limit
from alerting.profile.profile import Applies, Holds, Variant
from alerting.profile.site import at_site
from alerting.profile.tables import ProfileError
from alerting.profile.tags import tag, tags_of
from vitals.signals import Signal
from vitals.sustained import NEVER_HIGH, NEVER_LOW, Limit

PROFILE = parse_profile(standard_adult())
SPO2 = Signal.SPO2


@pytest.mark.parametrize(
    ("form", "clear_at", "low", "breach"),
    [
        ("below", 94.0, True, 9300),
        ("at_or_below", 94.0, True, 9301),
        ("above", 92.0, False, 9300),
        ("at_or_above", 92.0, False, 9299),
    ],
)
def test_each_form_of_a_limit_is_exclusive_inside(form: str, clear_at: float, low: bool, breach: int) -> None:
    written = {form: 93.0, "clear_at": clear_at}
    assert limit_of("r", written, SPO2) == (low, Limit(breach=breach, clear_at=round(clear_at * 100)))
    found = tag("t", {form: 93.0, "signal": "spo2", "rules": ["R"]})
    assert (found.low, found.limit, found.rules, found.signal) == (low, breach, ("R",), SPO2)


@pytest.mark.parametrize(
    ("form", "edge", "inside"),
    [("below", 93.0, 92.99), ("at_or_below", 93.01, 93.0), ("above", 93.0, 93.01), ("at_or_above", 92.99, 93.0)],
)
def test_a_condition_may_be_over_at_its_limit_and_not_inside(form: str, edge: float, inside: float) -> None:
    limit_of("r", {form: 93.0, "clear_at": edge}, SPO2)
    with pytest.raises(ProfileError, match=f"clear_at = {inside} lies inside the limit"):
        limit_of("r", {form: 93.0, "clear_at": inside}, SPO2)


@pytest.mark.parametrize("forms", [{}, {"below": 93.0, "above": 97.0}])
def test_a_limit_is_written_once(forms: dict[str, float]) -> None:
    said = f"needs exactly one of below, at_or_below, above, at_or_above; has {', '.join(forms) or 'none'}"
    with pytest.raises(ProfileError, match=f"r: {said}"):
        limit_of("r", forms | {"clear_at": 94.0}, SPO2)
    with pytest.raises(ProfileError, match=f"tag.t: {said}"):
        tag("t", forms | {"signal": "spo2", "rules": []})


DROP = {"drop": 4.0, "and_below": 95.0, "clear_above": 1.0}


def test_a_drop_is_low_and_has_no_limit_of_its_own() -> None:
    row = limit_row("r", "R", DROP, SPO2)
    assert (row.low, row.limit, row.holds) == (True, None, Holds.YES)
    assert row.drop is not None
    assert (row.drop.drop, row.drop.and_below, row.drop.clear_above) == (400, 9500, 100)
    assert standard_limit(row) == NEVER_LOW
    with pytest.raises(ProfileError, match="r: has a drop and also below, clear_at"):
        limit_row("r", "R", DROP | {"clear_at": 94.0, "below": 93.0}, SPO2)


@pytest.mark.parametrize(("form", "clear_at", "never"), [("below", 94.0, NEVER_LOW), ("above", 92.0, NEVER_HIGH)])
def test_the_limit_of_a_rule_that_does_not_hold_is_one_that_nothing_breaks(
    form: str, clear_at: float, never: Limit
) -> None:
    row = limit_row("r", "R", {form: 93.0, "clear_at": clear_at, "reached_before": "Q"}, SPO2)
    assert (row.reached_before, row.holds) == ("Q", Holds.YES)
    assert standard_limit(row) == row.limit
    for holds in (Holds.NO, Holds.BY_ORDER):
        written = {form: 93.0, "clear_at": clear_at, "holds": holds.value}
        assert standard_limit(limit_row("r", "R", written, SPO2)) == never


@pytest.mark.parametrize(
    ("limit", "low", "said"),
    [
        (8801, True, "spo2 <= 88 %"),
        (8800, True, "spo2 < 88 %"),
        (9401, True, "spo2 <= 94 %"),
        (8806, True, "spo2 < 88.06 %"),
        (9699, False, "spo2 >= 97 %"),
        (9700, False, "spo2 > 97 %"),
        (9701, False, "spo2 > 97.01 %"),
        (8811, True, "spo2 <= 88.1 %"),
    ],
)
def test_a_limit_is_said_as_people_write_it(limit: int, low: bool, said: str) -> None:
    assert bound(SPO2, limit, low=low) == said


def test_units_are_written_as_people_do() -> None:
    units = [unit_of(s) for s in (Signal.TEMPERATURE, Signal.SYSTOLIC, Signal.STEPS, Signal.PULSE)]
    assert units == ["°C", "mmHg", "", "/min"]


@pytest.mark.parametrize(("worst", "tags"), [(9300, ["nhc_severe_spo2"]), (9301, [])])
def test_amber_at_93_is_what_the_protocol_calls_severe(worst: int, tags: list[str]) -> None:
    assert tags_of(PROFILE, "SPO2-AMBER", worst) == tags
    assert tags_of(PROFILE, "SPO2-CRIT", worst) == []


@pytest.mark.parametrize(("worst", "told"), [(13001, True), (13000, False)])
def test_a_tag_may_be_of_high_values(worst: int, told: bool) -> None:
    fast = tag("fast", {"above": 130.0, "signal": "pulse", "rules": ["HR-FAST"]})
    assert bool(tags_of(replace(PROFILE, tags=(fast,)), "HR-FAST", worst)) is told
    with pytest.raises(ProfileError, match=r"tag.fast: unknown key clear_at"):
        tag("fast", {"above": 130.0, "signal": "pulse", "rules": [], "clear_at": 120.0})


def named(profile_altitude_m: int, *variants: Variant) -> list[str]:
    return [v.name for v in at_site(replace(PROFILE, variants=variants), profile_altitude_m).variants]


HIGH_UP = Variant(
    name="altitude",
    applies=Applies(altitude_from_m=2500, altitude_until_m=4000),
    overrides=(),
    approved_by="the county hospital",
)
HILLS = Variant(name="hills", applies=Applies(altitude_from_m=500, altitude_until_m=1000), overrides=())
ANYWHERE = Variant(name="anywhere", applies=Applies(group="pregnant"), overrides=())


@pytest.mark.parametrize(
    ("altitude_m", "names"),
    [
        (-154, ["anywhere"]),
        (499, ["anywhere"]),
        (500, ["hills", "anywhere"]),
        (999, ["hills", "anywhere"]),
        (1000, ["anywhere"]),
        (2499, ["anywhere"]),
        (2500, ["altitude", "anywhere"]),
        (3999, ["altitude", "anywhere"]),
    ],
)
def test_a_site_has_the_variants_of_its_altitude(altitude_m: int, names: list[str]) -> None:
    assert named(altitude_m, HIGH_UP, HILLS, ANYWHERE) == names


def test_below_the_sea_is_as_on_the_shore() -> None:
    shore = replace(HILLS, applies=Applies(altitude_from_m=0, altitude_until_m=100))
    assert named(-154, shore) == named(0, shore) == ["hills"]
    assert named(0, replace(HILLS, applies=Applies(altitude_from_m=1))) == []


def test_at_its_site_a_variant_is_everybodys() -> None:
    (variant,) = at_site(replace(PROFILE, variants=(HIGH_UP,)), 3000).variants
    assert (variant.applies, variant.approved_by) == (Applies(), HIGH_UP.approved_by)


def test_a_table_for_another_altitude_is_refused_by_both_its_ends() -> None:
    for altitude_m, from_m in ((4000, 2500), (2999, 3000)):
        other = replace(HIGH_UP, applies=replace(HIGH_UP.applies, altitude_from_m=from_m))
        with pytest.raises(ProfileError, match=re.escape(f"is for {from_m} m to 4000 m")):
            named(altitude_m, other)
    endless = replace(HIGH_UP, applies=Applies())
    assert named(9000, endless) == ["altitude"]

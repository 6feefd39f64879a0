"""The clinical profile is read strictly: what is wrong is refused with its name, and every number has a source."""

import pytest

from alerting.profile.file import ProfileError, parse_profile, standard_adult
from alerting.profile.profile import Channel, Confirm, Trust
from alerting.words import RULES
from vitals.signals import Signal

TEXT = standard_adult()
PROFILE = parse_profile(TEXT)


@pytest.mark.parametrize(
    ("channel", "rules"),
    [
        (
            Channel(signal=Signal.SPO2),
            {"SPO2-CRIT": (8801, 120), "SPO2-REFER": (9300, 300), "SPO2-AMBER": (9401, 900)}
            | {"SPO2-DROP": (-32768, 900), "SPO2-OVER": (32767, 900)},
        ),
        (
            Channel(signal=Signal.PULSE),
            {"HR-HIGH": (13099, 120), "HR-FAST": (11099, 600), "HR-LOW": (4001, 120)},
        ),
        (Channel(signal=Signal.RESPIRATORY_RATE), {"RR-SEVERE": (2999, 120)}),
        (Channel(signal=Signal.SPO2, trust=Trust.QUESTIONABLE), {"QUESTIONABLE-LOW": (9300, 300)}),
        (Channel(signal=Signal.SPO2, trust=Trust.WELLNESS), {"WELLNESS-LOW": (9300, 900)}),
    ],
)
def test_streams_have_the_normative_limits_and_windows(channel: Channel, rules: dict[str, tuple[int, int]]) -> None:
    assert {r.rule: (r.limit.breach, r.window_ms // 1000) for r in PROFILE.sustained[channel]} == rules


def test_single_measurements_have_the_normative_limits_and_times() -> None:
    minute, hour = 60_000, 3_600_000
    assert {r.rule: (r.limit, r.repeat_from_ms, r.repeat_until_ms, r.confirm) for r in PROFILE.repeat} == {
        "SPO2-CRIT": (8801, 0, 2 * minute, Confirm.REPEAT),
        "SPO2-REFER": (9300, 0, 10 * minute, Confirm.REPEAT),
        "SPO2-AMBER": (9401, 0, hour, Confirm.REPEAT),
        "SPO2-DROP": (-32768, 0, 12 * hour, Confirm.ONLY_REPEAT),
        "SPO2-EXERT": (9400, 0, 10 * minute, Confirm.REPEAT),
        "HR-HIGH": (13099, 0, 10 * minute, Confirm.REPEAT),
        "HR-LOW": (4001, 0, 10 * minute, Confirm.REPEAT),
        "RR-SEVERE": (2999, 0, 10 * minute, Confirm.REPEAT),
        "FEVER-HIGH": (3909, 15 * minute, hour, Confirm.REPEAT),
        "FEVER-HYPER": (4099, 0, 10 * minute, Confirm.REPEAT),
        "FEVER-INFANT": (32767, 0, 10 * minute, Confirm.REPEAT),
        "HYPOTHERM": (3501, 0, 15 * minute, Confirm.REPEAT),
        "HYPOTHERM-CONFIRMED": (3501, 0, 15 * minute, Confirm.ONLY_REPEAT),
        "BP-CRISIS-SYS": (17999, minute, 5 * minute, Confirm.REPEAT),
        "BP-CRISIS-DIA": (10999, minute, 5 * minute, Confirm.REPEAT),
        "GLU-HIGH": (1669, 0, 30 * minute, Confirm.REPEAT),
        "GLU-LOW": (391, 0, 0, Confirm.AT_ONCE),
        "QUESTIONABLE-LOW": (9300, 0, 10 * minute, Confirm.REPEAT),
    }
    assert [r.rule for r in PROFILE.repeat if r.after_activity] == ["SPO2-EXERT"]
    assert [r.rule for r in PROFILE.repeat if r.trust is Trust.QUESTIONABLE] == ["QUESTIONABLE-LOW"]


def test_fevers_last_for_two_and_three_days_above_38_5() -> None:
    assert {r.rule: (r.above, r.longer_than_ms // 3_600_000) for r in PROFILE.fever} == {
        "FEVER-PERSIST": (3850, 72),
        "FEVER-48H": (3850, 48),
    }


def test_scores_sessions_and_baseline_have_the_normative_numbers() -> None:
    assert [(r.rule, r.total_from, r.single_from, r.complete_within_ms) for r in PROFILE.news2] == [
        ("NEWS2-HIGH", 7, None, 900_000),
        ("NEWS2-MEDIUM", 5, 3, 900_000),
    ]
    session = PROFILE.sessions
    assert (session.at_least_ms, session.median_of_last_ms, session.spread_max, session.unchanged_ms) == (
        60_000,
        30_000,
        200,
        5_000,
    )
    assert (PROFILE.baseline.sessions_min, PROFILE.baseline.span_ms) == (6, 14 * 86_400_000)
    assert PROFILE.own_altitude_from_m == 2500


TIER_3 = {
    "SPO2-CRIT",
    "SPO2-REFER",
    "RR-SEVERE",
    "FEVER-HYPER",
    "FEVER-INFANT",
    "FEVER-PERSIST",
    "NEWS2-HIGH",
    "SYMPTOM",
}
HIGH = (TIER_3 - {"FEVER-PERSIST"}) | {"HR-HIGH", "HR-LOW", "HYPOTHERM-CONFIRMED"}
LOW = {"FEVER-HIGH", "WELLNESS-LOW"}


def test_priorities_and_tiers_are_those_of_the_table() -> None:
    rules = {rule: means for rule, means in PROFILE.consequences.items() if not means.technical}
    assert {rule for rule, means in rules.items() if means.tier3} == TIER_3
    assert {rule for rule, means in rules.items() if means.priority == "high"} == HIGH
    assert {rule for rule, means in rules.items() if means.priority == "low"} == LOW


@pytest.mark.parametrize(
    ("family", "rules"),
    [
        ("spo2_low", {"SPO2-CRIT", "SPO2-REFER", "SPO2-AMBER", "SPO2-DROP", "SPO2-EXERT"}),
        ("spo2_high", {"SPO2-OVER"}),
        ("fever", {"FEVER-HIGH", "FEVER-HYPER", "FEVER-INFANT", "FEVER-PERSIST", "FEVER-48H"}),
        ("temperature_low", {"HYPOTHERM", "HYPOTHERM-CONFIRMED"}),
        ("blood_pressure", {"BP-CRISIS-SYS", "BP-CRISIS-DIA"}),
        ("news2", {"NEWS2-HIGH", "NEWS2-MEDIUM"}),
        ("symptom", {"SYMPTOM"}),
    ],
)
def test_families_share_one_episode(family: str, rules: set[str]) -> None:
    assert {rule for rule, means in PROFILE.consequences.items() if means.family == family} == rules


def test_no_family_counts_a_low_into_a_high() -> None:
    """An acknowledged fast heart must not hide a slow one, nor sugar that is too high one that is too low."""
    sides: dict[str, set[tuple[Signal, bool]]] = {}
    for rule, row in PROFILE.limits.items():
        sides.setdefault(PROFILE.consequences[rule].family, set()).add((row.signal, row.low))
    assert {family for family, found in sides.items() if len({low for _, low in found}) > 1} == set()


def test_every_rule_of_the_profile_has_words_in_both_languages() -> None:
    assert set(PROFILE.consequences) <= set(RULES)
    assert all(text.zh and text.en for text in RULES.values())


CHILD_RR = "[variant.child_0_2_months.rule.RR-SEVERE]\n"
PREGNANT = "[variant.pregnant.rule.SPO2-AMBER]\n"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("[sustained.HR-FAST]", "[sustained.SPO2-REFER]", "not TOML"),
        ("at_or_below = 88.0", "at_or_below = 88.0\nbelow = 89.0", "no source for below"),
        ("at_or_below = 88.0", "at_or_below = 880.0", "880.0"),
        ("at_or_below = 88.0", "at_or_below = 101.0", "at_or_below = 101.0, not within spo2's 1 to 100"),
        ("at_or_above = 39.1", "at_or_above = 102.4", "at_or_above = 102.4, not within temperature's 30 to 45"),
        ("at_or_below", "above", "clear_at = 89.0 lies inside the limit"),
        ("window_s = 120", "window_s = 115", "window of 115000 ms is no multiple of 20000"),
        ("window_s = 300", "window_s = 1000", "window of 1000000 ms is not within 1 to 900000"),
        ("share_percent = 80", "share_percent = 101", "share_percent = 101"),
        ("clear_at = 89.0", "clear_at = 88.0", "clear_at = 88.0 lies inside the limit"),
        ("clear_at = 89.0", "clear_at = 89.5", "repeat.SPO2-CRIT: limit, clear_at, holds or reached_before differ"),
        ('window_s = "D; false', 'windov_s = "D; false', "no source for window_s"),
        ('building_s = "D"', 'building_s = " "', "building_s = ' ' names no source"),
        ("emergency = true", 'emergency = "yes"', "emergency = 'yes' is of the wrong type"),
        ('priority = "high"', 'priority = "urgent"', "priority = 'urgent', not one of high, medium, low"),
        ('reached_before = "SPO2-CRIT"', 'reached_before = "SPO2-KRIT"', "differ from the same rule elsewhere"),
        (
            'reached_before = "HR-HIGH"',
            'reached_before = "HR-HIHG"',
            "reached_before = 'HR-HIHG' is no more urgent rule with a limit",
        ),
        ('reached_before = "HR-HIGH"', 'reached_before = "HR-FAST"', "'HR-FAST' is no more urgent rule with a limit"),
        ('reached_before = "HR-HIGH"', 'reached_before = "HR-LOW"', "'HR-LOW' limits another side or signal"),
        ('confirm = "at_once"', 'confirm = "at_once"\nrepeat_from_s = 0', "no source for repeat_from_s"),
        ('trust = "wellness"', 'trust = "wearable"', "trust = 'wearable', not one of good, questionable, wellness"),
        ("and_below = 95.0", "and_below = 950.0", "950.0"),
        ("drop = 4.0", "drop = -4.0", "drop = -4 is no difference of two values of spo2"),
        ("single_from = 3", "single_from = 4", "single_from = 4, not within 0 to 3"),
        ("median_of_last_s = 30", "median_of_last_s = 90", "must grow"),
        ("sessions_min = 6", "sessions_min = 0", "sessions_min = 0"),
        ("duty_s = 180", "duty_s = 400", "must grow"),
        ("[silence]", "[silense]", "unknown table or key: silense"),
        ("repeat_s = 300", "repeat_s = 300\nnag_s = 1", "no source for nag_s (or the key is misspelt)"),
        ('signal = "spo2"', 'signal = "sp02"', "signal = 'sp02' is not a signal"),
        ("name = ", "name ", "not TOML"),
        (CHILD_RR, CHILD_RR + "window_s = 60\n", "unknown key window_s; a variant changes limits"),
        (
            CHILD_RR,
            "[variant.child_0_2_months.rule.RR-SEVER]\n",
            "no table [variant.child_0_2_months.rule.RR-SEVER.source]",
        ),
        (
            "age_until_days = 61\n",
            "age_until_days = 0\n",
            "variant.child_0_2_months: age from 0 is not before age until 0",
        ),
        ("age_from_days = 365\nage_until_days = 731", "age_from_days = 731\nage_until_days = 731", "age from 731"),
        ('group = "pregnant"', 'group = "pregnent"', "group = 'pregnent', not one of infant, child, pregnant"),
        ('group = "pregnant"\n', "", "variant.pregnant: applies to everybody"),
        (PREGNANT + "at_or_below = 94.0", PREGNANT + "at_or_below = 90.0", "SPO2-AMBER: limit spo2 <= 90 %"),
        (PREGNANT + "at_or_below = 94.0", PREGNANT + "at_or_below = 0.5", "0.5"),
        ("spo2_scale = 2", "spo2_scale = 3", "spo2_scale = 3, not within 0 to 2"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, complaint: str) -> None:
    assert old in TEXT
    with pytest.raises(ProfileError) as refused:
        parse_profile(TEXT.replace(old, new, 2 if old == "at_or_below" else 1))
    assert complaint in str(refused.value)


def test_a_variant_can_not_move_a_limit_to_the_other_side() -> None:
    upwards = TEXT.replace(
        "[variant.hypercapnic.rule.WELLNESS-LOW]\nbelow", "[variant.hypercapnic.rule.WELLNESS-LOW]\nabove"
    )
    upwards = upwards.replace(
        'WELLNESS-LOW.source]\nbelow = "D; from the bands', 'WELLNESS-LOW.source]\nabove = "D; from the bands'
    )
    upwards = upwards.replace("above = 88.0\nclear_at = 89.0", "above = 88.0\nclear_at = 87.0")
    with pytest.raises(ProfileError, match="the dangerous side of WELLNESS-LOW is below"):
        parse_profile(upwards)


def test_no_variant_can_switch_an_emergency_off() -> None:
    off = TEXT.replace("[variant.hypercapnic.rule.SPO2-CRIT]\n", '[variant.hypercapnic.rule.SPO2-CRIT]\nholds = "no"\n')
    source = "[variant.hypercapnic.rule.SPO2-CRIT.source]\n"
    with pytest.raises(ProfileError, match=r"rule.SPO2-CRIT: holds = no, but an emergency holds for everybody"):
        parse_profile(off.replace(source, source + 'holds = "x"\n'))


def test_one_changed_byte_is_another_profile_also_in_a_variant() -> None:
    hashes = {
        parse_profile(text).profile_hash
        for text in (TEXT, TEXT + "\n", TEXT.replace("> 160 under 1", "> 160  under 1"))
    }
    assert len(hashes) == 3


def test_a_rule_id_stands_in_one_channel_alone() -> None:
    """The log states limits by rule id: two channels may not share one, and TOML refuses a second table."""
    ids = [rule.rule for rules in PROFILE.sustained.values() for rule in rules]
    assert len(ids) == len(set(ids))

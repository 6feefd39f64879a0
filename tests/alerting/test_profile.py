"""The clinical profile is read strictly: what is wrong is refused with its name, and every number has a source."""

import pytest

from alerting.profile.file import ProfileError, parse_profile, standard_adult
from alerting.profile.profile import Channel
from alerting.words import RULES
from vitals.signals import Signal


def test_the_shipped_profile_has_the_normative_limits() -> None:
    profile = parse_profile(standard_adult())
    sustained = {r.rule: r for r in profile.sustained[Channel(signal=Signal.SPO2)]}
    assert (sustained["SPO2-CRIT"].limit.breach, sustained["SPO2-CRIT"].window_ms) == (8801, 60_000)
    assert (sustained["SPO2-REFER"].limit.breach, sustained["SPO2-REFER"].window_ms) == (9300, 300_000)
    assert profile.fever[0].above == 3850
    assert profile.fever[0].longer_than_ms == 72 * 3600 * 1000


def test_every_rule_of_the_profile_has_words_in_both_languages() -> None:
    profile = parse_profile(standard_adult())
    assert set(profile.consequences) == set(RULES)
    assert all(text.zh and text.en for text in RULES.values())


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("at_or_below = 88.0", "at_or_below = 88.0\nbelow = 89.0", "no source for below"),
        ("at_or_below = 88.0", "at_or_below = 880.0", "880.0"),
        ("at_or_below", "above", "clear_at = 89.0 lies inside the limit"),
        ("window_s = 60", "window_s = 55", "window of 55000 ms is no multiple of 10000"),
        ("window_s = 300", "window_s = 1000", "window of 1000000 ms is not within 1 to 900000"),
        ("share_percent = 80", "share_percent = 101", "share_percent = 101"),
        ("clear_at = 89.0", "clear_at = 88.0", "clear_at = 88.0 lies inside the limit"),
        ('window_s = "D; home', 'windov_s = "D; home', "no source for window_s"),
        ("emergency = true", 'emergency = "yes"', "emergency = 'yes' is of the wrong type"),
        ('priority = "high"', 'priority = "urgent"', "priority = 'urgent', not one of high, medium, low"),
        ("duty_s = 180", "duty_s = 400", "must grow"),
        ("[silence]", "[silense]", "unknown table or key: silense"),
        ("repeat_s = 300", "repeat_s = 300\nnag_s = 1", "no source for nag_s (or the key is misspelt)"),
        ('signal = "spo2"', 'signal = "sp02"', "signal = 'sp02' is not a signal"),
        ("name = ", "name ", "not TOML"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, complaint: str) -> None:
    text = standard_adult()
    assert old in text
    with pytest.raises(ProfileError) as refused:
        parse_profile(text.replace(old, new, 2 if old == "at_or_below" else 1))
    assert complaint in str(refused.value)


def test_one_changed_byte_is_another_profile() -> None:
    text = standard_adult()
    assert parse_profile(text).profile_hash != parse_profile(text + "\n").profile_hash

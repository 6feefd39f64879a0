"""The table [technical] of a profile: every limit a row with its source, and nothing that contradicts itself."""

import re

import pytest

from alerting.addressing import KINDS, Kind, instead, kind_of, told
from alerting.episodes import EVERYBODY, Audience
from alerting.profile.file import ProfileError, parse_profile, standard_adult
from alerting.profile.profile import Priority
from alerting.profile.technical import Family
from alerting.words import RULES

DOCTOR, HOUSE, DUTY = Audience.FAMILY_DOCTOR, Audience.HOUSEHOLD, Audience.TOWNSHIP_DUTY
EXPERT, OPERATIONS = Audience.COUNTY_EXPERT, Audience.OPERATIONS


def test_the_standard_profile_has_them_all() -> None:
    profile = parse_profile(standard_adult())
    limits = profile.technical
    assert (limits.gateway.silent_s, limits.spot_overdue.low_after_s, limits.backlog.older_s) == (180, 3600, 900)
    assert max(limits.ingest.silent_s, limits.broker.without_s, limits.broker.nobody_s) < profile.silence.low_after_s
    technical = {rule: c for rule, c in profile.consequences.items() if c.technical}
    assert all(rule.startswith("TECH-") and not c.tier3 and not c.emergency for rule, c in technical.items())
    assert {rule for rule, c in technical.items() if c.priority is Priority.HIGH} == {
        "TECH-INGEST",
        "TECH-BROKER",
        "TECH-UNBOUND-LOW",
        "TECH-UNJUDGED",
    }
    assert technical.keys() <= RULES.keys()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[technical.battery]\n", "[technical.batterie]\n", "unknown table batterie"),
        ("low_percent = 20", "low_percent = 5", "must grow"),
        ("low_percent = 20", 'low_percent = "20"', "low_percent = '20'"),
        ("low_percent = 20", "low_percent = 0", "low_percent = 0"),
        ("medium_percent = 10\n", "", "names medium_percent, which has no value"),
        ("offline_s = 60\n", "offline_s = 60\nmercy_s = 9\n", "no source for mercy_s"),
        ('behind_s = "D; two', 'behinds_s = "D; two', "no source for behind_s"),
        ("spo2_every_s = 28800", "pain_every_s = 28800", "no source for pain_every_s"),
        ("night_until_h = 8", "night_until_h = 22", "the night"),
        ("medium_after_s = 14400", "medium_after_s = 60", "low_after_s must be less"),
        ("silent_s = 180", "silent_s = 7200", "beyond silent_s_max"),
        ("members_min = 5", "members_min = 1", "one fault is no storm"),
        ("grows_percent = 200", "grows_percent = 100", "one grows beyond"),
        ("members_min = 5\nshare_percent = 20", "members_min = 5\nshare_percent = 101", "at most 100"),
        ('gateways_min = 2\npriority = "high"', 'gateways_min = 2\npriority = "loud"', "priority = 'loud'"),
    ],
)  # fmt: skip
def test_a_profile_that_is_unclear_is_refused(old: str, new: str, said: str) -> None:
    body = standard_adult()
    assert old in body
    with pytest.raises(ProfileError, match=re.escape(said)):
        parse_profile(body.replace(old, new, 1))


def test_a_profile_without_them_is_refused() -> None:
    body = standard_adult()
    cut = body[: body.index("[technical.")] + body[body.index("# ---- timers") :]
    with pytest.raises(ProfileError, match=r"\[technical\] is missing"):
        parse_profile(cut)


def test_an_interval_for_a_signal_that_is_none_is_refused() -> None:
    body = standard_adult().replace("spo2_every_s", "pain_every_s")
    with pytest.raises(ProfileError, match="pain_every_s"):
        parse_profile(body)


@pytest.mark.parametrize(
    ("kind", "first", "everybody"),
    [
        (Kind.PERSON, (DOCTOR, HOUSE), (DOCTOR, DUTY, EXPERT, OPERATIONS)),
        (Kind.DEVICE, (DOCTOR, HOUSE), (DOCTOR, DUTY, OPERATIONS)),
        (Kind.SITE, (OPERATIONS,), (OPERATIONS, DUTY)),
        (Kind.ROSTER, (OPERATIONS,), (OPERATIONS, DUTY)),
        (Kind.SOMEBODY, (DUTY,), (DUTY, EXPERT, OPERATIONS)),
    ],
)
def test_whom_each_kind_tells(kind: Kind, first: tuple[Audience, ...], everybody: tuple[Audience, ...]) -> None:
    assert told(kind, (DOCTOR, HOUSE)) == first
    assert told(kind, EVERYBODY) == everybody


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("audience", [DOCTOR, DUTY, EXPERT, OPERATIONS])
def test_asking_on_ends(kind: Kind, audience: Audience) -> None:
    asked = [audience]
    while (other := instead(kind, asked[-1], asked=asked)) is not None:
        asked.append(other)
        assert len(asked) == len(set(asked))


def test_every_family_has_its_kind_and_silence_stays_a_patients() -> None:
    assert set(KINDS) == {family.value for family in Family}
    consequences = parse_profile(standard_adult()).consequences
    assert {rule for rule, c in consequences.items() if c.technical and kind_of(c) is Kind.PERSON} == {
        "TECH-NODATA",
        "TECH-NODATA-LONG",
    }

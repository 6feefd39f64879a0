"""Evidence in words: what alerting wrote, and nothing that it did not."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from alerting.profile.file import standard_adult
from dashboards.board import Episode
from dashboards.evidence import reason_of
from dashboards.limits import limits_of
from dashboards.words import Language, load

WORDS = load()
LIMITS = limits_of(standard_adult())
AT = datetime(2026, 11, 21, tzinfo=UTC)
EPISODE = Episode(
    episode_id=1, patient_id=1, family="spo2_low", technical=False, rule="SPO2-CRIT", priority="high", emergency=True,
    tier3=True, condition="present", state="unack", step=0, service_tier=2, since=AT, raised_at=AT, detected_at=AT,
    alarmed_at=AT, due_at=AT, raise_count=1, cleared_at=None, acknowledged_by=None, acknowledged_at=None,
    closed_by=None, closed_at=None, disposition=None, evidence={}, profile_hash="",
)  # fmt: skip


def said(rule: str, evidence: dict[str, Any], language: Language = Language.EN) -> tuple[str, str]:
    """Give the sentence and what stands behind it."""
    episode = replace(EPISODE, rule=rule, evidence=evidence)
    reason = reason_of(episode, WORDS[language], lambda at: f"{at:%H:%M}")
    return reason.sentence, " · ".join(reason.rest)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


LOW = {
    "signal": "spo2", "unit": "%", "value": 85.0, "lowest": 84.5, "below": 88.01, "window_s": 120,
    "valid_samples": 118, "samples_below": 110, "share_percent": 93, "coverage_percent": 86,
    "profile": "standard-adult", "profile_hash": "0123456789abcdef",
}  # fmt: skip


@pytest.mark.parametrize(
    ("below", "zh", "en"),
    [
        (88.01, "血氧 ≤ 88%，最低84.5%，2分钟内占93%", "SpO2 ≤ 88 %, lowest 84.5 %, 93 % of 2 min"),
        (89.0, "血氧 < 89%，最低84.5%，2分钟内占93%", "SpO2 < 89 %, lowest 84.5 %, 93 % of 2 min"),
        (86.01, "血氧 ≤ 86%，最低84.5%，2分钟内占93%", "SpO2 ≤ 86 %, lowest 84.5 %, 93 % of 2 min"),
    ],
)
def test_the_limit_is_the_one_that_decided_whatever_the_profile_says(below: float, zh: str, en: str) -> None:
    evidence = LOW | {"below": below}
    assert plain(said("SPO2-CRIT", evidence)[0]) == en
    assert plain(said("SPO2-CRIT", evidence, Language.ZH)[0]) == zh


def test_samples_coverage_and_profile_stand_behind_it() -> None:
    assert plain(said("SPO2-CRIT", LOW | {"baseline": 97.0})[1]) == (
        "110 of 118 good samples beyond it · coverage 86 % · personal baseline 97 %"
        " · limits standard-adult 0123456789ab"
    )


def test_a_number_stays_on_one_line_with_its_sign_and_unit() -> None:
    assert said("SPO2-CRIT", LOW)[0].startswith("SpO2 ≤\u00a088\u00a0%, lowest 84.5\u00a0%, ")


def test_a_single_item_of_news2_is_named_in_both_languages() -> None:
    evidence = {"signal": "news2", "worst": 3, "limit": 3, "single": True, "of_seven": 6,
                "parts": {"respiratory_rate": 3, "pulse": 1}}  # fmt: skip
    said_zh, rest_zh = map(plain, said("NEWS2-MEDIUM", evidence, Language.ZH))
    assert (said_zh, rest_zh) == ("NEWS2单项 ≥ 3，呼吸频率3", "各项得分：呼吸频率3、脉搏1 · 7项中已知6项")
    said_en, rest_en = map(plain, said("NEWS2-MEDIUM", evidence))
    assert (said_en, rest_en) == (
        "one item of NEWS2 ≥ 3, respiratory rate 3",
        "of which respiratory rate 3, pulse 1 · 6 of 7 items known",
    )


def test_silence_names_the_last_good_value_in_the_patients_time() -> None:
    evidence = {"device": "x", "last_good_at": "2026-11-21T05:47:00+00:00", "why": "nothing_received"}
    assert said("TECH-NODATA", evidence) == ("nothing received, last good value 05:47", "device x")
    assert said("TECH-NODATA", evidence, Language.ZH) == ("没有收到任何数据，最后有效数据 05:47", "设备 x")


def test_bluetooths_troubles_are_named() -> None:
    evidence = {"why": "bluetooth", "troubles": ["adapter_off hci0", "scan_refused"]}
    assert said("TECH-ADAPTER", evidence) == ("Bluetooth is in trouble", "adapter off · scan refused")


def test_evidence_without_a_known_key_says_the_rule_alone() -> None:
    assert said("TECH-NODATA", {"strange": [1], "lowest": "low", "why": 4, "troubles": 3}) == ("No valid data", "")


def test_a_chart_draws_no_limit_that_good_values_of_a_standard_patient_are_not_held_to() -> None:
    drawn = {limit.rule for limit in LIMITS if limit.signal == "spo2" and limit.drawn}
    assert drawn == {"SPO2-CRIT", "SPO2-REFER", "SPO2-AMBER"}


def test_a_profile_that_is_missing_draws_no_limit() -> None:
    assert limits_of(None) == []

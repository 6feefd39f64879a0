"""Evidence in words: what alerting wrote, and nothing that it did not."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from alerting.profile.file import standard_adult
from dashboards.board import Episode
from dashboards.evidence import evidence_of
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


def said(rule: str, evidence: dict[str, Any], language: Language = Language.EN) -> str:
    episode = replace(EPISODE, rule=rule, evidence=evidence)
    limits = [limit for limit in LIMITS if limit.rule == rule]
    lines = evidence_of(episode, limits, WORDS[language], lambda at: f"{at:%H:%M}")
    return " · ".join(lines).replace("\u00a0", " ")


def test_a_sustained_low_names_limit_extremes_share_and_coverage() -> None:
    evidence = {
        "signal": "spo2", "unit": "%", "value": 85.0, "lowest": 84.5, "below": 89.0, "window_s": 120,
        "valid_samples": 118, "samples_below": 110, "share_percent": 93, "coverage_percent": 86,
    }  # fmt: skip
    assert said("SPO2-CRIT", evidence) == (
        "≤ 88 % in at least 80 % of samples over 2 min · lowest 84.5 % · at the alarm 85 %"
        " · 110 of 118 good samples beyond the limit · coverage 86 %"
    )


def test_a_repeated_measurement_is_told_apart_from_a_stream() -> None:
    evidence = {"signal": "spo2", "worst": 86.0, "limit": 89.0, "readings_beyond": 1, "hours": 0.0, "why": "no_repeat"}
    assert said("SPO2-CRIT", evidence) == (
        "≤ 88 %, and again or no repeat within 2 min · worst 86 % · 1 readings beyond the limit"
        " · no repeat measurement in time"
    )


def test_a_sustained_high_names_its_extreme_too() -> None:
    evidence = {
        "signal": "pulse", "unit": "/min", "value": 138.0, "highest": 144.0, "above": 130.99, "window_s": 120,
        "valid_samples": 118, "samples_above": 117, "share_percent": 99, "coverage_percent": 100,
    }  # fmt: skip
    assert said("HR-HIGH", evidence) == (
        "≥ 131 /min in at least 80 % of samples over 2 min · highest 144 /min · at the alarm 138 /min"
        " · 117 of 118 good samples beyond the limit · coverage 100 %"
    )


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("GLU-LOW", "≤ 3.9 mmol/L"),
        ("HYPOTHERM", "≤ 35 °C, and again or no repeat within 15 min"),
        ("HYPOTHERM-CONFIRMED", "≤ 35 °C, and again within 15 min"),
    ],
)
def test_what_confirms_a_measurement_is_said(rule: str, text: str) -> None:
    assert said(rule, {}) == text


def test_a_chart_draws_no_limit_that_good_values_of_a_standard_patient_are_not_held_to() -> None:
    drawn = {limit.rule for limit in LIMITS if limit.signal == "spo2" and limit.drawn}
    assert drawn == {"SPO2-CRIT", "SPO2-REFER", "SPO2-AMBER"}


def test_a_lasting_fever_names_its_length_and_its_gaps() -> None:
    evidence = {"signal": "temperature", "worst": 39.6, "limit": 38.5, "readings_beyond": 11, "hours": 73.2,
                "data_gap": True}  # fmt: skip
    assert said("FEVER-PERSIST", evidence, Language.ZH) == (
        "> 38.5 °C 持续超过3天 · 最差 39.6 °C · 11 次读数越限 · 73.2 小时内 · 其间有一整天没有读数"
    )


def test_silence_names_the_last_good_value() -> None:
    evidence = {"device": "x", "last_good_at": "2026-11-21T05:47:00+00:00", "why": "nothing_received"}
    assert said("TECH-NODATA", evidence) == "last good value 05:47 · nothing received"


def test_evidence_without_a_known_key_says_nothing_but_the_rule() -> None:
    assert said("TECH-NODATA", {"strange": [1], "lowest": "low", "why": 4}) == ""
    assert said("FEVER-HIGH", {}) == "≥ 39.1 °C, and again or no repeat within 60 min"


def test_a_profile_that_is_missing_draws_no_limit() -> None:
    assert limits_of(None) == []

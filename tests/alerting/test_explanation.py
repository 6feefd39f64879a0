"""Why a rule raised is said in both languages, with the numbers that alerting writes and no others."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from alerting.explanation import explain, keys_named
from alerting.profile.file import parse_profile, standard_adult
from alerting.words import RULES
from tests.alerting.streams import FALL_S
from tests.alerting.ward import Ward
from vitals.signals import SIGNALS

PROFILE = parse_profile(standard_adult())
LOW = {
    "signal": "spo2", "unit": "%", "value": 91.0, "lowest": 88.0, "below": 93.0, "window_s": 300, "valid_samples": 300,
    "samples_below": 291, "share_percent": 97, "coverage_percent": 100, "profile": "standard-adult",
}  # fmt: skip
FAST = {
    "signal": "pulse", "unit": "/min", "value": 138.0, "highest": 144.0, "above": 130.99, "window_s": 120,
    "valid_samples": 118, "samples_above": 117, "share_percent": 99, "coverage_percent": 100,
}  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "evidence", "zh", "en"),
    [
        (
            "SPO2-REFER",
            LOW,
            "300秒内97%的样本血氧低于93%(最低88%),300个样本,覆盖率100%,限值依据standard-adult",
            "SpO2 below 93 % in 97 % of 300 s (lowest 88 %), 300 samples, coverage 100 %, limits of standard-adult",
        ),
        (
            "SPO2-DROP",
            LOW | {"below": 92.01, "baseline": 96.0, "profile": "standard-adult+child"},
            "300秒内97%的样本血氧不高于92%(最低88%),300个样本,覆盖率100%,个人基线96%,限值依据standard-adult+child",
            "SpO2 at or below 92 % in 97 % of 300 s (lowest 88 %), 300 samples, coverage 100 %, personal baseline 96 %,"
            " limits of standard-adult+child",
        ),
        (
            "HR-HIGH",
            FAST,
            "120秒内99%的样本脉搏不低于131/min(最高144/min),118个样本,覆盖率100%",
            "pulse at or above 131 /min in 99 % of 120 s (highest 144 /min), 118 samples, coverage 100 %",
        ),
        (
            "SPO2-CRIT",
            {"signal": "spo2", "worst": 86.0, "limit": 88.01, "readings_beyond": 1, "hours": 0.0, "why": "no_repeat"},
            "血氧不高于88%(最差86%),越限1次,未按时复测",
            "SpO2 at or below 88 % (worst 86 %), readings beyond it: 1, no repeat measurement in time",
        ),
        (
            "FEVER-PERSIST",
            {"signal": "temperature", "worst": 39.6, "limit": 38.5, "readings_beyond": 11, "hours": 73.2}
            | {"data_gap": True},
            "体温高于38.5°C(最差39.6°C),越限11次,历时73.2小时,其间有一整天没有读数",
            "temperature above 38.5 °C (worst 39.6 °C), readings beyond it: 11, over 73.2 h, with a whole day without a"
            " reading",
        ),
        (
            "NEWS2-HIGH",
            {"signal": "news2", "worst": 8, "limit": 7, "readings_beyond": 1, "of_seven": 7}
            | {"parts": {"spo2": 3, "pulse": 0}},
            "NEWS2不低于7(最差8),越限1次,各项得分:血氧3,7项中有7项",
            "NEWS2 at or above 7 (worst 8), readings beyond it: 1, of which SpO2 3, 7 of 7 items known",
        ),
        (
            "TECH-NODATA",
            {"device": "C0", "last_good_at": "2026-03-01T12:00:00+00:00", "why": "nothing_received"},
            "设备C0没有有效数据,最后有效数据03-01 12:00(UTC),没有收到任何数据",
            "no valid data of device C0, last good value 03-01 12:00 UTC, nothing received",
        ),
        ("GLU-LOW", {}, "血糖过低", "Blood glucose low"),
        ("SITE-OWN", {"strange": [1]}, "SITE-OWN", "SITE-OWN"),
    ],
)  # fmt: skip
def test_a_raise_is_explained(rule: str, evidence: Mapping[str, object], zh: str, en: str) -> None:
    said = explain(rule, evidence)
    assert (said.zh, said.en) == (zh, en)


@pytest.mark.parametrize("rule", PROFILE.consequences)
def test_every_rule_has_a_title_and_a_sentence_in_both_languages(rule: str) -> None:
    row = PROFILE.limits.get(rule)
    evidence: dict[str, object] = {}
    if row:
        evidence = {
            "signal": row.signal,
            "unit": SIGNALS[row.signal].unit,
            "worst": 1.0,
            "limit": 2.0,
            "readings_beyond": 2,
        }
    said = explain(rule, evidence)
    assert rule in RULES
    assert said.zh != said.en
    assert ("1" in said.zh and "1" in said.en) or row is None


@pytest.mark.parametrize("evidence", [{"signal": 5}, {"signal": "spo2", "below": "x"}, {"tags": "x", "parts": [1]}])
def test_evidence_of_another_shape_is_left_out(evidence: dict[str, object]) -> None:
    assert explain("SPO2-CRIT", evidence) == RULES["SPO2-CRIT"]


WRITTEN_WITH_PROFILES = {"baseline", "profile", "tags"}
"""What judging writes once it holds each patient to his own limits."""

WRITTEN_WITH_SCORES = {"parts", "of_seven"}


def test_every_key_that_a_sentence_names_is_one_that_alerting_writes(database: str) -> None:
    with Ward(database) as ward:
        ward.spo2(1, [9700] * 60 + [8400] * FALL_S)
        ward.pulse(2, [7000] * 60 + [14000] * 200)
        ward.temperatures(3, [(hours, 3950) for hours in (80, 60, 40, 20, 1)])
        ward.spo2(4, [9700] * 60)
        ward.pass_time(seconds=200)
        ward.spo2(4, [8400] * 200 + [9700] * 700, begin=ward.now - timedelta(hours=2))
        written = {key for episode in ward.episodes() for key in episode.evidence}
        rows = ward.connection.execute("SELECT detail FROM episode_event").fetchall()
        written |= {key for row in rows for key in row.detail or {}}
    assert keys_named() - WRITTEN_WITH_PROFILES - WRITTEN_WITH_SCORES <= written

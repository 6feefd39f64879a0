"""Why a rule raised is said in both languages, with the numbers that alerting writes and no others."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from alerting.explanation import explain, keys_named
from alerting.profile.file import parse_profile, standard_adult
from alerting.words import RULES
from tests.alerting.streams import FALL_S
from tests.alerting.ward import Ward
from vitals.reading import unscaled
from vitals.sustained import Limit

ON_A_CARD = 64
"""Letters that a card on a phone of 390 px shows in two lines."""

PROFILE = parse_profile(standard_adult())
LOW = {
    "signal": "spo2", "unit": "%", "value": 91.0, "lowest": 88.0, "below": 93.0, "window_s": 300, "valid_samples": 300,
    "samples_below": 291, "share_percent": 97, "coverage_percent": 100, "profile": "standard-adult",
}  # fmt: skip
FAST = {
    "signal": "pulse", "unit": "/min", "value": 138.0, "highest": 144.0, "above": 130.99, "window_s": 120,
    "valid_samples": 118, "samples_above": 117, "share_percent": 99, "coverage_percent": 100,
}  # fmt: skip


HELD = {"profile": "standard-adult+child", "profile_hash": "3fa2b1c9d0e1aaaa"}
ORDERED = {
    "signal": "spo2", "unit": "%", "value": 80.0, "lowest": 79.0, "below": 83.01, "window_s": 120, "valid_samples": 121,
    "samples_below": 110, "share_percent": 91, "coverage_percent": 100, "profile": "standard-adult+order",
    "profile_hash": "77aa00bb11cc22dd",
}  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "evidence", "zh", "en"),
    [
        ("SPO2-REFER", LOW, "血氧 < 93%，最低88%，5分钟内占97%", "SpO2 < 93 %, lowest 88 %, 97 % of 5 min"),
        ("SPO2-CRIT", ORDERED, "血氧 ≤ 83%，最低79%，2分钟内占91%", "SpO2 ≤ 83 %, lowest 79 %, 91 % of 2 min"),
        (
            "HR-HIGH",
            FAST,
            "脉搏 ≥ 131/min，最高144/min，2分钟内占99%",
            "pulse ≥ 131 /min, highest 144 /min, 99 % of 2 min",
        ),
        (
            "RR-SEVERE",
            FAST | HELD | {"signal": "respiratory_rate", "above": 59.99, "highest": 64.0},
            "呼吸频率 ≥ 60/min，最高64/min，2分钟内占99%",
            "respiratory rate ≥ 60 /min, highest 64 /min, 99 % of 2 min",
        ),
        (
            "SPO2-CRIT",
            {"signal": "spo2", "worst": 86.0, "limit": 88.01, "readings_beyond": 1, "hours": 0.0, "why": "no_repeat"},
            "血氧 ≤ 88%，最差86%，1次读数",
            "SpO2 ≤ 88 %, worst 86 %, 1 reading",
        ),
        (
            "SPO2-AMBER",
            {"signal": "spo2", "worst": 93.0, "limit": 94.01, "readings_beyond": 2},
            "血氧 ≤ 94%，最差93%，2次读数",
            "SpO2 ≤ 94 %, worst 93 %, 2 readings",
        ),
        (
            "FEVER-PERSIST",
            {"signal": "temperature", "worst": 39.6, "limit": 38.5, "readings_beyond": 11},
            "体温 > 38.5°C，最差39.6°C，11次读数",
            "temperature > 38.5 °C, worst 39.6 °C, 11 readings",
        ),
        (
            "BP-CRISIS-SYS",
            {"signal": "systolic", "worst": 186.0, "limit": 179.99, "readings_beyond": 2},
            "收缩压 ≥ 180mmHg，最差186mmHg，2次读数",
            "systolic pressure ≥ 180 mmHg, worst 186 mmHg, 2 readings",
        ),
        (
            "GLU-LOW",
            {"signal": "glucose", "worst": 3.2, "limit": 3.91, "readings_beyond": 1},
            "血糖 ≤ 3.9mmol/L，最差3.2mmol/L，1次读数",
            "glucose ≤ 3.9 mmol/L, worst 3.2 mmol/L, 1 reading",
        ),
        (
            "NEWS2-HIGH",
            {"signal": "news2", "worst": 8, "limit": 7, "single": False, "parts": {"spo2": 3, "pulse": 0}},
            "NEWS2 ≥ 7，8分",
            "NEWS2 ≥ 7, 8 points",
        ),
        (
            "NEWS2-MEDIUM",
            {"signal": "news2", "worst": 3, "limit": 3, "single": True, "parts": {"pulse": 1, "systolic": 3}},
            "NEWS2单项 ≥ 3，收缩压3",
            "one item of NEWS2 ≥ 3, systolic pressure 3",
        ),
        (
            "TECH-NODATA",
            {"device": "C0", "last_good_at": "2026-03-01T20:00:00+08:00", "last_heard_at": "2026-03-01T12:01:00+00:00"}
            | {"why": "nothing_received"},
            "没有收到任何数据，最后有效数据 03-01 12:00 UTC",
            "nothing received, last good value 03-01 12:00 UTC",
        ),
        (
            "TECH-GATEWAY",
            {"why": "last_will", "last_heard_at": "2026-03-01T12:01:00+00:00"},
            "网关已断开，最后消息 03-01 12:01 UTC",
            "the gateway is gone, last heard 03-01 12:01 UTC",
        ),
        (
            "TECH-STORM-MEDIUM",
            {"why": "storm_gateway", "of": "gateway", "members_now": 8, "model": "", "alarmed_of": 8},
            "多个网关几乎同时失联，共8个",
            "gateways fell silent at about the same time, 8 of them",
        ),
        ("TECH-BATTERY", {"why": "battery", "device": "C0", "signal": "battery", "value": 0}, "电量0%", "battery 0 %"),
        (
            "TECH-SPOT-OVERDUE",
            {"why": "overdue", "signal": "temperature", "due_at": "2026-03-01T12:00:00+00:00"},
            "体温应于03-01 12:00 UTC测量",
            "temperature was due 03-01 12:00 UTC",
        ),
        (
            "TECH-UNBOUND-LOW",
            {"why": "bound_to_nobody", "device": "C0", "signal": "spo2", "unit": "%", "lowest": 84.0},
            "血氧最低84%，设备未绑定患者，请立即找到佩戴者",
            "SpO2 lowest 84 %, bound to nobody: find who wears it",
        ),
        ("GLU-LOW", {}, "血糖过低", "Blood glucose low"),
        ("SITE-OWN", {"strange": [1]}, "SITE-OWN", "SITE-OWN"),
    ],
)  # fmt: skip
def test_the_sentence_says_what_which_limit_and_how_much(
    rule: str, evidence: Mapping[str, object], zh: str, en: str
) -> None:
    said = explain(rule, evidence).sentence
    assert (said.zh, said.en) == (zh, en)
    assert len(said.en) <= ON_A_CARD


@pytest.mark.parametrize(
    ("rule", "evidence", "zh", "en"),
    [
        (
            "SPO2-DROP",
            LOW | {"below": 92.01, "baseline": 96.0} | HELD,
            "300个有效样本中291个越限，覆盖率100%，个人基线96%，限值依据 standard-adult+child 3fa2b1c9d0e1",
            "291 of 300 good samples beyond it, coverage 100 %, personal baseline 96 %,"
            " limits standard-adult+child 3fa2b1c9d0e1",
        ),
        (
            "FEVER-PERSIST",
            {"signal": "temperature", "worst": 39.6, "limit": 38.5, "readings_beyond": 11, "hours": 73.2}
            | {"data_gap": True, "why": "repeated", "late": True},
            "复测证实，历时73.2小时，其间有一整天没有读数，数据迟到",
            "confirmed by a repeat, over 73.2 h, with a whole day without a reading, received late",
        ),
        (
            "NEWS2-HIGH",
            {"signal": "news2", "worst": 8, "limit": 7, "single": False, "of_seven": 7}
            | {"parts": {"pulse": 2, "spo2": 3, "temperature": 0, "respiratory_rate": 3}},
            "各项得分：血氧3、呼吸频率3、脉搏2，7项中已知7项",
            "of which SpO2 3, respiratory rate 3, pulse 2, 7 of 7 items known",
        ),
        (
            "NEWS2-MEDIUM",
            {"signal": "news2", "worst": 3, "limit": 3, "single": True, "of_seven": 1, "parts": {"systolic": 3}},
            "7项中已知1项",
            "1 of 7 items known",
        ),
        ("TECH-NODATA", {"device": "C0", "why": "nothing_received"}, "设备 C0", "device C0"),
        (
            "TECH-GATEWAY",
            {"why": "last_will", "covers_now": 2},
            "因此有 2 个网关和设备没有数据",
            "2 gateways and devices are silent by it",
        ),
    ],
)
def test_what_stands_behind_it_is_said_apart(rule: str, evidence: Mapping[str, object], zh: str, en: str) -> None:
    rest = explain(rule, evidence).rest
    assert ("，".join(each.zh for each in rest), ", ".join(each.en for each in rest)) == (zh, en)


def test_the_whole_is_the_sentence_and_the_rest() -> None:
    said = explain("SPO2-CRIT", ORDERED)
    assert said.whole.en.startswith("SpO2 ≤ 83 %, lowest 79 %, 91 % of 2 min, 110 of 121 good samples")
    assert said.whole.en.endswith("limits standard-adult+order 77aa00bb11cc")


@pytest.mark.parametrize("rule", PROFILE.consequences)
def test_every_rule_has_a_title_and_a_sentence_in_both_languages(rule: str) -> None:
    row = PROFILE.limits.get(rule)
    limit = (row.limit or Limit(breach=9200, clear_at=9300)) if row else None
    evidence: dict[str, object] = {}
    if row and limit:
        shown = unscaled(row.signal, limit.breach)
        worst = shown - 1 if row.low else shown + 1
        evidence = {"signal": row.signal, "worst": worst, "limit": shown, "readings_beyond": 2}
    said = explain(rule, evidence).sentence
    assert rule in RULES
    assert said.zh != said.en
    if row and limit:
        assert f"{worst:g}" in said.zh
        assert f"{worst:g}" in said.en
        assert ("<" in said.en or "≤" in said.en) is row.low
        assert len(said.en) <= ON_A_CARD


@pytest.mark.parametrize(
    "evidence",
    [
        {"signal": 5},
        {"signal": "spo2", "below": "x"},
        {"signal": "spo2", "below": -400},
        {"tags": "x", "parts": [1], "last_good_at": "noon"},
    ],
)
def test_evidence_of_another_shape_is_left_out(evidence: dict[str, object]) -> None:
    said = explain("SPO2-CRIT", evidence)
    assert (said.sentence, said.whole) == (RULES["SPO2-CRIT"], RULES["SPO2-CRIT"])


WRITTEN_WITH_PROFILES = {"baseline", "profile", "tags"}
"""What judging writes once it holds each patient to his own limits."""

WRITTEN_WITH_SCORES = {"parts", "of_seven", "single"}
WRITTEN_BY_REPORTS = {"signs", "way"}
WRITTEN_BY_TECHNICAL_LOOKS = {
    "devices",
    "covers_now",
    "members_now",
    "model",
    "oldest_at",
    "due_at",
    "value",
    "begins_at",
    "duty",
    "lacking",
    "places",
}


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
    assert (
        keys_named() - WRITTEN_WITH_PROFILES - WRITTEN_WITH_SCORES - WRITTEN_BY_TECHNICAL_LOOKS - WRITTEN_BY_REPORTS
        <= written
    )

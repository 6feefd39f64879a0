"""Why a rule raised, in a sentence that a doctor reads: the numbers of its evidence in Chinese and English.

A table of phrases, each said where the evidence holds every value it names; nothing is said of what is not known.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from string import Formatter

from alerting.profile.bounds import sign_of, unit_of
from alerting.words import RULES, Text
from vitals.reading import scaled
from vitals.signals import Signal

Evidence = Mapping[str, object]

SIGNAL_WORDS = {
    Signal.SPO2: Text(zh="血氧", en="SpO2"),
    Signal.PULSE: Text(zh="脉搏", en="pulse"),
    Signal.PERFUSION_INDEX: Text(zh="灌注指数", en="perfusion index"),
    Signal.TEMPERATURE: Text(zh="体温", en="temperature"),
    Signal.RESPIRATORY_RATE: Text(zh="呼吸频率", en="respiratory rate"),
    Signal.SYSTOLIC: Text(zh="收缩压", en="systolic pressure"),
    Signal.DIASTOLIC: Text(zh="舒张压", en="diastolic pressure"),
    Signal.MEAN_ARTERIAL: Text(zh="平均动脉压", en="mean arterial pressure"),
    Signal.GLUCOSE: Text(zh="血糖", en="glucose"),
    Signal.RR_INTERVAL: Text(zh="心搏间期", en="beat interval"),
    Signal.WEIGHT: Text(zh="体重", en="weight"),
    Signal.STEPS: Text(zh="步数", en="steps"),
    Signal.BATTERY: Text(zh="电量", en="battery"),
}
SCORE = "news2"
"""What evidence of a score has for its signal; its limit is inclusive, as the chart's are."""

ITEM_WORDS = SIGNAL_WORDS | {
    "oxygen": Text(zh="吸氧", en="oxygen"),
    "consciousness": Text(zh="意识", en="consciousness"),
}
SIGN_WORDS = {
    "<": Text(zh="低于", en="below"),
    "<=": Text(zh="不高于", en="at or below"),
    ">": Text(zh="高于", en="above"),
    ">=": Text(zh="不低于", en="at or above"),
}
WHY = {
    "lost_while_low": Text(zh="越限时信号中断", en="the signal was lost while beyond the limit"),
    "still_present": Text(zh="关闭后仍然存在", en="still present after it was closed"),
    "no_repeat": Text(zh="未按时复测", en="no repeat measurement in time"),
    "repeated": Text(zh="复测证实", en="confirmed by a repeat"),
    "at_once": Text(zh="一次即报警", en="one measurement is enough"),
    "unusable": Text(zh="收到的数据均不可用", en="nothing received was usable"),
    "nothing_received": Text(zh="没有收到任何数据", en="nothing received"),
}

HEADS = (
    Text(
        zh="{window_s}秒内{share_percent}%的样本{signal}{below}(最低{lowest})",
        en="{signal} {below} in {share_percent} % of {window_s} s (lowest {lowest})",
    ),
    Text(
        zh="{window_s}秒内{share_percent}%的样本{signal}{above}(最高{highest})",
        en="{signal} {above} in {share_percent} % of {window_s} s (highest {highest})",
    ),
    Text(
        zh="{signal}{limit}(最差{worst}),越限{readings_beyond}次",
        en="{signal} {limit} (worst {worst}), readings beyond it: {readings_beyond}",
    ),
    Text(zh="设备{device}没有有效数据", en="no valid data of device {device}"),
)
"""How a sentence begins: the first that can be said."""

TAILS = (
    Text(zh="{valid_samples}个样本", en="{valid_samples} samples"),
    Text(zh="覆盖率{coverage_percent}%", en="coverage {coverage_percent} %"),
    Text(zh="各项得分:{parts}", en="of which {parts}"),
    Text(zh="7项中有{of_seven}项", en="{of_seven} of 7 items known"),
    Text(zh="历时{hours}小时", en="over {hours} h"),
    Text(zh="{data_gap}", en="{data_gap}"),
    Text(zh="最后有效数据{last_good_at}(UTC)", en="last good value {last_good_at} UTC"),
    Text(zh="{why}", en="{why}"),
    Text(zh="{late}", en="{late}"),
    Text(zh="个人基线{baseline}", en="personal baseline {baseline}"),
    Text(zh="{tags}", en="{tags}"),
    Text(zh="限值依据{profile}", en="limits of {profile}"),
)
"""What follows it: each that can be said."""


def explain(rule: str, evidence: Evidence) -> Text:
    """Say why a rule raised; its title alone where the evidence says nothing."""
    said = {key: text for key, say in _SAID.items() if (text := say(key, evidence)) is not None}
    head = next((phrase for phrase in HEADS if _fields(phrase) <= said.keys()), None)
    title = RULES.get(rule, Text(zh=rule, en=rule))
    phrases = [head or title, *(phrase for phrase in TAILS if _fields(phrase) <= said.keys())]
    return Text(
        zh=",".join(phrase.zh.format_map({key: text.zh for key, text in said.items()}) for phrase in phrases),
        en=", ".join(phrase.en.format_map({key: text.en for key, text in said.items()}) for phrase in phrases),
    )


def keys_named() -> frozenset[str]:
    """Give every key of evidence that some phrase names."""
    return frozenset().union(*(_fields(phrase) for phrase in (*HEADS, *TAILS)))


def _fields(phrase: Text) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in Formatter().parse(phrase.en) if name)


def _signal(evidence: Evidence) -> Signal | None:
    said = evidence.get("signal")
    return Signal(said) if isinstance(said, str) and said in set(Signal) else None


def _name(_key: str, evidence: Evidence) -> Text | None:
    if evidence.get("signal") == SCORE:
        return Text(zh="NEWS2", en="NEWS2")
    signal = _signal(evidence)
    return SIGNAL_WORDS[signal] if signal else None


def _number(key: str, evidence: Evidence) -> Text | None:
    value = evidence.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or value == 0:
        return None
    return Text(zh=f"{value:g}", en=f"{value:g}")


def _measured(key: str, evidence: Evidence) -> Text | None:
    number, signal = _number(key, evidence), _signal(evidence)
    if evidence.get("signal") == SCORE:
        return number
    return _with_unit(number.en, signal) if number and signal else None


def _with_unit(number: str, signal: Signal) -> Text:
    unit = unit_of(signal)
    return Text(zh=f"{number}{unit}", en=f"{number} {unit}".rstrip())


def _bound(key: str, evidence: Evidence) -> Text | None:
    """Write an exclusive limit as people do; on which side it lies is said by the key, or by the worst value."""
    limit, worst, signal = evidence.get(key), evidence.get("worst"), _signal(evidence)
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        return None
    if evidence.get("signal") == SCORE:
        return _joined(SIGN_WORDS[">="], Text(zh=f"{limit:g}", en=f"{limit:g}"))
    if signal is None:
        return None
    low = key == "below" or (key == "limit" and isinstance(worst, int | float) and worst < limit)
    sign, shown = sign_of(signal, scaled(signal, limit), low=low)
    return _joined(SIGN_WORDS[sign], _with_unit(f"{shown:g}", signal))


def _joined(left: Text, right: Text) -> Text:
    return Text(zh=left.zh + right.zh, en=f"{left.en} {right.en}")


def _parts(key: str, evidence: Evidence) -> Text | None:
    value = evidence.get(key)
    if not isinstance(value, dict) or not value:
        return None
    scores = [(ITEM_WORDS.get(item, Text(zh=item, en=item)), points) for item, points in value.items() if points]
    return Text(
        zh="、".join(f"{item.zh}{points}" for item, points in scores),
        en=", ".join(f"{item.en} {points}" for item, points in scores),
    )


def _text(key: str, evidence: Evidence) -> Text | None:
    value = evidence.get(key)
    return Text(zh=value, en=value) if isinstance(value, str) and value else None


def _instant(key: str, evidence: Evidence) -> Text | None:
    value = evidence.get(key)
    if not isinstance(value, str):
        return None
    said = f"{datetime.fromisoformat(value):%m-%d %H:%M}"
    return Text(zh=said, en=said)


def _why(key: str, evidence: Evidence) -> Text | None:
    value = evidence.get(key)
    return WHY.get(value) if isinstance(value, str) else None


def _if_true(text: Text) -> Callable[[str, Evidence], Text | None]:
    return lambda key, evidence: text if evidence.get(key) is True else None


def _tags(key: str, evidence: Evidence) -> Text | None:
    value = evidence.get(key)
    if not isinstance(value, list) or not value:
        return None
    known = [TAGS.get(str(tag), Text(zh=str(tag), en=str(tag))) for tag in value]
    return Text(zh="、".join(tag.zh for tag in known), en=", ".join(tag.en for tag in known))


TAGS = {"nhc_severe_spo2": Text(zh="达到诊疗方案重型指氧标准", en="severe by SpO2 in the national protocol")}

_SAID: Mapping[str, Callable[[str, Evidence], Text | None]] = {
    "signal": _name,
    "below": _bound,
    "above": _bound,
    "limit": _bound,
    "lowest": _measured,
    "highest": _measured,
    "worst": _measured,
    "baseline": _measured,
    "window_s": _number,
    "share_percent": _number,
    "coverage_percent": _number,
    "valid_samples": _number,
    "readings_beyond": _number,
    "of_seven": _number,
    "parts": _parts,
    "hours": _number,
    "device": _text,
    "profile": _text,
    "last_good_at": _instant,
    "why": _why,
    "data_gap": _if_true(Text(zh="其间有一整天没有读数", en="with a whole day without a reading")),
    "late": _if_true(Text(zh="数据迟到", en="the data came late")),
    "tags": _tags,
}

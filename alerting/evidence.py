"""An alarm's evidence, thing by thing, as text in both languages: numbers with units, limits as people write them.

Evidence is what alerting wrote as JSON; what is not there, or of another shape, is not said.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from alerting.evidence_words import ITEM_WORDS, SESSIONS, SIGNAL_WORDS, SIGNS, TAGS, WARNING_SIGNS, WAYS, WHY
from alerting.profile.bounds import sign_of, unit_of
from alerting.words import DUTIES, Text
from vitals.reading import ScaleError, scaled
from vitals.signals import Signal

Evidence = Mapping[str, object]
When = Callable[[datetime], Text]
"""Writes an instant for the reader: his patient's local time, where that is known."""

SCORE = "news2"
"""What evidence of a score has for its signal; its limit is inclusive, as the chart's are."""

DEVICES_MOST = 3
HASH_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """Something that can be said of an alarm, and the keys of evidence that it is read from."""

    keys: tuple[str, ...]
    say: Callable[[Evidence, When], Text | None]


def utc(at: datetime) -> Text:
    """Write an instant where no place is known."""
    said = f"{at.astimezone(UTC):%m-%d %H:%M} UTC"
    return Text(zh=said, en=said)


def things_of(evidence: Evidence, when: When = utc) -> dict[str, Text]:
    """Give all that can be said of some evidence, by name."""
    return {name: text for name, thing in THINGS.items() if (text := thing.say(evidence, when)) is not None}


def _signal_of(evidence: Evidence) -> Signal | None:
    said = evidence.get("signal")
    return Signal(said) if isinstance(said, str) and said in set(Signal) else None


def _number_of(evidence: Evidence, key: str) -> float | None:
    value = evidence.get(key)
    return None if isinstance(value, bool) or not isinstance(value, int | float) else value


def _both(text: str) -> Text:
    return Text(zh=text, en=text)


def _name(evidence: Evidence, _when: When) -> Text | None:
    signal = _signal_of(evidence)
    return _both("NEWS2") if evidence.get("signal") == SCORE else SIGNAL_WORDS[signal] if signal else None


def _number(key: str) -> Thing:
    def say(evidence: Evidence, _when: When) -> Text | None:
        value = _number_of(evidence, key)
        return None if value is None else _both(f"{value:g}")

    return Thing(keys=(key,), say=say)


def _measured(key: str) -> Thing:
    def say(evidence: Evidence, _when: When) -> Text | None:
        value, signal = _number_of(evidence, key), _signal_of(evidence)
        return _with_unit(f"{value:g}", signal) if value is not None and signal else None

    return Thing(keys=(key, "signal"), say=say)


def _with_unit(number: str, signal: Signal) -> Text:
    unit = unit_of(signal)
    return Text(zh=f"{number}{unit}", en=f"{number} {unit}".rstrip())


def _bound(evidence: Evidence, _when: When) -> Text | None:
    """Write an exclusive limit as people do; on which side it lies is said by its key, or by the worst value."""
    key = next((key for key in ("below", "above", "limit") if key in evidence), "limit")
    limit, worst, signal = _number_of(evidence, key), _number_of(evidence, "worst"), _signal_of(evidence)
    if limit is None:
        return None
    if evidence.get("signal") == SCORE:
        return None if evidence.get("single") is True else _both(f"≥ {limit:g}")
    if signal is None:
        return None
    low = key == "below" or (key == "limit" and worst is not None and worst < limit)
    try:
        sign, shown = sign_of(signal, scaled(signal, limit), low=low)
    except ScaleError:
        return None
    said = _with_unit(f"{shown:g}", signal)
    return Text(zh=f"{SIGNS[sign]} {said.zh}", en=f"{SIGNS[sign]} {said.en}")


def _single(evidence: Evidence, _when: When) -> Text | None:
    limit = _number_of(evidence, "limit")
    said = limit is not None and evidence.get("signal") == SCORE and evidence.get("single") is True
    return _both(f"≥ {limit:g}") if said else None


def _score(evidence: Evidence, _when: When) -> Text | None:
    points = _number_of(evidence, "worst")
    if points is None or evidence.get("signal") != SCORE or evidence.get("single") is True:
        return None
    return Text(zh=f"{points:g}分", en=f"{points:g} points")


def _window(evidence: Evidence, _when: When) -> Text | None:
    seconds = _number_of(evidence, "window_s")
    if seconds is None:
        return None
    if seconds >= 120 and seconds % 60 == 0:
        return Text(zh=f"{seconds / 60:g}分钟", en=f"{seconds / 60:g} min")
    return Text(zh=f"{seconds:g}秒", en=f"{seconds:g} s")


def _beyond(evidence: Evidence, _when: When) -> Text | None:
    counts = [_number_of(evidence, key) for key in ("samples_below", "samples_above")]
    return next((_both(f"{count:g}") for count in counts if count is not None), None)


def _readings(evidence: Evidence, _when: When) -> Text | None:
    count = _number_of(evidence, "readings_beyond")
    if count is None:
        return None
    return Text(zh=f"{count:g}次读数", en=f"{count:g} reading" if count == 1 else f"{count:g} readings")


def _hours(evidence: Evidence, _when: When) -> Text | None:
    hours = _number_of(evidence, "hours")
    return Text(zh=f"{hours:g}小时", en=f"{hours:g} h") if hours else None


def _decisive(evidence: Evidence, _when: When) -> Text | None:
    limit = _number_of(evidence, "limit")
    return None if limit is None else _scores(_points_from(evidence, limit))


def _parts(evidence: Evidence, _when: When) -> Text | None:
    parts, decisive = _points_from(evidence, 1), _points_from(evidence, _number_of(evidence, "limit") or 0)
    return None if evidence.get("single") is True and parts == decisive else _scores(parts)


def _points_from(evidence: Evidence, least: float) -> list[tuple[str, int]]:
    """Give the items that scored so many points or more, the worst first."""
    parts = evidence.get("parts")
    points = parts.items() if isinstance(parts, dict) else ()
    known = [(str(item), each) for item, each in points if isinstance(each, int) and each >= least]
    return sorted(known, key=lambda one: -one[1])


def _scores(points: list[tuple[str, int]]) -> Text | None:
    named = [(ITEM_WORDS.get(item, _both(item)), each) for item, each in points]
    if not named:
        return None
    return Text(
        zh="、".join(f"{item.zh}{each}" for item, each in named),
        en=", ".join(f"{item.en} {each}" for item, each in named),
    )


def _instant(key: str) -> Thing:
    def say(evidence: Evidence, when: When) -> Text | None:
        value = evidence.get(key)
        try:
            return when(datetime.fromisoformat(value)) if isinstance(value, str) else None
        except ValueError:
            return None

    return Thing(keys=(key,), say=say)


def _coded(key: str, words: Mapping[Any, Text]) -> Thing:
    def say(evidence: Evidence, _when: When) -> Text | None:
        value = evidence.get(key)
        return words.get(value) if isinstance(value, str) else None

    return Thing(keys=(key,), say=say)


def _if_true(key: str, text: Text) -> Thing:
    return Thing(keys=(key,), say=lambda evidence, _when: text if evidence.get(key) is True else None)


def _tags(evidence: Evidence, _when: When) -> Text | None:
    value = evidence.get("tags")
    known = [TAGS.get(str(tag), _both(str(tag))) for tag in value] if isinstance(value, list) else []
    if not known:
        return None
    return Text(zh="、".join(tag.zh for tag in known), en=", ".join(tag.en for tag in known))


def _warnings(evidence: Evidence, _when: When) -> Text | None:
    value = evidence.get("signs")
    known = [WARNING_SIGNS[sign] for sign in WARNING_SIGNS if isinstance(value, list) and sign in value]
    if not known:
        return None
    return Text(zh="、".join(sign.zh for sign in known), en=", ".join(sign.en for sign in known))


def _devices(evidence: Evidence, _when: When) -> Text | None:
    several, one = evidence.get("devices"), evidence.get("device")
    named = several if isinstance(several, list) and several else [one]
    said = ", ".join(each for each in named[:DEVICES_MOST] if isinstance(each, str))
    return _both(said) if said else None


def _lacking(evidence: Evidence, _when: When) -> Text | None:
    """Name organisations and duties that have nobody, and say of how many more that is so."""
    several, places = evidence.get("lacking"), _number_of(evidence, "places")
    pairs = [str(each).partition(" ")[::2] for each in several] if isinstance(several, list) else []
    if not pairs or places is None:
        return None
    named = [(where, DUTIES.get(duty, _both(duty))) for where, duty in pairs[:DEVICES_MOST]]
    more = f" +{places - len(named):g}" if places > len(named) else ""
    return Text(
        zh="、".join(f"{where} {duty.zh}" for where, duty in named) + more,
        en=", ".join(f"{where} {duty.en}" for where, duty in named) + more,
    )


def _model(evidence: Evidence, _when: When) -> Text | None:
    value = evidence.get("model")
    return _both(value) if isinstance(value, str) and value else None


def _profile(evidence: Evidence, _when: When) -> Text | None:
    name, found = evidence.get("profile"), evidence.get("profile_hash")
    if not isinstance(name, str) or not name:
        return None
    return _both(f"{name} {found[:HASH_SHOWN]}" if isinstance(found, str) else name)


THINGS: Mapping[str, Thing] = {
    "signal": Thing(keys=("signal",), say=_name),
    "limit": Thing(keys=("below", "above", "limit"), say=_bound),
    "single": Thing(keys=("single", "limit"), say=_single),
    "score": Thing(keys=("worst",), say=_score),
    "decisive": Thing(keys=("parts", "limit"), say=_decisive),
    "lowest": _measured("lowest"),
    "highest": _measured("highest"),
    "worst": _measured("worst"),
    "value": _measured("value"),
    "baseline": _measured("baseline"),
    "window": Thing(keys=("window_s",), say=_window),
    "share_percent": _number("share_percent"),
    "coverage_percent": _number("coverage_percent"),
    "beyond": Thing(keys=("samples_below", "samples_above"), say=_beyond),
    "valid_samples": _number("valid_samples"),
    "readings": Thing(keys=("readings_beyond",), say=_readings),
    "of_seven": _number("of_seven"),
    "parts": Thing(keys=("parts",), say=_parts),
    "hours": Thing(keys=("hours",), say=_hours),
    "devices": Thing(keys=("devices", "device"), say=_devices),
    "covers_now": _number("covers_now"),
    "members_now": _number("members_now"),
    "model": Thing(keys=("model",), say=_model),
    "profile": Thing(keys=("profile", "profile_hash"), say=_profile),
    "last_good_at": _instant("last_good_at"),
    "last_heard_at": _instant("last_heard_at"),
    "due_at": _instant("due_at"),
    "begins_at": _instant("begins_at"),
    "duty": _coded("duty", DUTIES),
    "lacking": Thing(keys=("lacking", "places"), say=_lacking),
    "oldest_at": _instant("oldest_at"),
    "why": _coded("why", WHY),
    "session": _coded("session", SESSIONS),
    "data_gap": _if_true("data_gap", Text(zh="其间有一整天没有读数", en="with a whole day without a reading")),
    "late": _if_true("late", Text(zh="数据迟到", en="received late")),
    "past": _if_true("past", Text(zh="收到时已结束", en="over before it was known")),
    "tags": Thing(keys=("tags",), say=_tags),
    "signs": Thing(keys=("signs",), say=_warnings),
    "way": _coded("way", WAYS),
}

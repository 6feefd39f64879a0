"""Notes what somebody at home is to be asked to do, and asks it where it is not too late."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from alerting.desk import Desk, instant, json, unix_ms
from alerting.evidence_words import SIGNAL_WORDS
from alerting.paging import ask_household
from alerting.spot.spells import How, Spell
from alerting.words import ASKED, Text
from alerting.zones import zone_of
from vitals.reading import unscaled
from vitals.signals import SIGNALS, Signal

AGAIN_AFTER = timedelta(hours=1)
"""How soon a worn thermometer may ask again, it streams; and for how long a thermometer's word stands against it."""

HOLD_STILL_AFTER = timedelta(minutes=30)
"""How soon a clip that does not come to rest may ask again: it may be left on all night."""

IN_A_ROW_MAX = 3
IN_A_ROW_WITHIN = timedelta(hours=12)
"""Asked so often within so long without a clip that came to rest, a household is not asked again."""

GOOD_FOR = timedelta(hours=1)
"""How long after an instant it makes sense to ask about it, where no rule says until when a repeat counts."""

KEPT = timedelta(days=90)
"""How long is kept what was asked: as long as the samples it came from."""

_SESSIONS_OF_THEIR_OWN = frozenset({How.UNSTABLE, How.REMAINDER, How.OPEN})


class Reason(StrEnum):
    """Why somebody is asked."""

    REPEAT = "repeat"  # a first value beyond a limit: measure again
    UNSTABLE = "unstable"  # a clip that did not come to rest: measure again, and hold still
    WORN_FEVER = "worn_fever"  # a wearable says fever: take a thermometer
    FEVER_SIGNS = "fever_signs"  # a fever of days: measure SpO2, breathing and pulse now
    DATA_GAP = "data_gap"  # a fever of which a whole block is not known: measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """A second measurement that a rule waits for, of any of some signals; times in Unix ms."""

    rule: str
    signals: tuple[Signal, ...]
    since_ms: int
    from_ms: int
    due_ms: int
    begun: How = How.SINGLE


def ask_for_repeats(desk: Desk, patient_id: int, awaited: Sequence[Awaited]) -> None:
    """Ask once for each signal, in time for the rule that waits shortest.

    (A clip that did not come to rest asks by its session.)
    """
    new = [
        each for each in awaited if each.begun not in _SESSIONS_OF_THEIR_OWN and _save_awaited(desk, patient_id, each)
    ]
    for signal in dict.fromkeys(signal for each in new for signal in each.signals):
        first = min((each for each in new if signal in each.signals), key=lambda each: (each.due_ms, each.from_ms))
        since, not_before, due_at = instant(first.since_ms), instant(first.from_ms), instant(first.due_ms)
        named = ASKED["repeat_later" if not_before > desk.now else Reason.REPEAT]
        text = _in_words(desk, patient_id, named, not_before=not_before, by=due_at, signal=signal)
        _ask(desk, patient_id, text, key=f"repeat:{signal}", at=since, good_until=due_at)


def ask_to_hold_still(desk: Desk, patient_id: int, at: datetime) -> None:
    """Ask for a measurement in place of one that did not come to rest; not all night where a clip is left on."""
    row = {"patient_id": patient_id, "reason": Reason.UNSTABLE, "at": at, "since": at - IN_A_ROW_WITHIN}
    asked = desk.one("asked_in_a_row", **row)
    if asked is not None and asked.times >= IN_A_ROW_MAX:
        return
    if _save(desk, patient_id, Reason.UNSTABLE, rule="", at=at, detail={}, not_within=HOLD_STILL_AFTER):
        _ask_at(desk, patient_id, Reason.UNSTABLE, at)


def ask_about_fever(desk: Desk, patient_id: int, spell: Spell) -> None:
    """Ask for the other signs with a fever of days, and for readings where some of it is not known."""
    at = instant(spell.raised_ms if spell.raised_ms is not None else spell.newest_ms)
    signs = {"measure": [Signal.SPO2, Signal.RESPIRATORY_RATE, Signal.PULSE]}
    if _save(desk, patient_id, Reason.FEVER_SIGNS, rule=spell.rule, at=at, detail=signs):
        _ask_at(desk, patient_id, Reason.FEVER_SIGNS, at)
    gap = {"measure": [Signal.TEMPERATURE]}
    if spell.data_gap and _save(desk, patient_id, Reason.DATA_GAP, rule=spell.rule, at=at, detail=gap):
        _ask_at(desk, patient_id, Reason.DATA_GAP, at)


def ask_for_thermometer(desk: Desk, patient_id: int, value: int, at: datetime) -> None:
    """Ask for a thermometer's reading where a wearable says fever: by itself it raises nothing (CLINICAL 2.4, 3.3)."""
    said = {"worn": unscaled(Signal.TEMPERATURE, value), "unit": SIGNALS[Signal.TEMPERATURE].unit}
    if _save(desk, patient_id, Reason.WORN_FEVER, rule="", at=at, detail=said, not_within=AGAIN_AFTER):
        _ask_at(desk, patient_id, Reason.WORN_FEVER, at)


def _save_awaited(desk: Desk, patient_id: int, awaited: Awaited) -> bool:
    detail = {"due_at": instant(awaited.due_ms).isoformat(), "measure": list(awaited.signals)}
    return _save(desk, patient_id, Reason.REPEAT, rule=awaited.rule, at=instant(awaited.since_ms), detail=detail)


def _save(
    desk: Desk,
    patient_id: int,
    reason: Reason,
    *,
    rule: str,
    at: datetime,
    detail: Mapping[str, object],
    not_within: timedelta = timedelta(0),
) -> bool:
    """Note it; says whether it is new."""
    new = desk.run(
        "save_prompt",
        patient_id=patient_id,
        reason=reason,
        rule=rule,
        at=at,
        now=desk.now,
        detail=json(detail),
        not_within=not_within,
    )
    if new:
        desk.run("forget_prompts", patient_id=patient_id, before=desk.now - KEPT)
    return bool(new)


def _ask_at(desk: Desk, patient_id: int, reason: Reason, at: datetime) -> None:
    text = _in_words(desk, patient_id, ASKED[reason])
    _ask(desk, patient_id, text, key=reason, at=at, good_until=at + GOOD_FOR)


def _ask(desk: Desk, patient_id: int, text: Text, *, key: str, at: datetime, good_until: datetime) -> None:
    """Ask, if there is still time: a thermometer's memory may tell of yesterday."""
    if good_until > desk.now:
        ask_household(desk, patient_id, text, key=f"asked:{patient_id}:{key}:{unix_ms(at)}", good_until=good_until)


def _in_words(desk: Desk, patient_id: int, named: Text, *, signal: Signal | None = None, **times: datetime) -> Text:
    """Fill a text in: initials, local times, the signal's name."""
    patient = desk.one("patient", patient_id=patient_id)
    zone = zone_of(patient.time_zone if patient else "UTC")
    said = {name: f"{at.astimezone(zone):%H:%M}" for name, at in times.items()}
    signal_words = SIGNAL_WORDS[signal] if signal else Text(zh="", en="")
    who = patient.initials if patient else ""
    return Text(
        zh=named.zh.format(who=who, signal=signal_words.zh, **said),
        en=named.en.format(who=who, signal=signal_words.en, **said),
    )

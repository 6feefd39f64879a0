"""A recording's single measurements, by the cores that judge stored ones: repeats, fever, NEWS2."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alerting.profile.profile import FeverRule, RepeatRule, Trust
from alerting.profile.singles import News2Rule
from alerting.raising import Basis
from alerting.rehearsal.recording import Recording
from alerting.rehearsal.telling import Condition
from alerting.spot.fever import fever_spells
from alerting.spot.news2 import SIGNAL_OF, Item, Known, score
from alerting.spot.repeat import repeat_spells
from alerting.spot.scores import score_spells
from alerting.spot.spells import Measurement, Spell, Why
from vitals.reading import unscaled
from vitals.signals import SIGNALS, Signal

History = Sequence[Measurement]


def judge_limits(
    recording: Recording, repeats: Iterable[RepeatRule], fevers: Iterable[FeverRule]
) -> Iterable[Condition]:
    """Judge limits on single measurements, and fever that lasts; nothing says which came after activity."""
    for repeat in repeats:
        history = _history(recording, repeat.signal)
        yield from _conditions(repeat_spells(history, repeat), repeat, history, recording.end_ms)
    for fever in fevers:
        history = _history(recording, Signal.TEMPERATURE)
        yield from _conditions(fever_spells(history, fever), fever, history, recording.end_ms)


def judge_scores(recording: Recording, rules: Iterable[News2Rule], *, spo2_scale: int) -> Iterable[Condition]:
    """Judge NEWS2 at each measurement, of what was measured until then; consciousness and oxygen are not known."""
    histories = {item: _history(recording, signal) for item, signal in SIGNAL_OF.items()}
    times = sorted({at.t_ms for history in histories.values() for at in history if at.trusted})
    known = {t_ms: _known(histories, t_ms) for t_ms in times}
    for rule in rules:
        scores = {
            t_ms: score(known[t_ms], at_ms=t_ms, within_ms=rule.complete_within_ms, spo2_scale=spo2_scale)
            for t_ms in times
        }
        for each in score_spells(scores, rule):
            spell, worst = each.spell, each.worst
            evidence = {"signal": "news2", "worst": spell.worst, "parts": dict(worst.parts), "of_seven": worst.of_seven}
            raised_ms = spell.since_ms if spell.raised_ms is None else spell.raised_ms
            yield Condition(
                rule=rule.rule,
                basis=Basis.REPEAT,
                since_ms=spell.since_ms,
                raised_ms=raised_ms,
                cleared_ms=spell.cleared_ms,
                value=float(spell.worst),
                evidence=evidence,
            )


def _history(recording: Recording, signal: Signal) -> list[Measurement]:
    series = recording.series.get(signal)
    if series is None:
        return []
    trusted = series.trusted(Trust.GOOD)
    chosen = trusted | series.trusted(Trust.QUESTIONABLE)
    columns = (column[chosen].tolist() for column in (series.t_ms, series.values, trusted))
    return [Measurement(t_ms=t, value=value, trusted=good) for t, value, good in zip(*columns, strict=True)]


def _known(histories: Mapping[Item, History], t_ms: int) -> dict[Item, Known]:
    known = {}
    for item, history in histories.items():
        before = [at for at in history if at.trusted and at.t_ms <= t_ms]
        if before:
            known[item] = Known(value=before[-1].value, at_ms=before[-1].t_ms)
    return known


def _conditions(
    spells: Iterable[Spell], rule: RepeatRule | FeverRule, history: History, end_ms: int
) -> Iterable[Condition]:
    signal = Signal.TEMPERATURE if isinstance(rule, FeverRule) else rule.signal
    values = {at.t_ms: at.value for at in history}
    times = sorted(values)
    for spell in spells:
        raised_ms = spell.due_ms if spell.raised_ms is None else spell.raised_ms
        if raised_ms is None or raised_ms > end_ms:
            continue
        last_ms = times[bisect_right(times, raised_ms) - 1]
        cleared = None if spell.cleared_ms is None else unscaled(signal, values[spell.cleared_ms])
        yield Condition(
            rule=rule.rule,
            basis=Basis.FEVER if isinstance(rule, FeverRule) else Basis.REPEAT,
            since_ms=spell.since_ms,
            raised_ms=raised_ms,
            cleared_ms=spell.cleared_ms,
            value=unscaled(signal, values[last_ms]),
            cleared_value=cleared,
            evidence=_evidence(rule, spell, signal),
        )


def _evidence(rule: RepeatRule | FeverRule, spell: Spell, signal: Signal) -> dict[str, Any]:
    return {
        "signal": signal,
        "unit": SIGNALS[signal].unit,
        "worst": unscaled(signal, spell.worst),
        "limit": unscaled(signal, rule.above if isinstance(rule, FeverRule) else rule.limit),
        "readings_beyond": spell.count,
        "hours": round((spell.newest_ms - spell.since_ms) / 3_600_000, 1),
        "data_gap": spell.data_gap,
        "why": spell.why or Why.NO_REPEAT,
    }

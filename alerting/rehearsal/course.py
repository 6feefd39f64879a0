"""One patient's recording through the rules of a profile, by the cores the service uses: samples in, events out.

Sustained rules are judged by the engine, single measurements and fever by their spells; silence, and a fall that loses
its signal, by event time. Everything is said as if all had come in time and nobody had closed anything.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from alerting.engine import numpy_step
from alerting.engine.layout import Ints
from alerting.engine.partition import Step
from alerting.profile.patient import Held, PatientFacts, held_to
from alerting.profile.profile import FeverRule, Profile, RepeatRule, Trust
from alerting.raising import Basis
from alerting.rehearsal.rates import interval_ms, slowest_ms
from alerting.rehearsal.recording import Mode, Recording, Series
from alerting.rehearsal.silence import gaps_of, silences
from alerting.rehearsal.stream import Stream
from alerting.rehearsal.telling import Condition, Event, events_of
from alerting.spot.spells import Measurement, Spell, fever_spells, repeat_spells
from vitals.reading import unscaled
from vitals.signals import SIGNALS, Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Whose recording it is: what of him decides which limits hold, and how urgent an alarm is."""

    facts: PatientFacts
    risk_colour: str = ""
    service_tier: int = 1

    @property
    def special_groups(self) -> list[str]:
        """Special groups by name."""
        return sorted(self.facts.special_groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """A sustained rule that a stream is too slow for, and whether its repeat form judges it instead (ADR 20)."""

    rule: str
    every_ms: int
    slowest_ms: int
    judged_by_repeat: bool


def rehearse(recording: Recording, profile: Profile, patient: Patient, *, step: Step = numpy_step.step) -> list[Event]:
    """Give what the rules say of a recording, in order of time. Raises LimitRefused, as for a patient of the service."""
    held = held_of(recording, profile, patient)
    clinical = [*_sustained(recording, profile, held, step), *_stored(recording, profile, held)]
    tier3 = patient.service_tier == 3
    watched_from_ms = [recording.begin_ms] if tier3 else [each.raised_ms for each in clinical]
    silent = _silent(recording, profile, min(watched_from_ms, default=None))
    return events_of([*clinical, *silent], held.consequences, patient)


def held_of(recording: Recording, profile: Profile, patient: Patient) -> Held:
    """Say which limits hold for the patient on the recording's first day."""
    return held_to(profile, patient.facts, on=datetime.fromtimestamp(recording.begin_ms / 1000, UTC).date())


def too_slow(recording: Recording, profile: Profile, held: Held) -> list[Blind]:
    """Name the sustained rules that hold and that a recorded stream speaks too seldom for."""
    if recording.mode is not Mode.CONTINUOUS:
        return []
    repeated = {rule.rule for rule in held.repeat if rule.holds}
    found = {}
    for channel, rules in profile.sustained.items():
        series = recording.series.get(channel.signal)
        every_ms = interval_ms(series.t_ms) if series and channel.trust is not Trust.WELLNESS else None
        for rule in rules:
            if every_ms is not None and every_ms > slowest_ms(rule) and rule.rule not in held.off:
                found[rule.rule] = Blind(
                    rule=rule.rule,
                    every_ms=every_ms,
                    slowest_ms=slowest_ms(rule),
                    judged_by_repeat=rule.rule in repeated,
                )
    return list(found.values())


def good_ms(series: Series) -> Ints:
    """Give when there were good values."""
    return series.t_ms[series.trusted(Trust.GOOD)]


def _sustained(recording: Recording, profile: Profile, held: Held, step: Step) -> Iterable[Condition]:
    if recording.mode is not Mode.CONTINUOUS:
        return
    blind = {each.rule for each in too_slow(recording, profile, held)}
    lost_ms = profile.silence.lost_while_low_s * 1000
    for channel, all_rules in profile.sustained.items():
        series = recording.series.get(channel.signal)
        limits = zip(all_rules, held.limits[channel], strict=True)
        rules = {rule: limit for rule, limit in limits if rule.rule not in blind}
        if series is None or not rules:
            continue
        gaps = gaps_of(good_ms(series), lost_ms, begin_ms=recording.begin_ms, end_ms=recording.end_ms)
        chosen = series.trusted(channel.trust)
        stream = Stream(channel, rules, lost_ms=lost_ms, step=step)
        yield from stream.judge(series.t_ms[chosen], series.values[chosen], gaps=gaps, end_ms=recording.end_ms)


def _stored(recording: Recording, profile: Profile, held: Held) -> Iterable[Condition]:
    """Judge single measurements; of a stream too, where no sustained rule of the profile can judge them."""
    streamed = {channel.signal for channel in profile.sustained} if recording.mode is Mode.CONTINUOUS else set()
    blind = {each.rule for each in too_slow(recording, profile, held)}
    for repeat in held.repeat:
        if repeat.holds and (repeat.signal not in streamed or repeat.rule in blind):
            history = _history(recording, repeat.signal)
            yield from _conditions(repeat_spells(history, repeat), repeat, history, recording.end_ms)
    for fever in held.fever:
        history = _history(recording, Signal.TEMPERATURE)
        yield from _conditions(fever_spells(history, fever), fever, history, recording.end_ms)


def _history(recording: Recording, signal: Signal) -> list[Measurement]:
    series = recording.series.get(signal)
    if series is None:
        return []
    chosen = series.trusted(Trust.GOOD)
    pairs = zip(series.t_ms[chosen].tolist(), series.values[chosen].tolist(), strict=True)
    return [Measurement(t_ms=t_ms, value=value) for t_ms, value in pairs]


def _conditions(
    spells: Iterable[Spell], rule: RepeatRule | FeverRule, history: Sequence[Measurement], end_ms: int
) -> Iterable[Condition]:
    signal = Signal.TEMPERATURE if isinstance(rule, FeverRule) else rule.signal
    values = {each.t_ms: each.value for each in history}
    times = list(values)
    for spell in spells:
        raised_ms = spell.due_ms if spell.raised_ms is None else spell.raised_ms
        if raised_ms is None or raised_ms > end_ms:
            continue
        last_ms = times[bisect_right(times, raised_ms) - 1]
        cleared = None if spell.cleared_ms is None else unscaled(signal, values[spell.cleared_ms])
        evidence = {
            "signal": signal,
            "unit": SIGNALS[signal].unit,
            "worst": unscaled(signal, spell.worst),
            "limit": unscaled(signal, rule.above if isinstance(rule, FeverRule) else rule.limit),
            "readings_beyond": spell.count,
            "hours": round((spell.newest_ms - spell.since_ms) / 3_600_000, 1),
            "data_gap": spell.data_gap,
        }
        yield Condition(
            rule=rule.rule,
            basis=Basis.FEVER if isinstance(rule, FeverRule) else Basis.REPEAT,
            since_ms=spell.since_ms,
            raised_ms=raised_ms,
            cleared_ms=spell.cleared_ms,
            value=unscaled(signal, values[last_ms]),
            cleared_value=cleared,
            evidence=evidence if raised_ms in values else evidence | {"why": "no_repeat"},
        )


def _silent(recording: Recording, profile: Profile, watched_from_ms: int | None) -> Iterable[Condition]:
    """Judge the silence of a stream: an oximeter's by its SpO2, else that of every signal (ADR 6)."""
    if recording.mode is not Mode.CONTINUOUS:
        return
    oxygen = recording.series.get(Signal.SPO2)
    watched = [oxygen] if oxygen else list(recording.series.values())
    good = np.unique(np.concatenate([good_ms(series) for series in watched]))
    limits = profile.silence
    gaps = gaps_of(good, limits.low_after_s * 1000, begin_ms=recording.begin_ms, end_ms=recording.end_ms)
    heard = np.unique(np.concatenate([series.t_ms for series in watched]))
    for quiet in silences(gaps, limits, end_ms=recording.end_ms, watched_from_ms=watched_from_ms):
        since_ms = quiet.gap.since_ms
        heard_ms = int(heard[np.searchsorted(heard, quiet.raised_ms, side="right") - 1])
        yield Condition(
            rule=quiet.rule,
            basis=Basis.SILENCE,
            since_ms=since_ms,
            raised_ms=quiet.raised_ms,
            cleared_ms=quiet.gap.until_ms,
            value=None,
            evidence={"why": "unusable" if heard_ms > since_ms else "nothing_received"},
        )

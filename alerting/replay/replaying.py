"""One patient's recording through the rules of a profile, by the cores the service uses: samples in, events out.

Sustained rules are judged by the engine, single measurements as a rehearsal judges stored ones (`singles.py`); silence,
and a fall that loses its signal, by event time. Everything is said as if all had come in time and nobody had closed
anything.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from alerting.course.silence import gaps_of, silences
from alerting.course.singles import Singles
from alerting.course.stream import Stream
from alerting.course.streamed import Streamed
from alerting.course.telling import Condition, Event, events_of
from alerting.course.whose import Patient
from alerting.engine import numpy_step
from alerting.engine.layout import Ints
from alerting.engine.partition import Step, fastest
from alerting.judging.channels import as_judged
from alerting.profile.patient import Held, held_to
from alerting.profile.profile import Profile, Trust
from alerting.raising import Basis
from alerting.replay.rates import interval_ms, slowest_ms
from alerting.replay.recorded import DEVICES, as_stored
from alerting.replay.recording import Mode, Recording, Series
from alerting.spot.arrivals import STREAMED
from vitals.signals import Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """A sustained rule that a stream is too slow for, and whether its repeat form judges it instead (ADR 18)."""

    rule: str
    every_ms: int
    slowest_ms: int
    judged_by_repeat: bool


def rehearse(recording: Recording, profile: Profile, patient: Patient, *, step: Step | None = None) -> list[Event]:
    """Give what the rules say of a recording, in order of time. Raises LimitRefused and TooMany."""
    held = held_of(recording, profile, patient)
    if recording.begin_ms < 0:  # the compiled step counts time from 1970 on
        step = numpy_step.step
    clinical = [*_sustained(recording, profile, held, step or fastest()), *_singly(recording, profile, patient, held)]
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
        yield from _of_clips(recording, profile, held, step)
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
        values = as_judged(channel.trust, series.values[chosen], series.quality[chosen])
        yield from stream.judge(series.t_ms[chosen], values, gaps=gaps, end_ms=recording.end_ms)


def _of_clips(recording: Recording, profile: Profile, held: Held, step: Step) -> Iterable[Condition]:
    """Judge what clips streamed as any stream: a finger that is taken out while low is a fall that loses its signal."""
    streamed = Streamed(profile, begin_ms=recording.begin_ms, step=step)
    samples = as_stored(recording, gap_ms=profile.sessions.gap_ms)
    streamed.judge(samples, held, DEVICES, end_ms=recording.end_ms)
    return streamed.conditions()


def _singly(recording: Recording, profile: Profile, patient: Patient, held: Held) -> Iterable[Condition]:
    """Judge measurements as what is stored is; a stream also by the repeat form of rules that it is too slow for."""
    yield from _by_singles(recording, profile, patient, held)
    blind = {each.rule for each in too_slow(recording, profile, held)}
    if blind:
        slow = replace(held, repeat=tuple(r for r in held.repeat if r.rule in blind), fever=(), news2=())
        streams = {signal: series for signal, series in recording.series.items() if signal in STREAMED}
        yield from _by_singles(replace(recording, series=streams), profile, patient, slow, singly=True)


def _by_singles(
    recording: Recording, profile: Profile, patient: Patient, held: Held, *, singly: bool = False
) -> Iterable[Condition]:
    samples = as_stored(recording, gap_ms=profile.sessions.gap_ms, singly=singly)
    singles = Singles(profile, on_oxygen=patient.facts.on_oxygen)
    singles.take(samples, held, DEVICES, begin_ms=recording.begin_ms, end_ms=recording.end_ms)
    return singles.conditions(until_ms=recording.end_ms)


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
            evidence={
                "why": "unusable" if heard_ms > since_ms else "nothing_received",
                **({"last_good_at": _instant(since_ms)} if since_ms in good else {}),
            },
        )


def _instant(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat()

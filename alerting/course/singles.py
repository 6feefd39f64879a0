"""One patient's single measurements under one profile: repeats, sessions of clips, fever and NEWS2.

Measurements are gathered span by span and judged once, at the end, under what the patient was held to when they were
made; where that changed on the way, each time by itself with the history before it.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from alerting.course.samples import JUDGED, Samples, Shorts, clips_of, flowing_of, single_of
from alerting.course.sessions import Clips
from alerting.course.telling import Condition
from alerting.engine.layout import Ints
from alerting.profile.patient import Held
from alerting.profile.profile import FeverRule, Profile, RepeatRule
from alerting.profile.singles import News2Rule
from alerting.raising import Basis
from alerting.spot.activity import Steps, is_after_activity
from alerting.spot.arrivals import Devices
from alerting.spot.evidence import evidence_of, score_evidence
from alerting.spot.fever import fever_spells
from alerting.spot.news2 import SIGNAL_OF, Item, Known, Score, score
from alerting.spot.repeat import repeat_spells
from alerting.spot.scores import deciding, known_of, marked_elsewhere, score_spells
from alerting.spot.spells import Measurement, Spell, Why
from vitals.reading import unscaled
from vitals.signals import Signal

DAY_MS = 86_400_000
REACH_MS = {Signal.TEMPERATURE: 14 * DAY_MS}
REACH_OF_OTHERS_MS = 2 * DAY_MS
"""How far back the history before a change of limits is judged anew: as the service reads it."""

VALUES_MAX = 200_000
"""Measurements of one signal that are judged together; who has more is not judged, and named."""


class TooMany(ValueError):
    """A signal has more single measurements than can be judged together; the message names it and how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """A time in which a patient was held to the same; the last one has no end yet."""

    begin_ms: int
    held: Held


class Singles:
    """The stored rules' part of a patient's course."""

    def __init__(self, profile: Profile, *, on_oxygen: bool) -> None:
        self._profile = profile
        self._facts = {Item.OXYGEN: 1} if on_oxygen else {}
        self._clips = Clips(profile.sessions)
        self._history: dict[Signal, list[Measurement]] = {signal: [] for signal in JUDGED}
        self._points: dict[Item, list[tuple[int, int]]] = {item: [] for item in SIGNAL_OF}
        self._scores: dict[str, dict[int, Score]] = {rule.rule: {} for rule in profile.news2}
        self._stretches: list[_Stretch] = []
        self._flowing: dict[Item, tuple[Ints, Shorts]] = {}
        self._steps: list[Steps] = []

    def take(self, samples: Samples, held: Held, devices: Devices, *, begin_ms: int, end_ms: int) -> None:
        """Take the samples of a span, in which the patient is held to this. Raises TooMany."""
        if not self._stretches or _judged_by(self._stretches[-1].held) != _judged_by(held):
            self._stretches.append(_Stretch(begin_ms=begin_ms, held=held))
        self._gather({signal: single_of(samples, signal, devices) for signal in JUDGED}, samples, held, devices)
        self._gather(self._clips.take(clips_of(samples, devices), end_ms=end_ms), samples, held, devices)
        self._keep_tail(samples, devices, end_ms)

    def conditions(self, *, until_ms: int) -> list[Condition]:
        """Judge what was gathered, up to an instant; ends the gathering."""
        for signal, rest in self._clips.take({}, end_ms=None).items():
            self._history[signal] += rest
        found: list[Condition] = []
        for number, stretch in enumerate(self._stretches):
            follows = self._stretches[number + 1 : number + 2]
            end_ms = follows[0].begin_ms if follows else until_ms + 1
            found = _continued(found, list(self._of(stretch, end_ms)), begin_ms=stretch.begin_ms, first=number == 0)
        return [*found, *self._of_scores(until_ms)]

    def _gather(
        self, found: Mapping[Signal, Sequence[Measurement]], samples: Samples, held: Held, devices: Devices
    ) -> None:
        exerts = any(rule.after_activity and rule.holds for rule in held.repeat)
        steps = [*self._steps, *_steps_of(samples)] if exerts else []
        for signal, measured in found.items():
            marked = measured
            if steps and any(rule.signal is signal and rule.after_activity for rule in held.repeat):
                marked = [
                    replace(m, exerted=is_after_activity(m.t_ms, steps, self._profile.activity)) for m in measured
                ]
            self._history[signal] += marked
            if len(self._history[signal]) > VALUES_MAX:
                raise TooMany(f"{signal}: more than {VALUES_MAX} single measurements")
        for item, signal in SIGNAL_OF.items():
            self._points[item] += sorted((m.t_ms, m.value) for m in found.get(signal, ()) if m.trusted)
        times = sorted({m.t_ms for signal in SIGNAL_OF.values() for m in found.get(signal, ()) if m.trusted})
        if times and held.news2:
            flowing = {item: self._flow(item, signal, samples, devices) for item, signal in SIGNAL_OF.items()}
            for rule in held.news2:
                self._scores[rule.rule] |= {t_ms: self._score(t_ms, rule, flowing, held) for t_ms in times}

    def _score(self, t_ms: int, rule: News2Rule, flowing: Mapping[Item, tuple[Ints, Shorts]], held: Held) -> Score:
        known = {item: Known(value=value, at_ms=t_ms) for item, value in self._facts.items()}
        for item, (times, values) in flowing.items():
            begin, end = np.searchsorted(times, [t_ms - rule.stream_ms, t_ms], side="right").tolist()
            stream = list(zip(times[begin:end].tolist(), values[begin:end].tolist(), strict=True))
            points = self._points[item]
            newest = bisect_right(points, (t_ms, 2**31))
            found = known_of(points[max(newest - 1, 0) : newest], stream, at_ms=t_ms, rule=rule)
            if found is not None:
                known[item] = found
        marked = marked_elsewhere(known, deciding(self._profile.repeat, held.repeat))
        return score(marked, at_ms=t_ms, within_ms=rule.complete_within_ms, spo2_scale=held.spo2_scale)

    def _flow(self, item: Item, signal: Signal, samples: Samples, devices: Devices) -> tuple[Ints, Shorts]:
        times, values = flowing_of(samples, signal, devices)
        if item not in self._flowing:
            return times, values
        before = self._flowing[item]
        return np.concatenate([before[0], times]), np.concatenate([before[1], values])

    def _keep_tail(self, samples: Samples, devices: Devices, end_ms: int) -> None:
        reach_ms = max((rule.stream_ms for rule in self._profile.news2), default=0)
        for item, signal in SIGNAL_OF.items():
            times, values = self._flow(item, signal, samples, devices)
            recent = times > end_ms - reach_ms
            self._flowing[item] = times[recent], values[recent]
        activity = self._profile.activity
        from_ms = end_ms - activity.span_ms - activity.within_ms
        self._steps = [each for each in [*self._steps, *_steps_of(samples)] if each.t_ms > from_ms]

    def _of(self, stretch: _Stretch, end_ms: int) -> Iterable[Condition]:
        held = stretch.held
        for rule in held.repeat:
            if rule.holds:
                history = self._recent(rule.signal, stretch, end_ms)
                yield from self._conditions(repeat_spells(history, rule), rule, held, history, end_ms)
        for fever in held.fever:
            history = self._recent(Signal.TEMPERATURE, stretch, end_ms)
            yield from self._conditions(fever_spells(history, fever), fever, held, history, end_ms)

    def _conditions(
        self, spells: Iterable[Spell], rule: RepeatRule | FeverRule, held: Held, history: list[Measurement], end_ms: int
    ) -> Iterable[Condition]:
        signal = Signal.TEMPERATURE if isinstance(rule, FeverRule) else rule.signal
        values = {at.t_ms: at.value for at in history}
        times = sorted(values)
        for spell in spells:
            at_ms = _raised_ms(spell)
            if at_ms < end_ms:
                cleared = None if spell.cleared_ms is None else values.get(spell.cleared_ms)
                yield Condition(
                    rule=rule.rule,
                    basis=Basis.FEVER if isinstance(rule, FeverRule) else Basis.REPEAT,
                    since_ms=spell.since_ms,
                    raised_ms=at_ms,
                    cleared_ms=spell.cleared_ms,
                    value=unscaled(signal, values[times[bisect_right(times, at_ms) - 1]]),
                    cleared_value=None if cleared is None else unscaled(signal, cleared),
                    evidence=evidence_of(self._profile, held, rule, spell) | _missed(spell),
                )

    def _recent(self, signal: Signal, stretch: _Stretch, end_ms: int) -> list[Measurement]:
        from_ms = stretch.begin_ms - REACH_MS.get(signal, REACH_OF_OTHERS_MS)
        return [each for each in self._history[signal] if from_ms <= each.t_ms < end_ms]

    def _of_scores(self, until_ms: int) -> Iterable[Condition]:
        for rule in self._profile.news2:
            for each in score_spells(self._scores[rule.rule], rule):
                if _raised_ms(each.spell) <= until_ms:
                    yield Condition(
                        rule=rule.rule,
                        basis=Basis.REPEAT,
                        since_ms=each.spell.since_ms,
                        raised_ms=_raised_ms(each.spell),
                        cleared_ms=each.spell.cleared_ms,
                        value=float(each.spell.worst),
                        evidence=score_evidence(each, rule) | _missed(each.spell),
                    )


def _missed(spell: Spell) -> dict[str, Any]:
    """Say that no repeat came, of a spell that nothing else raised."""
    return {"why": Why.NO_REPEAT} if spell.raised_ms is None and not spell.why else {}


def _continued(before: list[Condition], now: list[Condition], *, begin_ms: int, first: bool) -> list[Condition]:
    """Join a stretch's conditions to those before: what was raised then goes on, and ends where it ends now."""
    ends = {(each.rule, each.basis): each.cleared_ms for each in now if each.raised_ms < begin_ms}
    joined = [
        replace(each, cleared_ms=ends.get((each.rule, each.basis), begin_ms)) if each.cleared_ms is None else each
        for each in before
    ]
    return [*joined, *(each for each in now if first or each.raised_ms >= begin_ms)]


def _raised_ms(spell: Spell) -> int:
    """Give when a spell is said: what waits is, when its repeat has not come in time."""
    at_ms = spell.due_ms if spell.raised_ms is None else spell.raised_ms
    assert at_ms is not None, "a spell was raised or waits"
    return at_ms


def _judged_by(held: Held) -> object:
    return (held.repeat, held.fever)


def _steps_of(samples: Samples) -> list[Steps]:
    chosen = samples.values[Signal.STEPS] > 0
    columns = (samples.t_ms[chosen].tolist(), samples.values[Signal.STEPS][chosen].tolist())
    return [Steps(t_ms=t_ms, count=count) for t_ms, count in zip(*columns, strict=True)]

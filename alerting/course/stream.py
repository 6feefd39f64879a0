"""A channel's samples through the engine, and what the sweep makes of a fall that loses its signal."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from alerting.course.silence import Gap, first_silence
from alerting.course.telling import Condition
from alerting.engine.layout import Ints
from alerting.engine.partition import Partition, PatientEvent, Step
from alerting.profile.profile import Channel
from alerting.raising import Basis
from vitals.reading import unscaled
from vitals.sustained import Kind, Limit, Phase, SustainedRule

_PATIENT = 0
_NEVER_MS = 2**62


class Stream:
    """One channel of one patient, held to his limits, judged from its beginning on."""

    def __init__(self, channel: Channel, rules: Mapping[SustainedRule, Limit], *, lost_ms: int, step: Step) -> None:
        self._channel, self._rules, self._lost_ms = channel, tuple(rules), lost_ms
        self._state = Partition({channel: tuple(rules)}, _PATIENT, step)
        self._state.tables[channel].set_limits(_PATIENT, tuple(rules.values()))
        self._waiting: dict[str, PatientEvent] = {}
        self._holding: dict[str, Condition] = {}
        self._over: list[Condition] = []

    def hold(self, limits: Sequence[Limit]) -> None:
        """Hold the patient to these limits, in the order of the rules, from his next sample on."""
        self._state.tables[self._channel].set_limits(_PATIENT, tuple(limits))

    def judge(self, t_ms: Ints, values: Ints, *, gaps: Sequence[Gap], end_ms: int) -> list[Condition]:
        """Judge samples (shape (n,) each, in order of time); `gaps` are when good values were away, up to `end_ms`.

        What comes later may be judged by another call. Gives all conditions there were so far. One that was building up
        when good values stayed away is raised by that silence, and then holds in the engine too, as it does in the
        service (ADR 8).
        """
        begin = 0
        while begin < len(t_ms) or self._due_ms(gaps) <= end_ms:
            piece_ms = self._piece_ms(int(t_ms[begin]), gaps) if begin < len(t_ms) else _NEVER_MS
            until_ms = min(self._due_ms(gaps), piece_ms)
            end = int(np.searchsorted(t_ms, until_ms))
            self._step(t_ms[:end], values[:end], begin)
            begin = end
            if self._due_ms(gaps) <= until_ms < _NEVER_MS:
                self._lose(until_ms, gaps)
        return [*self._over, *self._holding.values()]

    def _piece_ms(self, from_ms: int, gaps: Sequence[Gap]) -> int:
        """Give how far samples may be judged at once: what begins to build up on the way is due after it.

        Up to the next gap nothing is lost, and within one no piece is longer than the wait.
        """
        ahead = next((gap for gap in gaps if gap.holds_at(from_ms)), None)
        if ahead is None:
            return _NEVER_MS
        return max(ahead.since_ms, from_ms) + self._lost_ms

    def _due_ms(self, gaps: Sequence[Gap]) -> int:
        """Give the first instant at which something that builds up is raised by silence."""
        return min((self._lost_at_ms(said, gaps) for said in self._waiting.values()), default=_NEVER_MS)

    def _lost_at_ms(self, said: PatientEvent, gaps: Sequence[Gap]) -> int:
        at_ms = first_silence(gaps, self._lost_ms, not_before_ms=said.event.at_ms + self._lost_ms)
        return _NEVER_MS if at_ms is None else at_ms

    def _step(self, t_ms: Ints, values: Ints, begin: int) -> None:
        patients = np.full(len(t_ms) - begin, _PATIENT, np.int32)
        events, _ = self._state.judge(self._channel, patients, t_ms[begin:], values[begin:])
        for said in events:
            rule, event = said.event.rule, said.event
            self._waiting.pop(rule, None)
            if event.kind is Kind.PENDING:
                self._waiting[rule] = said
            elif event.kind is Kind.RAISE:
                self._holding[rule] = _condition(said, t_ms, values)
            elif event.kind is Kind.CLEAR:
                value = unscaled(self._channel.signal, event.value)
                held = self._holding.pop(rule)
                self._over.append(replace(held, cleared_ms=event.at_ms, cleared_value=value))

    def _lose(self, at_ms: int, gaps: Sequence[Gap]) -> None:
        for rule, said in list(self._waiting.items()):
            if self._lost_at_ms(said, gaps) > at_ms:
                continue
            del self._waiting[rule]
            found = _condition(said, np.empty(0, np.int64), np.empty(0, np.int64))
            why = {**found.evidence, "why": "lost_while_low"}
            self._holding[rule] = replace(found, raised_ms=at_ms, evidence=why)
        phases = self._state.phases(self._channel, _PATIENT)
        standing = {(self._channel, _PATIENT, place): phase for place, phase in enumerate(phases)}
        for place, rule_ in enumerate(self._rules):
            if rule_.rule in self._holding:
                standing[self._channel, _PATIENT, place] = Phase.ACTIVE
        self._state.set_phases(standing)


def _condition(said: PatientEvent, t_ms: Ints, values: Ints) -> Condition:
    event, rule, signal = said.event, said.rule, said.channel.signal
    window = values[np.searchsorted(t_ms, event.since_ms) : np.searchsorted(t_ms, event.at_ms, side="right")]
    worst = int((window.min() if rule.low else window.max()) if len(window) else event.value)
    evidence = said.evidence(worst) | {"trust": said.channel.trust}
    return Condition(
        rule=event.rule,
        basis=Basis.SUSTAINED,
        since_ms=event.since_ms,
        raised_ms=event.at_ms,
        cleared_ms=None,
        value=unscaled(signal, event.value),
        evidence=evidence,
    )

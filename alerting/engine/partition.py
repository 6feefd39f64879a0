"""The engine of one partition: a table for each channel, and whose row is where (row = patient_id // 32)."""

import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from alerting.engine import numpy_step
from alerting.engine.layout import TIME_SHIFT, Events, Flags, Ints
from alerting.engine.table import LAYOUT, Table
from alerting.profile.profile import Channel
from ingest.feed import PARTITION_COUNT
from vitals.reading import unscaled
from vitals.signals import SIGNALS
from vitals.sustained import NEVER_MS, Kind, Limit, Phase, SustainedEvent, SustainedRule

Rules = Mapping[Channel, Sequence[SustainedRule]]
Step = Callable[[Table, Ints, Ints, Ints], tuple[Events, Flags]]
"""(table, rows, Unix ms, scaled values; in order of time for each row) -> (events, which came late)."""


@cache
def fastest() -> Step:
    """Give the compiled step where the extra `fast` is installed, else NumPy's; both say the same.

    Takes seconds the first time, as it compiles: to be asked for before anybody waits.
    """
    try:
        from alerting.engine.numba_step import step
    except ImportError:
        return numpy_step.step
    step(Table((), 1), np.zeros(1, np.int32), np.zeros(1, np.int64), np.zeros(1, np.int16))
    return step


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAs:
    """Under which name and hash a patient has limits of his own, and the baseline (scaled) that some are made of."""

    name: str
    hash: str
    baseline: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientEvent:
    """What a rule said about whom, and the limit he is held to; `held` is None where that is the profile's own.

    `place` is (channel, patient_id, rule's place in the channel).
    """

    patient_id: int
    channel: Channel
    place: tuple[Channel, int, int]
    rule: SustainedRule
    limit: Limit
    event: SustainedEvent
    held: HeldAs | None = None

    def evidence(self, worst: int) -> dict[str, Any]:
        """Write what decided, `worst` being the worst value of its window (scaled)."""
        event, rule, signal = self.event, self.rule, self.channel.signal
        return {
            "signal": signal,
            "unit": SIGNALS[signal].unit,
            ("lowest" if rule.low else "highest"): unscaled(signal, worst),
            ("below" if rule.low else "above"): unscaled(signal, self.limit.breach),
            "window_s": rule.window_ms // 1000,
            "valid_samples": event.valid,
            "samples_below" if rule.low else "samples_above": event.below,
            "share_percent": round(100 * event.below / max(event.valid, 1)),
            "coverage_percent": round(100 * event.buckets / (rule.window_buckets + 1)),
        }


class Partition:
    """The state of the patients of one partition."""

    def __init__(self, rules: Rules, number: int, step: Step = numpy_step.step) -> None:
        self.number = number
        self.rules = {channel: tuple(of_channel) for channel, of_channel in rules.items()}
        self.tables = {channel: Table(of_channel) for channel, of_channel in self.rules.items()}
        self.held: dict[int, HeldAs] = {}
        self._step = step

    def set_limits(self, patient_id: int, limits: Mapping[str, Limit], held: HeldAs) -> None:
        """Hold a patient to these limits, by rule id, from his next sample on; a rule that is not named to its own."""
        self.held[patient_id] = held
        row = patient_id // PARTITION_COUNT
        for channel, rules in self.rules.items():
            table, wanted = self.tables[channel], tuple(limits.get(rule.rule, rule.limit) for rule in rules)
            has = table.limits_of(row) if row < len(table) else tuple(rule.limit for rule in rules)
            if has != wanted:
                table.set_limits(row, wanted)

    def judge(
        self, channel: Channel, patient_ids: npt.NDArray[np.int32], t_ms: Ints, values: Ints
    ) -> tuple[list[PatientEvent], Flags]:
        """Judge a channel's samples (shape (n,) each, any order) and say which came late, shape (n,).

        Of one patient they are judged in order of time; events come in order of the samples, then of the rules. A
        late sample changes nothing.
        """
        if not len(patient_ids):
            return [], np.zeros(0, np.bool_)
        table = self.tables[channel]
        rows = patient_ids.astype(np.int32) // PARTITION_COUNT
        table.grow(int(rows.max()) + 1)
        # One form of arrays only: for each other one Numba would compile anew.
        t_ms, values = np.ascontiguousarray(t_ms, np.int64), np.ascontiguousarray(values, np.int16)
        if (t_ms[1:] >= t_ms[:-1]).all():
            events, late = self._step(table, rows, t_ms, values)
        else:
            order = np.argsort(t_ms, kind="stable")
            events, behind = self._step(table, rows[order], t_ms[order], values[order])
            late = np.zeros_like(behind)
            late[order] = behind
        return [self._said(channel, event) for event in events], late

    def _said(self, channel: Channel, event: np.void) -> PatientEvent:
        patient_id = int(event["row"]) * PARTITION_COUNT + self.number
        return self.said(channel, patient_id, event_of(self.rules[channel], event))

    def said(self, channel: Channel, patient_id: int, event: SustainedEvent) -> PatientEvent:
        """Say of whom an event speaks, by which rule and against which limit."""
        place = next(i for i, rule in enumerate(self.rules[channel]) if rule.rule == event.rule)
        return PatientEvent(
            patient_id=patient_id,
            channel=channel,
            place=(channel, patient_id, place),
            rule=self.rules[channel][place],
            limit=self.tables[channel].limits_of(patient_id // PARTITION_COUNT)[place],
            event=event,
            held=self.held.get(patient_id),
        )

    def phases(self, channel: Channel, patient_id: int) -> list[Phase]:
        """Say where each rule of a channel stands for one patient."""
        row = patient_id // PARTITION_COUNT
        self.tables[channel].grow(row + 1)
        return self.tables[channel].phases(row)

    def last_ms(self, channel: Channel, patient_ids: npt.NDArray[np.int32]) -> Ints:
        """Give each patient's newest judged sample, Unix ms; NEVER_MS where there is none."""
        word = self.tables[channel].word
        rows = patient_ids // PARTITION_COUNT
        last = np.full(len(rows), NEVER_MS, np.int64)
        known = rows < len(word)
        last[known] = word[rows[known]] >> TIME_SHIFT
        return last

    def activate(self, holding: Iterable[tuple[Channel, int, int]]) -> None:
        """Let these rules, by (channel, patient_id, rule's place), be active beside what stands."""
        standing = {
            (channel, row * PARTITION_COUNT + self.number, place): phase
            for channel, table in self.tables.items()
            for (row, place), phase in table.standing().items()
        }
        self.set_phases(standing | dict.fromkeys(holding, Phase.ACTIVE))

    def set_phases(self, standing: Mapping[tuple[Channel, int, int], Phase]) -> set[tuple[Channel, int]]:
        """Let the rules stand so, by (channel, patient_id, rule's place), and all others of the partition be idle.

        Gives the (channel, patient_id) where a rule was active and now is not: to be judged again.
        """
        dropped = set()
        for channel, table in self.tables.items():
            wanted = {(p // PARTITION_COUNT, rule): phase for (c, p, rule), phase in standing.items() if c == channel}
            table.grow(max((row for row, _ in wanted), default=-1) + 1)
            rows = table.set_phases(wanted)
            dropped |= {(channel, row * PARTITION_COUNT + self.number) for row in rows}
        return dropped

    def again(self, channel: Channel, patient_id: int) -> "Again":
        """Begin to judge a patient's channel anew, under the limits he is held to."""
        table, row = self.tables[channel], patient_id // PARTITION_COUNT
        table.grow(row + 1)
        fresh = Table(self.rules[channel], 1)
        fresh.set_limits(0, table.limits_of(row))
        return Again(fresh, self._step)

    def replace(self, channel: Channel, patient_id: int, again: "Again") -> None:
        """Take over what a new judgement came to."""
        self.tables[channel].copy_row(again.table, 0, patient_id // PARTITION_COUNT)

    def dump(self) -> bytes:
        """Write all tables (NumPy's npz, no pickle)."""
        buffer = io.BytesIO()
        held: dict[str, Any] = {_name(c): np.frombuffer(t.dump(), np.uint8) for c, t in self.tables.items()}
        np.savez(buffer, **held)
        return buffer.getvalue()

    def load(self, payload: bytes) -> None:
        """Read what `dump` wrote under the same layout and rules."""
        with np.load(io.BytesIO(payload), allow_pickle=False) as tables:
            for channel, table in self.tables.items():
                table.load(tables[_name(channel)].tobytes())


class Again:
    """One patient's channel, judged anew from its beginning."""

    def __init__(self, table: Table, step: Step) -> None:
        self.table = table
        self._step = step

    def judge(self, t_ms: Ints, values: Ints) -> list[SustainedEvent]:
        """Judge samples in order of time, shape (n,) each."""
        rows, of_int16 = np.zeros(len(t_ms), np.int32), np.ascontiguousarray(values, np.int16)
        events, _ = self._step(self.table, rows, t_ms, of_int16)
        return [event_of(self.table.plan.rules, event) for event in events]

    @property
    def phases(self) -> list[Phase]:
        """Say where each rule stands."""
        return self.table.phases(0)

    def hold(self, rule: str) -> None:
        """Let a rule's condition hold, whatever the samples said: late data never clears."""
        place = next(i for i, each in enumerate(self.table.plan.rules) if each.rule == rule)
        stands = {(0, i): phase for i, phase in enumerate(self.phases) if phase is not Phase.IDLE}
        self.table.set_phases(stands | {(0, place): Phase.ACTIVE})


def event_of(rules: Sequence[SustainedRule], event: np.void) -> SustainedEvent:
    """Give one row of the engine's events as the oracle says it."""
    return SustainedEvent(
        rule=rules[event["rule"]].rule,
        kind=Kind(int(event["kind"])),
        at_ms=int(event["at_ms"]),
        since_ms=int(event["since_ms"]),
        value=int(event["value"]),
        valid=int(event["valid"]),
        below=int(event["below"]),
        buckets=int(event["buckets"]),
    )


def rules_hash(rules: Rules) -> str:
    """Name a set of rules and how their state lies; a snapshot taken under another one is not used."""
    said = sorted((channel, tuple(of_channel)) for channel, of_channel in rules.items())
    return hashlib.sha256(repr((LAYOUT, said)).encode()).hexdigest()


def _name(channel: Channel) -> str:
    return f"{channel.signal}-{channel.trust}"

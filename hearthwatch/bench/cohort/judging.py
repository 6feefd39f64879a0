"""A night of a whole cohort through the engine, all patients together, and the sweep's part where it has one."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import numpy as np

from alerting.course.silence import first_silence, gaps_of, silences
from alerting.course.telling import Kind as Said
from alerting.course.whose import Patient
from alerting.engine.layout import Flags, Ints
from alerting.engine.partition import Step, event_of
from alerting.engine.table import Table
from alerting.judging.channels import as_judged
from alerting.profile.patient import Held, PatientFacts, held_to
from alerting.profile.profile import Channel, Consequence, Profile, Trust
from alerting.replay.recording import Mode, Recording, Series
from alerting.replay.replaying import rehearse
from hearthwatch.bench.cohort.physiology import Night
from vitals.quality import Quality
from vitals.reading import NO_VALUE
from vitals.signals import Signal
from vitals.sustained import Kind, SustainedEvent, SustainedRule

BEGIN_MS = int(datetime(2026, 3, 1, 22, tzinfo=UTC).timestamp() * 1000)
CHUNK_S = 120
"""Seconds of everybody that are judged together: bounds the memory beside the night's own."""

ADULT = Patient(facts=PatientFacts(born_on=date(1950, 1, 1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """One raise, in seconds of the night; `cleared_s` None: it held to the end."""

    row: int
    by: SustainedRule
    """The rule, with the limit that the patient is held to."""
    trust: Trust
    consequence: Consequence
    since_s: float
    at_s: float
    cleared_s: float | None
    is_lost: bool = False
    """Silence raised it: what built up lost its signal."""

    @property
    def rule(self) -> str:
        """Give the rule's id."""
        return self.by.rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was said in a night: of SpO2, and how often silence was (low, medium)."""

    quality: Ints
    """As it was believed."""
    raises: list[Raised]
    silences: dict[str, int]
    played_again: int
    """Patients of whom a building fall lost its signal: their night was played one by one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Watch:
    """A night as it is judged: with the quality that is believed, by what everybody is held to."""

    night: Night
    quality: Ints
    profile: Profile
    held: Held
    rules: Mapping[str, SustainedRule]


def judge(night: Night, profile: Profile, step: Step, *, gated: bool) -> Judged:
    """Judge a night by the SpO2 rules of a profile; `gated` False: every value is believed to be good."""
    held = held_to(profile, ADULT.facts, on=datetime.fromtimestamp(BEGIN_MS / 1000, UTC).date())
    quality = night.quality if gated else np.where(night.values == NO_VALUE, night.quality, 0).astype(np.uint8)
    watch = _Watch(night=night, quality=quality, profile=profile, held=held, rules=rules_for(profile, held))
    told: dict[int, list[Raised]] = defaultdict(list)
    waiting: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for channel, rules in profile.sustained.items():
        if channel.signal is Signal.SPO2 and channel.trust is not Trust.WELLNESS:
            events = _events(watch, channel, Table(rules, len(night.values)), step)
            for row, of_row in _by_row(events).items():
                told[row] += _raises(watch, row, channel.trust, of_row)
                waiting[row] += _waits(of_row)
    again = 0
    silent: dict[str, int] = defaultdict(int)
    for row in range(len(night.values)):
        good_ms = _times_ms(np.flatnonzero((quality[row] == Quality.GOOD) & (night.values[row] != NO_VALUE)))
        if _is_lost(good_ms, waiting[row], profile, _end_ms(night)):
            told[row] = list(_alone(watch, row))
            again += 1
        for rule in _silences(good_ms, told[row], profile, _end_ms(night)):
            silent[rule] += 1
    return Judged(
        quality=quality,
        raises=[each for row in sorted(told) for each in told[row]],
        silences=dict(silent),
        played_again=again,
    )


def rules_for(profile: Profile, held: Held) -> dict[str, SustainedRule]:
    """Give the sustained rules by id, each with the limit that somebody is held to."""
    return {
        rule.rule: replace(rule, limit=limit)
        for channel, rules in profile.sustained.items()
        for rule, limit in zip(rules, held.limits[channel], strict=True)
    }


def counted(trust: Trust, values: Ints, quality: Ints) -> Flags:
    """Say which samples the rules of such a channel look at; shape as given.

    INVALID is what a probe says that knows it is off: nobody's value (NOBODYS of alerting/judging/channels.py).
    """
    believed = quality == Quality.GOOD if trust is Trust.GOOD else quality != Quality.INVALID
    chosen: Flags = believed & (values != NO_VALUE)
    return chosen


def _events(watch: _Watch, channel: Channel, table: Table, step: Step) -> Iterator[tuple[int, SustainedEvent]]:
    """Judge a channel's samples a chunk of seconds at a time: of each second everybody."""
    for row in range(len(table)):
        table.set_limits(row, watch.held.limits[channel])
    for begin in range(0, watch.night.values.shape[1], CHUNK_S):
        values, quality = (each[:, begin : begin + CHUNK_S].T for each in (watch.night.values, watch.quality))
        chosen = counted(channel.trust, values, quality)
        seconds, rows = np.nonzero(chosen)
        taken = as_judged(channel.trust, values[chosen], quality[chosen])
        events, _ = step(table, rows.astype(np.int32), _times_ms(begin + seconds), taken)
        yield from ((int(event["row"]), event_of(table.plan.rules, event)) for event in events)


def _by_row(events: Iterator[tuple[int, SustainedEvent]]) -> dict[int, list[SustainedEvent]]:
    found: dict[int, list[SustainedEvent]] = defaultdict(list)
    for row, event in events:
        found[row].append(event)
    return found


def _raises(watch: _Watch, row: int, trust: Trust, events: list[SustainedEvent]) -> Iterator[Raised]:
    for number, event in enumerate(events):
        if event.kind is Kind.RAISE:
            later = (e.at_ms for e in events[number:] if e.rule == event.rule and e.kind is Kind.CLEAR)
            cleared_ms = next(later, None)
            yield Raised(
                row=row,
                by=watch.rules[event.rule],
                trust=trust,
                consequence=watch.held.consequences[event.rule],
                since_s=_seconds(event.since_ms),
                at_s=_seconds(event.at_ms),
                cleared_s=None if cleared_ms is None else _seconds(cleared_ms),
            )


def _waits(events: list[SustainedEvent]) -> Iterator[tuple[int, int]]:
    """Give from when to when each condition built up without being raised or dropped."""
    for number, event in enumerate(events):
        if event.kind is Kind.PENDING:
            decided = (e.at_ms for e in events[number + 1 :] if e.rule == event.rule)
            yield event.at_ms, next(decided, 2**62)


def _is_lost(good_ms: Ints, waits: list[tuple[int, int]], profile: Profile, end_ms: int) -> bool:
    """Say whether good values stayed away so long that something that built up is raised by that."""
    lost_ms = profile.silence.lost_while_low_s * 1000
    if not waits:
        return False
    gaps = gaps_of(good_ms, lost_ms, begin_ms=BEGIN_MS, end_ms=end_ms)
    fallen = ((first_silence(gaps, lost_ms, not_before_ms=begun + lost_ms), decided) for begun, decided in waits)
    return any(at_ms is not None and at_ms < min(decided, end_ms + 1) for at_ms, decided in fallen)


def _alone(watch: _Watch, row: int) -> Iterator[Raised]:
    """Play one patient's night by himself, with all the sweep does."""
    values, quality = watch.night.values[row], watch.quality[row]
    said = counted(Trust.QUESTIONABLE, values, quality)
    series = Series(t_ms=_times_ms(np.flatnonzero(said)), values=values[said], quality=quality[said].astype(np.uint8))
    recording = Recording(
        series={Signal.SPO2: series}, mode=Mode.CONTINUOUS, begin_ms=BEGIN_MS, end_ms=_end_ms(watch.night)
    )
    events = [event for event in rehearse(recording, watch.profile, ADULT) if not event.technical]
    for number, event in enumerate(events):
        if event.kind is Said.RAISE:
            later = (e.at_ms for e in events[number:] if e.rule == event.rule and e.kind is Said.CLEAR)
            cleared_ms = next(later, None)
            yield Raised(
                row=row,
                by=watch.rules[event.rule],
                trust=Trust(event.evidence["trust"]),
                consequence=watch.held.consequences[event.rule],
                since_s=_seconds(event.since_ms),
                at_s=_seconds(event.at_ms),
                cleared_s=None if cleared_ms is None else _seconds(cleared_ms),
                is_lost=event.evidence.get("why") == "lost_while_low",
            )


def _silences(good_ms: Ints, raises: list[Raised], profile: Profile, end_ms: int) -> Iterator[str]:
    gaps = gaps_of(good_ms, profile.silence.low_after_s * 1000, begin_ms=BEGIN_MS, end_ms=end_ms)
    watched = min((BEGIN_MS + round(each.at_s * 1000) for each in raises), default=None)
    yield from (quiet.rule for quiet in silences(gaps, profile.silence, end_ms=end_ms, watched_from_ms=watched))


def _times_ms(seconds: Ints) -> Ints:
    times: Ints = BEGIN_MS + 1000 * seconds.astype(np.int64)
    return times


def _end_ms(night: Night) -> int:
    return BEGIN_MS + 1000 * int(night.values.shape[1])


def _seconds(unix_ms: int) -> float:
    return (unix_ms - BEGIN_MS) / 1000

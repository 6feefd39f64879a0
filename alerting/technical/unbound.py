"""A critical SpO2 on a device that nobody wears: judged from what lies in `rejected`, as nobody else judges it.

The limits are those of the emergency rules on SpO2: a stream by the sustained rule itself (its plain-Python oracle), a
single measurement at once, since nobody can be asked for a second one.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from alerting.profile.profile import Channel, Profile, RepeatRule
from alerting.profile.technical import RULES, Family
from alerting.technical.finding import Finding, Standing, of_device
from ingest.judging.refusals import REFUSED_DTYPE
from vitals.quality import Quality
from vitals.reading import NO_VALUE, Acquisition, unscaled
from vitals.signals import SIGNALS, Signal
from vitals.sustained import Kind, SustainedRule, SustainedState, step

_SPO2 = SIGNALS[Signal.SPO2].code


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Readings of one device in one row of `rejected`: who heard it, whose that is, and the rows as they lie there."""

    device: str
    gateway_id: str
    organisation_id: int
    payload: bytes


@dataclass(frozen=True, slots=True, order=True)
class _Sample:
    measured_ms: int
    value: int
    acquisition: int


def span_of(profile: Profile) -> timedelta:
    """Say how far back readings are needed: a sustained rule wants its window full before it speaks."""
    within = timedelta(seconds=profile.technical.unbound_low.within_s)
    return within + timedelta(milliseconds=max((rule.window_ms for rule in _sustained(profile)), default=0))


def judge(refused: Iterable[Refused], profile: Profile, *, now: datetime) -> Iterator[Finding]:
    """Judge each device; one that is not low now is not known to be well."""
    devices: dict[str, list[Refused]] = {}
    for each in refused:
        devices.setdefault(each.device, []).append(each)
    for device, rows in sorted(devices.items()):
        newest = rows[0]
        samples = sorted({sample for row in rows for sample in _samples(row.payload)})
        low = _lowest(samples, profile, now=now)
        yield Finding(
            subject=of_device(device, newest.organisation_id, newest.gateway_id),
            family=Family.UNBOUND_LOW,
            standing=Standing.UNKNOWN if low is None else Standing.FAULT,
            rule=RULES[Family.UNBOUND_LOW],
            since=None if low is None else low[0],
            evidence={} if low is None else _evidence(device, rows, low[1]),
        )


def _evidence(device: str, rows: list[Refused], lowest: int) -> Mapping[str, object]:
    return {
        "why": "bound_to_nobody",
        "device": device,
        "gateways": sorted({row.gateway_id for row in rows}),
        "signal": Signal.SPO2.value,
        "unit": SIGNALS[Signal.SPO2].unit,
        "lowest": unscaled(Signal.SPO2, lowest),
    }


def _lowest(samples: list[_Sample], profile: Profile, *, now: datetime) -> tuple[datetime, int] | None:
    """Say since when it has been critically low and how low, if it was so within the profile's time."""
    after_ms = (now - timedelta(seconds=profile.technical.unbound_low.within_s)).timestamp() * 1000
    found = [*_single(samples, profile), *_streamed(samples, profile)]
    recent = [(since_ms, value) for since_ms, at_ms, value in found if at_ms >= after_ms]
    if not recent:
        return None
    since = datetime.fromtimestamp(min(since_ms for since_ms, _ in recent) / 1000, UTC)
    return since, min(value for _, value in recent)


def _single(samples: list[_Sample], profile: Profile) -> Iterator[tuple[int, int, int]]:
    rules = [rule for rule in profile.repeat if _is_critical(rule, profile)]
    for sample in samples:
        if sample.acquisition == Acquisition.SPOT and any(rule.is_breach(sample.value) for rule in rules):
            yield sample.measured_ms, sample.measured_ms, sample.value


def _streamed(samples: list[_Sample], profile: Profile) -> Iterator[tuple[int, int, int]]:
    state = SustainedState(_sustained(profile))
    raised: int | None = None
    for sample in samples:
        if sample.acquisition != Acquisition.CONTINUOUS:
            continue
        for event in step(state, sample.measured_ms, sample.value):
            if event.kind is Kind.RAISE:
                raised = event.since_ms
            elif event.kind is Kind.CLEAR:
                raised = None
        if raised is not None and any(
            rule.is_breach(sample.value, limit) for rule, limit in zip(state.rules, state.limits, strict=True)
        ):
            yield raised, sample.measured_ms, sample.value


def _sustained(profile: Profile) -> list[SustainedRule]:
    rules = profile.sustained.get(Channel(signal=Signal.SPO2), ())
    return [rule for rule in rules if rule.low and profile.consequences[rule.rule].emergency]


def _is_critical(rule: RepeatRule, profile: Profile) -> bool:
    return rule.signal is Signal.SPO2 and rule.low and profile.consequences[rule.rule].emergency


def _samples(payload: bytes) -> Iterator[_Sample]:
    """Read the good SpO2 values; a payload that is no whole number of rows holds none."""
    if len(payload) % REFUSED_DTYPE.itemsize:
        return
    rows = np.frombuffer(payload, REFUSED_DTYPE)
    chosen = rows[(rows["signal"] == _SPO2) & (rows["quality"] == Quality.GOOD) & (rows["value"] != NO_VALUE)]
    low, high = SIGNALS[Signal.SPO2].plausible
    scale = SIGNALS[Signal.SPO2].scale
    for row in chosen.tolist():
        _, measured_ms, value, _, _, _, acquisition, _ = row
        if low * scale <= value <= high * scale:
            yield _Sample(measured_ms, value, acquisition)

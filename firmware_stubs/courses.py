"""Courses of illness and of health: seeded, pure functions from seconds to what a sensor sees.

Every builder takes `seed` and options with defaults; negative seconds are the time before power-on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from types import MappingProxyType

from firmware_stubs.physiology import MEASURED_WELL, Course, State
from firmware_stubs.plx import MeasurementStatus, SensorStatus

MINUTES_S = (173.0, 47.0, 11.0)
HOURS_S = (86_400.0, 31_000.0, 9_700.0)
SPIKE_SLOT_S = 40.0
ARTEFACT = MeasurementStatus.ONGOING | MeasurementStatus.QUESTIONABLE
MOVEMENT = SensorStatus.POOR_SIGNAL | SensorStatus.ERRATIC_SIGNAL | SensorStatus.QUESTIONABLE_PULSE


def healthy(
    *,
    seed: int = 1,
    spo2_percent: float = 97.3,
    pulse_per_min: float = 72.0,
    perfusion_percent: float = 3.5,
    temperature_c: float = 36.6,
) -> Course:
    """Build a well person: SpO2 97 or 98 nearly always, pulse and perfusion that breathe, no fever."""
    return _around(
        seed,
        spo2_percent=lambda _: spo2_percent,
        pulse_per_min=pulse_per_min,
        perfusion_percent=perfusion_percent,
        temperature_c=temperature_c,
    )


def slow_fall(
    *,
    seed: int = 1,
    from_percent: float = 97.3,
    to_percent: float = 90.8,
    begins_s: float = 5.0,
    lasts_s: float = 110.0,
) -> Course:
    """Build a fall to about 91 within two minutes that stays there: below 93, above 88."""
    ramp = _ramp(from_percent, to_percent, begins_s, lasts_s)
    return _around(seed, spo2_percent=ramp, pulse_per_min=88.0, perfusion_percent=2.4)


def sudden_fall(
    *,
    seed: int = 1,
    from_percent: float = 97.3,
    to_percent: float = 84.0,
    begins_s: float = 60.0,
    lasts_s: float = 20.0,
) -> Course:
    """Build a fall to 84 within twenty seconds, one minute after the beginning, that stays."""
    ramp = _ramp(from_percent, to_percent, begins_s, lasts_s)
    return _around(seed, spo2_percent=ramp, pulse_per_min=104.0, perfusion_percent=1.6)


def probe_off(
    *,
    seed: int = 1,
    out_at_s: float = 120.0,
    back_at_s: float = math.inf,
    is_zero: bool = False,
    is_unplugged: bool = False,
) -> Course:
    """Build a well person whose finger leaves the clip: NaN (or 0), and DSS bit 11 (or 15, the cable)."""
    well = healthy(seed=seed)
    nothing = 0.0 if is_zero else None
    off = State(
        spo2_percent=nothing,
        pulse_per_min=nothing,
        is_finger_in=False,
        measurement_status=MeasurementStatus.ONGOING | MeasurementStatus.UNAVAILABLE,
        sensor_status=SensorStatus.DISCONNECTED if is_unplugged else SensorStatus.UNCONNECTED_TO_USER,
    )
    return lambda seconds: off if out_at_s <= seconds < back_at_s else well(seconds)


def fever(*, seed: int = 1, temperature_c: float = 39.1, amplitude_c: float = 0.29) -> Course:
    """Build a fever of 38.8 to 39.4 that lasts as far back and as long as one asks."""
    wander = _wander(seed, "temperature", HOURS_S)
    return lambda seconds: State(temperature_c=temperature_c + amplitude_c * wander(seconds))


def normal_temperature(*, seed: int = 1, temperature_c: float = 36.6, amplitude_c: float = 0.4) -> Course:
    """Build a well person's temperature, 36.2 to 37.0 over the day."""
    return fever(seed=seed, temperature_c=temperature_c, amplitude_c=amplitude_c)


def noise(*, seed: int = 1, flagged_share: float = 0.85, spike_max_s: float = 5.0) -> Course:
    """Build a well person who moves: one short low spike in each forty seconds, most of them flagged."""
    well = healthy(seed=seed)

    def course(seconds: float) -> State:
        spike = _spike(seed, seconds // SPIKE_SLOT_S, flagged_share, spike_max_s)
        state = well(seconds)
        if not spike.begins_s <= seconds < spike.ends_s:
            return state
        return replace(
            state,
            spo2_percent=(state.spo2_percent or 0.0) - spike.depth_percent,
            measurement_status=ARTEFACT if spike.is_flagged else MEASURED_WELL,
            sensor_status=MOVEMENT if spike.is_flagged else SensorStatus(0),
        )

    return course


def restless(*, seed: int = 1, step_s: float = 0.00005) -> Course:
    """Build values that are others every step and the same only 40,000 steps later, for devices that speak fast.

    No sample repeats the last, however near to it a busy machine takes it: the same bytes at once are an echo.
    """

    def course(seconds: float) -> State:
        step = int(seed * 7919 + seconds / step_s)
        return State(
            spo2_percent=95.0 + step // 40 % 5,
            pulse_per_min=60.0 + step % 40,
            perfusion_percent=1.0 + step // 200 % 200 / 10,
        )

    return course


def blood_pressure(
    *, seed: int = 1, systolic_mmhg: float = 131.0, diastolic_mmhg: float = 78.0, pulse_per_min: float = 72.0
) -> Course:
    """Build a blood pressure that wanders by some 8 mmHg over the day, and its pulse."""
    systolic, diastolic, pulse = (_wander(seed, channel, HOURS_S) for channel in ("systolic", "diastolic", "pulse"))
    return lambda seconds: State(
        systolic_mmhg=systolic_mmhg + 8.0 * systolic(seconds),
        diastolic_mmhg=diastolic_mmhg + 5.0 * diastolic(seconds),
        pulse_per_min=pulse_per_min + 6.0 * pulse(seconds),
    )


def glucose(*, seed: int = 1, glucose_mmol_l: float = 7.2, amplitude_mmol_l: float = 2.1) -> Course:
    """Build a blood glucose that wanders over the day."""
    wander = _wander(seed, "glucose", HOURS_S)
    return lambda seconds: State(glucose_mmol_l=glucose_mmol_l + amplitude_mmol_l * wander(seconds))


def weight(*, seed: int = 1, weight_kg: float = 71.4, gain_kg_per_day: float = 0.0) -> Course:
    """Build a weight that wanders by 400 g over the day and may rise from day to day."""
    wander = _wander(seed, "weight", HOURS_S)
    return lambda seconds: State(weight_kg=weight_kg + gain_kg_per_day * seconds / 86_400 + 0.4 * wander(seconds))


COURSES: Mapping[str, Callable[..., Course]] = MappingProxyType(
    {
        "healthy": healthy,
        "slow_fall": slow_fall,
        "sudden_fall": sudden_fall,
        "probe_off": probe_off,
        "fever": fever,
        "normal_temperature": normal_temperature,
        "noise": noise,
        "restless": restless,
        "blood_pressure": blood_pressure,
        "glucose": glucose,
        "weight": weight,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spike:
    begins_s: float
    ends_s: float
    depth_percent: float
    is_flagged: bool


def _spike(seed: int, slot: float, flagged_share: float, spike_max_s: float) -> _Spike:
    draw = Random(f"{seed}/spike/{slot:.0f}")
    is_flagged = draw.random() < flagged_share
    lasts_s = draw.uniform(1.0, spike_max_s if is_flagged else min(2.0, spike_max_s))
    begins_s = slot * SPIKE_SLOT_S + draw.uniform(5.0, SPIKE_SLOT_S - 5.0 - lasts_s)
    return _Spike(
        begins_s=begins_s,
        ends_s=begins_s + lasts_s,
        depth_percent=draw.uniform(8.0, 25.0),
        is_flagged=is_flagged,
    )


def _around(
    seed: int,
    *,
    spo2_percent: Callable[[float], float],
    pulse_per_min: float,
    perfusion_percent: float,
    temperature_c: float = 36.6,
) -> Course:
    spo2 = _wander(seed, "spo2", MINUTES_S)
    pulse = _wander(seed, "pulse", MINUTES_S)
    perfusion = _wander(seed, "perfusion", MINUTES_S)
    temperature = _wander(seed, "temperature", HOURS_S)
    return lambda seconds: State(
        spo2_percent=min(100.0, spo2_percent(seconds) + 0.9 * spo2(seconds)),
        pulse_per_min=pulse_per_min + 5.0 * pulse(seconds),
        perfusion_percent=perfusion_percent * (1.0 + 0.2 * perfusion(seconds)),
        temperature_c=temperature_c + 0.3 * temperature(seconds),
    )


def _ramp(start: float, end: float, begins_s: float, lasts_s: float) -> Callable[[float], float]:
    return lambda seconds: start + (end - start) * min(1.0, max(0.0, (seconds - begins_s) / lasts_s))


def _wander(seed: int, channel: str, periods_s: tuple[float, ...]) -> Callable[[float], float]:
    # A sum of slow waves in -1..1 with seeded phases: smooth, endless, and no state to carry along.
    draw = Random(f"{seed}/{channel}")
    waves = [(math.tau / period_s, draw.uniform(0.0, math.tau)) for period_s in periods_s]
    return lambda seconds: sum(math.sin(w * seconds + phase) for w, phase in waves) / len(waves)

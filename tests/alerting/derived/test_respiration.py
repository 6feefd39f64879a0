"""Respiratory rate from beats and from a pulse's waveform: right where it answers, silent on noise."""

from pathlib import Path

import numpy as np
import pytest

from alerting.derived.beats import usable
from alerting.derived.pulses import pulses
from alerting.derived.respiration import QUALITY_MIN, WINDOW_S, Breathing, from_intervals, from_waveform
from alerting.derived.spectrum import EVEN_HZ, Floats, dominant
from tests.alerting.derived.truth import Recording, bidmc, hypoxia, score

CAMERA_HZ = 30.0


def beats(
    rate_per_min: float, *, heart_ms: float = 850, depth_ms: float = 40, noise_ms: float = 5, seed: int = 0
) -> Floats:
    """Draw 70 s of intervals that breathing lengthens and shortens."""
    draw = np.random.default_rng(seed)
    at_s, intervals = 0.0, []
    while at_s < 70:
        moved = depth_ms * np.sin(2 * np.pi * rate_per_min / 60 * at_s)
        intervals.append(heart_ms + moved + draw.normal(0, noise_ms))
        at_s += intervals[-1] / 1000
    return np.array(intervals)


def of_intervals(intervals_ms: Floats) -> Breathing:
    at_s = np.cumsum(intervals_ms) / 1000
    return from_intervals(at_s, intervals_ms, end_s=float(at_s[-1]))


def waveform(intervals_ms: Floats, *, top: Floats, level: Floats, noise: float, seed: int = 0) -> Floats:
    """Draw pulses with these intervals, heights and levels, one of each a beat, as a camera sees them."""
    at_s = np.concatenate([[0.0], np.cumsum(intervals_ms) / 1000])
    clock = np.arange(0, WINDOW_S, 1 / CAMERA_HZ)
    phase = 2 * np.pi * np.interp(clock, at_s, np.arange(len(at_s)))
    shape = np.sin(phase) + 0.3 * np.sin(2 * phase + 1)
    drawn = np.interp(clock, at_s[1:], top) * shape + np.interp(clock, at_s[1:], level)
    return np.asarray(drawn + np.random.default_rng(seed).normal(0, noise, len(clock)))


@pytest.mark.parametrize("rate", [8, 12, 15, 20, 25, 30])
def test_a_breathing_heart_gives_its_rate(rate: int) -> None:
    found = of_intervals(beats(rate))
    assert found.rate_per_min == pytest.approx(rate, abs=0.5)
    assert found.quality >= QUALITY_MIN


@pytest.mark.parametrize("rate", [10, 18, 28])
def test_a_breathing_pulse_gives_its_rate(rate: int) -> None:
    intervals = beats(rate, depth_ms=25)
    breath = np.sin(2 * np.pi * rate / 60 * np.cumsum(intervals) / 1000)
    found = from_waveform(waveform(intervals, top=1 + 0.1 * breath, level=0.2 * breath, noise=0.02), CAMERA_HZ)
    assert found.rate_per_min == pytest.approx(rate, abs=0.7)


def test_variations_that_disagree_give_nothing() -> None:
    intervals = beats(10, depth_ms=25)
    at_s = np.cumsum(intervals) / 1000
    quick, slow = (np.sin(2 * np.pi * rate / 60 * at_s) for rate in (28, 10))
    found = from_waveform(waveform(intervals, top=1 + 0.1 * quick, level=0.2 * slow, noise=0.02), CAMERA_HZ)
    assert found.rate_per_min is None


def test_ectopic_and_missed_beats_are_left_out() -> None:
    intervals = beats(15)
    for at in (12, 40, 61):
        intervals[at] *= 0.6
        intervals[at + 1] *= 1.4
    intervals[25] *= 2
    kept = usable(intervals)
    assert not kept[[12, 13, 25, 40, 41, 61, 62]].any()
    assert kept.sum() == len(intervals) - 7
    assert of_intervals(intervals).rate_per_min == pytest.approx(15, abs=0.7)


def test_too_many_lost_beats_give_nothing() -> None:
    intervals = beats(15)
    at_s = np.cumsum(intervals) / 1000
    kept = (at_s < 30) | (at_s > 42)
    found = from_intervals(at_s[kept], intervals[kept], end_s=float(at_s[-1]))
    assert found.rate_per_min is None
    assert found.quality < QUALITY_MIN


def test_white_noise_between_beats_gives_nothing() -> None:
    answers = 0
    for seed in range(2000):
        draw = np.random.default_rng(seed)
        intervals = np.clip(draw.normal(draw.uniform(500, 1100), draw.choice([10, 20, 40, 80]), 150), 400, 1500)
        answers += of_intervals(intervals).rate_per_min is not None
    assert answers <= 2, "one in a thousand: what docs/derived-signals.md says"


@pytest.mark.parametrize("seed", range(40))
def test_slow_drift_gives_nothing(seed: int) -> None:
    walk = np.cumsum(np.random.default_rng(seed).normal(0, 6, 90))
    assert of_intervals(850 + np.clip(walk - walk.mean(), -150, 150)).rate_per_min is None


@pytest.mark.parametrize("seed", range(40))
def test_steps_as_of_motion_give_nothing(seed: int) -> None:
    draw = np.random.default_rng(seed)
    stairs = np.zeros(90)
    for at in draw.integers(0, 90, draw.integers(1, 6)):
        stairs[at:] += draw.uniform(-120, 120)
    assert of_intervals(850 + np.clip(stairs, -300, 300) + draw.normal(0, 3, 90)).rate_per_min is None
    jumps = np.repeat(draw.normal(0, 3, 16), int(4 * CAMERA_HZ)) + draw.normal(0, 0.05, int(WINDOW_S * CAMERA_HZ))
    assert from_waveform(jumps, CAMERA_HZ).rate_per_min is None


@pytest.mark.parametrize("value", [0.0, 40.05, 1e6])
def test_a_constant_signal_gives_nothing(value: float) -> None:
    assert from_waveform(np.full(int(WINDOW_S * CAMERA_HZ), value), CAMERA_HZ).rate_per_min is None
    assert of_intervals(np.full(90, 850.0)).rate_per_min is None


def test_white_noise_for_a_waveform_gives_nothing() -> None:
    size = int(WINDOW_S * CAMERA_HZ)
    for seed in range(100):
        assert from_waveform(np.random.default_rng(seed).normal(size=size), CAMERA_HZ).rate_per_min is None, seed


def test_a_pulse_without_breathing_gives_nothing() -> None:
    answers = 0
    for seed in range(500):
        draw = np.random.default_rng(seed)
        intervals = 1000 * np.clip(draw.normal(draw.uniform(0.6, 1.1), draw.choice([0.01, 0.02, 0.05]), 150), 0.4, 1.5)
        top, level = 1 + 0.1 * draw.normal(size=150), 0.1 * draw.normal(size=150)
        drawn = waveform(intervals, top=top, level=level, noise=draw.choice([0.02, 0.1, 0.2]), seed=seed)
        answers += from_waveform(drawn, CAMERA_HZ).rate_per_min is not None
    assert answers <= 1, "one in a thousand: what docs/derived-signals.md says"


@pytest.mark.parametrize("size", [0, 1, 2, 3, 12])
def test_a_handful_of_beats_gives_nothing(size: int) -> None:
    intervals = beats(15)[:size]
    at_s = np.cumsum(intervals) / 1000
    assert from_intervals(at_s, intervals, end_s=64.0).rate_per_min is None


@pytest.mark.parametrize("waveform", [np.zeros(0), np.ones(100), np.full(int(WINDOW_S * CAMERA_HZ), np.nan)])
def test_a_waveform_too_short_or_not_a_number_gives_nothing(waveform: Floats) -> None:
    assert from_waveform(waveform, CAMERA_HZ).rate_per_min is None


def test_a_waveform_too_coarse_gives_nothing() -> None:
    assert from_waveform(np.sin(np.arange(1000.0)), 10.0).rate_per_min is None


def test_a_slope_at_the_bands_edge_is_no_peak() -> None:
    clock = np.arange(0, WINDOW_S, 1 / EVEN_HZ)
    assert dominant(np.sin(2 * np.pi * 0.06 * clock)) is None
    inside = dominant(np.sin(2 * np.pi * 0.25 * clock))
    assert inside is not None
    assert inside.rate_per_min == pytest.approx(15, abs=0.1)
    assert inside.concentration > 0.95
    beside = dominant(np.sin(2 * np.pi * 0.6 * clock), highest_hz=0.5)
    assert beside is None or beside.concentration < 0.01


def of_beats(recording: Recording, end_s: int) -> Breathing:
    assert recording.beats_s is not None
    return from_intervals(recording.beats_s[1:], 1000 * np.diff(recording.beats_s), end_s=end_s)


def of_pulses(recording: Recording, end_s: int) -> Breathing:
    found = pulses(recording.waveform, recording.rate_hz)
    return from_intervals(found.at_s, found.interval_ms, end_s=end_s)


def of_waveform(recording: Recording, end_s: int) -> Breathing:
    return from_waveform(recording.waveform[: int(end_s * recording.rate_hz)], recording.rate_hz)


METHODS = {"ecg": of_beats, "pulse": of_pulses, "fusion": of_waveform}
RECORDINGS = {"bidmc": bidmc, "uw_hypoxia": hypoxia}

# What is asked of each: at least this share of windows, at most this mean and worst error in breaths a minute. The
# figures measured, and which recordings the limits were tuned on, are in docs/derived-signals.md.
ASKED = [
    ("bidmc", "05", "ecg", 0.0, 0.0, 0.0),
    ("bidmc", "05", "fusion", 0.0, 1.5, 3.0),
    ("bidmc", "13", "ecg", 0.3, 1.5, 3.0),
    ("bidmc", "13", "fusion", 0.05, 0.5, 1.0),
    ("uw_hypoxia", "100001", "pulse", 0.0, 2.5, 4.0),
    ("uw_hypoxia", "100001", "fusion", 0.0, 3.0, 4.0),
    ("uw_hypoxia", "100003", "pulse", 0.4, 1.0, 4.0),
    ("uw_hypoxia", "100003", "fusion", 0.2, 1.5, 4.0),
    ("uw_hypoxia", "100005", "pulse", 0.4, 1.0, 2.0),
    ("uw_hypoxia", "100005", "fusion", 0.4, 1.0, 2.0),
]


@pytest.mark.parametrize(("source", "number", "method", "available", "mean_error", "worst_error"), ASKED)
def test_real_breathing_is_met_where_there_is_an_answer(
    recordings: Path, source: str, number: str, method: str, available: float, mean_error: float, worst_error: float
) -> None:
    if not (recordings / source).is_dir():
        pytest.skip(f"no {source} among the recordings")
    recording = RECORDINGS[source](recordings, number)
    found = score(recording, lambda end_s: METHODS[method](recording, end_s))
    assert found.available >= available
    assert found.mean_error <= mean_error
    assert found.worst_error <= worst_error

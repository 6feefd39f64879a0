"""Real recordings with a truth to hold derived rates against (their SOURCE.md says who made them)."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import signal

from alerting.derived.respiration import WINDOW_S, Breathing
from alerting.derived.spectrum import Floats

BIDMC_HZ, CAMERA_HZ = 125.0, 30.0
EVERY_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A pulse waveform that rises with each beat; the instants of heartbeats, where an ECG tells; the true rate."""

    waveform: Floats
    rate_hz: float
    beats_s: Floats | None
    true_rate: Callable[[float], float]
    """Give breaths a minute of the window that ends then; NaN where nobody knows."""

    def ends(self) -> range:
        """Give the ends of the windows to judge, in seconds."""
        return range(int(WINDOW_S), int(len(self.waveform) / self.rate_hz) + 1, EVERY_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How good the answers were: breaths a minute, share of the windows whose truth is known."""

    windows: int
    available: float
    mean_error: float
    worst_error: float


def score(recording: Recording, judged: Callable[[int], Breathing]) -> Score:
    """Hold the answers for every window against the truth."""
    known = [(judged(end), truth) for end in recording.ends() if np.isfinite(truth := recording.true_rate(end))]
    errors = [abs(found.rate_per_min - truth) for found, truth in known if found.rate_per_min is not None]
    return Score(
        windows=len(known),
        available=len(errors) / len(known),
        mean_error=float(np.mean(errors)) if errors else 0.0,
        worst_error=max(errors, default=0.0),
    )


def bidmc(folder: Path, number: str) -> Recording:
    """Read an intensive-care record: finger pulse, ECG lead II, breaths that two people marked."""
    place = folder / "bidmc" / "bidmc_csv"
    columns = np.genfromtxt(place / f"bidmc_{number}_Signals.csv", delimiter=",", skip_header=1)
    with (place / f"bidmc_{number}_Breaths.csv").open(encoding="utf-8") as file:
        marked = list(csv.reader(file))[1:]
    annotators = [np.array([float(row[at]) for row in marked if row[at]]) / BIDMC_HZ for at in (0, 1)]

    def true_rate(end_s: float) -> float:
        inside = [marks[(marks > end_s - WINDOW_S) & (marks <= end_s)] for marks in annotators]
        return float(np.mean([60 * (len(marks) - 1) / (marks[-1] - marks[0]) for marks in inside]))

    return Recording(waveform=columns[:, 2], rate_hz=BIDMC_HZ, beats_s=_heartbeats(columns[:, 3]), true_rate=true_rate)


def hypoxia(folder: Path, number: str) -> Recording:
    """Read a volunteer's finger on a camera (green: less light, more blood) and the capnograph's rate, 0 for none."""
    place = folder / "uw_hypoxia" / "data"
    with (place / "gt" / f"{number}.csv").open(encoding="utf-8-sig") as file:
        rates = np.array([float(row[45] or 0) for row in list(csv.reader(file))[1:] if len(row) > 45])
    colours = np.genfromtxt(place / "ppg-csv" / "Left" / f"{number}.csv", delimiter=",", skip_header=1)

    def true_rate(end_s: float) -> float:
        inside = rates[int(end_s - WINDOW_S) : int(end_s)]
        return float(inside[inside > 0].mean()) if (inside > 0).any() else float("nan")

    return Recording(waveform=-colours[:, 1], rate_hz=CAMERA_HZ, beats_s=None, true_rate=true_rate)


def _heartbeats(ecg: Floats) -> Floats:
    sharp = signal.sosfiltfilt(signal.butter(3, [8, 25], "bandpass", fs=BIDMC_HZ, output="sos"), ecg) ** 2
    energy = signal.sosfiltfilt(signal.butter(2, 5, fs=BIDMC_HZ, output="sos"), sharp)
    height = 2 * np.median(energy) + 0.2 * np.percentile(energy, 98)
    return np.asarray(signal.find_peaks(energy, distance=int(0.33 * BIDMC_HZ), height=height)[0] / BIDMC_HZ)

"""Whose single measurements arrived in a batch of the log, and since when: what is to be judged over stored history."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingest.feed import Rows
from vitals.quality import Quality
from vitals.reading import NO_VALUE, Acquisition
from vitals.signals import SIGNAL_BY_CODE, SIGNALS, Signal

STREAMED = frozenset({Signal.SPO2, Signal.PULSE, Signal.RESPIRATORY_RATE, Signal.PERFUSION_INDEX, Signal.RR_INTERVAL})
"""Signals whose streams the sustained rules judge; of the others every value is a measurement by itself."""

NEVER_JUDGED = frozenset({Signal.PERFUSION_INDEX, Signal.RR_INTERVAL, Signal.STEPS, Signal.BATTERY})

Ids = npt.NDArray[np.int32]
_TEMPERATURE, _SPO2, _RR_INTERVAL = (SIGNALS[s].code for s in (Signal.TEMPERATURE, Signal.SPO2, Signal.RR_INTERVAL))


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """Ids of devices: `wellness` wearables prompt and never raise by themselves (CLINICAL 2.4).

    `worn`: wearables, medical or not. `clips`: medical ones that measure when somebody does so.
    """

    wellness: Ids
    worn: Ids
    clips: Ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """What came, with its instants in Unix ms; and the highest worn temperature by patient."""

    single: dict[int, dict[Signal, frozenset[int]]]
    """By patient and signal, when it was measured."""
    worn: dict[int, tuple[int, int]]
    """(Scaled value, Unix ms)."""
    beats: dict[int, int]
    """Of whom intervals between beats came, and the earliest."""


def arrivals(rows: Rows, devices: Devices) -> Arrived:
    """Find what is to be judged again: measurements, and what clips streamed (also that the finger is out)."""
    signal, device = rows["signal"], rows["device"]
    codes = [SIGNALS[s].code for s in Signal if s not in NEVER_JUDGED]
    streamed = (rows["acquisition"] == Acquisition.CONTINUOUS) & np.isin(signal, [SIGNALS[s].code for s in STREAMED])
    good = (rows["value"] != NO_VALUE) & ((rows["quality"] == Quality.GOOD) | (signal == _SPO2))
    worn = (signal == _TEMPERATURE) & np.isin(device, devices.worn)
    medical = ~np.isin(device, devices.wellness) & ~worn
    clip = streamed & (signal == _SPO2) & np.isin(device, devices.clips)
    chosen = rows[medical & ((good & ~streamed & np.isin(signal, codes)) | clip)]
    single: dict[int, dict[Signal, set[int]]] = {}
    for patient, code, t_ms in zip(
        chosen["patient"].tolist(), chosen["signal"].tolist(), chosen["measured_ms"].tolist(), strict=True
    ):
        single.setdefault(patient, {}).setdefault(SIGNAL_BY_CODE[code], set()).add(t_ms)
    hottest: dict[int, tuple[int, int]] = {}
    heated = rows[worn & good]
    for patient, value, t_ms in zip(
        heated["patient"].tolist(), heated["value"].tolist(), heated["measured_ms"].tolist(), strict=True
    ):
        hottest[patient] = max((value, t_ms), hottest.get(patient, (value, t_ms)))
    beats: dict[int, int] = {}
    beating = rows[signal == _RR_INTERVAL]
    for patient, t_ms in zip(beating["patient"].tolist(), beating["measured_ms"].tolist(), strict=True):
        beats[patient] = min(t_ms, beats.get(patient, t_ms))
    return Arrived(
        single={
            patient: {s: frozenset(of[s]) for s in sorted(of, key=lambda signal: SIGNALS[signal].code)}
            for patient, of in sorted(single.items())
        },
        worn=hottest,
        beats=dict(sorted(beats.items())),
    )

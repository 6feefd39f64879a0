"""What is stored of one patient in a stretch of time, as columns; and what of it belongs to whom (channels, spots)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alerting.engine.layout import Flags, Ints
from alerting.judging.channels import NOBODYS, QUALITIES, as_judged
from alerting.profile.profile import Channel, Trust
from alerting.spot.arrivals import NEVER_JUDGED, STREAMED, Devices
from alerting.spot.sessions import ClipSample
from alerting.spot.spells import Measurement
from vitals.quality import Quality, Reason
from vitals.reading import NO_VALUE, Acquisition
from vitals.signals import SIGNALS, Signal

Bytes = npt.NDArray[np.uint8]
Shorts = npt.NDArray[np.int16]
Ids = npt.NDArray[np.int32]

JUDGED = tuple(signal for signal in Signal if signal not in NEVER_JUDGED)
_SAID_NOTHING = 255


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """Rows of `sample` in order of time: each column of shape (n,), by signal its scaled value and quality word."""

    t_ms: Ints
    device: Ids
    acquisition: Shorts
    values: Mapping[Signal, Shorts]
    words: Mapping[Signal, Bytes]

    @property
    def streamed(self) -> Flags:
        """Say which rows a continuous device sent."""
        flags: Flags = self.acquisition == Acquisition.CONTINUOUS
        return flags

    def has(self, signal: Signal) -> Flags:
        """Say which rows have a number of a signal."""
        flags: Flags = self.values[signal] != NO_VALUE
        return flags

    def good(self, signal: Signal) -> Flags:
        """Say which rows have a good number of a signal."""
        flags: Flags = self.has(signal) & (self.words[signal] >> 6 == Quality.GOOD)
        return flags


def channel_of(samples: Samples, channel: Channel, devices: Devices) -> tuple[Ints, Shorts]:
    """Choose a channel's samples as the service does; (Unix ms, values as its rules take them)."""
    quality, reason = samples.words[channel.signal] >> 6, samples.words[channel.signal] & 63
    worn = np.isin(samples.device, devices.wellness)
    chosen = (
        samples.streamed
        & samples.has(channel.signal)
        & np.isin(quality, [int(each) for each in QUALITIES[channel.trust]])
        & ~np.isin(reason, [int(each) for each in NOBODYS])
        & (worn if channel.trust is Trust.WELLNESS else ~worn)
    )
    values = as_judged(channel.trust, samples.values[channel.signal][chosen], quality[chosen])
    return samples.t_ms[chosen], values


def single_of(samples: Samples, signal: Signal, devices: Devices) -> list[Measurement]:
    """Choose what is a measurement by itself: of no wearable's temperature, and of no stream that is judged as one."""
    chosen = samples.has(signal) & ~np.isin(samples.device, devices.wellness)
    if signal in STREAMED:
        chosen &= ~samples.streamed
    if signal is Signal.TEMPERATURE:
        chosen &= ~np.isin(samples.device, devices.worn)
    columns = (samples.t_ms, samples.values[signal], samples.words[signal] >> 6 == Quality.GOOD)
    rows = zip(*(column[chosen].tolist() for column in columns), strict=True)
    return [Measurement(t_ms=t_ms, value=value, trusted=good) for t_ms, value, good in rows]


def clips_of(samples: Samples, devices: Devices) -> dict[int, list[ClipSample]]:
    """Give what streaming clips said of SpO2, by device; also that the finger is out."""
    word = samples.words[Signal.SPO2]
    chosen = (
        samples.streamed & np.isin(samples.device, devices.clips) & (samples.has(Signal.SPO2) | (word != _SAID_NOTHING))
    )
    found: dict[int, list[ClipSample]] = {}
    pulse = np.where(samples.good(Signal.PULSE), samples.values[Signal.PULSE], NO_VALUE)
    columns = (samples.device, samples.t_ms, samples.values[Signal.SPO2], word, pulse)
    for device, t_ms, value, said, beats in zip(*(column[chosen].tolist() for column in columns), strict=True):
        found.setdefault(device, []).append(
            ClipSample(
                t_ms=t_ms,
                value=None if value == NO_VALUE else value,
                good=said >> 6 == Quality.GOOD,
                finger_out=said & 63 == Reason.FINGER_OUT,
                pulse=None if beats == NO_VALUE else beats,
            )
        )
    return found


def flowing_of(samples: Samples, signal: Signal, devices: Devices) -> tuple[Ints, Shorts]:
    """Choose the good values of medical streams, as a score of single measurements takes them beside."""
    worn = devices.worn if signal is Signal.TEMPERATURE else devices.wellness
    chosen = samples.streamed & samples.good(signal) & ~np.isin(samples.device, worn)
    return samples.t_ms[chosen], samples.values[signal][chosen]


def codes() -> list[int]:
    """Give the codes of all signals, in the order of the columns of `sample`."""
    return sorted(spec.code for spec in SIGNALS.values())

"""What a decoder gives: measurements with quality and reasons, the device's own time, named status; or one error."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from gateway.gatt.ieee11073 import Number, Special
from vitals.quality import Quality, Reason
from vitals.reading import ScaleError, is_plausible, scaled
from vitals.signals import Signal


class DecodeError(ValueError):
    """A payload is not what its characteristic promises: which one, at which byte, and why."""

    def __init__(self, characteristic: str, offset: int, message: str) -> None:
        super().__init__(f"{characteristic} byte {offset}: {message}")
        self.characteristic = characteristic
        self.offset = offset
        self.message = message


class Mode(Enum):
    """Whether a payload is one of a stream or one finished measurement."""

    CONTINUOUS = "continuous"
    SPOT = "spot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that takes trust from a measurement."""

    quality: Quality
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One signal's scaled value (None for none), its quality, and why it is not good: most serious reason first.

    `before_ms`: so much earlier than the payload's instant (a payload may hold several beats).
    """

    signal: Signal
    value: int | None
    quality: Quality
    reasons: tuple[Reason, ...] = ()
    before_ms: int = 0

    @property
    def reason(self) -> Reason:
        """The one reason that goes on the wire."""
        return self.reasons[0] if self.reasons else Reason.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """One payload's meaning; `device_time` is the device's civil time without a zone, None where it gave none.

    `from_storage`: the device itself calls it a record of its memory, which it may give again at every link.
    """

    mode: Mode
    measurements: tuple[Measurement, ...]
    device_time: datetime | None = None
    from_storage: bool = False
    status: tuple[str, ...] = ()


NO_VALUE_REASONS: dict[Special, Reason] = {
    Special.NAN: Reason.NOT_A_NUMBER,
    Special.NRES: Reason.NOT_A_NUMBER,
    Special.PLUS_INFINITY: Reason.OUT_OF_DEVICE_RANGE,
    Special.MINUS_INFINITY: Reason.OUT_OF_DEVICE_RANGE,
    Special.RESERVED: Reason.UNKNOWN,
}

# Which reason stands on the wire when several hold at the same quality. What says "this is no patient" comes first,
# then what explains a missing value best (a 0 with the finger out is a finger out), then the rest.
SERIOUSNESS: tuple[Reason, ...] = (
    Reason.DEMO,
    Reason.TESTING,
    Reason.CALIBRATING,
    Reason.FINGER_OUT,
    Reason.SENSOR_FAULT,
    Reason.DEVICE_INVALID,
    Reason.UNAVAILABLE,
    Reason.NOT_A_NUMBER,
    Reason.OUT_OF_DEVICE_RANGE,
    Reason.IMPLAUSIBLE,
    Reason.UNKNOWN,
    Reason.DEVICE_QUESTIONABLE,
    Reason.POOR_SIGNAL,
    Reason.LOW_PERFUSION,
    Reason.INTERFERENCE,
    Reason.EARLY_ESTIMATE,
    Reason.ONGOING,
    Reason.CLOCK_AHEAD,
)


def measure(
    signal: Signal, number: Number | None, findings: Iterable[Finding] = (), *, before_ms: int = 0
) -> Measurement:
    """Scale and judge one number; a value that can be one is kept whatever its quality. None: the device has none."""
    value, own = _value(signal, number)
    found = sorted({*findings, *own}, key=lambda f: (-f.quality, SERIOUSNESS.index(f.reason)))
    return Measurement(
        signal=signal,
        value=value,
        quality=found[0].quality if found else Quality.GOOD,
        reasons=tuple(dict.fromkeys(f.reason for f in found)),
        before_ms=before_ms,
    )


def _value(signal: Signal, number: Number | None) -> tuple[int | None, tuple[Finding, ...]]:
    if number is None:
        return None, (Finding(quality=Quality.INVALID, reason=Reason.UNAVAILABLE),)
    if isinstance(number, Special):
        return None, (Finding(quality=Quality.INVALID, reason=NO_VALUE_REASONS[number]),)
    try:
        value = scaled(signal, number)
    except ScaleError:
        return None, (Finding(quality=Quality.INVALID, reason=Reason.IMPLAUSIBLE),)
    if not is_plausible(signal, value):
        return None, (Finding(quality=Quality.INVALID, reason=Reason.IMPLAUSIBLE),)
    return value, ()

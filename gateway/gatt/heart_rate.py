"""Heart Rate Service 0x180D: Heart Rate Measurement (2A37), with the intervals between the beats."""

from gateway.gatt.decoded import Decoded, Finding, Measurement, Mode, measure
from gateway.gatt.fields import Fields
from vitals.quality import Quality, Reason
from vitals.signals import Signal

MEASUREMENT_UUID = "2a37"

_WIDE, _CONTACT, _CONTACT_SUPPORTED, _ENERGY, _INTERVALS = (1 << bit for bit in range(5))
_RESERVED_FLAGS = 0xE0
_TICKS_PER_S = 1024
_NO_CONTACT = Finding(quality=Quality.INVALID, reason=Reason.FINGER_OUT)


def decode_measurement(payload: bytes) -> Decoded:
    """Read a Heart Rate Measurement: the rate, then each RR interval, the oldest beat first."""
    fields = Fields(MEASUREMENT_UUID, payload)
    flags = fields.unsigned("flags", size_bytes=1)
    rate = fields.unsigned("heart rate", size_bytes=2 if flags & _WIDE else 1)
    if flags & _ENERGY:
        fields.unsigned("energy expended", size_bytes=2)
    ticks = _intervals(fields) if flags & _INTERVALS else []
    fields.end(more_announced=bool(flags & _RESERVED_FLAGS))
    lost = bool(flags & _CONTACT_SUPPORTED and not flags & _CONTACT)
    findings = (_NO_CONTACT,) if lost else ()
    return Decoded(
        mode=Mode.CONTINUOUS,
        measurements=(measure(Signal.PULSE, float(rate), findings), *_beats(ticks, findings)),
        status=("contact_lost",) if lost else ("contact_detected",) if flags & _CONTACT_SUPPORTED else (),
    )


def _intervals(fields: Fields) -> list[int]:
    """Take all the RR intervals that are left; a payload that announces them holds at least one."""
    ticks = [fields.unsigned("RR interval", size_bytes=2)]
    while fields.left_bytes:
        ticks.append(fields.unsigned("RR interval", size_bytes=2))
    return ticks


def _beats(ticks: list[int], findings: tuple[Finding, ...]) -> tuple[Measurement, ...]:
    """Place each interval at the beat that ends it: the last at the payload's instant, no two at one millisecond."""
    beats: list[Measurement] = []
    newer_ticks, before_ms = 0, -1
    for own_ticks in reversed(ticks):
        before_ms = max(before_ms + 1, round(newer_ticks * 1000 / _TICKS_PER_S))
        beats.append(measure(Signal.RR_INTERVAL, own_ticks * 1000 / _TICKS_PER_S, findings, before_ms=before_ms))
        newer_ticks += own_ticks
    return tuple(reversed(beats))

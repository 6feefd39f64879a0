"""What every oximeter says in its own bytes: SpO2, pulse, perfusion index; judged alike, as PLX status bits are."""

from collections.abc import Collection, Iterable

from gateway.gatt.decoded import DecodeError, Finding, Measurement, measure
from gateway.gatt.plx_status import LOW_PERFUSION, LOW_PERFUSION_BELOW_PERCENT
from vitals.quality import Quality, Reason
from vitals.signals import Signal

FINGER_OUT = Finding(quality=Quality.INVALID, reason=Reason.FINGER_OUT)


def known(raw: int, *, none: Collection[int], scale: float = 1) -> float | None:
    """Give a number in its unit, or None where the device's number says that it has none."""
    return None if raw in none else raw * scale


def saturation(spo2: float | None, pulse: float | None, findings: Iterable[Finding] = ()) -> tuple[Measurement, ...]:
    """Judge the two numbers of an oximeter that tells no perfusion index."""
    found = tuple(findings)
    return measure(Signal.SPO2, spo2, found), measure(Signal.PULSE, pulse, found)


def saturation_and_perfusion(
    spo2: float | None, pulse: float | None, perfusion: float | None, findings: Iterable[Finding] = ()
) -> tuple[Measurement, ...]:
    """Judge all three."""
    found = tuple(findings)
    return (
        *saturation(spo2, pulse, (*found, *weakness(perfusion))),
        measure(Signal.PERFUSION_INDEX, perfusion, found),
    )


def weakness(perfusion: float | None) -> tuple[Finding, ...]:
    """Say what a weak pulse takes from whatever is measured by it; from the index itself it takes nothing."""
    return (LOW_PERFUSION,) if perfusion is not None and perfusion < LOW_PERFUSION_BELOW_PERCENT else ()


def length_error(uuid: str, frame: bytes, expected: str) -> DecodeError:
    """Make the error of a frame of impossible length, at its end."""
    return DecodeError(uuid, len(frame), f"a frame of {len(frame)} bytes, not {expected}")


def checksum_error(uuid: str, frame: bytes, expected: int) -> DecodeError:
    """Make the error of a frame whose last byte is not its checksum."""
    return DecodeError(uuid, len(frame) - 1, f"checksum is {frame[-1]:#04x}, should be {expected:#04x}")


def type_error(uuid: str, frame: bytes, offset: int) -> DecodeError:
    """Make the error of a byte that begins or names no frame known here."""
    if offset >= len(frame):
        return DecodeError(uuid, len(frame), "the frame ends before its type is told")
    return DecodeError(uuid, offset, f"{frame[offset]:#04x} is no type of frame known here")

"""What a driver makes of bytes, in a form that a test can state in one line."""

from collections.abc import Iterable

from gateway.drivers.driver import Driver
from gateway.gatt.decoded import Decoded, DecodeError
from vitals.quality import Quality, Reason
from vitals.signals import Signal

GOOD = (Quality.GOOD, Reason.NONE)


def decoded(driver: Driver, hexadecimal: str, uuid: str = "") -> Decoded:
    return driver.decode(uuid or driver.subscribe[0], bytes.fromhex(hexadecimal))


def values(outcome: Decoded) -> dict[Signal, int | None]:
    return {m.signal: m.value for m in outcome.measurements}


def trust(outcome: Decoded, signal: Signal = Signal.SPO2) -> tuple[Quality, Reason]:
    measurement = next(m for m in outcome.measurements if m.signal is signal)
    return measurement.quality, measurement.reason


def whys(outcome: Decoded) -> set[tuple[Reason, ...]]:
    """All reasons of each measurement, as a set: one where all are alike."""
    return {m.reasons for m in outcome.measurements}


def error_of(driver: Driver, hexadecimal: str, uuid: str = "") -> DecodeError:
    try:
        outcome = decoded(driver, hexadecimal, uuid)
    except DecodeError as exc:
        return exc
    raise AssertionError(f"{hexadecimal} is refused by nobody: {outcome}")


def frames(driver: Driver, notifications: Iterable[bytes]) -> list[bytes]:
    framing = driver.framing()
    return [frame for notification in notifications for frame in framing.feed(driver.subscribe[0], notification)]


def in_pieces(stream: bytes, size_bytes: int) -> list[bytes]:
    return [stream[at : at + size_bytes] for at in range(0, len(stream), size_bytes)]

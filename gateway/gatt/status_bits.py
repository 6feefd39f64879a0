"""A device's status word as a table: bit -> its name, and what a set bit takes from the trust in a measurement."""

from dataclasses import dataclass

from gateway.gatt.decoded import Finding
from vitals.quality import Quality, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusBit:
    """One defined bit; `finding` is None where it takes no trust away."""

    name: str
    finding: Finding | None


def status_bit(name: str, quality: Quality = Quality.GOOD, reason: Reason = Reason.NONE) -> StatusBit:
    """Make one row of such a table."""
    return StatusBit(name=name, finding=Finding(quality=quality, reason=reason) if quality else None)


def names_of(table: dict[int, StatusBit], word: int) -> tuple[str, ...]:
    """Name the defined bits that are set, lowest first."""
    return tuple(bit.name for number, bit in table.items() if word >> number & 1)


def findings_of(table: dict[int, StatusBit], word: int) -> tuple[Finding, ...]:
    """Give what the set bits take from the measurement's trust."""
    return tuple(bit.finding for number, bit in table.items() if word >> number & 1 and bit.finding)

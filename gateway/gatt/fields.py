"""A cursor over one payload: takes fields off its front and names the byte where it can not."""

from datetime import datetime

from gateway.gatt.decoded import DecodeError
from gateway.gatt.ieee11073 import Number, float32, sfloat


class Fields:
    """Little-endian fields of one characteristic's payload, in order; every fault is a DecodeError."""

    def __init__(self, characteristic: str, payload: bytes) -> None:
        self._characteristic = characteristic
        self._payload = payload
        self._at = 0

    def taken(self, name: str, *, size_bytes: int) -> bytes:
        """Take so many bytes as they are."""
        if self.left_bytes < size_bytes:
            raise self.error(len(self._payload), f"{name} needs {size_bytes} bytes, {self.left_bytes} left")
        self._at += size_bytes
        return self._payload[self._at - size_bytes : self._at]

    def unsigned(self, name: str, *, size_bytes: int) -> int:
        """Take an unsigned integer of 1 to 4 bytes."""
        return int.from_bytes(self.taken(name, size_bytes=size_bytes), "little")

    def signed(self, name: str, *, size_bytes: int) -> int:
        """Take a two's complement integer of 1 to 4 bytes."""
        raw = self.unsigned(name, size_bytes=size_bytes)
        return raw - (1 << 8 * size_bytes) if raw >> (8 * size_bytes - 1) else raw

    def sfloat(self, name: str) -> Number:
        """Take an IEEE 11073 SFLOAT."""
        return sfloat(self.unsigned(name, size_bytes=2))

    def float32(self, name: str) -> Number:
        """Take an IEEE 11073 FLOAT."""
        return float32(self.unsigned(name, size_bytes=4))

    def civil_time(self, name: str) -> datetime | None:
        """Take a Date Time (2A08): civil time without a zone; None where year, month or day is 0 (unknown)."""
        start = self._at
        year = self.unsigned(f"{name} year", size_bytes=2)
        parts = ("month", "day", "hour", "minute", "second")
        month, day, hour, minute, second = (self.unsigned(f"{name} {part}", size_bytes=1) for part in parts)
        if not (year and month and day):
            return None
        try:
            return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the device knows no zone
        except ValueError as exc:
            raise self.error(start, f"{name} {year}-{month}-{day} {hour}:{minute}:{second}: {exc}") from exc

    @property
    def offset(self) -> int:
        """At which byte the next field begins."""
        return self._at

    @property
    def left_bytes(self) -> int:
        """How many bytes are not taken yet."""
        return len(self._payload) - self._at

    def rest(self) -> bytes:
        """Take all that is left."""
        start, self._at = self._at, len(self._payload)
        return self._payload[start:]

    def end(self, *, more_announced: bool) -> None:
        """Refuse bytes after the last known field, unless a reserved flag announced some (a newer revision)."""
        if self.left_bytes and not more_announced:
            raise self.error(self._at, f"{self.left_bytes} bytes after the last field")

    def error(self, offset: int, message: str) -> DecodeError:
        """Make this payload's error at a byte."""
        return DecodeError(self._characteristic, offset, message)

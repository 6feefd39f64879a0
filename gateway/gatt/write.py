"""What is written to a device."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Bytes for one characteristic; passed over where the device does not have it."""

    uuid: str
    payload: bytes
    response: bool = True

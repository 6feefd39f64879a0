"""What may be claimed, and how a device that nobody knew comes into the registry."""

import re
from dataclasses import dataclass
from enum import StrEnum

from care.registry import DeviceKind

CLAIMS_MAX = 64
"""Devices of one gateway at most: what its config document may hold (docs/wire-format.md)."""
_BLUETOOTH_ADDRESS = re.compile(r"(?:[0-9A-F]{2}:){5}[0-9A-F]{2}")
_CONTINUOUS_EVERY_S = 1
_USUALLY_CONTINUOUS = frozenset({DeviceKind.OXIMETER})


class Obstacle(StrEnum):
    """Why something can not be claimed or released."""

    NO_GATEWAY = "no_gateway"
    NO_ADDRESS = "no_address"
    NO_PATIENT = "no_patient"
    NOT_CLAIMED = "not_claimed"
    TOO_MANY = "too_many"
    SHARED = "shared"


class ClaimRefused(Exception):
    """A claim or a release is not possible; `obstacle` says why, the message names the offending value."""

    def __init__(self, obstacle: Obstacle, value: str) -> None:
        super().__init__(f"{obstacle.value}: {value}")
        self.obstacle = obstacle


@dataclass(frozen=True, slots=True, kw_only=True)
class Wearer:
    """Who wears a device from now on; `patient_key` None: nobody yet."""

    patient_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimWish:
    """A device that a gateway shall read. `kind` and `continuous` count for a device that nobody knew.

    `wearer` None: whoever wears it now goes on wearing it.
    """

    gateway_id: str
    device_key: str
    driver: str | None
    kind: DeviceKind
    continuous: bool
    wellness: bool = False
    wearer: Wearer | None = None

    @property
    def expected_every_s(self) -> int | None:
        """Say how often a reading is expected: every second from a device worn continuously."""
        return _CONTINUOUS_EVERY_S if self.continuous else None


def is_bluetooth_address(key: str) -> bool:
    """Say whether a device can be looked for by a gateway: its key is an address in upper case."""
    return _BLUETOOTH_ADDRESS.fullmatch(key) is not None


def usually_continuous(kind: DeviceKind) -> bool:
    """Say whether such a device is mostly worn all the time."""
    return kind in _USUALLY_CONTINUOUS

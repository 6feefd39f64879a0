"""The troubles that the stand-in can be told to have: refusals, delays, a deaf radio, a cache that forgot a service."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, TypeAlias

from dbus_fast import DBusError

from firmware_stubs.bluez.errors import bluez_error, dbus_error, failed


class FaultError(ValueError):
    """A fault that cannot be understood; the message names what is wrong."""


class Member(StrEnum):
    """Which method has the trouble."""

    CONNECT = "Connect"
    DISCONNECT = "Disconnect"
    PAIR = "Pair"
    READ_VALUE = "ReadValue"
    SET_POWERED = "Powered"
    START_DISCOVERY = "StartDiscovery"
    START_NOTIFY = "StartNotify"
    STOP_DISCOVERY = "StopDiscovery"
    WRITE_VALUE = "WriteValue"


class Trouble(StrEnum):
    """With which error it is refused; seen in the field on Raspberry Pis."""

    IN_PROGRESS = "in_progress"
    ABORT_BY_LOCAL = "le-connection-abort-by-local"
    CANCELED = "br-connection-canceled"
    UNKNOWN_OBJECT = "unknown_object"
    NOT_READY = "not_ready"
    NO_REPLY = "no_reply"
    NOT_CONNECTED = "not_connected"


class Cure(IntEnum):
    """What ends a fault; whatever is higher on the ladder ends it too."""

    RESCAN = 1
    POWER_CYCLE = 2
    RESTART = 3
    REBOOT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The next `times` calls of a method fail."""

    member: Member
    trouble: Trouble
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """The next `times` calls of a method take so much longer."""

    member: Member
    seconds: float
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Deafness:
    """Advertisements arrive no more at an adapter (None: at all), while it says that it is discovering.

    It ends with `cure`, or after `seconds`. Links go on.
    """

    cure: Cure = Cure.REBOOT
    seconds: float | None = None
    adapter: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LostService:
    """A stale cache: this service (a full UUID) of all devices is not shown until the device is removed."""

    uuid: str


Fault: TypeAlias = Refusal | Delay | Deafness | LostService
_KINDS: dict[str, type[Fault]] = {kind.__name__: kind for kind in (Refusal, Delay, Deafness, LostService)}
_ENUMS: dict[str, Callable[[Any], Any]] = {"member": Member, "trouble": Trouble, "cure": Cure}
_ERRORS: dict[Trouble, Callable[[], DBusError]] = {
    Trouble.IN_PROGRESS: lambda: bluez_error("InProgress", "Operation already in progress"),
    Trouble.ABORT_BY_LOCAL: lambda: failed("le-connection-abort-by-local"),
    Trouble.CANCELED: lambda: failed("br-connection-canceled"),
    Trouble.UNKNOWN_OBJECT: lambda: dbus_error("UnknownObject", "Method doesn't exist\n"),
    Trouble.NOT_READY: lambda: bluez_error("NotReady", "Resource Not Ready"),
    Trouble.NO_REPLY: lambda: dbus_error("NoReply", "Did not receive a reply."),
    Trouble.NOT_CONNECTED: lambda: failed("Not connected"),
}


def fault_to_json(fault: Fault) -> str:
    """Write a fault as one line."""
    return json.dumps({"fault": type(fault).__name__, **dataclasses.asdict(fault)})


def fault_from_json(line: str | bytes) -> Fault:
    """Read a fault from one line; raise FaultError if it is none."""
    try:
        content: dict[str, Any] = json.loads(line)
        kind = _KINDS[content.pop("fault")]
        return kind(**{name: _ENUMS[name](value) if name in _ENUMS else value for name, value in content.items()})
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise FaultError(f"{line!r} is no fault: {exc}") from exc


class Faults:
    """The faults that are in force."""

    def __init__(self) -> None:
        self._limited: list[list[Any]] = []
        self._deaf: list[tuple[Deafness, float | None]] = []
        self._lost_services: dict[str, set[str]] = {}

    def inject(self, fault: Fault) -> None:
        """Put a fault in force."""
        match fault:
            case Refusal() | Delay():
                self._limited.append([fault, fault.times])
            case Deafness(seconds=seconds):
                until_s = None if seconds is None else asyncio.get_running_loop().time() + seconds
                self._deaf.append((fault, until_s))
            case LostService(uuid=uuid):
                self._lost_services[uuid] = set()

    async def meet(self, member: Member) -> None:
        """Be late, or raise, if a fault wants it; called at the beginning of a method."""
        for limited in list(self._limited):
            fault, left = limited
            if fault.member is not member:
                continue
            limited[1] = left - 1
            if left <= 1:
                self._limited.remove(limited)
            if isinstance(fault, Refusal):
                raise _ERRORS[fault.trouble]()
            await asyncio.sleep(fault.seconds)

    def is_deaf(self, adapter: str) -> bool:
        """Tell whether an adapter hears nothing."""
        if not self._deaf:
            return False
        now_s = asyncio.get_running_loop().time()
        self._deaf = [(fault, until_s) for fault, until_s in self._deaf if until_s is None or now_s < until_s]
        return any(fault.adapter in (None, adapter) for fault, _ in self._deaf)

    def cure(self, adapter: str, cure: Cure) -> None:
        """End what this step ends at an adapter."""
        self._deaf = [
            (fault, until_s)
            for fault, until_s in self._deaf
            if fault.cure > cure or fault.adapter not in (None, adapter)
        ]

    def hides(self, device: str, uuid: str) -> bool:
        """Tell whether a service of a device is missing from the cache."""
        return uuid in self._lost_services and device not in self._lost_services[uuid]

    def forget_device(self, device: str) -> None:
        """Forget the cache of a device that was removed: its services are discovered anew."""
        for healed in self._lost_services.values():
            healed.add(device)

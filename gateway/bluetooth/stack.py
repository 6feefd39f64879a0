"""What lies beneath bleak: the Bluetooth stack, its health, and what can be done to it when it is not well."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class StackError(Exception):
    """The stack can not do what it is asked, or is not there; the message names what and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterFound:
    """An adapter that the stack knows."""

    name: str
    powered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """A device that the stack holds a link to, and what it knows of it."""

    adapter: str
    address: str
    name: str
    services: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackListener:
    """What the gateway wants to hear, called on the event loop: what carried the links is gone, or is there again.

    `may_pair` is asked with a device's address before anything is allowed to it.
    """

    on_gone: Callable[[], None]
    on_ready: Callable[[], None]
    may_pair: Callable[[str], bool]


class Stack(Protocol):
    """One per process. What it is asked to do raises StackError, and takes a bounded time."""

    @property
    def has_bus(self) -> bool:
        """Whether the way to the stack is there (D-Bus)."""

    @property
    def is_up(self) -> bool:
        """Whether the stack itself is there (bluetoothd)."""

    async def run(self, listener: StackListener) -> None:
        """Watch the stack for ever."""

    async def ready(self) -> None:
        """Wait until the stack is there and knows us."""

    async def adapters(self) -> tuple[AdapterFound, ...]:
        """List the adapters, in order of their number."""

    async def linked(self) -> tuple[Linked, ...]:
        """List the devices that are connected, by whomever."""

    async def hang_up(self, adapter: str, address: str) -> None:
        """End a link, whoever made it."""

    async def forget(self, adapter: str, address: str, *, bond: bool = False) -> None:
        """Throw away what the stack remembers of a device, unless it is paired; with `bond` even then."""

    async def power_cycle(self, adapter: str) -> None:
        """Switch an adapter off and on."""

    async def restart(self) -> None:
        """Start the stack anew."""

    async def reboot(self) -> None:
        """Start the machine anew."""


class NoStack:
    """The stack of a radio that has none: always well, and nothing can be done to it."""

    has_bus = True
    is_up = True

    async def run(self, listener: StackListener) -> None:  # noqa: ARG002
        """Watch nothing for ever."""
        await asyncio.Event().wait()

    async def ready(self) -> None:
        """Be ready."""

    async def adapters(self) -> tuple[AdapterFound, ...]:
        """Raise: nobody knows."""
        raise StackError("this radio has no stack that could be asked for adapters")

    async def linked(self) -> tuple[Linked, ...]:
        """Know of no links."""
        return ()

    async def hang_up(self, adapter: str, address: str) -> None:
        """Raise: nobody can."""
        raise StackError(f"this radio has no stack that could end the link of {address} on {adapter}")

    async def forget(self, adapter: str, address: str, *, bond: bool = False) -> None:
        """Remember nothing anyway."""

    async def power_cycle(self, adapter: str) -> None:
        """Raise: nobody can."""
        raise StackError(f"this radio has no stack that could switch {adapter or 'its adapter'} off and on")

    async def restart(self) -> None:
        """Raise: nobody can."""
        raise StackError("this radio has no stack that could be restarted")

    async def reboot(self) -> None:
        """Raise: nobody can."""
        raise StackError("this radio has no stack through which to reboot")

"""The stand-in for bluetoothd: takes the name org.bluez and shows its adapters until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from bumble import hci
from dbus_fast import NameFlag, RequestNameReply

from firmware_stubs.bluez.adapter_object import AdapterObject
from firmware_stubs.bluez.agents import MANAGER_PATH, Agents
from firmware_stubs.bluez.bus import connect
from firmware_stubs.bluez.central import NoController
from firmware_stubs.bluez.faults import Fault, Faults
from firmware_stubs.bluez.ground import Ground
from firmware_stubs.bluez.object_tree import ObjectTree
from firmware_stubs.bluez.storage import Storage
from firmware_stubs.bluez.timings import Timings

NAME = "org.bluez"
LOOKS_AGAIN_S = 0.2


class NameTaken(Exception):
    """Somebody else is org.bluez on this bus."""


class Daemon:
    """One bluetoothd on one bus."""

    def __init__(self, *, transports: Sequence[str], timings: Timings, storage: Path | None) -> None:
        self._transports = transports
        self._timings = timings
        self._faults = Faults()
        self._storage = Storage(storage)
        self._stopped = asyncio.Event()

    def inject(self, fault: Fault) -> None:
        """Put a fault in force."""
        self._faults.inject(fault)

    def stop(self) -> None:
        """End in good order: links down, objects gone, then the name."""
        self._stopped.set()

    async def run(self, address: str, *, on_ready: Callable[[], None]) -> None:
        """Serve on the bus at `address`; return when stopped or, as bluetoothd, when the bus is gone; raise NameTaken.

        `on_ready` is called once, when all adapters are there and the name is ours.
        """
        bus = await connect(address)
        tree = ObjectTree(bus)
        agents = Agents(tree)
        ground = Ground(tree=tree, timings=self._timings, agents=agents, faults=self._faults, storage=self._storage)
        tree.add(MANAGER_PATH, agents.shown())
        adapters = [
            AdapterObject(ground, name=f"hci{number}", transport=transport, address=own_address(number))
            for number, transport in enumerate(self._transports)
        ]
        async with asyncio.TaskGroup() as tasks:

            def forget_client(client: str) -> None:
                agents.forget_client(client)
                for adapter in adapters:
                    tasks.create_task(adapter.forget_client(client))

            tree.when_gone(forget_client)
            await tree.watch_peers()
            appeared = [asyncio.Event() for _ in adapters]
            lives = [tasks.create_task(_live(*pair)) for pair in zip(adapters, appeared, strict=True)]
            for event in appeared:
                await event.wait()
            answer = await bus.request_name(NAME, NameFlag.DO_NOT_QUEUE)
            if answer is RequestNameReply.PRIMARY_OWNER:
                on_ready()
                await _first_of(self._stopped.wait(), bus.wait_for_disconnect())  # type: ignore[no-untyped-call]
            for life in lives:
                life.cancel()
        if bus.connected:
            bus.disconnect()
        if answer is not RequestNameReply.PRIMARY_OWNER:
            raise NameTaken(f"{NAME} is taken at {address}")


def own_address(number: int) -> hci.Address:
    """Name the address of the n-th adapter; it stays the same over power cycles and restarts, as bonds need it."""
    return hci.Address(f"F0:00:00:00:00:{number + 1:02X}")


async def _live(adapter: AdapterObject, appeared: asyncio.Event) -> None:
    while True:
        adapter.gone.clear()
        with contextlib.suppress(NoController):
            await adapter.appear()
            appeared.set()
            try:
                await adapter.gone.wait()
            finally:
                await adapter.vanish()
        await asyncio.sleep(LOOKS_AGAIN_S)


async def _first_of(*waits: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

"""The stand-in for bluetoothd: takes the name org.bluez and shows its adapters until the bus is gone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from bumble import hci
from dbus_fast import NameFlag, RequestNameReply

from firmware_stubs.bluez.adapter_object import AdapterObject
from firmware_stubs.bluez.bus import connect
from firmware_stubs.bluez.central import NoController
from firmware_stubs.bluez.ground import Ground
from firmware_stubs.bluez.object_tree import ObjectTree
from firmware_stubs.bluez.timings import Timings

NAME = "org.bluez"
LOOKS_AGAIN_S = 0.2


class NameTaken(Exception):
    """Somebody else is org.bluez on this bus."""


async def serve(
    address: str, *, transports: Sequence[str], timings: Timings, on_ready: Callable[[], None] = lambda: None
) -> None:
    """Be bluetoothd on the bus at `address`, with one adapter per HCI transport; return when the bus is gone.

    As bluetoothd, it ends with its bus. `on_ready` is called once, when all adapters are there.
    """
    bus = await connect(address)
    ground = Ground(tree=ObjectTree(bus), timings=timings)
    adapters = [
        AdapterObject(ground, name=f"hci{number}", transport=transport, address=own_address(number))
        for number, transport in enumerate(transports)
    ]
    await ground.tree.watch_peers()
    async with asyncio.TaskGroup() as tasks:
        appeared = [asyncio.Event() for _ in adapters]
        lives = [tasks.create_task(_live(*pair)) for pair in zip(adapters, appeared, strict=True)]
        ground.tree.when_gone(lambda client: _forget_client(tasks, adapters, client))
        for event in appeared:
            await event.wait()
        if await bus.request_name(NAME, NameFlag.DO_NOT_QUEUE) != RequestNameReply.PRIMARY_OWNER:
            raise NameTaken(f"{NAME} is taken at {address}")
        on_ready()
        with contextlib.suppress(Exception):
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        for life in lives:
            life.cancel()


def own_address(number: int) -> hci.Address:
    """Name the address of the n-th adapter; it stays the same over power cycles and restarts, as bonds need it."""
    return hci.Address(f"F0:00:00:00:00:{number + 1:02X}")


async def _live(adapter: AdapterObject, appeared: asyncio.Event) -> None:
    while True:
        adapter.gone.clear()
        with contextlib.suppress(NoController):
            await adapter.appear()
            appeared.set()
            await adapter.gone.wait()
            await adapter.vanish()
        await asyncio.sleep(LOOKS_AGAIN_S)


def _forget_client(tasks: asyncio.TaskGroup, adapters: Sequence[AdapterObject], client: str) -> None:
    for adapter in adapters:
        tasks.create_task(adapter.forget_client(client))

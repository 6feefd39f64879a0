"""Stand-ins for systemd and logind on the private bus: they restart units and reboot on demand, and keep count."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from dbus_fast import DBusError

from firmware_stubs.bluez.bus import connect
from firmware_stubs.bluez.errors import dbus_error
from firmware_stubs.bluez.object_tree import Call, Interface, ObjectTree, Reply

SYSTEMD = "org.freedesktop.systemd1"
SYSTEMD_PATH = "/org/freedesktop/systemd1"
SYSTEMD_MANAGER = "org.freedesktop.systemd1.Manager"
LOGIND = "org.freedesktop.login1"
LOGIND_PATH = "/org/freedesktop/login1"
LOGIND_MANAGER = "org.freedesktop.login1.Manager"
Act = Callable[[], Awaitable[None]]


class InitSystem:
    """Restarts units by name and reboots, one job after the other. `restarts` and `reboots` tell what was done.

    While `is_allowed` is False whoever asks is refused, as by polkit.
    """

    def __init__(self, *, units: Mapping[str, Act], reboot: Act) -> None:
        self.is_allowed = True
        self.restarts: list[str] = []
        self.reboots = 0
        self._units = units
        self._reboot = reboot
        self._jobs = itertools.count(1)
        self._job = asyncio.Lock()
        self._working: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def on(self, address: str) -> AsyncIterator[None]:
        """Answer on the bus at `address` until the end of the block, or until that bus is gone; what was begun ends."""
        bus = await connect(address)
        tree = ObjectTree(bus)
        tree.add(SYSTEMD_PATH, self._systemd(tree))
        tree.add(LOGIND_PATH, self._logind())
        for name in (SYSTEMD, LOGIND):
            await bus.request_name(name)
        try:
            yield
        finally:
            if bus.connected:
                bus.disconnect()
            with contextlib.suppress(EOFError, OSError):
                await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
            await asyncio.gather(*self._working, return_exceptions=True)

    def _systemd(self, tree: ObjectTree) -> Interface:
        async def restart(call: Call) -> Reply:
            self._must_be_allowed()
            unit, _mode = call.body
            if unit not in self._units:
                raise DBusError(f"{SYSTEMD}.NoSuchUnit", f"Unit {unit} not found.")
            self.restarts.append(unit)
            number = next(self._jobs)
            job = f"{SYSTEMD_PATH}/job/{number}"
            self._begin(self._run(tree, number, job, unit))
            return Reply(signature="o", body=[job])

        return Interface(name=SYSTEMD_MANAGER, properties={}, methods={"RestartUnit": ("ss", restart)})

    async def _run(self, tree: ObjectTree, number: int, job: str, unit: str) -> None:
        async with self._job:
            await self._units[unit]()
        tree.emit(SYSTEMD_PATH, SYSTEMD_MANAGER, "JobRemoved", "uoss", number, job, unit, "done")

    def _logind(self) -> Interface:
        async def reboot(_call: Call) -> None:
            self._must_be_allowed()
            self.reboots += 1
            self._begin(self._go_down())

        async def can_reboot(_call: Call) -> Reply:
            return Reply(signature="s", body=["yes" if self.is_allowed else "no"])

        methods = {"Reboot": ("b", reboot), "CanReboot": ("", can_reboot)}
        return Interface(name=LOGIND_MANAGER, properties={}, methods=methods)

    async def _go_down(self) -> None:
        async with self._job:
            await self._reboot()

    def _must_be_allowed(self) -> None:
        if not self.is_allowed:
            raise dbus_error("InteractiveAuthorizationRequired", "Interactive authentication required.")

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._working.add(task)
        task.add_done_callback(self._working.discard)

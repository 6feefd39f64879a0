"""Discovery sessions of one adapter: at most one per client, each with its filter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from firmware_stubs.bluez.errors import failed, in_progress
from firmware_stubs.bluez.faults import Cure, Faults, Member
from firmware_stubs.bluez.object_tree import Call

Switch = Callable[[], Awaitable[None]]


class Discovery:
    """Who wants to discover, and what. `switch` is called when the first begins and when the last ends."""

    def __init__(self, faults: Faults, *, adapter: str, switch: Switch) -> None:
        self._faults = faults
        self._adapter = adapter
        self._switch = switch
        self._filters: dict[str, set[str]] = {}
        self._sessions: set[str] = set()

    @property
    def is_on(self) -> bool:
        """Tell whether anybody discovers."""
        return bool(self._sessions)

    def wants(self, uuids: Iterable[str]) -> bool:
        """Tell whether a device that advertises these services is looked for by anybody."""
        said = set(uuids)
        filters = (self._filters.get(client) for client in self._sessions)
        return any(not wanted or wanted & said for wanted in filters)

    async def set_filter(self, call: Call) -> None:
        """SetDiscoveryFilter: only its UUIDs matter here."""
        uuids = call.body[0].get("UUIDs")
        self._filters[call.sender] = set(uuids.value) if uuids else set()

    async def start(self, call: Call) -> None:
        """StartDiscovery."""
        await self._faults.meet(Member.START_DISCOVERY)
        if call.sender in self._sessions:
            raise in_progress()
        self._sessions.add(call.sender)
        if len(self._sessions) == 1:
            self._faults.cure(self._adapter, Cure.RESCAN)
            await self._switch()

    async def stop(self, call: Call) -> None:
        """StopDiscovery."""
        await self._faults.meet(Member.STOP_DISCOVERY)
        if call.sender not in self._sessions:
            raise failed("No discovery started")
        await self._end(call.sender)

    async def forget_client(self, client: str) -> None:
        """End the session of a client that left the bus."""
        if client in self._sessions:
            await self._end(client)
        self._filters.pop(client, None)

    def stop_all(self) -> None:
        """Forget all sessions: the adapter is off."""
        self._sessions.clear()

    async def _end(self, client: str) -> None:
        self._sessions.discard(client)
        if not self._sessions:
            await self._switch()

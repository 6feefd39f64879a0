"""Encryption and pairing of one device: what kernel and bluetoothd do when a device asks for it, or a client does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bumble import core
from bumble.pairing import PairingConfig, PairingDelegate
from dbus_fast import DBusError

from firmware_stubs.bluez.agents import Agents
from firmware_stubs.bluez.errors import bluez_error
from firmware_stubs.bluez.link import Link


class Security:
    """The bond with the device at `path`, if there is one. `on_bonded` is called when one is made."""

    def __init__(self, agents: Agents, *, path: str, on_bonded: Callable[[], None]) -> None:
        self._agents = agents
        self._path = path
        self._on_bonded = on_bonded
        self._paired_by: str | None = None
        self._securing = asyncio.Lock()

    @property
    def is_busy(self) -> bool:
        """Tell whether a pairing is going on."""
        return self._securing.locked()

    async def secure(self, link: Link) -> bool:
        """Encrypt the link by its bond, or pair; tell whether it is more secure than when it was asked."""
        was_encrypted = link.connection.is_encrypted
        async with self._securing:
            if link.connection.is_encrypted:
                return not was_encrypted  # somebody else's request has done it in the meantime
            return await self.encrypt(link) if await self.is_bonded(link) else await self._pair(link)

    async def pair(self, link: Link, *, client: str) -> None:
        """Pair because a client asked for it; raise org.bluez.Error.AuthenticationFailed."""
        async with self._securing:
            self._paired_by = client
            try:
                if not await self._pair(link):
                    raise bluez_error("AuthenticationFailed", "Authentication Failed")
            finally:
                self._paired_by = None

    async def encrypt(self, link: Link) -> bool:
        """Encrypt the link by its bond; tell whether the device still had its key."""
        try:
            await link.run(link.connection.encrypt())
        except (core.BaseBumbleError, DBusError):
            return False
        return True

    async def is_bonded(self, link: Link) -> bool:
        """Tell whether there is a key for the device."""
        keystore = link.connection.device.keystore
        return keystore is not None and await keystore.get(str(link.connection.peer_address)) is not None

    def config(self) -> PairingConfig:
        """Say how this side pairs: no display, no keys, an agent that is asked."""
        return PairingConfig(
            mitm=False,
            delegate=_Delegate(self._authorise),
            identity_address_type=PairingConfig.AddressType.RANDOM,  # the one that links are made with
        )

    async def _pair(self, link: Link) -> bool:
        try:
            await link.run(link.connection.pair())
        except (core.BaseBumbleError, DBusError):
            return False
        self._on_bonded()
        return True

    async def _authorise(self) -> bool:
        return await self._agents.authorise(self._path, paired_by=self._paired_by)


class _Delegate(PairingDelegate):
    def __init__(self, authorise: Callable[[], Awaitable[bool]]) -> None:
        super().__init__(PairingDelegate.NO_OUTPUT_NO_INPUT)
        self._authorise = authorise

    async def confirm(self, auto: bool = False) -> bool:
        del auto
        return await self._authorise()

"""Our pairing agent: without one bluetoothd refuses every pairing. It has no keys and no screen, and knows its own.

org.bluez.Agent1 with the capability NoInputNoOutput ("just works"): bluetoothd asks for authorization, and a claimed
device gets it. What would need a person to read or type a number is refused.
"""

from collections.abc import Callable
from typing import NoReturn

import structlog
from dbus_fast.annotations import DBusObjectPath, DBusStr, DBusUInt16, DBusUInt32
from dbus_fast.errors import DBusError
from dbus_fast.service import ServiceInterface, dbus_method

AGENT_PATH = "/org/hearthwatch/agent"
CAPABILITY = "NoInputNoOutput"

log = structlog.get_logger()


class PairingAgent(ServiceInterface):
    """Says yes to devices that `may_pair`, by their address, and no to all others."""

    def __init__(self, may_pair: Callable[[str], bool]) -> None:
        super().__init__("org.bluez.Agent1")
        self._may_pair = may_pair

    @dbus_method()
    def Release(self) -> None:  # noqa: N802 - the names are BlueZ's
        """Hear that we are the agent no longer."""

    @dbus_method()
    def Cancel(self) -> None:  # noqa: N802
        """Hear that a question is withdrawn; ours are answered at once."""

    @dbus_method()
    def RequestAuthorization(self, device: DBusObjectPath) -> None:  # noqa: N802
        """Allow an incoming pairing of a device that is ours."""
        self._allow(device)

    @dbus_method()
    def AuthorizeService(self, device: DBusObjectPath, uuid: DBusStr) -> None:  # noqa: N802, ARG002
        """Allow a service to a device that is ours."""
        self._allow(device)

    @dbus_method()
    def RequestConfirmation(self, device: DBusObjectPath, passkey: DBusUInt32) -> None:  # noqa: N802, ARG002
        """Refuse: nobody sees the number."""
        self._refuse(device, "a number was to be compared")

    @dbus_method()
    def RequestPinCode(self, device: DBusObjectPath) -> DBusStr:  # noqa: N802
        """Refuse: nobody types one."""
        self._refuse(device, "a PIN was asked for")

    @dbus_method()
    def RequestPasskey(self, device: DBusObjectPath) -> DBusUInt32:  # noqa: N802
        """Refuse: nobody types one."""
        self._refuse(device, "a number was asked for")

    @dbus_method()
    def DisplayPinCode(self, device: DBusObjectPath, pincode: DBusStr) -> None:  # noqa: N802, ARG002
        """Refuse: there is no screen."""
        self._refuse(device, "a PIN was to be shown")

    @dbus_method()
    def DisplayPasskey(self, device: DBusObjectPath, passkey: DBusUInt32, entered: DBusUInt16) -> None:  # noqa: N802
        """Pass over: there is no screen, and no answer is awaited."""

    def _allow(self, device: str) -> None:
        address = address_in(device)
        if not self._may_pair(address):
            self._refuse(device, "it is not claimed")
        log.info("paired with", device=address)

    def _refuse(self, device: str, why: str) -> NoReturn:
        log.warning("pairing refused", device=address_in(device), because=why)
        raise DBusError("org.bluez.Error.Rejected", f"{address_in(device)}: {why}")


def address_in(path: str) -> str:
    """Give the address in a device's object path (/org/bluez/hci0/dev_AA_BB_CC_DD_EE_FF)."""
    return path.rpartition("/dev_")[2].partition("/")[0].replace("_", ":").upper()

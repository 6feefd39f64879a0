"""The errors that bluetoothd answers with, by name and text (BlueZ 5.66 src/error.c, src/gatt-client.c)."""

from __future__ import annotations

from bumble import att
from dbus_fast import DBusError

_BLUEZ = "org.bluez.Error."
_DBUS = "org.freedesktop.DBus.Error."

NOT_PAIRED = ("NotPermitted", "Not paired")
_ATT_ERRORS = {
    att.ErrorCode.READ_NOT_PERMITTED: ("NotPermitted", "Read not permitted"),
    att.ErrorCode.WRITE_NOT_PERMITTED: ("NotPermitted", "Write not permitted"),
    att.ErrorCode.INSUFFICIENT_AUTHENTICATION: NOT_PAIRED,
    att.ErrorCode.INSUFFICIENT_ENCRYPTION: NOT_PAIRED,
    att.ErrorCode.INSUFFICIENT_ENCRYPTION_KEY_SIZE: NOT_PAIRED,
    att.ErrorCode.INVALID_OFFSET: ("InvalidArguments", "Invalid offset"),
    att.ErrorCode.INVALID_ATTRIBUTE_LENGTH: ("InvalidArguments", "Invalid Length"),
    att.ErrorCode.INSUFFICIENT_AUTHORIZATION: ("NotAuthorized", "Operation Not Authorized"),
    att.ErrorCode.REQUEST_NOT_SUPPORTED: ("NotSupported", "Operation is not supported"),
}


def failed(text: str) -> DBusError:
    """Build org.bluez.Error.Failed with its text."""
    return DBusError(f"{_BLUEZ}Failed", text)


def bluez_error(name: str, text: str) -> DBusError:
    """Build org.bluez.Error.<name>."""
    return DBusError(_BLUEZ + name, text)


def dbus_error(name: str, text: str) -> DBusError:
    """Build org.freedesktop.DBus.Error.<name>."""
    return DBusError(_DBUS + name, text)


def in_progress() -> DBusError:
    """Build the answer to who asks for what is being done already."""
    return bluez_error("InProgress", "Operation already in progress")


def not_ready() -> DBusError:
    """Build the answer of an adapter that is off."""
    return bluez_error("NotReady", "Resource Not Ready")


def att_error(code: int) -> DBusError:
    """Tell a device's ATT error as bluetoothd tells it."""
    if named := _ATT_ERRORS.get(att.ErrorCode(code)):
        return bluez_error(*named)
    return failed(f"Operation failed with ATT error: 0x{code:02x}")

"""A stand-in for BlueZ: org.bluez on a private message bus, so that bleak's own Linux backend runs without hardware.

In a test, take the fixture `rig2` (tests/rigs.py). Elsewhere:

    async with (
        private_bus(folder) as bus,                                         # a dbus-daemon of our own
        hub_process(folder / "hci") as hub,                                 # devices on the virtual radio
        bluez_process(bus.address, transports=[hub.transport]) as bluez,    # hci0; one more transport, one more adapter
    ):
        os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = bus.address
        ...                                                                 # bleak, as on a Raspberry Pi
        await bluez.kill()                                                  # bluetoothd dies; the bus and devices live
        await bluez.start()

Devices in the same process instead of a hub: `open_hci_port(air, path)`.

What a death leaves. When the stand-in is killed its name vanishes from the bus and its links go down, as the kernel
ends links whose sockets nobody holds; after a restart nothing is connected, and devices that were connected before are
known. When a client of the bus dies, the gateway say, its links stay up and the device is not heard any more until
somebody calls Disconnect. When the bus dies the stand-in ends. All of it as bluetoothd does.

docs/rigs.md says what else is true to BlueZ and what is not, and lists the faults (faults.py).
"""

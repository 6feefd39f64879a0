"""The table of drivers, in the order in which they are asked: a maker's own before the Bluetooth SIG's profiles."""

from gateway.driver import Driver, Kind, Recognition
from gateway.gatt.decoders import PROFILES, decode

BLUETOOTH_SIG = Driver(
    name="bluetooth_sig",
    product="Bluetooth SIG health profiles",
    kind=Kind.OXIMETER,
    recognition=Recognition(services=frozenset(PROFILES)),
    decode=decode,
    subscribe=tuple(uuid for profile in PROFILES.values() for uuid in profile.subscribe),
    streams=frozenset(uuid for profile in PROFILES.values() for uuid in profile.streams),
)

DRIVERS: tuple[Driver, ...] = (BLUETOOTH_SIG,)
DRIVER_BY_NAME: dict[str, Driver] = {driver.name: driver for driver in DRIVERS}

"""The table of drivers, in the order in which they are asked: a maker's own before the Bluetooth SIG's profiles."""

from collections.abc import Iterable

from gateway.drivers import (
    and_medical,
    berrymed,
    beurer_po60,
    bthome,
    contec,
    jumper,
    masimo,
    nonin,
    viatom,
    viatom_pc60fw,
    xiaomi_thermometer,
    yuwell,
)
from gateway.drivers.driver import Driver, Kind, Recognition
from gateway.gatt import record_access
from gateway.gatt.decoders import PROFILES, decode, kind_of

BLUETOOTH_SIG = Driver(
    name="bluetooth_sig",
    product="Bluetooth SIG health profiles",
    kind=Kind.OXIMETER,
    recognition=Recognition(services=frozenset(PROFILES)),
    decode=decode,
    subscribe=tuple(dict.fromkeys(uuid for profile in PROFILES.values() for uuid in profile.subscribe)),
    streams=frozenset(uuid for profile in PROFILES.values() for uuid in profile.streams),
    begin=(record_access.asked(record_access.COUNT_ALL),),
    answer=record_access.answer,
    notes="kind: see kind_seen",
)

DRIVERS: tuple[Driver, ...] = (
    jumper.DRIVER,
    berrymed.DRIVER,
    yuwell.DRIVER,
    viatom.DRIVER,  # before Contec's kin: some of either are named SleepO2, and Viatom's show their own service
    contec.DRIVER,
    beurer_po60.DRIVER,
    viatom_pc60fw.DRIVER,
    nonin.DRIVER,
    masimo.DRIVER,
    and_medical.DRIVER,
    and_medical.CUFF,
    and_medical.SCALE,
    bthome.DRIVER,
    xiaomi_thermometer.DRIVER,
    BLUETOOTH_SIG,
)
DRIVER_BY_NAME: dict[str, Driver] = {driver.name: driver for driver in DRIVERS}


def kind_seen(driver: Driver, services: Iterable[str]) -> Kind:
    """Say what a driver's device is: one that speaks the Bluetooth SIG's profiles is told by those it offers."""
    return (kind_of(services) if driver is BLUETOOTH_SIG else None) or driver.kind


def streams_seen(driver: Driver, services: Iterable[str]) -> bool:
    """Say whether a driver's device speaks all the time while worn, as far as its advertisement tells."""
    if driver is not BLUETOOTH_SIG:
        return bool(driver.streams)
    return any(PROFILES[uuid].streams for uuid in services if uuid in PROFILES)

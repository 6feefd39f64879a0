"""Each device is read by its own driver, and by no other row of the table."""

import pytest

from gateway.drivers.driver import Driver, Seen, driver_for
from gateway.drivers.table import DRIVER_BY_NAME, DRIVERS

JUMPER = "cdeacb80-5235-4c07-8846-93a37ee6b86d"
ISSC_UART = "49535343-fe7d-4ae5-8fa9-9fafd205e455"
NORDIC_UART = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
VIATOM = "14839ac4-7d7e-415c-9a42-167340cf2339"
NONIN = "46a970e0-0d5f-11e2-8b5e-0002a5d5c51b"
MASIMO = "54c21000-a720-4b4f-11e4-9fe20002a5d5"
AND_COMMANDS = "233bf000-5a34-1b6d-975c-000d5690abe4"


def shown(name: str = "", *services: str, data: str = "") -> Seen:
    return Seen(name=name, services=frozenset(services), service_data=frozenset({data} if data else ()))


# Names and services as advertised, and as seen once linked.
DEVICES: list[tuple[Seen, str]] = [
    (shown("My Oximeter"), "jumper"),
    (shown("My Oximeter", JUMPER), "jumper"),
    (shown("", JUMPER, "180a"), "jumper"),
    (shown("BerryMed\0\0"), "berrymed"),
    (shown("BerryMed", ISSC_UART, "180a"), "berrymed"),
    (shown("Yuwell BO-YX110-0A1B"), "yuwell"),
    (shown("VTM 20F", "ffe0", "180a"), "yuwell"),
    (shown("O2Ring 2561"), "viatom"),
    (shown("O2Ring 2561", VIATOM), "viatom"),
    (shown("SleepO2 0815", VIATOM), "viatom"),
    (shown("SleepO2"), "contec"),
    (shown("SleepO2", "ff12"), "contec"),
    (shown("SpO208", "ff12"), "contec"),
    (shown("PO60", "ff12"), "beurer_po60"),
    (shown("PC-60F_SN010175", NORDIC_UART), "viatom_pc60fw"),
    (shown("PC-60FW", NORDIC_UART), "viatom_pc60fw"),
    (shown("OxySmart 1234", NORDIC_UART), "viatom_pc60fw"),
    (shown("Nonin3230_502650123"), "nonin"),
    (shown("Nonin3230_502650123", NONIN, "1822"), "nonin"),
    (shown("MightySat 123"), "masimo"),
    (shown("MSat012345", MASIMO, "1822"), "masimo"),
    (shown("A&D_UT201BLE_0CD1F3", "1809", AND_COMMANDS), "and_thermometer"),
    (shown("A&D_UA-651BLE_0CD1F3", "1810", AND_COMMANDS), "and_cuff"),
    (shown("A&D_UC-352BLE_0CD1F3", "181d", AND_COMMANDS), "and_scale"),
    (shown("ATC_8D18B2", data="fcd2"), "bthome"),
    (shown("MMC-T201-1", "1809", data="fe95"), "xiaomi_thermometer"),
    (shown("MMC-W505", "1809", data="fe95"), "xiaomi_thermometer"),
    (shown("Oximeter", "1822"), "bluetooth_sig"),
    (shown("Thermometer", "1809"), "bluetooth_sig"),
]

STRANGERS = [
    shown(),
    shown("HMSoft", "ffe0"),
    shown("BT05", "ffe0", "180a"),
    shown("UART", NORDIC_UART),
    shown("PC-60FWX", NORDIC_UART),
    shown("Spooky", NORDIC_UART),
    shown("BLE-UART", ISSC_UART),
    shown("Lamp", "ff12"),
    shown("SpO209", "ff12"),  # Contec's CMS50K speaks otherwise
    shown("O2Ring S 1234"),
    shown("Mi Smart Plug", data="fe95"),
    shown("A&D_XX-1"),
]


@pytest.mark.parametrize(("seen", "name"), DEVICES, ids=lambda each: each if isinstance(each, str) else each.name)
def test_each_device_is_read_by_its_own_driver(seen: Seen, name: str) -> None:
    chosen = driver_for(DRIVERS, seen)
    assert chosen is DRIVER_BY_NAME[name]


@pytest.mark.parametrize("seen", STRANGERS, ids=lambda seen: seen.name or "nothing")
def test_a_stranger_is_read_by_none(seen: Seen) -> None:
    assert driver_for(DRIVERS, seen) is None


# A maker's device that also offers a profile of the Bluetooth SIG is its maker's; SleepO2 is told by order, as said
# in the table. Nowhere else do two rows know one device, so the order of the rest does not matter.
KNOWN_TWICE = {("viatom", "contec")}


@pytest.mark.parametrize(("seen", "name"), DEVICES, ids=lambda each: each if isinstance(each, str) else each.name)
def test_no_other_makers_row_knows_it_too(seen: Seen, name: str) -> None:
    others = {driver.name for driver in DRIVERS if driver.recognition.fits(seen)} - {name, "bluetooth_sig"}
    assert {(name, other) for other in others} <= KNOWN_TWICE


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
def test_every_row_is_tried_here(driver: Driver) -> None:
    assert driver.name in {name for _, name in DEVICES}, f"{driver.name}: add a row to DEVICES in {__file__}"


def test_no_two_drivers_have_one_name() -> None:
    assert len(DRIVER_BY_NAME) == len(DRIVERS)


def test_the_profiles_are_asked_last() -> None:
    assert DRIVERS[-1].name == "bluetooth_sig"

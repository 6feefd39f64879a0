"""A&D devices: Bluetooth SIG payloads, a bond, and two words of the maker's."""

from datetime import datetime

import pytest

from gateway.drivers.and_medical import COMMAND, CUFF, DRIVER, SCALE
from gateway.drivers.driver import Driver, Kind, Seen, driver_for
from gateway.drivers.table import BLUETOOTH_SIG, DRIVERS
from gateway.gatt.decoded import Mode
from tests.gateway.drivers.outcomes import decoded, error_of, trust, values
from vitals.quality import Quality, Reason
from vitals.signals import Signal

ALL = (DRIVER, CUFF, SCALE)


def test_a_temperature_with_its_time() -> None:
    outcome = decoded(DRIVER, "066d0100ff" + "ea070b15160f1e" + "02")
    assert (outcome.mode, values(outcome)) == (Mode.SPOT, {Signal.TEMPERATURE: 3650})
    assert outcome.device_time == datetime(2026, 11, 21, 22, 15, 30)  # noqa: DTZ001 - the device knows no zone


def test_a_failed_measurement_is_no_number() -> None:
    outcome = decoded(CUFF, "04" + "ff07" * 3 + "ff07")
    assert set(values(outcome).values()) == {None}
    assert trust(outcome, Signal.SYSTOLIC) == (Quality.INVALID, Reason.NOT_A_NUMBER)


def test_a_pressure_and_a_weight() -> None:
    assert values(decoded(CUFF, "00" + "7d0052006000"))[Signal.SYSTOLIC] == 12500
    assert values(decoded(SCALE, "00c832")) == {Signal.WEIGHT: 6500}


@pytest.mark.parametrize("driver", ALL)
def test_it_pairs_sets_the_clock_asks_for_all_and_hangs_up(driver: Driver) -> None:
    # obniz/obniz src/parts/Ble/UT201BLE/index.ts
    assert driver.bond
    assert driver.sets_clock
    assert [(write.uuid, write.payload.hex()) for write in driver.begin] == [(COMMAND, "0200e1")]
    assert [(write.uuid, write.payload.hex()) for write in driver.end] == [(COMMAND, "020103")]


@pytest.mark.parametrize(
    ("name", "services", "driver", "kind"),
    [
        ("A&D_UT201BLE_0CD1F3", {"1809"}, DRIVER, Kind.THERMOMETER),
        ("A&D_UA-651BLE_0CD1F3", {"1810"}, CUFF, Kind.CUFF),
        ("A&D_UC-352BLE_0CD1F3", {"181d"}, SCALE, Kind.SCALE),
        ("UA-651BLE", {"1810"}, BLUETOOTH_SIG, Kind.OXIMETER),
    ],
)
def test_the_name_tells_it_from_others_of_the_same_profile(
    name: str, services: set[str], driver: Driver, kind: Kind
) -> None:
    assert driver_for(DRIVERS, Seen(name=name, services=frozenset(services))) is driver
    assert driver.kind is kind


def test_a_malformed_payload_names_its_byte() -> None:
    assert error_of(DRIVER, "06").offset == 1

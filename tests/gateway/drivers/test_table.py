"""The table of drivers: how the Bluetooth SIG's profiles stand in it."""

from gateway.drivers.driver import Kind
from gateway.drivers.table import BLUETOOTH_SIG, DRIVER_BY_NAME, DRIVERS, kind_seen
from gateway.gatt.write import Write
from vitals.signals import Signal


def test_stored_records_are_counted_once_everything_is_listened_to() -> None:
    assert BLUETOOTH_SIG.begin == (Write(uuid="2a52", payload=b"\x04\x01"),)
    assert BLUETOOTH_SIG.answer("2a52", bytes.fromhex("05000300")) == (Write(uuid="2a52", payload=b"\x01\x01"),)
    assert BLUETOOTH_SIG.subscribe.count("2a52") == 1


def test_what_streams_and_what_speaks_once() -> None:
    assert BLUETOOTH_SIG.streams == {"2a5f", "2a37"}
    assert set(BLUETOOTH_SIG.subscribe) - BLUETOOTH_SIG.streams == {
        "2a5e",
        "2a52",
        "2a1c",
        "2a1e",
        "2a35",
        "2a18",
        "2a34",
        "2a9d",
    }
    assert "2a36" not in BLUETOOTH_SIG.subscribe  # a cuff on its way up is no blood pressure


def test_one_of_the_profiles_is_told_by_its_services_and_a_makers_own_by_its_driver() -> None:
    assert kind_seen(BLUETOOTH_SIG, {"1810", "180f"}) is Kind.CUFF
    assert kind_seen(BLUETOOTH_SIG, set()) is BLUETOOTH_SIG.kind
    for driver in DRIVERS:
        if driver is not BLUETOOTH_SIG:
            assert kind_seen(driver, {"1810"}) is driver.kind


def test_of_two_values_of_one_signal_in_an_advertisement_the_first_is_read() -> None:
    # found by fuzzing: 36.95 and 20.00 °C, batteries of 97 and 50 %
    decoded = DRIVER_BY_NAME["bthome"].decode("fcd2", bytes.fromhex("40" + "0161" + "026f0e" + "02d007" + "0132"))
    assert [(m.signal, m.value) for m in decoded.measurements] == [(Signal.BATTERY, 9700), (Signal.TEMPERATURE, 3695)]
    assert decoded.status == ("another_temperature", "another_battery")

"""MiBeacon service data in, exact readings out.

Each vector under `CROSS_CHECKED` was also given to xiaomi-ble 1.21.2, which read the same numbers.
"""

import pytest

from gateway.drivers.xiaomi_thermometer import DRIVER, SERVICE_DATA
from tests.gateway.drivers.outcomes import GOOD, decoded, error_of, trust, values
from vitals.quality import Quality, Reason
from vitals.signals import Signal

OUTSIDE = (Quality.QUESTIONABLE, Reason.OUT_OF_DEVICE_RANGE)
T201, W505 = "7022db006fc16fddf98100", "702291030fdbab531824d0"
CROSS_CHECKED = {
    # The first two are recordings: Bluetooth-Devices/xiaomi-ble tests/test_parser.py.
    T201 + "09002005c60d630d51": (3687, GOOD),
    W505 + "090a0002750d07": (3445, OUTSIDE),
    T201 + "09002005420e740d50": (3885, OUTSIDE),
    T201 + "09002005a60ed80d50": (4163, OUTSIDE),
    W505 + "090a0002740e": (3700, GOOD),
}


@pytest.mark.parametrize("frame", CROSS_CHECKED)
def test_vectors_that_the_published_parser_reads_alike(frame: str) -> None:
    outcome = decoded(DRIVER, frame, SERVICE_DATA)
    assert (values(outcome)[Signal.TEMPERATURE], trust(outcome, Signal.TEMPERATURE)) == CROSS_CHECKED[frame]


def test_the_battery_and_the_product_are_told() -> None:
    outcome = decoded(DRIVER, T201 + "09002005c60d630d51", SERVICE_DATA)
    assert values(outcome)[Signal.BATTERY] == 8100
    assert outcome.status == ("MMC-T201-1", "packet_111")


@pytest.mark.parametrize(
    ("hundredths", "expected"),
    [("410e", OUTSIDE), ("420e", GOOD), ("ce0e", GOOD), ("cf0e", OUTSIDE)],
)
def test_the_range_of_trust_ends_at_36_5_and_37_9(hundredths: str, expected: tuple[Quality, Reason]) -> None:
    outcome = decoded(DRIVER, W505 + "090a0002" + hundredths, SERVICE_DATA)
    assert trust(outcome, Signal.TEMPERATURE) == expected


@pytest.mark.parametrize(
    "objects",
    [
        "002005d007d00750",  # 20 °C on both sides, where the curve says 36.41
        "002005b70b840950",  # 29.99 °C on the skin's
        "0a00020000",
    ],
)
def test_on_no_body_there_is_no_value(objects: str) -> None:
    outcome = decoded(DRIVER, T201 + "09" + objects, SERVICE_DATA)
    assert values(outcome)[Signal.TEMPERATURE] is None
    assert trust(outcome, Signal.TEMPERATURE) == (Quality.INVALID, Reason.UNAVAILABLE)


def test_sensors_that_fail_upwards_give_no_number() -> None:
    outcome = decoded(DRIVER, T201 + "09002005ff7f000050", SERVICE_DATA)
    assert values(outcome)[Signal.TEMPERATURE] is None


def test_an_unknown_product_is_questionable_throughout() -> None:
    outcome = decoded(DRIVER, "7022ff0f6fc16fddf98100" + "09002005c60d630d51", SERVICE_DATA)
    assert values(outcome)[Signal.TEMPERATURE] == 3687
    assert trust(outcome, Signal.TEMPERATURE) == (Quality.QUESTIONABLE, Reason.DEVICE_QUESTIONABLE)
    assert outcome.status == ("product_0fff", "packet_111")


def test_of_two_temperatures_in_an_advertisement_the_first_is_read() -> None:
    outcome = decoded(DRIVER, W505 + "090a0002740e" + "0a0002d80e", SERVICE_DATA)
    assert values(outcome) == {Signal.TEMPERATURE: 3700}
    assert outcome.status[-1] == "another_temperature"


@pytest.mark.parametrize(
    "frame",
    [
        "3020db006fc16fddf9810009",  # no objects
        T201 + "09041002d200",  # another object
        T201 + "2901",  # a second byte of capability
    ],
)
def test_what_measures_nothing(frame: str) -> None:
    assert decoded(DRIVER, frame, SERVICE_DATA).measurements == ()


@pytest.mark.parametrize(
    ("frame", "offset", "says"),
    [
        ("", 0, "frame control"),
        ("7022db", 3, "product"),
        ("7012db006f", 1, "version 1"),
        ("f022db006f", 0, "mesh"),
        ("5858db006fc16fddf98100", 0, "encrypted"),
        ("7022db006fc16f", 7, "address"),
        (T201 + "09002004c60d630d", 14, "4 bytes, not 5"),
        (T201 + "09002005c60d", 17, "outer side"),
        (T201 + "090a0000", 14, "0 bytes, not 2"),
        (T201 + "09041009d200", 17, "needs 9 bytes"),
    ],
)
def test_a_malformed_or_encrypted_advertisement_names_its_byte(frame: str, offset: int, says: str) -> None:
    error = error_of(DRIVER, frame, SERVICE_DATA)
    assert (error.offset, error.characteristic) == (offset, SERVICE_DATA)
    assert says in error.message


def test_it_is_never_connected_to() -> None:
    assert not DRIVER.connects

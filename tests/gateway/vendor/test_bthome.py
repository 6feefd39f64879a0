"""BTHome v2 service data in, exact readings out.

Each vector under `CROSS_CHECKED` was also given to bthome-ble 3.25.0, which read the same numbers.
"""

import pytest

from gateway.gatt.decoded import Mode
from gateway.vendor.bthome import DRIVER, SERVICE_DATA
from tests.gateway.vendor.outcomes import GOOD, decoded, error_of, trust, values
from vitals.quality import Quality, Reason
from vitals.signals import Signal

CROSS_CHECKED: dict[str, dict[Signal, int | None]] = {
    "4000090161026f0e": {Signal.BATTERY: 9700, Signal.TEMPERATURE: 3695},
    "4000090161456f01": {Signal.BATTERY: 9700, Signal.TEMPERATURE: 3670},
    "440161026f0e": {Signal.BATTERY: 9700, Signal.TEMPERATURE: 3695},  # sends only when something happens
    "405725": {Signal.TEMPERATURE: 3700},
    "405869": {Signal.TEMPERATURE: 3675},  # bthome-ble rounds 36.75 to 36.8
    "42b2188d38c1a402420e": {Signal.TEMPERATURE: 3650},  # with its address
    "4002420e03bf13": {Signal.TEMPERATURE: 3650},  # humidity behind it
    "4053045465737402a20e": {Signal.TEMPERATURE: 3746},  # a text before it
    "400102": {Signal.BATTERY: 200},
    "400002": {},
}


@pytest.mark.parametrize("frame", CROSS_CHECKED)
def test_vectors_that_the_published_parser_reads_alike(frame: str) -> None:
    outcome = decoded(DRIVER, frame, SERVICE_DATA)
    assert outcome.mode is Mode.CONTINUOUS
    assert values(outcome) == CROSS_CHECKED[frame]
    assert all(trust(outcome, signal) == GOOD for signal in values(outcome))


def test_a_packets_number_is_told() -> None:
    assert decoded(DRIVER, "400009016102420e", SERVICE_DATA).status == ("packet_9",)
    assert decoded(DRIVER, "40016102420e", SERVICE_DATA).status == ()


@pytest.mark.parametrize(
    ("frame", "signal"),
    [
        ("4002ca09", Signal.TEMPERATURE),  # 25.06 °C: a room
        ("4045f6ff", Signal.TEMPERATURE),  # -1.0 °C
        ("4001ff", Signal.BATTERY),
    ],
)
def test_what_no_body_has_is_not_kept(frame: str, signal: Signal) -> None:
    outcome = decoded(DRIVER, frame, SERVICE_DATA)
    assert values(outcome) == {signal: None}
    assert trust(outcome, signal) == (Quality.INVALID, Reason.IMPLAUSIBLE)


@pytest.mark.parametrize(
    ("frame", "offset", "says"),
    [
        ("", 0, "device information"),
        ("20", 0, "version 1"),
        ("41a47266c95f730011223378237214", 0, "encrypted"),
        ("400009c1026f0e", 3, "object 0xc1"),
        ("4002ca", 3, "needs 2 bytes"),
        ("4053", 2, "length of object 0x53"),
        ("405409aabb", 5, "needs 9 bytes"),
        ("42b2188d", 4, "address"),
    ],
)
def test_a_malformed_or_unknown_advertisement_names_its_byte(frame: str, offset: int, says: str) -> None:
    error = error_of(DRIVER, frame, SERVICE_DATA)
    assert (error.characteristic, error.offset) == (SERVICE_DATA, offset)
    assert says in error.message


def test_it_is_never_connected_to() -> None:
    assert not DRIVER.connects
    assert DRIVER.advertised == {SERVICE_DATA}

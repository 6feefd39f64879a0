"""BTHome v2 service data in, exact readings out.

Each vector under `CROSS_CHECKED` was also given to bthome-ble 3.25.0, which read the same numbers; each length of
`LENGTHS` too, by a temperature behind so many bytes.
"""

import pytest

from gateway.drivers.bthome import DRIVER, SERVICE_DATA
from gateway.gatt.decoded import Mode
from tests.gateway.drivers.outcomes import GOOD, decoded, error_of, trust, values
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


# Ids and lengths of all objects but temperatures.
LENGTHS = """
00:1 01:1 03:2 04:3 05:3 06:2 07:2 08:2 09:1 0a:3 0b:3 0c:2 0d:2 0e:2 0f:1 10:1 11:1 12:2 13:2 14:2 15:1 16:1 17:1 18:1
19:1 1a:1 1b:1 1c:1 1d:1 1e:1 1f:1 20:1 21:1 22:1 23:1 24:1 25:1 26:1 27:1 28:1 29:1 2a:1 2b:1 2c:1 2d:1 2e:1 2f:1 3a:1
3c:2 3d:2 3e:4 3f:2 40:2 41:2 42:3 43:2 44:2 46:1 47:2 48:2 49:2 4a:2 4b:3 4c:4 4d:4 4e:4 4f:4 50:4 51:2 52:2 55:4 56:2
59:1 5a:2 5b:4 5c:4 5d:2 5e:2 5f:2 60:1 61:2 62:4 63:4 64:1 f0:2 f1:4 f2:3
"""


@pytest.mark.parametrize("each", LENGTHS.split())
def test_an_object_that_is_not_read_is_passed_over(each: str) -> None:
    number, length = each.split(":")
    outcome = decoded(DRIVER, f"40{number}{'00' * int(length)}026f0e", SERVICE_DATA)
    assert values(outcome)[Signal.TEMPERATURE] == 3695


def test_no_object_without_a_known_length_is_passed_over() -> None:
    known = {int(each[:2], 16) for each in LENGTHS.split()} | {0x02, 0x45, 0x57, 0x58} | {0x53, 0x54}
    for number in set(range(256)) - known:
        assert error_of(DRIVER, f"40{number:02x}00000000", SERVICE_DATA).offset == 1


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
        ("405880", Signal.TEMPERATURE),  # -44.8 °C
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

"""A PO60's records in, exact readings with their times out."""

from datetime import datetime

import pytest

from gateway.drivers.beurer_po60 import DRIVER, NOTIFY
from gateway.drivers.checksums import sum7
from gateway.gatt.decoded import Mode
from tests.gateway.drivers.outcomes import GOOD, decoded, error_of, frames, in_pieces, trust, values, whys
from vitals.quality import Quality, Reason
from vitals.signals import Signal

# The maker's example: mmhlego/BleConnector Models/OximeterMeasurement.cs.
RECORD = "e9000f0b060d14250f0b060d143a0000166060606f6e6e4b"


def record(**changed: int) -> str:
    """The maker's record with bytes changed (byte_1=0x40), and its sum mended."""
    octets = bytearray.fromhex(RECORD)
    for name, octet in changed.items():
        octets[int(name.removeprefix("byte_"))] = octet
    octets[23] = sum7(octets[:23])
    return octets.hex()


def test_the_makers_record() -> None:
    outcome = decoded(DRIVER, RECORD)
    assert outcome.mode is Mode.SPOT
    assert values(outcome) == {Signal.SPO2: 9600, Signal.PULSE: 11000}
    assert trust(outcome) == trust(outcome, Signal.PULSE) == GOOD
    assert outcome.device_time == datetime(2015, 11, 6, 13, 20, 58)  # noqa: DTZ001 - the device knows no zone
    assert outcome.from_storage
    assert outcome.status == ("spo2_96_to_96", "pulse_110_to_111")


def test_a_fast_pulse_has_its_highest_bits_in_another_byte() -> None:
    slow = {"byte_17": 0x62, "byte_18": 0x5A, "byte_20": 0x20, "byte_21": 0x08, "byte_22": 0x10}
    all_fast = decoded(DRIVER, record(byte_14=0x38, **slow))
    assert values(all_fast)[Signal.PULSE] == 14400
    assert all_fast.status == ("spo2_90_to_98", "pulse_136_to_160")
    assert decoded(DRIVER, record(byte_14=0x20, **slow)).status[1] == "pulse_8_to_160"
    assert decoded(DRIVER, record(byte_14=0x10, **slow)).status[1] == "pulse_136_to_32"


def test_a_record_without_values() -> None:
    outcome = decoded(DRIVER, record(byte_19=0x7F, byte_22=0))
    assert values(outcome) == {Signal.SPO2: None, Signal.PULSE: None}
    assert whys(outcome) == {(Reason.UNAVAILABLE,)}
    assert whys(decoded(DRIVER, record(byte_14=0x08, byte_19=0, byte_22=0x7F))) == {(Reason.UNAVAILABLE,)}


def test_a_record_of_a_clock_that_was_never_set_is_not_placed() -> None:
    outcome = decoded(DRIVER, record(byte_9=0))
    assert (outcome.device_time, outcome.from_storage) == (None, True)
    assert trust(outcome) == (Quality.INVALID, Reason.UNKNOWN)


@pytest.mark.parametrize(
    ("frame", "offset"),
    [
        ("", 0),
        ("60606f6e", 0),
        (RECORD[:-2], 23),
        (RECORD[:-2] + "4c", 23),
        (record(byte_9=13), 8),
        (record(byte_11=24), 8),
    ],
)
def test_a_malformed_record_names_its_byte(frame: str, offset: int) -> None:
    assert error_of(DRIVER, frame).offset == offset


def test_answers_measure_nothing() -> None:
    for frame, status in (("e0050100000066", "answer_e0"), ("f30073", "answer_f3")):
        outcome = decoded(DRIVER, frame)
        assert (outcome.measurements, outcome.status) == ((), (status,))


def test_records_come_in_pieces_of_20_and_4_bytes() -> None:
    stream = bytes.fromhex(RECORD + record(byte_1=1))
    assert [frame.hex() for frame in frames(DRIVER, [*in_pieces(stream[:24], 20), *in_pieces(stream[24:], 20)])] == [
        RECORD,
        record(byte_1=1),
    ]


def test_more_is_asked_for_after_the_tenth_record_only() -> None:
    for number in range(9):
        assert DRIVER.answer(NOTIFY, bytes.fromhex(record(byte_1=number))) == ()
    (more,) = DRIVER.answer(NOTIFY, bytes.fromhex(record(byte_1=9)))
    assert (more.uuid, more.payload.hex(), more.response) == ("ff01", "99011a", False)


@pytest.mark.parametrize("last", [0x49, 0x29])
def test_nothing_is_asked_for_after_the_last_record(last: int) -> None:
    assert DRIVER.answer(NOTIFY, bytes.fromhex(record(byte_1=last))) == ()


def test_a_damaged_record_is_not_answered() -> None:
    assert DRIVER.answer(NOTIFY, bytes.fromhex(record(byte_1=9)[:-2] + "00")) == ()
    assert DRIVER.answer(NOTIFY, b"") == ()


def test_it_asks_for_what_is_stored_and_never_deletes() -> None:
    said = [write.payload.hex() for write in DRIVER.begin]
    assert said == ["900515", "990019"]  # Shreyan1/Beurer-PO60-PulseOximeter-Bluetooth-Integration code.py
    assert DRIVER.keep_every_ms == 0  # records are no stream to be thinned

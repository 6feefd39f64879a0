"""The packed format: what is packed is read, what is damaged is refused with the right fault."""

import struct
import zlib
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.vitals.test_wire_vectors import VECTORS, header, row
from vitals.wire import (
    DEVICES_MAX,
    PAYLOAD_BYTES_MAX,
    ROWS_MAX,
    DeviceEntry,
    Fault,
    Header,
    Row,
    WireError,
    pack,
    rows_of,
    unpack,
)

HEADER_BYTES = 55
I64 = st.integers(-(2**63), 2**63 - 1)
NAMES = st.text(min_size=1, max_size=60).filter(str.isprintable)
DEVICES = st.lists(st.builds(DeviceEntry, device=NAMES, acquisition=st.integers(0, 2)), min_size=1, max_size=20).map(
    tuple
)
HEADERS = st.builds(
    Header,
    outbox_id=st.uuids(),
    first_row=I64,
    boot_id=st.integers(0, 2**32 - 1),
    t0_ms=I64,
    sent_ms=I64,
    synchronised=st.booleans(),
    backlog=st.booleans(),
    offset_unit_ms=st.sampled_from([1, 1000]),
    devices=DEVICES,
)
BYTE = st.integers(0, 255)
ROWS = st.lists(
    st.builds(
        Row,
        offset=st.integers(0, 65535),
        device_index=BYTE,
        signal_code=BYTE,
        value=st.integers(-32768, 32767),
        quality=BYTE,
        reason=BYTE,
    ),
    min_size=1,
    max_size=50,
)


def fault_of(payload: bytes) -> Fault | None:
    try:
        unpack(payload)
    except WireError as exc:
        return exc.fault
    return None


def recounted(payload: bytes | bytearray) -> bytes:
    """Put the CRC right, as a maker who counted wrong would."""
    return bytes(payload[:4]) + struct.pack("<I", zlib.crc32(payload[:4] + payload[8:])) + bytes(payload[8:])


@given(HEADERS, ROWS)
def test_what_is_packed_is_read(head: Header, rows: list[Row]) -> None:
    message = unpack(pack(head, rows))
    assert (message.header, rows_of(message), message.row_count) == (head, rows, len(rows))


@given(st.binary(max_size=400))
@example(b"HW\x01\x00" + bytes(51))
def test_any_bytes_are_read_or_refused(payload: bytes) -> None:
    fault_of(payload)


@pytest.mark.parametrize("name", sorted(VECTORS))
def test_every_truncation_is_refused_with_the_right_fault(name: str) -> None:
    payload = VECTORS[name]
    faults = [fault_of(payload[:length]) for length in range(len(payload))]
    expected = [Fault.WRONG_MAGIC] + [Fault.TRUNCATED] * (HEADER_BYTES - 1)
    assert faults == expected + [Fault.BAD_CRC] * (len(payload) - HEADER_BYTES)


@pytest.mark.parametrize("name", sorted(VECTORS))
def test_every_flipped_bit_is_refused_with_the_right_fault(name: str) -> None:
    for bit in range(len(VECTORS[name]) * 8):
        payload = bytearray(VECTORS[name])
        payload[bit // 8] ^= 1 << bit % 8
        assert fault_of(bytes(payload)) is _fault_of_flip(bit), bit


def _fault_of_flip(bit: int) -> Fault:
    if bit < 16:
        return Fault.WRONG_MAGIC
    return Fault.UNKNOWN_VERSION if bit < 24 else Fault.BAD_CRC


def test_a_maker_that_counts_wrong_is_told_so() -> None:
    good = VECTORS["good_spo2"]
    table = HEADER_BYTES
    assert fault_of(recounted(good + b"\x00")) is Fault.TRAILING_BYTES
    assert fault_of(recounted(good[:-1])) is Fault.TRUNCATED
    assert fault_of(recounted(good[:table])) is Fault.TRUNCATED
    assert fault_of(recounted(good[: table + 5])) is Fault.TRUNCATED
    for at, value, fault in (
        (52, 0, Fault.BAD_DEVICE_TABLE),
        (52, 2, Fault.BAD_DEVICE_TABLE),
        (table, 3, Fault.BAD_DEVICE_TABLE),
        (table + 2, 0xFF, Fault.BAD_DEVICE_TABLE),
        (table + 2, 0x0A, Fault.BAD_DEVICE_TABLE),
    ):
        damaged = bytearray(good)
        damaged[at] = value
        assert fault_of(recounted(damaged)) is fault, (at, value)


def test_no_rows_and_no_name_are_refused() -> None:
    good = VECTORS["good_spo2"]
    assert fault_of(recounted(good[:53] + b"\x00\x00" + good[55:-8])) is Fault.TRUNCATED
    assert fault_of(recounted(good[:55] + b"\x00\x00" + good[-8:])) is Fault.BAD_DEVICE_TABLE


def test_too_much_is_refused_on_both_sides() -> None:
    assert fault_of(b"HW" + bytes(PAYLOAD_BYTES_MAX)) is Fault.OVERSIZED
    for rows in ([], [row(0, 0, 1, 1)] * (ROWS_MAX + 1)):
        with pytest.raises(WireError, match="oversized"):
            pack(header(), rows)
    devices = tuple(DeviceEntry(device=f"d{n}", acquisition=0) for n in range(DEVICES_MAX + 1))
    for bad in ((), devices, (DeviceEntry(device="", acquisition=0),), (DeviceEntry(device="x" * 256, acquisition=0),)):
        with pytest.raises(WireError, match="bad_device_table"):
            pack(header(devices=bad), [row(0, 0, 1, 1)])


def test_the_largest_message_fits() -> None:
    devices = tuple(DeviceEntry(device=f"d{n:03}" + "x" * 251, acquisition=2) for n in range(DEVICES_MAX))
    assert len(pack(header(devices=devices), [row(0, 254, 1, 1)] * ROWS_MAX)) <= PAYLOAD_BYTES_MAX


def test_the_outbox_id_is_in_the_byte_order_of_its_text() -> None:
    assert pack(header(outbox_id=UUID(int=1)), [row(0, 0, 1, 1)])[8:24] == bytes(15) + b"\x01"

"""The control point for stored records: what is asked, what is understood, what is asked next."""

import pytest

from gateway.gatt.decoded import DecodeError
from gateway.gatt.decoders import decode
from gateway.gatt.record_access import (
    ABORT,
    COUNT_ALL,
    REPORT_ALL,
    Code,
    OpCode,
    Operator,
    Outcome,
    RecordCount,
    Request,
    answer,
    parse,
)
from gateway.gatt.write import Write

REPORT_ALL_WRITE = Write(uuid="2a52", payload=b"\x01\x01")


@pytest.mark.parametrize(
    ("request_", "payload"),
    [
        (COUNT_ALL, "0401"),
        (REPORT_ALL, "0101"),
        (ABORT, "0300"),
        (Request(op_code=OpCode.REPORT, operator=Operator.FIRST), "0105"),
        (Request(op_code=OpCode.REPORT, operator=Operator.LAST), "0106"),
        (Request(op_code=OpCode.REPORT, operator=Operator.FROM, operand=b"\x01\x02\x01"), "0103010201"),
        (Request(op_code=OpCode.COUNT, operator=Operator.UP_TO, operand=b"\x01\xff\xff"), "040201ffff"),
        (Request(op_code=OpCode.DELETE, operator=Operator.WITHIN, operand=b"\x01\x01\x00\x05\x00"), "02040101000500"),
    ],
)
def test_a_request_is_written_and_read_back(request_: Request, payload: str) -> None:
    assert request_.encoded().hex() == payload
    assert parse(bytes.fromhex(payload)) == request_


@pytest.mark.parametrize(
    ("payload", "records"),
    [
        ("05000c00", 12),
        ("05000000", 0),
        ("0500ffff", 65535),
        ("050001", 1),
        ("05000201", 258),
        ("050004030201", 16909060),
    ],
)
def test_a_number_of_records(payload: str, records: int) -> None:
    # the last three: Nordic's RecordAccessControlPointDataCallbackTest.java, counts of 1, 2 and 4 bytes
    assert parse(bytes.fromhex(payload)) == RecordCount(records=records)
    assert decode("2a52", bytes.fromhex(payload)).status == (f"records_{records}",)


@pytest.mark.parametrize("request_", OpCode)
@pytest.mark.parametrize("code", Code)
def test_every_outcome_of_every_request(request_: OpCode, code: Code) -> None:
    payload = bytes((6, 0, request_, code))
    assert parse(payload) == Outcome(request=request_, code=code)
    decoded = decode("2a52", payload)
    assert decoded.status == (f"{request_.name.lower()}_{code.name.lower()}",)
    assert decoded.measurements == ()


def test_numbers_without_a_meaning_stand_bare() -> None:
    assert parse(bytes.fromhex("06000c02")) == Outcome(request=12, code=Code.OP_CODE_NOT_SUPPORTED)  # Nordic's
    assert decode("2a52", bytes.fromhex("06000cff")).status == ("reserved_12_reserved_255",)


@pytest.mark.parametrize("operator", Operator)
@pytest.mark.parametrize("op_code", [OpCode.REPORT, OpCode.DELETE, OpCode.ABORT, OpCode.COUNT])
def test_what_was_asked_is_told_in_words(op_code: OpCode, operator: Operator) -> None:
    decoded = decode("2a52", bytes((op_code, operator)) + bytes.fromhex("010500"))
    assert decoded.status == (f"asks_{op_code.name.lower()}_{operator.name.lower()}", "operand_010500")


@pytest.mark.parametrize(
    ("payload", "offset"),
    [
        ("", 0),
        ("0101"[:2], 1),
        ("0000", 0),
        ("0701", 0),
        ("0107", 1),
        ("05010c00", 1),
        ("0601", 1),  # Nordic's onInvalidDataReceived_invalidOperator, cut
        ("0500", 2),
        ("0500030201", 2),  # Nordic's onNumberOfRecordsReceived_unsupportedLength
        ("060001", 3),
        ("0600010100", 4),
    ],
)
def test_what_a_control_point_can_not_say_names_its_byte(payload: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode("2a52", bytes.fromhex(payload))
    assert (caught.value.characteristic, caught.value.offset) == ("2a52", offset)


@pytest.mark.parametrize("payload", ["05000100", "0500ffff", "06000402"])
def test_records_that_are_there_are_asked_for(payload: str) -> None:
    assert answer("2a52", bytes.fromhex(payload)) == (REPORT_ALL_WRITE,)


@pytest.mark.parametrize(
    "payload",
    ["05000000", "06000101", "06000102", "06000106", "06000406", "06000404", "0101", "", "05", "ff", "0500030201"],
)
def test_nothing_more_is_asked(payload: str) -> None:
    assert answer("2a52", bytes.fromhex(payload)) == ()


def test_only_the_control_point_is_answered() -> None:
    assert answer("2a5e", bytes.fromhex("05000c00")) == ()

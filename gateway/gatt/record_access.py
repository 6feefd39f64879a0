"""Record Access Control Point (2A52): how the stored records of an oximeter or a glucose meter are asked for.

A request is an op code, an operator and an operand. The device answers by an indication: a number of records, or the
outcome of a procedure; the records themselves come as notifications of the measurement, oldest first, before the
outcome. A write is refused by ATT error 0xFD where the answer or the records are not listened to, by 0xFE while a
procedure runs. Nothing is ever deleted: a device's memory is the last copy until the centre has stored the readings,
and a record that is sent twice is one reading to the centre (same device, signal and time).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

from gateway.gatt.decoded import Decoded, DecodeError, Mode
from gateway.gatt.fields import Fields
from gateway.gatt.write import Write

CONTROL_POINT_UUID = "2a52"


class OpCode(IntEnum):
    """What is asked, or what an answer is."""

    REPORT = 1
    DELETE = 2
    ABORT = 3
    COUNT = 4
    COUNT_RESPONSE = 5
    RESPONSE = 6


class Operator(IntEnum):
    """Which records are meant."""

    NULL = 0
    ALL = 1
    UP_TO = 2
    FROM = 3
    WITHIN = 4
    FIRST = 5
    LAST = 6


class Code(IntEnum):
    """How a procedure ended; all but SUCCESS and NO_RECORDS are the device's refusal."""

    SUCCESS = 1
    OP_CODE_NOT_SUPPORTED = 2
    INVALID_OPERATOR = 3
    OPERATOR_NOT_SUPPORTED = 4
    INVALID_OPERAND = 5
    NO_RECORDS = 6
    ABORT_FAILED = 7
    NOT_COMPLETED = 8
    OPERAND_NOT_SUPPORTED = 9
    BUSY = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is written to the control point."""

    op_code: OpCode
    operator: Operator = Operator.NULL
    operand: bytes = b""

    def encoded(self) -> bytes:
        """Give its bytes."""
        return bytes((self.op_code, self.operator)) + self.operand


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCount:
    """How many records there are."""

    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a procedure ended; a number without a known meaning stands bare."""

    request: OpCode | int
    code: Code | int


COUNT_ALL = Request(op_code=OpCode.COUNT, operator=Operator.ALL)
REPORT_ALL = Request(op_code=OpCode.REPORT, operator=Operator.ALL)
ABORT = Request(op_code=OpCode.ABORT)
_OP_CODES = {each.value: each for each in OpCode}
_OPERATORS = {each.value: each for each in Operator}
_CODES = {each.value: each for each in Code}
_Known = TypeVar("_Known")
_COUNT_SIZES_BYTES = (1, 2, 4)  # 2 in every profile read here; others announce the size by its length alone


def parse(payload: bytes) -> Request | RecordCount | Outcome:
    """Read what was written to, or is indicated by, the control point. Raises DecodeError."""
    fields = Fields(CONTROL_POINT_UUID, payload)
    op_code = _known(fields, _OP_CODES, "op code")
    operator = _known(fields, _OPERATORS, "operator")
    if op_code not in (OpCode.COUNT_RESPONSE, OpCode.RESPONSE):
        return Request(op_code=op_code, operator=operator, operand=fields.rest())
    if operator is not Operator.NULL:
        raise fields.error(1, f"operator {operator.value} in a response, not 0")
    if op_code is OpCode.COUNT_RESPONSE:
        return RecordCount(records=_record_count(fields))
    request, code = (fields.unsigned(name, size_bytes=1) for name in ("request op code", "response code"))
    fields.end(more_announced=False)
    return Outcome(request=_OP_CODES.get(request, request), code=_CODES.get(code, code))


def decode_control_point(payload: bytes) -> Decoded:
    """Read a control point's payload as status words."""
    return Decoded(mode=Mode.SPOT, measurements=(), status=_words(parse(payload)))


def answer(uuid: str, frame: bytes) -> Sequence[Write]:
    """Ask for all records where there are some, or where the device can not count them."""
    if uuid != CONTROL_POINT_UUID:
        return ()
    try:
        said = parse(frame)
    except DecodeError:
        return ()
    can_not_count = Outcome(request=OpCode.COUNT, code=Code.OP_CODE_NOT_SUPPORTED)
    if said == can_not_count or (isinstance(said, RecordCount) and said.records):
        return (asked(REPORT_ALL),)
    return ()


def asked(request: Request) -> Write:
    """Give a request as what a driver writes."""
    return Write(uuid=CONTROL_POINT_UUID, payload=request.encoded())


def _known(fields: Fields, meanings: dict[int, _Known], name: str) -> _Known:
    at = fields.offset
    number = fields.unsigned(name, size_bytes=1)
    try:
        return meanings[number]
    except KeyError:
        raise fields.error(at, f"{name} {number} is none of {', '.join(map(str, meanings))}") from None


def _record_count(fields: Fields) -> int:
    if fields.left_bytes not in _COUNT_SIZES_BYTES:
        raise fields.error(fields.offset, f"a number of records has 1, 2 or 4 bytes, not {fields.left_bytes}")
    return fields.unsigned("number of records", size_bytes=fields.left_bytes)


def _words(said: Request | RecordCount | Outcome) -> tuple[str, ...]:
    match said:
        case RecordCount(records=records):
            return (f"records_{records}",)
        case Outcome(request=request, code=code):
            return (f"{_name(request)}_{_name(code)}",)
        case Request(op_code=op_code, operator=operator, operand=operand):
            return (f"asks_{_name(op_code)}_{_name(operator)}", *((f"operand_{operand.hex()}",) if operand else ()))


def _name(number: IntEnum | int) -> str:
    return number.name.lower() if isinstance(number, IntEnum) else f"reserved_{number}"

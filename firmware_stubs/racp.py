"""The Record Access Control Point, 2A52: a central asks for stored records, counts or deletes them (RACP, GLS 1.0 3.5).

Records have a number that only grows. Operands select by that number (filter type 1).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from enum import IntEnum
from typing import Generic, Protocol, TypeVar

from bumble import att
from bumble.core import UUID

from firmware_stubs.outlet import Outlet, Properties

RECORD_ACCESS = UUID.from_16_bits(0x2A52)
BY_NUMBER = 1


class Op(IntEnum):
    """What is asked, and what is answered."""

    REPORT = 1
    DELETE = 2
    ABORT = 3
    COUNT = 4
    COUNT_ANSWER = 5
    ANSWER = 6


class Operator(IntEnum):
    """Of which records."""

    NONE = 0
    ALL = 1
    UP_TO = 2
    FROM = 3
    WITHIN = 4
    FIRST = 5
    LAST = 6


class Answer(IntEnum):
    """How it went."""

    DONE = 1
    UNKNOWN_OP = 2
    INVALID_OPERATOR = 3
    UNKNOWN_OPERATOR = 4
    INVALID_OPERAND = 5
    NO_RECORDS = 6
    ABORT_FAILED = 7
    NOT_COMPLETED = 8
    UNKNOWN_OPERAND = 9


class Numbered(Protocol):
    """A record."""

    @property
    def number(self) -> int:
        """Return its number, 0 to 65535."""


R = TypeVar("R", bound=Numbered)


class Refusal(Exception):
    """A request that is answered with this code."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.name)
        self.answer = answer


class RecordAccess(Generic[R]):
    """The control point of one device. `records` lists them oldest first, `send` sends one, `delete` forgets some."""

    def __init__(
        self,
        *,
        measurement: Outlet,
        records: Callable[[], Sequence[R]],
        send: Callable[[R], Awaitable[bool]],
        delete: Callable[[Sequence[R]], None],
        answer: Callable[[Outlet, bytes], Awaitable[bool]],
    ) -> None:
        self.outlet = Outlet(RECORD_ACCESS, Properties.WRITE | Properties.INDICATE, on_write=self._on_write)
        self._measurement = measurement
        self._records = records
        self._send = send
        self._delete = delete
        self._say = answer
        self._is_busy = False
        self._running: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Stop reporting."""
        self._is_busy = False
        if self._running is not None:
            self._running.cancel()

    async def _on_write(self, request: bytes) -> None:
        if not (self.outlet.listening.is_set() and self._measurement.listening.is_set()):
            raise att.ATT_Error(att.ErrorCode.CCCD_IMPROPERLY_CONFIGURED)
        if self._is_busy and request[:1] != bytes((Op.ABORT,)):
            raise att.ATT_Error(att.ErrorCode.PROCEDURE_ALREADY_IN_PROGRESS)
        if self._is_busy:
            self.stop()
        self._running = asyncio.create_task(self._perform(request))

    async def _perform(self, request: bytes) -> None:
        self._is_busy = True
        op = request[0] if request else 0
        try:
            answer = await self._answer(op, request[1] if len(request) > 1 else -1, request[2:])
        except Refusal as refusal:
            answer = bytes((Op.ANSWER, Operator.NONE, op, refusal.answer))
        self._is_busy = False  # who has the answer may ask again at once
        await self._say(self.outlet, answer)

    async def _answer(self, op: int, operator: int, operand: bytes) -> bytes:
        if op == Op.ABORT:
            return _done(op)
        if op not in (Op.REPORT, Op.DELETE, Op.COUNT):
            raise Refusal(Answer.UNKNOWN_OP)
        chosen = _choose(self._records(), operator, operand)
        if op == Op.COUNT:
            return bytes((Op.COUNT_ANSWER, Operator.NONE)) + len(chosen).to_bytes(2, "little")
        if not chosen:
            raise Refusal(Answer.NO_RECORDS)
        if op == Op.DELETE:
            self._delete(chosen)
            return _done(op)
        for record in chosen:
            if not await self._send(record):
                raise Refusal(Answer.NOT_COMPLETED)
        return _done(op)


def _done(op: int) -> bytes:
    return bytes((Op.ANSWER, Operator.NONE, op, Answer.DONE))


def _choose(records: Sequence[R], operator: int, operand: bytes) -> list[R]:
    match operator:
        case Operator.NONE:
            raise Refusal(Answer.INVALID_OPERATOR)
        case Operator.ALL | Operator.FIRST | Operator.LAST if operand:
            raise Refusal(Answer.INVALID_OPERAND)
        case Operator.ALL:
            return list(records)
        case Operator.FIRST:
            return list(records[:1])
        case Operator.LAST:
            return list(records[-1:])
        case Operator.UP_TO | Operator.FROM | Operator.WITHIN:
            low, high = _bounds(operator, operand)
            return [record for record in records if low <= record.number <= high]
        case _:
            raise Refusal(Answer.UNKNOWN_OPERATOR)


def _bounds(operator: int, operand: bytes) -> tuple[int, int]:
    if operand[:1] != bytes((BY_NUMBER,)):
        raise Refusal(Answer.UNKNOWN_OPERAND)
    if len(operand) != (5 if operator == Operator.WITHIN else 3):
        raise Refusal(Answer.INVALID_OPERAND)
    first, last = int.from_bytes(operand[1:3], "little"), int.from_bytes(operand[3:5], "little")
    low, high = {Operator.UP_TO: (0, first), Operator.FROM: (first, 0xFFFF)}.get(Operator(operator), (first, last))
    if low > high:
        raise Refusal(Answer.INVALID_OPERAND)
    return low, high

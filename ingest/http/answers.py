"""What became of each row of a request, and the answer that says so."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import Literal
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from ingest.feed import Rows
from ingest.judging.refusals import Refusal
from ingest.judging.rejection import EXPLANATION, ROW_REJECTIONS, Rejection
from ingest.judging.screening import QUARANTINED, REPEATED, TAKEN, Incoming

_TAKEN_BEFORE = 252
_NO_SLOT = -1


class Fate(StrEnum):
    """What becomes of a row. Whichever it is, it is settled: the sender may forget it."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


class Repeat(StrEnum):
    """Why a row is a duplicate."""

    ROW_TAKEN_BEFORE = "row_taken_before"
    EQUAL_VALUE_STORED = "equal_value_stored"


_DUPLICATES: dict[int, tuple[Repeat, str]] = {
    _TAKEN_BEFORE: (Repeat.ROW_TAKEN_BEFORE, "These row numbers of this outbox were taken before."),
    REPEATED: (Repeat.EQUAL_VALUE_STORED, "The same value of this device, signal and instant is stored already."),
}
_TOLD_IN_GENERAL = frozenset({Rejection.STORE_ERROR, Rejection.FOREIGN_OUTBOX})
"""Their details name what is not the sender's business: the database's words, another site's gateway."""


class RowRange(BaseModel):
    """Rows that follow one another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first_row: int = Field(description="Number of the first row.", ge=0)
    last_row: int = Field(description="Number of the last row, itself included.", ge=0)


class Outcome(BaseModel):
    """Rows that fared alike."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Fate = Field(
        description="`stored`: new and safe. `duplicate`: safe since before. `rejected`: put aside with its reason, "
        "for people to look at; sending it again changes nothing."
    )
    reason: str | None = Field(
        default=None,
        description="Of a duplicate `row_taken_before` or `equal_value_stored`; of a rejected row its reason, as "
        "`unknown_device`, `unbound_device`, `too_old`, `conflict`; null where stored.",
    )
    device: str | None = Field(default=None, description="The device of rejected rows.")
    detail: str | None = Field(default=None, description="The reason in words; names the offending value.")
    rows: int = Field(description="How many rows fared so.", ge=1)
    ranges: list[RowRange] = Field(description="Which rows, ascending.", min_length=1)


class Answer(BaseModel):
    """What became of every row: each is in exactly one outcome, and each is settled. Forget them all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gateway: str = Field(description="The gateway that sent.")
    outbox_id: UUID = Field(description="The outbox whose rows these are.")
    rows: int = Field(description="How many rows were sent.", ge=1)
    stored: int = Field(description="How many are new and safe.", ge=0)
    duplicates: int = Field(description="How many were safe before.", ge=0)
    rejected: int = Field(description="How many were put aside.", ge=0)
    implausible: int = Field(description="Of the stored: how many lost a number that can not be.", ge=0)
    clock_ahead: int = Field(description="Of the stored: how many were dated back, as the clock ran ahead.", ge=0)
    outcomes: list[Outcome] = Field(description="Which rows fared how, in the order of their first rows.", min_length=1)


class Standing(StrEnum):
    """What the status is decided on: a row is new, or was there in this or another form, or was put aside."""

    NEW = "new"
    THERE = "there"
    ASIDE = "aside"


Status = Literal[HTTPStatus.OK, HTTPStatus.MULTI_STATUS, HTTPStatus.CONFLICT]

STATUS: dict[frozenset[Standing], Status] = {
    frozenset({Standing.NEW}): HTTPStatus.OK,
    frozenset({Standing.THERE}): HTTPStatus.CONFLICT,
    frozenset({Standing.ASIDE}): HTTPStatus.MULTI_STATUS,
    frozenset({Standing.NEW, Standing.THERE}): HTTPStatus.MULTI_STATUS,
    frozenset({Standing.NEW, Standing.ASIDE}): HTTPStatus.MULTI_STATUS,
    frozenset({Standing.THERE, Standing.ASIDE}): HTTPStatus.MULTI_STATUS,
    frozenset({Standing.NEW, Standing.THERE, Standing.ASIDE}): HTTPStatus.MULTI_STATUS,
}


def status_of(answer: Answer) -> Status:
    """Decide the HTTP status: 200 all stored, 409 each a duplicate or in conflict, 207 anything else."""
    return STATUS[frozenset(_standing(outcome) for outcome in answer.outcomes)]


def answer_of(
    message: Incoming, judged: Rows, refusals: Sequence[Refusal], *, implausible: int = 0, clock_ahead: int = 0
) -> Answer:
    """Say what became of a message's rows; those that are not among the judged ones had been taken before."""
    outcomes = list(_outcomes(message, judged, refusals))
    count = {fate: sum(each.rows for each in outcomes if each.outcome is fate) for fate in Fate}
    return Answer(
        gateway=message.gateway_id,
        outbox_id=message.decoded.header.outbox_id,
        rows=message.decoded.row_count,
        stored=count[Fate.STORED],
        duplicates=count[Fate.DUPLICATE],
        rejected=count[Fate.REJECTED],
        implausible=implausible,
        clock_ahead=clock_ahead,
        outcomes=outcomes,
    )


def _standing(outcome: Outcome) -> Standing:
    match outcome.outcome:
        case Fate.STORED:
            return Standing.NEW
        case Fate.DUPLICATE:
            return Standing.THERE
        case Fate.REJECTED:
            return Standing.THERE if outcome.reason == Rejection.CONFLICT else Standing.ASIDE


def _outcomes(message: Incoming, judged: Rows, refusals: Sequence[Refusal]) -> Iterator[Outcome]:
    """Group the rows by what became of them and, where rejected, by device."""
    first_row = message.decoded.header.first_row
    code = np.full(message.decoded.row_count, _TAKEN_BEFORE, np.uint8)
    slot = np.full(message.decoded.row_count, _NO_SLOT, np.int32)
    place = judged["row_no"] - first_row
    code[place] = judged["rejection"]
    slot[place] = np.where(judged["rejection"] < len(ROW_REJECTIONS), judged["slot"], _NO_SLOT)
    details = {(refusal.reason, refusal.first_row): refusal.detail for refusal in refusals}
    for (fate, of_slot), ranges in _runs(code, slot, first_row).items():
        said = _said(fate, first=ranges[0].first_row, details=details)
        device = message.decoded.header.devices[of_slot].device if of_slot >= 0 else None
        yield Outcome(
            outcome=said[0],
            reason=said[1],
            device=device,
            detail=said[2],
            rows=sum(part.last_row - part.first_row + 1 for part in ranges),
            ranges=ranges,
        )


def _runs(code: NDArray[np.uint8], slot: NDArray[np.int32], first_row: int) -> dict[tuple[int, int], list[RowRange]]:
    """Find the runs of rows alike, in order, under what they have in common."""
    begins = np.flatnonzero(np.append(True, (code[1:] != code[:-1]) | (slot[1:] != slot[:-1])))
    ends = np.append(begins[1:], len(code))
    runs: dict[tuple[int, int], list[RowRange]] = {}
    columns = (begins.tolist(), ends.tolist(), code[begins].tolist(), slot[begins].tolist())
    for begin, end, of_code, of_slot in zip(*columns, strict=True):
        part = RowRange(first_row=first_row + begin, last_row=first_row + end - 1)
        runs.setdefault((of_code, of_slot), []).append(part)
    return runs


def _said(
    code: int, *, first: int, details: dict[tuple[Rejection, int | None], str]
) -> tuple[Fate, str | None, str | None]:
    """Give fate, reason and detail of a code in `screening.SCREENED_DTYPE`."""
    if code == TAKEN:
        return Fate.STORED, None, None
    if code in _DUPLICATES:
        return Fate.DUPLICATE, *_DUPLICATES[code]
    reason = Rejection.STORE_ERROR if code == QUARANTINED else ROW_REJECTIONS[code]
    _, explanation = EXPLANATION[reason]
    detail = explanation if reason in _TOLD_IN_GENERAL else details.get((reason, first), explanation)
    return Fate.REJECTED, reason, detail

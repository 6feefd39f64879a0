"""Ingest's word, read strictly: a misread one would delete readings."""

import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.outbox.rows import RowRange
from gateway.uplink.ack import Ack, AckError, parse_ack

OUTBOX = "00000000-0000-0000-0000-000000000001"


def said(stored: object, outbox_id: object = OUTBOX) -> bytes:
    return json.dumps({"outbox_id": outbox_id, "stored": stored}).encode()


def test_ranges_are_sorted_and_joined() -> None:
    assert parse_ack(said([[10, 12], [1, 5], [5, 7]])) == Ack(
        outbox_id=UUID(OUTBOX), stored=(RowRange(1, 7), RowRange(10, 12))
    )


def test_no_ranges_are_no_error() -> None:
    assert parse_ack(said([])).stored == ()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"outbox_id": "x", "stored": []}',
        b"[" * 100_000,
        said([], outbox_id=5),
        said({"a": 1}),
        said([[1]]),
        said([[1, 2, 3]]),
        said([[2, 2]]),
        said([[3, 2]]),
        said([[-1, 2]]),
        said([[0, 2**63]]),
        said([[0.0, 2.0]]),
        said([[False, True]]),
        said([["1", "2"]]),
        said([[0, 1]] * 10_001),
        said(None),
    ],
)
def test_anything_else_is_the_typed_error(payload: bytes) -> None:
    with pytest.raises(AckError):
        parse_ack(payload)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(payload: bytes) -> None:
    with pytest.raises(AckError):
        parse_ack(payload)

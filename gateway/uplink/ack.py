"""Reads ingest's word that rows are stored: the only thing that lets the outbox forget them."""

import json
from dataclasses import dataclass
from uuid import UUID

from gateway.outbox.rows import ROW_END, RowRange, merged

RANGES_MAX = 10_000


class AckError(ValueError):
    """An acknowledgement can not be read; the message names what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """Which rows of which outbox are stored; sorted, none overlapping."""

    outbox_id: UUID
    stored: tuple[RowRange, ...]


def parse_ack(payload: bytes) -> Ack:
    """Read `{"outbox_id": uuid, "stored": [[first, last_exclusive], ...]}`. Raises AckError on anything else."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError) as exc:
        raise AckError(f"not JSON: {exc}") from exc
    if not isinstance(document, dict):
        raise AckError(f"a {type(document).__name__}, not an object")
    try:
        outbox_id = UUID(document["outbox_id"])
        ranges = document["stored"]
    except (KeyError, ValueError, TypeError, AttributeError) as exc:
        raise AckError(f"outbox_id or stored: {exc!r}") from exc
    if not isinstance(ranges, list) or len(ranges) > RANGES_MAX:
        raise AckError(f"stored is no list of at most {RANGES_MAX} ranges")
    return Ack(outbox_id=outbox_id, stored=tuple(merged(_range(item) for item in ranges)))


def _range(item: object) -> RowRange:
    match item:
        case [int(first), int(end)] if not isinstance(first, bool) and not isinstance(end, bool):
            if 0 <= first < end <= ROW_END:
                return RowRange(first, end)
    raise AckError(f"{str(item)[:80]} is no [first, last_exclusive]")

"""What a gateway says of itself on its status topic: kept as it came, with the one thing ingest needs read out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ingest.account import Range, merged
from ingest.judging.decode import Refused
from ingest.judging.rejection import Rejection
from vitals.wire_json import ROW_NUMBER_MAX

STATUS_BYTES_MAX = 64 * 1024
COUNT_MAX = 2**40
"""More than a gateway counts in its life (3,000 readings a second for ten years); of a count beyond nothing is true."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxWord:
    """What a gateway says of the outbox that it uses now: accepted = stored + thinned + depth."""

    outbox_id: UUID
    accepted: int
    thinned: int
    depth: int
    salvaged: int
    thinned_rows: tuple[Range, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A gateway's word; `retained` if the broker had kept it and it is no news of when the gateway was there."""

    gateway_id: str
    online: bool
    received_ms: int
    body: str
    retained: bool
    outbox: OutboxWord | None = None


def read_status(payload: bytes, *, gateway_id: str, received_ms: int, retained: bool) -> Status:
    """Read a status object; `"state": "offline"` is the last will. Raises Refused on what is no JSON object."""
    if len(payload) > STATUS_BYTES_MAX:
        raise Refused(Rejection.OVERSIZED, f"status of {len(payload)} bytes, at most {STATUS_BYTES_MAX}")
    try:
        document = json.loads(payload.decode())
    except (ValueError, RecursionError) as exc:
        raise Refused(Rejection.NOT_JSON, f"status: {str(exc)[:200]}") from exc
    if not isinstance(document, dict):
        raise Refused(Rejection.WRONG_TYPE, f"status is {type(document).__name__}, not an object")
    return Status(
        gateway_id=gateway_id,
        online=document.get("state") != "offline",
        received_ms=received_ms,
        body=payload.decode(),
        retained=retained,
        outbox=_outbox(document.get("outbox")),
    )


def _outbox(word: object) -> OutboxWord | None:
    """Read what is said of the outbox; None where it is not all there, as of another version, or can not be true."""
    if not isinstance(word, dict):
        return None
    counts = {name: _count(word, name) for name in ("accepted", "thinned", "depth")}
    salvaged = _count(word, "salvaged") if "salvaged" in word else 0
    try:
        outbox_id = UUID(word["id"])
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
    accepted, thinned, depth = counts["accepted"], counts["thinned"], counts["depth"]
    if accepted is None or thinned is None or depth is None or salvaged is None or thinned + depth > accepted:
        return None
    return OutboxWord(
        outbox_id=outbox_id,
        accepted=accepted,
        thinned=thinned,
        depth=depth,
        salvaged=salvaged,
        thinned_rows=_ranges(word.get("thinned_rows")),
    )


def _ranges(entries: object) -> tuple[Range, ...]:
    """Read [first, end, rows] entries; where they are is coarse anyway, so what is malformed is passed over."""
    found = [tuple(entry[:2]) for entry in entries if isinstance(entry, list)] if isinstance(entries, list) else []
    return tuple(merged((first, end) for first, end in filter(_is_range, found)))


def _is_range(pair: tuple[Any, ...]) -> bool:
    return len(pair) == 2 and all(type(each) is int for each in pair) and 0 <= pair[0] < pair[1] <= ROW_NUMBER_MAX


def _count(word: Mapping[str, Any], name: str) -> int | None:
    value = word.get(name)
    return value if type(value) is int and 0 <= value <= COUNT_MAX else None

"""What a gateway says of itself on its status topic: kept as it came, with the one thing ingest needs read out."""

import json
from dataclasses import dataclass

from ingest.decode import Refused
from ingest.rejection import Rejection

STATUS_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A gateway's word; `retained` if the broker had kept it and it is no news of when the gateway was there."""

    gateway_id: str
    online: bool
    received_ms: int
    body: str
    retained: bool


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
    )

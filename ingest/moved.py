"""What the log says of readings that changed hands: of whom, of which device and time, and from when to judge (core).

A batch of kind `moved` is one such line of JSON. `sample` has been true before it stands there.
"""

import json
from dataclasses import dataclass


class MovedError(ValueError):
    """A batch of kind `moved` can not be read; the message shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A patient's readings of a device in [from_ms, until_ms) have `gone`, or have come; Unix ms, until None: no end.

    `signals` are their codes. To be judged again from `judged_from_ms` on.
    """

    correction_id: int
    patient_id: int
    device_id: int
    signals: tuple[int, ...]
    from_ms: int
    until_ms: int | None
    judged_from_ms: int
    gone: bool


def to_payload(moved: Moved) -> bytes:
    """Write a batch of the log."""
    document = {
        "correction": moved.correction_id,
        "patient": moved.patient_id,
        "device": moved.device_id,
        "signals": moved.signals,
        "from_ms": moved.from_ms,
        "until_ms": moved.until_ms,
        "judged_from_ms": moved.judged_from_ms,
        "gone": moved.gone,
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def from_payload(payload: bytes) -> Moved:
    """Read what `to_payload` wrote. Raises MovedError."""
    try:
        said = json.loads(payload)
        return Moved(
            correction_id=int(said["correction"]),
            patient_id=int(said["patient"]),
            device_id=int(said["device"]),
            signals=tuple(int(code) for code in said["signals"]),
            from_ms=int(said["from_ms"]),
            until_ms=None if said["until_ms"] is None else int(said["until_ms"]),
            judged_from_ms=int(said["judged_from_ms"]),
            gone=bool(said["gone"]),
        )
    except (ValueError, KeyError, TypeError) as exc:
        raise MovedError(f"not what has moved: {payload[:200]!r}") from exc

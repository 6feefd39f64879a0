"""What a patient is held to, as the intake log says it: a batch of kind `limits` is lines of JSON, a patient each.

A line holds for its patient from there on, whatever was said before; it states every sustained rule's limits, so that
a replay needs nothing else. Lines of one meaning are equal byte by byte.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from alerting.engine.partition import HeldAs
from vitals.sustained import Limit


class LimitsEventError(ValueError):
    """A batch of kind `limits` can not be read; the message shows the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidLimits:
    """One patient's limits by rule id (a rule that does not hold has the limit that nothing breaks), and why.

    `awaiting`: rules that his group leaves to a doctor's order, which there is not: nobody watches him by them. `void`:
    rules of which a doctor has ordered a limit that can not hold: they are as if he had not.
    """

    patient_id: int
    held: HeldAs
    why: tuple[str, ...]
    limits: Mapping[str, Limit]
    awaiting: tuple[str, ...] = ()
    void: tuple[str, ...] = ()


def to_line(said: SaidLimits) -> str:
    """Write one patient's limits as a line of the log."""
    document = {
        "patient": said.patient_id,
        "profile": said.held.name,
        "hash": said.held.hash,
        "baseline": said.held.baseline,
        "why": said.why,
        "awaiting": said.awaiting,
        "limits": {rule: (limit.breach, limit.clear_at) for rule, limit in said.limits.items()},
    }
    if said.void:
        document["void"] = said.void
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def from_line(line: str) -> SaidLimits:
    """Read what `to_line` wrote. Raises LimitsEventError."""
    try:
        document = json.loads(line)
        return SaidLimits(
            patient_id=int(document["patient"]),
            held=HeldAs(name=document["profile"], hash=document["hash"], baseline=document["baseline"]),
            why=tuple(document["why"]),
            awaiting=tuple(document.get("awaiting", ())),
            void=tuple(document.get("void", ())),
            limits={rule: Limit(breach=breach, clear_at=over) for rule, (breach, over) in document["limits"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise LimitsEventError(f"not a patient's limits: {line[:200]!r}") from exc


def to_payload(lines: Iterable[str]) -> bytes:
    """Put lines together as a batch of the log."""
    return "".join(f"{line}\n" for line in lines).encode()


def lines_of(payload: bytes) -> Sequence[str]:
    """Take a batch of the log apart. Raises LimitsEventError."""
    try:
        return payload.decode().removesuffix("\n").split("\n")  # not splitlines: a reason may hold other breaks
    except UnicodeDecodeError as exc:
        raise LimitsEventError(f"not UTF-8: {payload[:80]!r}") from exc

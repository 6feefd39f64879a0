"""A pause of the alarm's sound that people in the home may ask for: always with an end (CLINICAL section 4).

Without a reason it lasts at most 2 min. With one, for someone who has come to help and knows, at most 12 h. It takes
the sound away and nothing else: light, sending and everything at the centre go on, and a new danger ends it.
"""

import json
from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a pause may be a long one: no free text, it goes into the status, where no name may stand."""

    ATTENDED = "attended"
    IN_HOSPITAL = "in_hospital"
    DEVICE_FAULT = "device_fault"


MINUTES_MAX: dict[Reason | None, int] = {None: 2, **dict.fromkeys(Reason, 12 * 60)}
"""How long a pause may be, by its reason."""


class QuietError(ValueError):
    """A pause can not be had; the message names the offending value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """One pause that is asked for, in clinical minutes from when the gateway reads it."""

    minutes: int
    reason: Reason | None = None

    def __post_init__(self) -> None:
        most = MINUTES_MAX[self.reason]
        if not 1 <= self.minutes <= most:
            why = f"for {self.reason}" if self.reason else "without a reason"
            raise QuietError(f"{self.minutes} min: {why} a pause is 1 to {most} min")


def quiet_text(quiet: Quiet) -> bytes:
    """Write a pause down."""
    return json.dumps({"minutes": quiet.minutes, "reason": quiet.reason}).encode()


def parse_quiet(text: bytes) -> Quiet:
    """Read a pause. Raises QuietError."""
    try:
        document = json.loads(text)
        minutes, reason = document["minutes"], document["reason"]
        if not isinstance(minutes, int) or isinstance(minutes, bool):
            raise QuietError(f"minutes = {minutes!r} is no whole number")
        return Quiet(minutes=minutes, reason=None if reason is None else Reason(reason))
    except (KeyError, TypeError, ValueError, RecursionError) as exc:
        raise exc if isinstance(exc, QuietError) else QuietError(f"no pause: {str(exc)[:200]}") from exc

"""How a hand-over of a notice ended, as its row keeps it: one of these, perhaps ": " and a detail behind it (core)."""

from enum import StrEnum


class Outcome(StrEnum):
    """What came of a notice over a channel; screens put it in words."""

    ACCEPTED = "accepted by channel"
    REFUSED = "refused"
    REFUSED_FOR_GOOD = "refused for good"
    NO_ANSWER = "no answer"
    FAILED = "failed"
    NOT_UNDERSTOOD = "channel address not understood"
    TOO_LATE = "too late"
    ANSWERED = "answered meanwhile"
    GATHERED = "gathered"
    NO_CHANNEL = "no channel"
    IN_CONSOLE = "shown in the console"
    IN_RESERVE = "in reserve"

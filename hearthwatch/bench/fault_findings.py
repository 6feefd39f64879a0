"""What a fault came to: measurements doubled or missing among what was heard, and whether that is well."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from uuid import UUID

ANSWER_S_MAX = 60.0
SAME_MS_MAX = 50
"""Measurements nearer to each other are one: the devices of a fault speak once a second."""


class Answer(Enum):
    """What a trouble needs of the gateway within ANSWER_S_MAX."""

    NONE = "nothing"
    ACTION = "a line that says that something is done"
    RUNG = "a rung of recovery: the outage outlives the link, so letting go of the link is no answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One row that arrived: a row sent again is the same row, two rows are two whatever their time."""

    outbox: UUID
    number: int
    measured_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was seen. None: it did not come in time; a trouble that needs no action has none.

    `first_action` may be the fault itself, noticed (a link let go of); `first_rung` never is. `lost` rows were accepted
    and did not arrive; `repeated` rows came once more from another outbox, which ingest knows by their instant.
    """

    fault: str
    answer: Answer = Answer.ACTION
    first_action: str | None = None
    first_action_s: float | None = None
    first_rung: str | None = None
    first_rung_s: float | None = None
    data_again_s: float | None = None
    all_heard_s: float | None = None
    longest_gap_s: float | None = None
    rungs: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    repeated: int = 0
    lost: int | None = None
    gateway_restarts: int = 0
    expected_restarts: int = 0
    is_as_expected: bool = True
    left_out: str | None = None

    @property
    def faults_found(self) -> tuple[str, ...]:
        """Name what is not well; a fault that could not be played here has nothing."""
        if self.left_out is not None:
            return ()
        answered_s = {Answer.ACTION: self.first_action_s, Answer.RUNG: self.first_rung_s, Answer.NONE: 0.0}[self.answer]
        findings = {
            "no data": self.data_again_s is None,
            f"no answer within {ANSWER_S_MAX:g} s": answered_s is None or answered_s > ANSWER_S_MAX,
            "duplicates": self.duplicates > 0,
            "lost": self.lost != 0,
            "gateway restarts": self.gateway_restarts != self.expected_restarts,
            "not as expected": not self.is_as_expected,
        }
        return tuple(name for name, is_so in findings.items() if is_so)

    @property
    def is_well(self) -> bool:
        """Whether data flow again, each measurement once, answered in time and by the gateway itself."""
        return not self.faults_found


def duplicates(rows: Iterable[Heard]) -> int:
    """Count rows that tell again what another row told."""
    return sum(not _is_repetition(*pair) for pair in _near(rows))


def repeated(rows: Iterable[Heard]) -> int:
    """Count rows that came once more, with the very same instant, from another outbox."""
    return sum(_is_repetition(*pair) for pair in _near(rows))


def longest_gap_s(devices: Iterable[Sequence[int]]) -> float | None:
    """Give the longest time between two measurements of one device, of each device's instants in ms."""
    gaps = [later - earlier for instants in devices for earlier, later in pairwise(sorted(instants))]
    return round(max(gaps) / 1000, 2) if gaps else None


def _near(rows: Iterable[Heard]) -> list[tuple[Heard, Heard]]:
    ordered = sorted(rows, key=lambda row: (row.measured_ms, row.outbox, row.number))
    return [pair for pair in pairwise(ordered) if pair[1].measured_ms - pair[0].measured_ms < SAME_MS_MAX]


def _is_repetition(earlier: Heard, later: Heard) -> bool:
    return earlier.outbox != later.outbox and earlier.measured_ms == later.measured_ms

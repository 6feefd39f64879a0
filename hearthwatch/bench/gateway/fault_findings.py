"""What a fault came to: measurements doubled or missing among what was heard, and each limit met or missed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from uuid import UUID

from hearthwatch.bench.goals import Goal, at_most, exactly

ANSWER_S_MAX = 60.0
DATA_AGAIN_S_MAX = 300.0
"""The third rung of the ladder comes after 180 s of silence; links and services are made anew behind it."""

SAME_MS_MAX = 50
"""Equal measurements nearer to each other are one: the devices of a fault speak once a second, always another value."""


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
    spo2: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Climbed:
    """A rung of recovery that was taken, so long after the trouble began."""

    rung: str
    because: str
    after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was seen. None: it did not come in time; a trouble that needs no action has none.

    `first_action` may be the fault itself, noticed (a link let go of); `first_rung` never is; `climbed` are all rungs
    in order; `heard` counts the SpO2 values that arrived of the devices it hit. `lost` rows were accepted and did not
    arrive; `repeated` rows came once more from another outbox, which ingest knows by their instant. `note`: what one
    should know of how it was played.
    """

    fault: str
    note: str = ""
    answer: Answer = Answer.ACTION
    first_action: str | None = None
    first_action_s: float | None = None
    first_rung: str | None = None
    first_rung_s: float | None = None
    data_again_s: float | None = None
    all_heard_s: float | None = None
    longest_gap_s: float | None = None
    climbed: tuple[Climbed, ...] = ()
    rungs: dict[str, int] = field(default_factory=dict)
    heard: int = 0
    duplicates: int = 0
    repeated: int = 0
    lost: int | None = None
    gateway_restarts: int = 0
    expected_restarts: int = 0
    is_as_expected: bool = True
    left_out: str | None = None

    @property
    def goals(self) -> tuple[Goal, ...]:
        """Hold what was seen against the limits; a fault that could not be played here has none."""
        if self.left_out is not None:
            return ()
        answered = {
            Answer.NONE: (),
            Answer.ACTION: (at_most("first action, s", ANSWER_S_MAX, self.first_action_s),),
            Answer.RUNG: (at_most("first rung, s", ANSWER_S_MAX, self.first_rung_s),),
        }
        return (
            *answered[self.answer],
            at_most("data again, s", DATA_AGAIN_S_MAX, self.data_again_s),
            exactly("lost", 0, self.lost),
            exactly("duplicates", 0, self.duplicates),
            exactly("restarts of the gateway", self.expected_restarts, self.gateway_restarts),
            exactly("did not do what this trouble asks", 0, int(not self.is_as_expected)),
        )

    @property
    def missed(self) -> tuple[str, ...]:
        """Name the limits that were missed."""
        return tuple(goal.goal for goal in self.goals if not goal.met)


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
    return [pair for pair in pairwise(ordered) if _is_one(*pair)]


def _is_one(earlier: Heard, later: Heard) -> bool:
    return later.measured_ms - earlier.measured_ms < SAME_MS_MAX and later.spo2 == earlier.spo2


def _is_repetition(earlier: Heard, later: Heard) -> bool:
    return earlier.outbox != later.outbox and earlier.measured_ms == later.measured_ms

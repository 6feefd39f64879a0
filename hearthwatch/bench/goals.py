"""What a benchmark is asked to show, beside what it measured: each goal is met or missed, and one missed is enough."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One line of a verdict; the unit ends `goal`. A `measured` of None is what could not be measured: missed."""

    goal: str
    asked: str
    measured: float | None
    met: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TooShort:
    """A goal that a run was too short to judge: it is left out and said, for it would be met or missed by chance."""

    goal: str
    why: str


def at_most(goal: str, limit: float, measured: float | None) -> Goal:
    """Ask for no more than a limit."""
    return Goal(
        goal=goal, asked=f"<= {_number(limit)}", measured=measured, met=measured is not None and measured <= limit
    )


def at_least(goal: str, limit: float, measured: float | None) -> Goal:
    """Ask for no less than a limit."""
    return Goal(
        goal=goal, asked=f">= {_number(limit)}", measured=measured, met=measured is not None and measured >= limit
    )


def exactly(goal: str, wanted: float, measured: float | None) -> Goal:
    """Ask for a number, most often none."""
    return Goal(goal=goal, asked=_number(wanted), measured=measured, met=measured == wanted)


def verdict(goals: Sequence[Goal | TooShort], *, for_information: Sequence[Goal] = ()) -> dict[str, object]:
    """Give the goals as they stand in a document, whether all are met, and what was not judged.

    What is for information is said beside them and decides nothing.
    """
    judged = [goal for goal in goals if isinstance(goal, Goal)]
    left_out = [asdict(goal) for goal in goals if isinstance(goal, TooShort)]
    said = {"goals": [asdict(goal) for goal in judged], "well": all(goal.met for goal in judged)}
    beside = {"for_information": [asdict(goal) for goal in for_information], "too_short_to_tell": left_out}
    return said | {name: lines for name, lines in beside.items() if lines}


def in_words(document: Mapping[str, Any]) -> list[str]:
    """Say one line for each goal of a document, and for each that was left out."""
    return [
        *(
            f"{'met   ' if g['met'] else 'MISSED'} {g['goal']}: {_measured(g)} (asked {g['asked']})"
            for g in document["goals"]
        ),
        *(
            f"({'met' if g['met'] else 'missed'}) {g['goal']}: {_measured(g)} (would be asked {g['asked']})"
            for g in document.get("for_information", ())
        ),
        *(f"too short to tell {g['goal']}: {g['why']}" for g in document.get("too_short_to_tell", ())),
    ]


def _measured(goal: dict[str, Any]) -> str:
    return "not measured" if goal["measured"] is None else _number(goal["measured"])


def _number(number: float) -> str:
    """Write all digits of it: a count that is wrong by one must look wrong."""
    return f"{number:,.15g}"
